import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cookieValueAt, findCookie } from "../../session/cookie-header.ts";
import { withoutRouteCookie, withRouteCookie } from "./route-cookie-fields.ts";
import { type RouteCookieKeys, RouteCookies } from "./route-cookies.ts";

const seed = 5;
const settings = { cookieName: "route" };
const servers = [
  { letter: "a", processIndex: 0 },
  { letter: "b", processIndex: 1 },
  { letter: "b", processIndex: 63 },
];
const keys: RouteCookieKeys = { secret: Buffer.alloc(32, 1), previousSecret: null, name: "app" };
const cookies = new RouteCookies(settings, servers, keys);
const pairOf = (at: number, of: RouteCookies = cookies): string =>
  /^Set-Cookie: ([^;]*);/.exec(of.line(at, false))![1]!;

test("a cookie names its server, whatever else is in the field", () => {
  for (const at of servers.keys()) {
    const pair = pairOf(at);
    assert.match(pair, /^route=[ab][A-Za-z0-9_-]\.[\w-]{22}$/);
    for (const field of [pair, `a=b; ${pair}`, `${pair}; a=b`, `route=planted; route="x";  ${pair} ;c=d`])
      assert.deepEqual(cookies.find(field), { at, pair, isCurrent: true });
  }
  for (const field of [
    "",
    "a=b",
    "route",
    "route=",
    `xroute=${pairOf(0).slice(6)}`,
    `Route=${pairOf(0).slice(6)}`,
  ])
    assert.equal(cookies.find(field), null);
});

test("of many cookies of the name the first four are looked at", () => {
  assert.equal(cookies.find(`route=1; route=2; route=3; ${pairOf(0)}`)?.at, 0);
  assert.equal(cookies.find(`route=1; route=2; route=3; route=4; ${pairOf(0)}`), null);
});

test("what is sent: for the whole site, not for scripts, and over https for https alone", () => {
  assert.equal(cookies.line(0, false), `Set-Cookie: ${pairOf(0)}; Path=/; HttpOnly; SameSite=Lax\r\n`);
  assert.equal(cookies.line(0, true), `Set-Cookie: ${pairOf(0)}; Path=/; HttpOnly; SameSite=Lax; Secure\r\n`);
});

test("A39 of other secrets, clusters and servers none is accepted", () => {
  const others = [
    new RouteCookies(settings, servers, { ...keys, secret: Buffer.alloc(32, 2) }),
    new RouteCookies(settings, servers, { ...keys, name: "shop" }),
    new RouteCookies(settings, [{ letter: "z", processIndex: 0 }], keys),
  ];
  for (const other of others) assert.equal(cookies.find(pairOf(0, other)), null);
});

test("the previous secret's is good, and known as old", () => {
  const secret = Buffer.alloc(32, 2);
  const turned = new RouteCookies(settings, servers, { ...keys, secret, previousSecret: keys.secret });
  assert.deepEqual(turned.find(pairOf(1)), { at: 1, pair: pairOf(1), isCurrent: false });
  assert.equal(turned.find(pairOf(1, turned))?.isCurrent, true);
  assert.notEqual(pairOf(1, turned), pairOf(1));
});

test("A39 an edited one is none", () => {
  const good = new Set(servers.map((_, at) => pairOf(at).slice("route=".length)));
  const character = fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code));
  const edited = fc
    .record({ of: fc.constantFrom(...good), at: fc.nat(24), to: character, cut: fc.nat(1) })
    .map(({ of, at, to, cut }) => of.slice(0, at) + to + of.slice(at + cut));
  fc.assert(
    fc.property(fc.oneof(edited, fc.string({ maxLength: 40 })), (value) => {
      const field = `route=${value}`;
      // As it is read, without blanks and up to a semicolon.
      const isGood = good.has(cookieValueAt(field, findCookie(field, "route")));
      assert.equal(cookies.find(field) !== null, isGood);
    }),
    { seed, numRuns: 5_000 },
  );
});

test("the application gets all cookies but this one", () => {
  const pair = pairOf(0);
  const cut = (fields: string): string => withoutRouteCookie(fields, pair);
  assert.equal(cut(`Host\na\nCookie\n${pair}\nAccept\n*/*`), "Host\na\nAccept\n*/*");
  assert.equal(cut(`Host\na\ncookie\n${pair}`), "Host\na");
  assert.equal(cut(`COOKIE\n${pair}\nHost\na`), "Host\na");
  assert.equal(cut(`Cookie\nx=1; ${pair}; y=2\nHost\na`), "Cookie\nx=1; y=2\nHost\na");
  assert.equal(cut(`Cookie\nx=1; ${pair}`), "Cookie\nx=1");
  assert.equal(cut(`Cookie\n${pair};y=2`), "Cookie\ny=2");
  assert.equal(
    cut(`X-Note\n${pair}\nCookie\nx=1\nCookie\n${pair}\nHost\na`),
    `X-Note\n${pair}\nCookie\nx=1\nHost\na`,
  );
  for (const fields of [`Cookie\nx${pair}; z=1`, `Cookie\nroute=other; z=1`, "Host\na", ""])
    assert.equal(cut(fields), fields);
});

test("a field full of the cookie costs one look", () => {
  const pair = pairOf(0);
  const timeOf = (count: number): number => {
    const fields = `X\n${pair.repeat(count)}\nCookie\n${pair}`;
    const before = process.cpuUsage();
    for (let times = 0; times < 20; times++)
      assert.equal(withoutRouteCookie(fields, pair), fields.slice(0, -pair.length - 8));
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  timeOf(100);
  assert.ok(timeOf(10_000) < 500_000, "quadratic: seconds");
});

test("no cache between us and the browsers keeps an answer with it", () => {
  const line = "Set-Cookie: route=x\r\n";
  const fieldsOf = (fields: string, status = 200): string =>
    withRouteCookie({ status, reason: "", fields, contentLength: 0, hasDate: false }, line).fields;
  const made = "Cache-Control: private\r\n";
  for (const open of [
    "",
    "Cache-Control: max-age=60\r\n",
    "Cache-Control: public\r\nX-Cache-Control: private\r\n",
    'Cache-Control: private="set-cookie"\r\n',
    "Cache-Control: no-cache\r\n",
    "Cache-Control: max-age=60, x-private\r\n",
  ])
    assert.equal(fieldsOf(open), open + made + line);
  for (const closed of [
    "Cache-Control: private\r\n",
    "X: y\r\ncache-control: max-age=60, Private\r\nZ: y\r\n",
    "Cache-Control: no-store,max-age=0\r\n",
  ])
    assert.equal(fieldsOf(closed), closed + line);
  assert.equal(fieldsOf("", 101), line);
  for (const cdn of ["CDN-Cache-Control: max-age=60\r\n", "X: y\r\nSurrogate-Control: max-age=60\r\n"])
    assert.equal(fieldsOf(cdn), cdn, "such an answer is kept by a CDN whatever Cache-Control says");
});
