/** Step "route": which route takes a request. Routes are tried in the order of the file; the first that fits wins. */
import type { Route } from "../config/model.ts";

/** Does a host or a path fit? Made once per route at start. */
type Matcher = (value: string) => boolean;

export interface CompiledRoute<Target> {
  readonly route: Route;
  readonly target: Target;
  readonly host: Matcher | null;
  readonly path: Matcher | null;
}

export function compileRoute<Target>(route: Route, target: Target): CompiledRoute<Target> {
  return {
    route,
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
 * "/foo/*" takes /foo and everything below it, "/foo" that path alone, and a pattern that does not begin
 * with "/" ("*.{png,gif}") the last part of the path, wherever it is.
 */
function pathMatcher(pattern: string): Matcher {
  if (pattern === "/*" || pattern === "*") return () => true;
  const prefix = pattern.slice(0, -2);
  if (pattern.startsWith("/") && pattern.endsWith("/*") && !/[*?{]/.test(prefix)) {
    const below = `${prefix}/`;
    return (path) => path === prefix || path.startsWith(below);
  }
  if (!/[*?{]/.test(pattern)) return (path) => path === pattern;
  const glob = compileGlob(pattern);
  if (pattern.startsWith("/")) return (path) => glob.test(path);
  return (path) => glob.test(path.slice(path.lastIndexOf("/") + 1));
}

/**
 * "*" any run of characters without "/", "**" with it, "?" one character, "{a,b}" either.
 */
function compileGlob(pattern: string): RegExp {
  let source = "";
  let depth = 0;
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at]!;
    if (char === "*" && pattern[at + 1] === "*") {
      source += ".*";
      at++;
    } else if (char === "*") source += "[^/]*";
    else if (char === "?") source += "[^/]";
    else if (char === "{") {
      source += "(?:";
      depth++;
    } else if (char === "}" && depth > 0) {
      source += ")";
      depth--;
    } else if (char === "," && depth > 0) source += "|";
    else source += char.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  }
  return new RegExp(`^${source}${")".repeat(depth)}$`);
}
