/** Whether routes and clusters agree: every target known, no route and no cluster out of reach. */
import type { ClusterDraft, PlacedRoute } from "./context.ts";
import type { Cluster, Route, Template } from "./model.ts";
import { suggestion } from "./nearest.ts";
import { alternatives, type Problems, quote } from "./problems.ts";
import type { TemplateVariable } from "./template.ts";

export function checkRoutes(drafts: readonly ClusterDraft[], problems: Problems): void {
  const targets = new Map(drafts.map((draft) => [draft.cluster.name, draft]));
  const reached = new Set<string>();
  for (const { routes, cluster } of drafts) {
    for (const route of routes) {
      if (route.value.to !== null) {
        checkTarget(route, targets, problems);
        reached.add(route.value.to);
      }
    }
    checkOrder(routes, problems);
    for (const route of routes) checkLoop(route, cluster, problems);
  }
  for (const { entry, cluster } of drafts) {
    if (cluster.tier === "web" || entry.section.has("listen") || reached.has(cluster.name)) continue;
    problems.warning(
      entry.at,
      `nothing leads to the cluster ${cluster.name}: no route names it and it does not listen:`,
    );
  }
}

/** Whether requests for one host that come to a route never go on to the next one. */
export function takesEveryPath(route: Route): boolean {
  return hasOnlyHostAndPath(route) && isEveryPath(route);
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

/** A route is never used when one before it takes all that it would take. */
function checkOrder(routes: readonly PlacedRoute[], problems: Problems): void {
  const before: Route[] = [];
  const lines: number[] = [];
  for (const { at, value } of routes) {
    const coveredBy = before.findIndex((earlier) => covers(earlier, value));
    if (coveredBy !== -1) {
      problems.warning(
        at,
        `this route is never used: the route in line ${lines[coveredBy]} takes all its requests`,
      );
    } else {
      before.push(value);
      lines.push(at.line);
    }
  }
}

/** A redirect whose target comes to the same route again: browsers give up after some twenty times. */
function checkLoop({ at, value: route }: PlacedRoute, { listen }: Cluster, problems: Problems): void {
  const { redirect, query } = route;
  if (redirect === null || !mayStayOnHost(route) || !staysOnPath(route)) return;
  if (query.length > 0 && !has(redirect.to, "query")) return;
  const scheme = /^https?(?=:)/.exec(firstText(redirect.to))?.[0] ?? null;
  if (
    scheme !== null &&
    !listen.some((listener) => listener.scheme === scheme && listener.redirectPort === null)
  )
    return;
  const advice =
    scheme === "https" && has(redirect.to, "path")
      ? '; to send visitors from HTTP to HTTPS, write "redirectTo: https" where the port of HTTP is listened on'
      : "";
  problems.warning(at, `this route redirects to addresses that it takes itself, in a loop${advice}`);
}

function firstText([part]: Template): string {
  return part?.kind === "text" ? part.text : "";
}

function has(template: Template, name: TemplateVariable): boolean {
  return template.some((part) => part.kind === "variable" && part.name === name);
}

function mayStayOnHost({ host, redirect }: Route): boolean {
  const text = firstText(redirect!.to);
  if (!text.startsWith("http")) return true;
  const named = /^https?:\/\/([^/:?#]+)/.exec(text)?.[1] ?? null;
  // $host stands there.
  return named === null || coversHost(host, named.toLowerCase());
}

/** False where that is not seen at a glance. */
function staysOnPath({ path, pathRegex, redirect }: Route): boolean {
  const { to } = redirect!;
  if (to.some(({ kind }) => kind === "group") || (pathRegex !== null && pathRegex !== "")) return false;
  const text = to
    .map((part) => {
      if (part.kind === "text") return part.text;
      return part.kind === "variable" && part.name === "path" ? "\n" : "";
    })
    .join("")
    .replace(/^https?:\/\/[^/\n?#]*/, "")
    .replace(/[?#].*$/, "");
  if (isEveryPath({ path })) return true;
  // The path that fitted, and nothing besides.
  if (text === "\n") return true;
  if (text.includes("\n")) return false;
  const target = text === "" ? "/" : text;
  if (target === path) return true;
  return path!.startsWith("/") && path!.endsWith("/*") && `${target}/`.startsWith(path!.slice(0, -1));
}

/** Whether all that fits `inner` fits `outer`. False where that is not seen at a glance. */
function covers(outer: Route, inner: Route): boolean {
  return (
    coversHost(outer.host, inner.host) &&
    coversPath(outer, inner) &&
    (outer.pathRegex === null || outer.pathRegex === inner.pathRegex) &&
    coversList(outer.methods, inner.methods) &&
    coversList(outer.from, inner.from) &&
    coversNamed(outer.fields, inner.fields) &&
    coversNamed(outer.query, inner.query)
  );
}

function hasOnlyHostAndPath({ pathRegex, methods, fields, query, from }: Route): boolean {
  return pathRegex === null && methods.length + fields.length + query.length + from.length === 0;
}

function isEveryPath({ path }: Pick<Route, "path">): boolean {
  return path === null || path === "/*" || path === "*";
}

function coversPath(outer: Route, inner: Route): boolean {
  if (isEveryPath(outer) || outer.path === inner.path) return true;
  if (inner.path === null || outer.path === null || inner.path.startsWith("*")) return false;
  return outer.path.endsWith("/*") && `${inner.path}/`.startsWith(outer.path.slice(0, -1));
}

function coversList(outer: readonly string[], inner: readonly string[]): boolean {
  return outer.length === 0 || (inner.length > 0 && inner.every((text) => outer.includes(text)));
}

/** Each of the outer's demands is one of the inner's too. */
function coversNamed(outer: Route["fields"], inner: Route["fields"]): boolean {
  return outer.every(({ name, value }) =>
    inner.some((other) => other.name === name && (value === null || other.value === value)),
  );
}
