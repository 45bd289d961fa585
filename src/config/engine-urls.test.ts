/** Addresses of MySQL and Redis: what is understood, and what is refused in words that show nothing of the text. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { parseMysqlUrl } from "./mysql-url.ts";
import { parseRedisUrl } from "./redis-url.ts";

const nobody = { user: null, password: null };

test("what MySQL's programs understand", () => {
  for (const [text, expected] of [
    [
      "mysql://10.0.0.5/shop",
      { ...nobody, host: { host: "10.0.0.5", port: 3_306 }, database: "shop", tlsMode: null },
    ],
    [
      "mariadb://u%40x:p%3A%2F%25@[fd00::5]:6000/s%20hop?ssl-mode=VERIFY_IDENTITY",
      {
        ...{ host: { host: "fd00::5", port: 6_000 }, database: "s hop", user: "u@x", password: "p:/%" },
        tlsMode: "verify-identity",
      },
    ],
    [
      "mysql://u@/shop?socket=/run/mysqld/mysqld.sock&ssl-mode=disabled",
      {
        ...{ host: { host: "/run/mysqld/mysqld.sock", port: 3_306 }, database: "shop" },
        ...{ user: "u", password: null, tlsMode: "disabled" },
      },
    ],
  ] as const)
    assert.deepEqual(parseMysqlUrl(text), expected);
});

test("what redis-cli understands", () => {
  for (const [text, expected] of [
    [
      "redis://10.0.0.5",
      { ...nobody, host: { host: "10.0.0.5", port: 6_379 }, database: 0, isEncrypted: false },
    ],
    [
      "rediss://u:p%20p@cache.example:6380/3",
      {
        ...{ host: { host: "cache.example", port: 6_380 }, database: 3 },
        ...{ user: "u", password: "p p", isEncrypted: true },
      },
    ],
    [
      "valkeys://:p@[fd00::5]/",
      { host: { host: "fd00::5", port: 6_379 }, database: 0, user: null, password: "p", isEncrypted: true },
    ],
  ] as const)
    assert.deepEqual(parseRedisUrl(text), expected);
});

test("what is refused, and why", () => {
  for (const [parse, text, why] of [
    [parseMysqlUrl, "postgres://u:pearl@h/d", /is no address of a database/],
    [parseMysqlUrl, "mysql://u:pe arl@h/d", /has a blank in it.*%20/],
    [parseMysqlUrl, "mysql://u:pearl@h", /names no database/],
    [parseMysqlUrl, "mysql://u:pearl@/d", /has no host/],
    [parseMysqlUrl, "mysql://u:pearl@h,g/d", /has no host|can't be read/],
    [
      parseMysqlUrl,
      "mysql://u:pearl@h/d?ssl-mode=preferred",
      /an ssl-mode that is not known; known are disabled/,
    ],
    [parseMysqlUrl, "mysql://u:pearl@h/d?ssl-ca=x", /tls: beside it/],
    [parseMysqlUrl, "mysql://u:pearl@h/d?ssl-mode=", /ssl-mode without a value/],
    [parseMysqlUrl, "mysql://u:pearl@h/d?password=pearl", /a parameter that has no meaning here/],
    [parseMysqlUrl, "mysql://u:pearl@/d?socket=pearl", /a socket that is no absolute path/],
    [parseRedisUrl, "http://u:pearl@h", /is no address of a database/],
    [parseRedisUrl, "redis://u:pearl@h/sessions", /a database that is no number/],
    [parseRedisUrl, "redis://u:pearl@h:70000", /has the port 70000/],
    [parseRedisUrl, "redis://u:pe%arl@h", /has a % that/],
    [parseRedisUrl, "redis://u:pearl@h/0?db=1", /has parameters/],
    [parseRedisUrl, "redis://u:pearl@%2Frun%2Fredis.sock", /has a Unix socket for a host/],
  ] as const) {
    const said = parse(text);
    assert.ok(typeof said === "string", text);
    assert.match(said, why);
    assert.doesNotMatch(said, /pearl|pe arl|pe%arl/);
  }
});

test("users and passwords of any characters, once they are encoded; other texts never throw", () => {
  const name = fc.string({ minLength: 1, unit: "grapheme" });
  fc.assert(
    fc.property(name, name, (user, password) => {
      const [u, p] = [user, password].map(encodeURIComponent);
      for (const parsed of [parseMysqlUrl(`mysql://${u}:${p}@h/d`), parseRedisUrl(`redis://${u}:${p}@h`)]) {
        assert.ok(typeof parsed !== "string");
        assert.deepEqual([parsed.user, parsed.password], [user, password]);
      }
    }),
    { seed: 1 },
  );
  fc.assert(
    fc.property(fc.string(), (text) => {
      parseMysqlUrl(`mysql://${text}`);
      parseRedisUrl(`redis://${text}`);
    }),
    { seed: 1 },
  );
});
