/**
 * Two clusters that a browser meets under one host name must name the cookies of their sessions, or of `affinity: cookie`,
 * differently: each would overwrite the other's, and visitors would lose their sessions at every change between them.
 */
import type { ClusterDraft } from "./context.ts";
import type { Problems } from "./problems.ts";
import { coversHost, takesEveryPath } from "./route-order.ts";

/** Stands for every host that no route names. */
const anyOther = "any host";

export function checkCookies(drafts: readonly ClusterDraft[], problems: Problems): void {
  const routes = drafts.flatMap((draft) => draft.routes.map(({ value }) => value));
  const hosts = new Set([...routes.flatMap(({ host }) => host ?? []), anyOther]);
  const withCookies = new Map(
    drafts.flatMap((draft) => (cookieOf(draft) === null ? [] : [[draft.cluster.name, draft]])),
  );
  const told = new Set<string>();
  for (const host of hosts) {
    const owners = new Map<string, ClusterDraft>();
    for (const name of clustersOf(host, drafts)) {
      const draft = withCookies.get(name);
      if (draft === undefined) continue;
      const cookie = cookieOf(draft)!;
      const other = owners.get(cookie);
      if (other === undefined) owners.set(cookie, draft);
      else if (!told.has(`${other.cluster.name} ${name}`)) {
        told.add(`${other.cluster.name} ${name}`);
        tell(draft, other, cookie, host, problems);
      }
    }
  }
}

/** Its name, or null. */
function cookieOf({ cluster: { sessions, affinity } }: ClusterDraft): string | null {
  return sessions?.cookieName ?? (affinity?.by === "cookie" ? affinity.cookieName : null);
}

/** The clusters that requests for the host can come to. */
function clustersOf(host: string, drafts: readonly ClusterDraft[]): ReadonlySet<string> {
  const reached = new Set<string>();
  for (const { cluster } of drafts) {
    for (const route of cluster.routes) {
      if (!coversHost(route.host, host === anyOther ? null : host)) continue;
      if (route.to !== null) reached.add(route.to);
      if (takesEveryPath(route)) break;
    }
  }
  return reached;
}

function tell(
  draft: ClusterDraft,
  other: ClusterDraft,
  cookie: string,
  host: string,
  problems: Problems,
): void {
  const { section } = draft.entry;
  const isAffinity = draft.cluster.affinity !== null;
  const owner = isAffinity ? "affinity" : "sessions";
  const named = isAffinity ? section.section(owner) : section.section(owner).section("cookie");
  const where = host === anyOther ? host : `the host ${host}`;
  const example = isAffinity ? "{ by: cookie, name: ... }" : "{ cookie: { name: ... } }";
  problems.error(
    named.has("name") ? named.atOf("name") : section.atOf(owner),
    `${draft.cluster.name} and ${other.cluster.name} both have the cookie "${cookie}" and are both reached on ${where}; give one another ${owner}: ${example}`,
  );
}
