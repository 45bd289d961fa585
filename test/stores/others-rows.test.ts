/** Rows that an operator, or another program, has written to: they concern nobody but whoever asks for them. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { SessionIds } from "../../src/session/id.ts";
import {
  type RowLife,
  type SessionEngine,
  SessionEngineError,
  type SessionWrite,
} from "../../src/session/stores/engine.ts";
import { mysqlStore } from "../../src/session/stores/mysql/index.ts";
import { postgresStore } from "../../src/session/stores/postgres/index.ts";
import { redisStore } from "../../src/session/stores/redis/index.ts";
import { readRow } from "../../src/session/stores/row-data.ts";
import { Mariadb, whyNoMariadb } from "../harness/mariadb.ts";
import { Postgres, whyNoPostgres } from "../harness/postgres.ts";
import { Redis, whyNoRedis } from "../harness/redis.ts";

const ids = new SessionIds(Buffer.alloc(32, 7), null, "app");
const life: RowLife = { ageMs: 0, absoluteTimeoutMs: Number.POSITIVE_INFINITY };
const hourMs = 3_600_000;

function newKey(): string {
  return ids.verify(ids.create("a", "-", 0, 0))!.key;
}

function write(n: number): SessionWrite {
  return { data: JSON.stringify({ n }), writer: "app-a", holder: "", idleTimeoutMs: hourMs };
}

/** What a session's owner finds. */
async function found(engine: SessionEngine, key: string): Promise<"ended" | "damaged"> {
  try {
    const row = await engine.read(key);
    if (row === null) return "ended";
    assert.throws(() => readRow(row), "it can't be read");
  } catch (error) {
    assert.ok(error instanceof SessionEngineError, String(error));
    assert.equal(error.outcome, "unfit", error.message);
  }
  return "damaged";
}

/** @param spoil the row of the key. */
async function check(
  engine: SessionEngine,
  spoil: (key: string) => Promise<unknown>,
  expected: "ended" | "damaged",
): Promise<void> {
  const [key, other] = [newKey(), newKey()];
  for (const each of [key, other]) assert.equal(await engine.insert(each, write(1), life), true);
  await spoil(key);
  assert.equal(await found(engine, key), expected);
  // All of one statement, or none.
  await engine.touch([key, other].map((each) => ({ key: each, idleTimeoutMs: 2 * hourMs })));
  assert.equal((await engine.read(other))?.idleTimeoutMs, 2 * hourMs);
  const listed = (await engine.list("", 10)).map((row) => row.key);
  assert.deepEqual(listed.sort(), (expected === "ended" ? [other] : [key, other]).sort());
  assert.equal(await engine.count(), listed.length);
  await engine.removeExpired(10);
  assert.equal(await engine.replace(key, 1, write(2)), expected === "ended" ? "gone" : "changed");
  // Its visitor begins anew.
  await engine.remove(key, "");
  assert.equal(await engine.insert(key, write(3), life), true);
  assert.equal((await engine.read(key))?.data, '{"n":3}');
  for (const each of [key, other]) await engine.remove(each, "");
  assert.equal(await engine.count(), 0);
}

/** Whose holder is NULL: it is nobody's, and what is written is told as that. */
async function checkNobodys(engine: SessionEngine, spoil: (key: string) => Promise<unknown>): Promise<void> {
  const key = newKey();
  assert.equal(await engine.insert(key, write(1), life), true);
  await spoil(key);
  assert.equal((await engine.read(key))?.holder, "");
  assert.equal(await engine.replace(key, 1, write(2)), "done");
  await spoil(key);
  await engine.remove(key, "");
  assert.equal(await engine.read(key), null);
}

const most = "9223372036854775807";
const least = "-9223372036854775808";

describe("MariaDB: rows that somebody else has written to", { skip: whyNoMariadb() ?? false }, () => {
  const start = async (t: TestContext): Promise<[Mariadb, SessionEngine]> => {
    const server = await Mariadb.startFor(t, { settings: ["--innodb-flush-log-at-trx-commit=0"] });
    const engine = mysqlStore({ url: server.url() });
    t.after(() => engine.close());
    await engine.open();
    return [server, engine];
  };

  test("times that can't be added up, versions and data that are none", async (t) => {
    const [server, engine] = await start(t);
    const spoiled = (column: string, value: string) => (key: string) =>
      server.sql(`UPDATE flotilla_sessions SET ${column} = ${value} WHERE id = '${key}'`);
    for (const column of ["access_time", "expire_interval", "created_time", "absolute_interval"])
      for (const value of [most, least]) await check(engine, spoiled(column, value), "ended");
    for (const value of [most, least]) await check(engine, spoiled("version", value), "damaged");
    for (const value of ["''", "'null'", "'{\"n\":'"])
      await check(engine, spoiled("version = version + 1, data", value), "damaged");
  });

  test("columns that may be NULL now", async (t) => {
    const [server, engine] = await start(t);
    const all = ["access_time bigint", "version bigint", "data longtext", "absolute_interval bigint"];
    all.push("holder varchar(255)");
    await server.sql(`ALTER TABLE flotilla_sessions ${all.map((each) => `MODIFY ${each} NULL`).join(", ")}`);
    for (const [column, expected] of [
      ["access_time", "ended"],
      ["absolute_interval", "ended"],
      ["version", "damaged"],
      ["version = version + 1, data", "damaged"],
    ] as const)
      await check(
        engine,
        (key) => server.sql(`UPDATE flotilla_sessions SET ${column} = NULL WHERE id = '${key}'`),
        expected,
      );
    await checkNobodys(engine, (key) =>
      server.sql(`UPDATE flotilla_sessions SET holder = NULL WHERE id = '${key}'`),
    );
    assert.deepEqual(await server.sql("SELECT holder FROM flotilla_sessions_notices"), []);
  });

  test("a value that the column can't hold is told as that, and why", async (t) => {
    const server = await Mariadb.startFor(t, { settings: ["--innodb-flush-log-at-trx-commit=0"] });
    const engine = mysqlStore({ url: server.url(), dataType: "json" });
    t.after(() => engine.close());
    await engine.open();
    const key = newKey();
    await engine.insert(key, write(1), life);
    const data = JSON.stringify({ text: "a\ud800" });
    for (const attempt of [
      () => engine.replace(key, 1, { ...write(2), data }),
      () => engine.insert(newKey(), { ...write(2), data }, life),
    ])
      await assert.rejects(attempt, {
        outcome: "unfit",
        message:
          /can't hold such data in flotilla_sessions \(.*\): columns of the type longtext or longblob hold all/,
      });
  });
});

describe("PostgreSQL: rows that somebody else has written to", { skip: whyNoPostgres() ?? false }, () => {
  test("times that can't be added up, versions and data that are none, columns that may be NULL now", async (t) => {
    const server = await Postgres.startFor(t, { settings: ["fsync = off"] });
    const engine = postgresStore({ url: server.url() });
    t.after(() => engine.close());
    await engine.open();
    const spoiled = (column: string, value: string) => (key: string) =>
      server.sql(`UPDATE flotilla_sessions SET ${column} = ${value} WHERE id = '${key}'`);
    for (const column of ["access_time", "expire_interval", "created_time", "absolute_interval"])
      for (const value of [most, least]) await check(engine, spoiled(column, value), "ended");
    for (const value of [most, least]) await check(engine, spoiled("version", value), "damaged");
    for (const value of ["''", "'null'", "'{\"n\":'"])
      await check(engine, spoiled("version = version + 1, data", value), "damaged");
    for (const column of ["access_time", "version", "data", "absolute_interval", "holder"])
      await server.sql(`ALTER TABLE flotilla_sessions ALTER ${column} DROP NOT NULL`);
    for (const column of ["access_time", "absolute_interval"])
      await check(engine, spoiled(column, "NULL"), "ended");
    for (const column of ["version", "version = version + 1, data"])
      await check(engine, spoiled(column, "NULL"), "damaged");
    await checkNobodys(engine, spoiled("holder", "NULL"));
  });

  test("a value that the column can't hold is told as that, and why", async (t) => {
    const server = await Postgres.startFor(t, { settings: ["fsync = off"] });
    const engine = postgresStore({ url: server.url(), dataType: "jsonb" });
    t.after(() => engine.close());
    await engine.open();
    const key = newKey();
    await engine.insert(key, write(1), life);
    const message = /can't hold such data in flotilla_sessions \(.+\): a column of the type text, /;
    for (const text of ["a\ud800", "a\u0000"]) {
      const data = JSON.stringify({ text });
      for (const attempt of [
        () => engine.replace(key, 1, { ...write(2), data }),
        () => engine.insert(newKey(), { ...write(2), data }, life),
      ])
        await assert.rejects(attempt, { outcome: "unfit", message });
    }
    assert.equal(await engine.replace(key, 1, write(2)), "done");
  });
});

describe("Redis: keys that somebody else has written to", { skip: whyNoRedis() ?? false }, () => {
  test("of other types, no sessions, sessions with columns that are none, or without an end", async (t) => {
    const server = await Redis.startFor(t);
    const engine = redisStore({ url: server.url });
    t.after(() => engine.close());
    await engine.open();
    const name = (key: string): string => `flotilla:s:${key}`;
    const set = (value: string) => (key: string) => server.command("SET", name(key), value);
    const line = (version: string, used: string, holder: string): string =>
      `1 ${used.padStart(13)} ${"1800000".padStart(12)} ${version.padStart(10)} ${used.padStart(13)} ${"0".padStart(12)} ${holder}\n{}`;
    const now = String(Date.now());
    await check(
      engine,
      async (key) => {
        await server.command("DEL", name(key));
        await server.command("HSET", name(key), "data", "{}");
      },
      "damaged",
    );
    for (const value of ["", '{"cookie":{}}', "x".repeat(400), "1 2\n{}", `2${line("3", now, "").slice(1)}`])
      await check(engine, set(value), "damaged");
    await check(engine, set(line("x", now, "")), "damaged");
    await check(engine, set(line("3", "never", "")), "damaged");
    await check(engine, set(line("3", now, "%E0%A4%A")), "damaged");
    await check(engine, (key) => server.command("SETRANGE", name(key), "0", "3"), "damaged");
    // Restored from a copy without its expiry.
    const key = newKey();
    await set(line("3", String(Date.now() - hourMs), ""))(key);
    assert.equal(await found(engine, key), "ended");
    assert.deepEqual(await engine.list("", 10), []);
    await engine.touch([{ key, idleTimeoutMs: hourMs }]);
    assert.equal(await found(engine, key), "ended");
    assert.equal(await engine.replace(key, 3, write(4)), "gone");
    assert.equal(await engine.insert(key, write(5), life), true);
    assert.equal((await engine.read(key))?.data, '{"n":5}');
  });
});
