/** Step "route": which route takes a request. Routes are tried in the order of the file; the first that fits wins. */
import type { Route } from "../config/model.ts";

/** Does a host or a path fit? Made once per route at start. */
type Matcher = (value: string) => boolean;

export interface CompiledRoute<Target> {
  readonly target: Target;
  readonly host: Matcher | null;
  readonly path: Matcher | null;
}

export function compileRoute<Target>(
  route: Pick<Route, "host" | "path">,
  target: Target,
): CompiledRoute<Target> {
  return {
    target,
    host: route.host === null ? null : hostMatcher(route.host),
    path: route.path === null ? null : pathMatcher(route.path),
  };
}

/** @param host lower case without port. @param path canonical, without query. */
export function matchRoute<Target>(
  routes: readonly CompiledRoute<Target>[],
  host: string,
  path: string,
): CompiledRoute<Target> | null {
  for (let at = 0; at < routes.length; at++) {
    const route = routes[at]!;
    if ((route.host === null || route.host(host)) && (route.path === null || route.path(path))) return route;
  }
  return null;
}

/** Does any route take this host, on whatever path? If none does, the request was misdirected (421). */
export function knowsHost<Target>(routes: readonly CompiledRoute<Target>[], host: string): boolean {
  return routes.some((route) => route.host === null || route.host(host));
}

/** "a.example" is that host alone; "*.example" any name below it. */
function hostMatcher(pattern: string): Matcher {
  if (!pattern.startsWith("*.")) return (host) => host === pattern;
  const suffix = pattern.slice(1);
  return (host) => host.length > suffix.length && host.endsWith(suffix);
}

/**
 * "/foo/*" takes /foo and everything below it, "/foo" that path alone, "/foo/*.{png,gif}" names in that folder, and a
 * pattern that does not begin with "/" ("*.png") the last part of the path, wherever it is. The file allows one star
 * and one choice at most (config/scalars.ts), so that no path is slow to match (A48).
 */
function pathMatcher(pattern: string): Matcher {
  if (pattern === "/*" || pattern === "*") return () => true;
  if (pattern.startsWith("/") && pattern.endsWith("/*")) {
    const folder = pattern.slice(0, -2);
    const below = `${folder}/`;
    return (path) => path === folder || path.startsWith(below);
  }
  const matchers = withoutChoice(pattern).map(starMatcher);
  const whole = pattern.startsWith("/");
  return (path) => {
    const text = whole ? path : path.slice(path.lastIndexOf("/") + 1);
    for (let at = 0; at < matchers.length; at++) if (matchers[at]!(text)) return true;
    return false;
  };
}

/** "*.{png,gif}" is "*.png" and "*.gif". */
function withoutChoice(pattern: string): string[] {
  const from = pattern.indexOf("{");
  const to = pattern.indexOf("}");
  if (from < 0) return [pattern];
  const choices = pattern.slice(from + 1, to).split(",");
  return choices.map((choice) => pattern.slice(0, from) + choice + pattern.slice(to + 1));
}

/** "*" is any run of characters without "/". */
function starMatcher(pattern: string): Matcher {
  const star = pattern.indexOf("*");
  if (star < 0) return (text) => text === pattern;
  const before = pattern.slice(0, star);
  const behind = pattern.slice(star + 1);
  return (text) =>
    text.length >= before.length + behind.length &&
    text.startsWith(before) &&
    text.endsWith(behind) &&
    !text.slice(before.length, text.length - behind.length).includes("/");
}
