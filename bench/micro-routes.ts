/**
 * Nanoseconds to find the route of a request, with few routes and with many, of several kinds. Prints one line per kind:
 *   node bench/micro-routes.ts
 */
import type { Route } from "../src/config/model.ts";
import { silentLog } from "../src/support/silent-log.ts";
import { FileCache } from "../src/web-tier/files/file-cache.ts";
import { compileRoute } from "../src/web-tier/route.ts";
import { RouteTable } from "../src/web-tier/route-table.ts";
import type { RoutedHead } from "../src/web-tier/route-tests.ts";
import { anyRoute } from "../test/harness/routes.ts";

const amounts = [1, 10, 100, 1_000, 10_000];
const rounds = 20;
const perRound = 20_000;
const parts = { pools: new Map(), files: new FileCache(), log: silentLog, compress: false };

const kinds: Readonly<Record<string, (at: number) => Partial<Route>>> = {
  "exact hosts": (at) => ({ host: `site-${at}.example` }),
  "wildcard hosts": (at) => ({ host: `*.site-${at}.example` }),
  "exact paths": (at) => ({ path: `/page/${at}` }),
  folders: (at) => ({ path: `/app/${at}/*` }),
  patterns: (at) => ({ path: `/app/*.${at}` }),
  "regular expressions": (at) => ({ pathRegex: `^/app/${at}/[a-z]+$` }),
};

/** A request that only the last route takes. */
function lastOf(kind: string, amount: number): RoutedHead {
  const at = amount - 1;
  const paths: Readonly<Record<string, string>> = {
    "exact paths": `/page/${at}`,
    folders: `/app/${at}/x/y`,
    patterns: `/app/x.${at}`,
    "regular expressions": `/app/${at}/x`,
  };
  const path = paths[kind] ?? "/app/x/y";
  return {
    method: "GET",
    host: `${kind === "exact hosts" ? "" : "www."}site-${at}.example`,
    path,
    target: path,
    fields: "",
  };
}

function nanoseconds(table: RouteTable, head: RoutedHead, calls: number): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const from = performance.now();
    for (let call = 0; call < calls; call++)
      if (table.find(head, "192.0.2.1") === null) throw new Error("no route");
    best = Math.min(best, ((performance.now() - from) * 1e6) / calls);
  }
  return best;
}

console.log(`${"routes".padEnd(22)}${amounts.map((amount) => String(amount).padStart(10)).join("")}`);
for (const [kind, make] of Object.entries(kinds)) {
  const row = amounts.map((amount) => {
    const routes = Array.from({ length: amount }, (_none, at) => ({ ...anyRoute, ...make(at) }));
    const table = new RouteTable(routes.map((route) => compileRoute(route, parts)));
    const isTriedOneByOne = kind === "patterns" || kind === "regular expressions";
    const calls = isTriedOneByOne ? Math.max(20, Math.ceil(perRound / amount)) : perRound;
    return Math.round(nanoseconds(table, lastOf(kind, amount), calls));
  });
  console.log(`${kind.padEnd(22)}${row.map((ns) => String(ns).padStart(10)).join("")}`);
}
