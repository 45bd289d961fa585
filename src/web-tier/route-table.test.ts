/** Which route takes a request: what each matcher means, and that the table finds what trying one by one would find. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { anyRoute } from "../../test/harness/routes.ts";
import type { Route } from "../config/model.ts";
import { silentLog } from "../support/silent-log.ts";
import { FileCache } from "./files/file-cache.ts";
import { compileRoute } from "./route.ts";
import { fitsAll, RouteTable } from "./route-table.ts";
import { groupFinder, parameterValue, type RoutedHead, testsOf } from "./route-tests.ts";

const parts = { pools: new Map(), files: new FileCache(), log: silentLog, compress: false };

function tableOf(routes: readonly Partial<Route>[]): RouteTable {
  return new RouteTable(routes.map((route) => compileRoute({ ...anyRoute, ...route }, parts)));
}

function head(target: string, more: Partial<RoutedHead> = {}): RoutedHead {
  return { method: "GET", host: "a", fields: "", target, path: target.split("?")[0]!, ...more };
}

function takes(route: Partial<Route>, request: RoutedHead, address = "192.0.2.1"): boolean {
  return tableOf([route]).find(request, address) !== null;
}

const paths: readonly [pattern: string, yes: readonly string[], no: readonly string[]][] = [
  ["/*", ["/", "/a/b"], []],
  ["*", ["/", "/a/b"], []],
  ["/foo", ["/foo"], ["/foo/", "/foobar", "/Foo", "/x/foo"]],
  ["/foo/*", ["/foo", "/foo/", "/foo/a/b"], ["/foobar", "/x/foo/a", "/"]],
  ["/foo/bar/*", ["/foo/bar", "/foo/bar/x"], ["/foo", "/foo/", "/foo/barx", "/bar"]],
  ["*.png", ["/a.png", "/x/y/a.png", "/.png"], ["/a.png/b", "/apng", "/a.PNG"]],
  ["*.{png,gif}", ["/x/a.png", "/a.gif"], ["/a.jpg", "/a.png,gif"]],
  ["/img/*.{png,gif}", ["/img/a.gif", "/img/.png"], ["/img/x/a.gif", "/a.gif", "/img/a.gif/b"]],
  ["/a*a", ["/aa", "/aba"], ["/a", "/ab", "/a/a"]],
  // A regular expression would mean something by these.
  ["/a.b+(c)?", ["/a.b+(c)?"], ["/axb", "/a.bb", "/a.b"]],
  ["/$x^*|", ["/$x^|", "/$x^y|"], ["/$x^", "/"]],
];

test("what a path pattern takes, and what it does not", () => {
  for (const [path, yes, no] of paths) {
    for (const target of yes)
      assert.ok(takes({ path }, head("", { path: target })), `${path} takes ${target}`);
    for (const target of no)
      assert.ok(!takes({ path }, head("", { path: target })), `${path} does not take ${target}`);
  }
});

test("A20 a host is that host, a wildcard any name below it", () => {
  const host = (pattern: string, name: string): boolean =>
    takes({ host: pattern }, head("/", { host: name }));
  assert.ok(host("localhost", "localhost"));
  for (const name of ["evillocalhost", "localhost.evil", "x.localhost", ""])
    assert.ok(!host("localhost", name));
  assert.ok(host("*.example.com", "a.example.com"));
  assert.ok(host("*.example.com", "a.b.example.com"));
  for (const name of ["example.com", "evilexample.com", ".example.com", "a.example.com.evil"])
    assert.ok(!host("*.example.com", name), name);
});

test("a regular expression is found anywhere in the path, and an empty one takes everything", () => {
  const regex = (pathRegex: string, target: string): boolean => takes({ pathRegex }, head(target));
  assert.ok(regex("", "/whatever"));
  assert.ok(regex("b+", "/abba"));
  assert.ok(!regex("^/b", "/abba"));
  assert.ok(regex("^/x/([0-9]+)$", "/x/12?y"));
  assert.ok(!regex("^/x/([0-9]+)$", "/x/12/"));
});

test("A48 a regular expression that others need for ever takes linear time", () => {
  const table = tableOf([{ pathRegex: "^/(a+)+$" }, { pathRegex: "(x+x+)+y" }, { pathRegex: "(.*a){20}" }]);
  const times = [2_000, 8_000].map((length) => {
    const request = head(`/${"ax".repeat(length / 2)}!`);
    table.find(request, "");
    const from = process.cpuUsage();
    for (let count = 0; count < 20; count++) table.find(request, "");
    return process.cpuUsage(from).user;
  });
  // Four times as long; squares would be sixteen times.
  assert.ok(times[1]! < 12 * Math.max(times[0]!, 1_000), `${times}`);
});

test("methods, header fields, parameters and networks", () => {
  const methods = ["GET", "HEAD"];
  assert.ok(takes({ methods }, head("/")));
  assert.ok(!takes({ methods }, head("/", { method: "POST" })));
  const beta = { fields: [{ name: "x-beta", value: "1" }] };
  const fields = "Host\na\nX-Beta\n1\nAccept\n*/*";
  assert.ok(takes(beta, head("/", { fields })));
  assert.ok(!takes(beta, head("/", { fields: "Host\na\nX-Beta\n2" })));
  assert.ok(!takes(beta, head("/", { fields: "X-Beta\n1\nx-beta\n2" })), "two lines are one value");
  assert.ok(!takes(beta, head("/", { fields: "Y\nx-beta\nx-beta-2\n1" })), "a value is no name");
  assert.ok(takes({ fields: [{ name: "x-beta", value: null }] }, head("/", { fields: "X-BETA\n" })));
  const version = { query: [{ name: "v", value: "2" }] };
  assert.ok(takes(version, head("/?a&v=2&b")));
  assert.ok(!takes(version, head("/?v=1&v=2")), "the first counts");
  assert.ok(!takes(version, head("/v=2")));
  const from = ["10.0.0.0/8", "2001:db8::/32"];
  assert.ok(takes({ from }, head("/"), "10.200.0.1"));
  assert.ok(takes({ from }, head("/"), "2001:db8:1::1"));
  assert.ok(!takes({ from }, head("/"), "11.0.0.1"));
});

test("a parameter's value, escapes undone", () => {
  const cases: readonly [string, string | null][] = [
    ["/?q=a+b%21", "a b!"],
    ["/?%71=1", "1"],
    ["/?q", ""],
    ["/?q=%C3%A4", "ä"],
    ["/?q=%zz", "%zz"],
    ["/?q=%ff", "%ff"],
    ["/?x=q=1", null],
    ["/?q=a=b", "a=b"],
    ["/", null],
    ["/?", null],
  ];
  for (const [target, value] of cases) assert.equal(parameterValue(target, "q"), value, target);
  // However many there are, it costs no more than this.
  assert.equal(parameterValue(`/?${"&".repeat(99)}q=1`, "q"), "1");
  assert.equal(parameterValue(`/?${"&".repeat(100)}q=1`, "q"), null);
});

test("what $1 stands for", () => {
  const cases: readonly [Partial<Route>, string, readonly string[]][] = [
    [{ path: "/old/*" }, "/old/a/b", ["", "a/b"]],
    [{ path: "/old/*" }, "/old", ["", ""]],
    [{ path: "/*" }, "/a/b", ["", "a/b"]],
    [{ path: "/img/*.{png,gif}" }, "/img/x.gif", ["", "x"]],
    [{ path: "*.png" }, "/a/x.png", ["", "x"]],
    [{ pathRegex: "^/(\\d+)(/x)?" }, "/12", ["/12", "12", ""]],
    [{ path: "/a/*", pathRegex: "(.)$" }, "/a/b", ["b", "b"]],
  ];
  for (const [route, path, groups] of cases)
    assert.deepEqual(groupFinder({ ...anyRoute, ...route })!(path), groups, path);
});

const host = fc.constantFrom(null, "a", "b.a", "*.a", "*.b.a", "x.b.a");
const path = fc.constantFrom(null, "/*", "/", "/a", "/a/*", "/a/b", "/a/b/*", "*.c", "/a/*.{c,d}", "/a*");
const route = fc.record({
  host,
  path,
  pathRegex: fc.constantFrom(null, null, "", "b", "^/a$"),
  methods: fc.constantFrom([], [], ["GET"], ["POST", "GET"]),
  from: fc.constantFrom([], [], ["10.0.0.0/8"]),
});
const request = fc.record({
  host: fc.constantFrom("", "a", "b.a", "c.a", "x.b.a", "y.x.b.a", "ba"),
  path: fc.constantFrom("*", "/", "/a", "/a/", "/a/b", "/a/b/", "/a/b/x.c", "/a/y.d", "/ab", "/q.c", "/z"),
  method: fc.constantFrom("GET", "POST"),
  address: fc.constantFrom("10.1.1.1", "9.9.9.9"),
});

test("the table finds the route that trying one by one finds", () => {
  fc.assert(
    fc.property(
      fc.array(route, { maxLength: 12 }),
      fc.array(request, { maxLength: 8 }),
      (routes, requests) => {
        const table = tableOf(routes);
        const tests = table.routes.map(({ source }) => testsOf(source));
        for (const { path, address, ...more } of requests) {
          const asked = head(path, more);
          const expected = tests.findIndex((all) => fitsAll(all, asked, address));
          const found = table.find(asked, address);
          assert.equal(found === null ? -1 : table.routes.indexOf(found), expected);
          const known = routes.some((one) =>
            testsOf({ ...anyRoute, host: one.host }).every((t) => t.fits(asked, "")),
          );
          assert.equal(table.knowsHost(asked.host), known);
        }
      },
    ),
    { numRuns: 3_000, seed: 417 },
  );
});
