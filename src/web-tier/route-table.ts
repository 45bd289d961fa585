/**
 * Step "route": which route takes a request. The first one of the file that fits wins. So that a site with a thousand
 * hosts or paths does not try them one after the other, routes are found by host, and there by path; among those found
 * the first of the file is looked for, which is what trying them all in order would give (the test compares).
 */
import type { CompiledRoute } from "./route.ts";
import { folderOf, type RoutedHead, type RouteTest, testsOf } from "./route-tests.ts";

interface Entry {
  /** Place in the file. */
  readonly order: number;
  readonly route: CompiledRoute;
  /** Those that the place in the table has not answered. */
  readonly tests: readonly RouteTest[];
}

export class RouteTable {
  readonly routes: readonly CompiledRoute[];
  /** Some take a session id at the end of a path. */
  readonly takeSessionIds: boolean;
  readonly #exactHosts = new Map<string, PathTable>();
  /** By what follows the star: ".example.com". */
  readonly #wildcardHosts = new Map<string, PathTable>();
  readonly #anyHost = new PathTable();
  #hasAnyHost = false;

  constructor(routes: readonly CompiledRoute[]) {
    this.routes = routes;
    this.takeSessionIds = routes.some(({ source }) => source.sessionIdInPath);
    for (const [order, route] of routes.entries()) {
      const tests = testsOf(route.source).filter(({ key }) => key !== "host");
      this.#tableFor(route.source.host).add({ order, route, tests });
    }
  }

  /** @param address the client's. */
  find(head: RoutedHead, address: string): CompiledRoute | null {
    const { host } = head;
    let best = this.#anyHost.find(head, address, null);
    if (this.#exactHosts.size > 0) {
      const table = this.#exactHosts.get(host);
      if (table !== undefined) best = table.find(head, address, best);
    }
    if (this.#wildcardHosts.size > 0) {
      // A host has 253 characters at most.
      for (let dot = host.indexOf(".", 1); dot > 0; dot = host.indexOf(".", dot + 1)) {
        const table = this.#wildcardHosts.get(host.slice(dot));
        if (table !== undefined) best = table.find(head, address, best);
      }
    }
    return best?.route ?? null;
  }

  /** Does any route take this host, on whatever path? If none does, the request was misdirected (421). */
  knowsHost(host: string): boolean {
    if (this.#hasAnyHost || this.#exactHosts.has(host)) return true;
    for (let dot = host.indexOf(".", 1); dot > 0; dot = host.indexOf(".", dot + 1))
      if (this.#wildcardHosts.has(host.slice(dot))) return true;
    return false;
  }

  #tableFor(host: string | null): PathTable {
    if (host === null) {
      this.#hasAnyHost = true;
      return this.#anyHost;
    }
    const isWildcard = host.startsWith("*.");
    return getOrAdd(
      isWildcard ? this.#wildcardHosts : this.#exactHosts,
      isWildcard ? host.slice(1) : host,
      () => new PathTable(),
    );
  }
}

/** The routes of one host. */
class PathTable {
  readonly #exactPaths = new Map<string, Entry[]>();
  readonly #folders = new Map<string, Entry[]>();
  /** Slashes in the deepest of them: no path is cut up further, however many it has. */
  #deepest = 0;
  /** Patterns, and routes for every path: tried one by one. */
  readonly #others: Entry[] = [];

  add(entry: Entry): void {
    const { path } = entry.route.source;
    const withoutPath = { ...entry, tests: entry.tests.filter(({ key }) => key !== "path") };
    if (path === null || path === "*" || path === "/*") {
      this.#others.push(withoutPath);
      return;
    }
    const folder = folderOf(path);
    if (folder !== null) {
      getOrAdd(this.#folders, folder, () => []).push(withoutPath);
      this.#deepest = Math.max(this.#deepest, folder.split("/").length - 1);
    } else if (/[*{]/.test(path)) this.#others.push(entry);
    else getOrAdd(this.#exactPaths, path, () => []).push(withoutPath);
  }

  /** @returns the first entry of the file that fits and comes before `best`, else `best`. */
  find(head: RoutedHead, address: string, best: Entry | null): Entry | null {
    const { path } = head;
    let found = first(this.#others, head, address, best);
    if (this.#exactPaths.size > 0) {
      const entries = this.#exactPaths.get(path);
      if (entries !== undefined) found = first(entries, head, address, found);
    }
    let end = 0;
    for (let depth = 1; depth <= this.#deepest && end < path.length; depth++) {
      end = path.indexOf("/", end + 1);
      if (end < 0) end = path.length;
      const entries = this.#folders.get(end === path.length ? path : path.slice(0, end));
      if (entries !== undefined) found = first(entries, head, address, found);
    }
    return found;
  }
}

/** `entries` are in the order of the file. */
function first(
  entries: readonly Entry[],
  head: RoutedHead,
  address: string,
  best: Entry | null,
): Entry | null {
  for (let at = 0; at < entries.length; at++) {
    const entry = entries[at]!;
    if (best !== null && entry.order > best.order) return best;
    if (fitsAll(entry.tests, head, address)) return entry;
  }
  return best;
}

export function fitsAll(tests: readonly RouteTest[], head: RoutedHead, address: string): boolean {
  for (let at = 0; at < tests.length; at++) if (!tests[at]!.fits(head, address)) return false;
  return true;
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
