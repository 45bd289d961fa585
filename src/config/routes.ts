/** `routes:` -> routes, and whether they and the clusters agree: every target known, nothing out of reach. */
import { resolve } from "node:path";
import type { ClusterDraft, Context, PlacedRoute } from "./context.ts";
import type { Route } from "./model.ts";
import { suggestion } from "./nearest.ts";
import { alternatives, type Problems, quote } from "./problems.ts";
import type { Section } from "./section.ts";

export function buildRoutes(
  sections: readonly Section[],
  { problems, folder }: Context,
): readonly PlacedRoute[] {
  return sections
    .map((section) => {
      const files = section.text("files");
      const value: Route = {
        host: section.text("host"),
        path: section.text("path"),
        to: section.text("to"),
        files: files === null ? null : resolve(folder, files),
        at: `${problems.path}:${section.at.line}:${section.at.column}`,
      };
      const wrong = ["host", "path"].some((key) => section.has(key) && section.text(key) === null);
      const at = section.has("to") ? section.atOf("to") : section.at;
      return { at, value, writtenTo: section.writtenText("to"), wrong };
    })
    .filter(({ wrong }) => !wrong);
}

export function checkRoutes(drafts: readonly ClusterDraft[], problems: Problems): void {
  const targets = new Map(drafts.map((draft) => [draft.cluster.name, draft]));
  const reached = new Set<string>();
  for (const { routes } of drafts) {
    for (const route of routes) {
      if (route.value.to !== null) {
        checkTarget(route, targets, problems);
        reached.add(route.value.to);
      }
    }
    checkOrder(routes, problems);
  }
  for (const { entry, cluster } of drafts) {
    if (cluster.tier === "web" || entry.section.has("listen") || reached.has(cluster.name)) continue;
    problems.warning(
      entry.at,
      `nothing leads to the cluster ${cluster.name}: no route names it and it does not listen:`,
    );
  }
}

/** Whether requests for one host that come to a route go on to the next one. */
export function takesEveryPath(route: Route): boolean {
  return route.path === null || route.path === "/*" || route.path === "*";
}

/** Whether every host that fits `inner` fits `outer` too. */
export function coversHost(outer: string | null, inner: string | null): boolean {
  if (outer === null || outer === inner) return true;
  return inner !== null && outer.startsWith("*.") && inner.endsWith(outer.slice(1));
}

function checkTarget(
  route: PlacedRoute,
  targets: ReadonlyMap<string, ClusterDraft>,
  problems: Problems,
): void {
  const name = route.value.to!;
  const target = targets.get(name);
  const possible = [...targets.values()].filter(({ cluster }) => cluster.tier === "app");
  const names = possible.map(({ cluster }) => cluster.name);
  const allowed =
    names.length === 0 ? "there is no app cluster in the file" : `allowed are ${alternatives(names)}`;
  if (target === undefined) {
    problems.error(
      route.at,
      `the route leads to ${quote(route.writtenTo)}, which is no cluster${suggestion(route.writtenTo, names)}; ${allowed}`,
    );
  } else if (target.cluster.tier === "web") {
    problems.error(route.at, `the route leads to ${name}, which has routes: itself (a web tier); ${allowed}`);
  }
}

/** A route is never used when one before it takes all that it would take. Files are not in force and take nothing. */
function checkOrder(routes: readonly PlacedRoute[], problems: Problems): void {
  const before: Route[] = [];
  const lines: number[] = [];
  for (const { at, value } of routes) {
    const coveredBy = before.findIndex(
      (earlier) => coversHost(earlier.host, value.host) && coversPath(earlier, value),
    );
    if (coveredBy !== -1) {
      problems.warning(
        at,
        `this route is never used: the route in line ${lines[coveredBy]} takes all its requests`,
      );
    } else if (value.to !== null) {
      before.push(value);
      lines.push(at.line);
    }
  }
}

function coversPath(outer: Route, inner: Route): boolean {
  if (takesEveryPath(outer) || outer.path === inner.path) return true;
  if (inner.path === null || outer.path === null || inner.path.startsWith("*")) return false;
  return outer.path.endsWith("/*") && `${inner.path}/`.startsWith(outer.path.slice(0, -1));
}
