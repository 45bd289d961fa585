/** Options that can't be honoured, in the words that all stores have for them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FlotillaStore } from "./foreign/koa-session.ts";
import { fileStore } from "./stores/file/index.ts";
import { mysqlStore } from "./stores/mysql/index.ts";
import { postgresStore } from "./stores/postgres/index.ts";
import { redisStore } from "./stores/redis/index.ts";

const makers: readonly [name: string, make: (options: never) => unknown][] = [
  ["postgresStore", postgresStore],
  ["mysqlStore", mysqlStore],
  ["redisStore", redisStore],
  ["fileStore", fileStore],
  ["new FlotillaStore", (options) => new FlotillaStore(options)],
];

const notAnObject = "({ options }) is not possible: they are an object";
const inBraces = "({ url }) is not possible: it is to stand in braces";

for (const [name, make] of makers)
  test(`${name}: an option that there is not, and what is no object, are refused without their values`, () => {
    for (const [given, why] of [
      [{ ttl: "hidden" }, "({ ttl }) is not possible: it is none of "],
      ["hidden", name === "fileStore" || name.startsWith("new ") ? notAnObject : inBraces],
      [["hidden"], notAnObject],
    ] as const)
      assert.throws(
        () => make(given as never),
        ({ code, message }) => {
          assert.equal(code, "FLOTILLA_SESSION_OPTION");
          assert.ok(message.startsWith(name + why), message);
          assert.doesNotMatch(message, /hidden/);
          return true;
        },
      );
  });

test("a user or password that the address has already is refused, whichever database it is", () => {
  for (const [name, make, url] of [
    ["postgresStore", postgresStore, "postgres://me:hidden@10.0.0.5/shop"],
    ["mysqlStore", mysqlStore, "mysql://me:hidden@10.0.0.5/shop"],
    ["redisStore", redisStore, "redis://me:hidden@10.0.0.5"],
  ] as const)
    for (const key of ["user", "password"])
      assert.throws(() => make({ url, [key]: "other" }), {
        ...{ code: "FLOTILLA_SESSION_OPTION" },
        message: `${name}({ ${key} }) is not possible: it stands in the url, too`,
      });
});

test("a path that is none", () => {
  for (const folder of [undefined, "", 5])
    assert.throws(
      () => fileStore({ folder: folder as string }),
      /fileStore\(\{ folder \}\).* it is a path, not/,
    );
});
