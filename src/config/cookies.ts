/**
 * Two clusters with sessions that a browser meets under one host name must name their cookies differently:
 * each would overwrite the other's, and visitors would lose their sessions at every change between them.
 */
import type { ClusterDraft } from "./context.ts";
import type { Problems } from "./problems.ts";
import { coversHost, takesEveryPath } from "./route-order.ts";

/** Stands for every host that no route names. */
const anyOther = "any host";

export function checkCookies(drafts: readonly ClusterDraft[], problems: Problems): void {
  const routes = drafts.flatMap((draft) => draft.routes.map(({ value }) => value));
  const hosts = new Set([...routes.flatMap(({ host }) => host ?? []), anyOther]);
  const withSessions = new Map(
    drafts.flatMap((draft) => (draft.cluster.sessions === null ? [] : [[draft.cluster.name, draft]])),
  );
  const told = new Set<string>();
  for (const host of hosts) {
    const owners = new Map<string, ClusterDraft>();
    for (const name of clustersOf(host, drafts)) {
      const draft = withSessions.get(name);
      const cookie = draft?.cluster.sessions?.cookieName;
      if (draft === undefined || cookie === undefined) continue;
      const other = owners.get(cookie);
      if (other === undefined) owners.set(cookie, draft);
      else if (!told.has(`${other.cluster.name} ${name}`)) {
        told.add(`${other.cluster.name} ${name}`);
        tell(draft, other, cookie, host, problems);
      }
    }
  }
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
  const sessions = section.section("sessions");
  const at = sessions.has("cookie") ? sessions.section("cookie").atOf("name") : section.atOf("sessions");
  problems.error(
    at,
    `${draft.cluster.name} and ${other.cluster.name} both have the session cookie "${cookie}" and are both reached on ${host === anyOther ? host : `the host ${host}`}; give one another sessions: { cookie: { name: ... } }`,
  );
}
