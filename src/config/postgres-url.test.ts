/** Connection URIs of PostgreSQL: what is understood, and what is refused in words that show nothing of the text. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { parsePostgresUrl } from "./postgres-url.ts";

const nothing = { user: null, password: null, tlsMode: null };

test("what libpq understands, as far as one primary has to be found", () => {
  for (const [text, expected] of [
    [
      "postgres://10.0.0.5/shop",
      { ...nothing, hosts: [{ host: "10.0.0.5", port: 5_432 }], database: "shop" },
    ],
    [
      "postgresql://u%40x:p%3A%2F%25@db-1.example:6000,[fd00::5]:6001,db-2/s%20hop?sslmode=require&target_session_attrs=read-write",
      {
        hosts: [
          { host: "db-1.example", port: 6_000 },
          { host: "fd00::5", port: 6_001 },
          { host: "db-2", port: 5_432 },
        ],
        ...{ database: "s hop", user: "u@x", password: "p:/%", tlsMode: "require" },
      },
    ],
    [
      "postgres:///shop?host=/run/postgresql",
      { ...nothing, hosts: [{ host: "/run/postgresql", port: 5_432 }], database: "shop" },
    ],
    ["postgres://%2Ftmp:6000/shop", { ...nothing, hosts: [{ host: "/tmp", port: 6_000 }], database: "shop" }],
  ] as const)
    assert.deepEqual(parsePostgresUrl(text), expected);
});

test("what is refused, and why", () => {
  for (const [text, why] of [
    ["mysql://u:pearl@h/d", /is no address of a database/],
    ["postgres://u:wo@rd@h/d", /is no address of a database.*%40/],
    ["postgres://u:pearl@10.0.0.5, 10.0.0.6/d", /has a blank in it.*%20/],
    ["postgres://u:pearl p@h/d", /has a blank in it/],
    ["postgres://u:pearl@h/d\n", /has a blank in it/],
    ["postgres://u:pearl@h", /names no database/],
    ["postgres://u:pearl@/d", /has no host/],
    ["postgres://u:pearl@h:0/d", /has the port 0/],
    ["postgres://u:pearl@h,,/d", /has no host/],
    ["postgres://u:wo%rd@h/d", /has a % that/],
    ["postgres://u:pearl@h/d?sslmode=sure", /sslmode that is not known/],
    ["postgres://u:pearl@h/d?sslkey=x", /tls: beside it/],
    ["postgres://u:pearl@h/d?options=pearl", /has a parameter that has no meaning here/],
    ["postgres://u:pearl@h/d?target_session_attrs=any", /lets standbys in/],
    ["postgres://u:pearl@h/d?sslmode=", /sslmode without a value/],
    [`postgres://u:pearl@${"h,".repeat(9)}h/d`, /names 10 hosts; 8 are the most/],
  ] as const) {
    const said = parsePostgresUrl(text);
    assert.ok(typeof said === "string", text);
    assert.match(said, why);
    assert.doesNotMatch(said, /pearl|wo@rd|wo%rd/);
  }
});

test("users, passwords and databases of any characters, once they are encoded", () => {
  const name = fc.string({ minLength: 1, unit: "grapheme" });
  fc.assert(
    fc.property(name, name, name, (user, password, database) => {
      const [u, p, d] = [user, password, database].map(encodeURIComponent);
      const parsed = parsePostgresUrl(`postgres://${u}:${p}@h/${d}`);
      assert.ok(typeof parsed !== "string");
      assert.deepEqual([parsed.user, parsed.password, parsed.database], [user, password, database]);
    }),
    { seed: 1 },
  );
  fc.assert(
    fc.property(fc.string(), (text) => {
      parsePostgresUrl(text);
      parsePostgresUrl(`postgres://${text}`);
    }),
    { seed: 1 },
  );
});
