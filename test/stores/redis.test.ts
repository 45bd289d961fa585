/** What becomes of sessions, and what is said, when Redis is killed, stands still, is full, refuses, or is not what it should be. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis as Ioredis, Cluster as IoredisCluster } from "ioredis";
import { createClient, createCluster } from "redis";
import type { SessionEngineError } from "../../src/session/stores/engine.ts";
import { RedisEngine } from "../../src/session/stores/redis/engine.ts";
import { type RedisStoreOptions, redisStore } from "../../src/session/stores/redis/index.ts";
import { FlotillaError } from "../../src/support/errors.ts";
import { Cable } from "../harness/cable.ts";
import { failed, hourMs, keyOf, newborn, opened, write } from "../harness/engine-rows.ts";
import { until } from "../harness/process.ts";
import { durable, Redis, whyNoRedis } from "../harness/redis.ts";
import { tlsFile, tlsFolder } from "../harness/tls.ts";

const guide = readFileSync(join(import.meta.dirname, "..", "..", "docs", "session-stores.md"), "utf8");

describe("Redis in trouble", { skip: whyNoRedis() ?? false }, () => {
  for (const kind of ["redis", "ioredis"] as const)
    test(`kill -9 under load, by ${kind}: with appendfsync always nothing is lost that was answered`, async (t) => {
      const server = await Redis.startFor(t, durable);
      const client =
        kind === "redis" ? createClient({ url: server.url }) : new Ioredis(server.url, { lazyConnect: true });
      const engine = await opened(t, redisStore({ client }));
      const sites = Array.from({ length: 40 }, (_, n) => ({ key: keyOf(n), answered: 0, asked: 0 }));
      for (const site of sites) {
        assert.ok(await engine.insert(site.key, write({ n: 0 }), newborn));
        site.answered = site.asked = 1;
      }
      const outcomes = { done: 0, nothing: 0, unknown: 0, unfit: 0 };
      let isOver = false;
      const load = sites.map(async (site) => {
        while (!isOver) {
          const row = await engine.read(site.key).catch(() => null);
          if (row === null) {
            await sleep(5);
            continue;
          }
          site.asked = row.version + 1;
          await engine.replace(site.key, row.version, write({ n: row.version })).then(
            (replaced) => {
              assert.equal(replaced, "done");
              outcomes.done++;
              site.answered = row.version + 1;
            },
            (error: SessionEngineError) => {
              outcomes[error.outcome]++;
            },
          );
        }
      });
      for (let round = 0; round < 3; round++) {
        const before = outcomes.done;
        await until("it is under load", () => outcomes.done > before + 200);
        await server.kill();
        await server.run();
      }
      const before = outcomes.done;
      await until("it goes on", () => outcomes.done > before + 200);
      isOver = true;
      await Promise.all(load);
      assert.ok(outcomes.unknown > 0, JSON.stringify(outcomes));
      for (const { key, answered, asked } of sites) {
        const row = await engine.read(key);
        assert.ok(row !== null && row.version >= answered && row.version <= asked, `${key}: ${row?.version}`);
        assert.equal(JSON.parse(row.data).n, row.version - 1);
      }
    });

  test("a pulled cable: what is under way is unknown, then all is refused at once, and it comes back by itself", async (t) => {
    const server = await Redis.startFor(t);
    const cable = await Cable.to(server.port);
    t.after(() => cable.close());
    const engine = await opened(t, redisStore({ url: `redis://127.0.0.1:${cable.port}` }));
    const channel = await engine.listen("app-a", () => {});
    await engine.insert(keyOf(1), write({}), newborn);
    cable.cut();
    const underWay = [
      failed(engine.replace(keyOf(1), 1, write({ n: 1 }))),
      failed(engine.read(keyOf(1))),
      failed(channel.prove()),
    ];
    const [replaced, read, proof] = await Promise.all(underWay);
    assert.deepEqual([replaced!.outcome, read!.outcome, proof!.outcome], ["unknown", "nothing", "nothing"]);
    assert.match(replaced!.message, /^Redis at 127\.0\.0\.1:\d+ has not answered: no answer for 3 s/);
    const from = performance.now();
    const refused = await failed(engine.replace(keyOf(1), 1, write({ n: 2 })));
    assert.ok(performance.now() - from < 100);
    assert.equal(refused.outcome, "nothing");
    assert.match(refused.message, /can't be reached: .*; it is tried again all the time$/);
    await failed(channel.prove());
    cable.mend();
    await until("it is back", () => engine.read(keyOf(1)).catch(() => null));
    // What broke stays broken: notices may have been lost.
    await failed(channel.prove());
    const told: string[] = [];
    const next = await engine.listen("app-a", (key) => told.push(key));
    await engine.replace(keyOf(1), 1, write({}, { holder: "app-a" }));
    await engine.remove(keyOf(1), "app-b");
    await next.prove();
    assert.deepEqual(told, [keyOf(1)]);
  });

  test("an answer that was lost on its way: unknown, and done", async (t) => {
    const server = await Redis.startFor(t);
    const cable = await Cable.to(server.port);
    t.after(() => cable.close());
    const engine = await opened(t, redisStore({ url: `redis://127.0.0.1:${cable.port}` }));
    await engine.insert(keyOf(1), write({}), newborn);
    await engine.replace(keyOf(1), 1, write({}));
    cable.loseAnswersTo(/EVALSHA/);
    const replaced = failed(engine.replace(keyOf(1), 2, write({ n: 2 })));
    await until("it has arrived", async () =>
      /"n":2/.test(await server.command("GET", `flotilla:s:${keyOf(1)}`)),
    );
    cable.mend();
    assert.equal((await replaced).outcome, "unknown");
    const row = await until("it is back", () => engine.read(keyOf(1)).catch(() => null));
    assert.deepEqual([row.version, row.data], [3, '{"n":2}']);
  });

  test("a Redis that stands still is given up, and used again when it goes on; a busy process of ours gives up nothing", async (t) => {
    const server = await Redis.startFor(t);
    const engine = await opened(t, redisStore({ url: server.url }));
    await engine.insert(keyOf(1), write({}), newborn);
    const busy = engine.read(keyOf(1));
    const until4 = performance.now() + 4_000;
    while (performance.now() < until4);
    assert.ok((await busy) !== null);
    server.pause();
    await failed(engine.read(keyOf(1)));
    server.resume();
    await until("it is back", () => engine.read(keyOf(1)).catch(() => null));
  });

  test("scripts that Redis has forgotten are given to it again", async (t) => {
    const server = await Redis.startFor(t);
    const engine = await opened(t, redisStore({ url: server.url }));
    await engine.insert(keyOf(1), write({}), newborn);
    await server.command("SCRIPT", "FLUSH");
    assert.equal(await engine.replace(keyOf(1), 1, write({ n: 1 })), "done");
    await server.command("SCRIPT", "FLUSH");
    const together = Array.from({ length: 20 }, () => engine.read(keyOf(1)));
    for (const row of await Promise.all(together)) assert.equal(row?.version, 2);
  });

  test("memory that is full: new data are refused with nothing written; sessions in use stay, and may end", async (t) => {
    const server = await Redis.startFor(t, { "maxmemory-policy": "noeviction" });
    const engine = await opened(t, redisStore({ url: server.url }));
    const told: string[] = [];
    const channel = await engine.listen("app-a", (key) => told.push(key));
    await engine.insert(keyOf(1), write({}, { holder: "app-a", idleTimeoutMs: 60_000 }), newborn);
    await server.command("CONFIG", "SET", "maxmemory", "1");
    const errors = await Promise.all([
      failed(engine.insert(keyOf(2), write({}), newborn)),
      failed(engine.replace(keyOf(1), 1, write({ n: 1 }, { writer: "app-b" }))),
    ]);
    for (const { outcome, message } of errors) {
      assert.equal(outcome, "nothing");
      assert.match(message, /refused it: its memory is full: give it more \(maxmemory\).*\(.*OOM/);
    }
    await engine.touch([{ key: keyOf(1), idleTimeoutMs: hourMs }]);
    const row = await engine.read(keyOf(1));
    assert.deepEqual([row?.version, row?.data, row?.idleTimeoutMs], [1, "{}", hourMs]);
    assert.ok(Number(await server.command("PTTL", `flotilla:s:${keyOf(1)}`)) > hourMs);
    await engine.remove(keyOf(1), "app-b");
    assert.equal(await engine.read(keyOf(1)), null);
    await channel.prove();
    assert.ok(told.includes(keyOf(1)));
    await server.command("CONFIG", "SET", "maxmemory", "0");
    assert.ok(await engine.insert(keyOf(2), write({}), newborn));
  });

  test("a disk that can't be written: refused with nothing written", async (t) => {
    const server = await Redis.startFor(t, { save: "3600 1" });
    const engine = await opened(t, redisStore({ url: server.url }));
    await engine.insert(keyOf(1), write({}), newborn);
    mkdirSync(join(server.folder, "dump.rdb"));
    await server.command("BGSAVE");
    await until("it knows", async () =>
      /rdb_last_bgsave_status:err/.test(await server.command("INFO", "persistence")),
    );
    const error = await failed(engine.replace(keyOf(1), 1, write({ n: 1 })));
    assert.equal(error.outcome, "nothing");
    assert.match(error.message, /it can't save its data to disk/);
    assert.equal((await engine.read(keyOf(1)))?.version, 1);
  });

  test("what is told of a wrong password, a missing one and a missing right shows none", async (t) => {
    const server = await Redis.startFor(t, { requirepass: "pass-of-redis" }, [
      "-a",
      "pass-of-redis",
      "--no-auth-warning",
    ]);
    const place = `127.0.0.1:${server.port}`;
    const wrong: readonly RedisStoreOptions[] = [
      { url: `redis://:wrong-secret@${place}` },
      { url: `redis://${place}`, password: "wrong-secret" },
      { url: `redis://shop@${place}`, password: "wrong-secret" },
      { client: new Ioredis({ port: server.port, password: "wrong-secret", lazyConnect: true }) },
    ];
    for (const options of wrong) {
      const engine = redisStore(options);
      t.after(() => engine.close());
      const error = await failed(engine.open());
      assert.match(error.message, /it does not know this user with this password/);
      assert.doesNotMatch(`${error.message}${error.stack}${engine.name}`, /wrong-secret/);
    }
    const none = redisStore({ url: `redis://${place}` });
    t.after(() => none.close());
    assert.match((await failed(none.open())).message, /it wants a password/);
    await server.command("ACL", "SETUSER", "narrow", "on", ">narrow-secret", "~other:*", "+@all");
    const narrow = await opened(t, redisStore({ url: `redis://narrow:narrow-secret@${place}` }));
    assert.match((await failed(narrow.read(keyOf(1)))).message, /its user lacks a right/);
  });

  test("the rights that docs/session-stores.md names are enough", async (t) => {
    const server = await Redis.startFor(t);
    const rule = /ACL SETUSER shop on >secret (.*)/.exec(guide)![1]!;
    await server.command("ACL", "SETUSER", "shop", "on", ">secret", ...rule.split(" "));
    const engine = await opened(t, redisStore({ url: server.url, user: "shop", password: "secret" }));
    const told: string[] = [];
    const channel = await engine.listen("app-a", (key) => told.push(key));
    assert.ok(await engine.insert(keyOf(1), write({}, { holder: "app-a" }), newborn));
    await engine.touch([{ key: keyOf(1), idleTimeoutMs: hourMs }]);
    assert.equal(await engine.replace(keyOf(1), 1, write({}, { writer: "app-b", holder: "app-b" })), "done");
    assert.deepEqual([(await engine.list("", 10)).length, await engine.count()], [1, 1]);
    await engine.remove(keyOf(1), "app-a");
    await channel.prove();
    assert.deepEqual(told, [keyOf(1)]);
  });

  test("TLS: with the authority that is named, and no other", async (t) => {
    const server = await Redis.startFor(t, {
      "tls-auth-clients": "no",
      ...{ "tls-cert-file": `${tlsFolder}/a.pem`, "tls-key-file": `${tlsFolder}/a.key` },
      "tls-ca-cert-file": `${tlsFolder}/ca.pem`,
    });
    const url = `rediss://127.0.0.1:${server.port}`;
    const tls = { ca: tlsFile("ca.pem"), servername: "a.example" };
    const engine = await opened(t, redisStore({ url, tls: () => tls }));
    assert.ok(await engine.insert(keyOf(1), write({}), newborn));
    await (await engine.listen("app-a", () => {})).prove();
    const believing = redisStore({ url });
    t.after(() => believing.close());
    assert.match((await failed(believing.open())).message, /can't be reached: .*certificate/);
  });

  test("a replica, and a node of a cluster, are not taken for a Redis of one's own", async (t) => {
    const primary = await Redis.startFor(t);
    const replica = await Redis.startFor(t, { replicaof: `127.0.0.1 ${primary.port}` });
    const engine = redisStore({ url: replica.url });
    t.after(() => engine.close());
    assert.match((await failed(engine.open())).message, /is a replica, which takes no writes/);
    const fine = await opened(t, redisStore({ url: primary.url }));
    await fine.insert(keyOf(1), write({}), newborn);
    await primary.command("REPLICAOF", "127.0.0.1", String(replica.port));
    const error = await failed(fine.replace(keyOf(1), 1, write({})));
    assert.equal(error.outcome, "nothing");
    assert.match(error.message, /it is a replica/);
  });

  test("a policy by which Redis throws sessions away is told", async (t) => {
    const server = await Redis.startFor(t, { maxmemory: "100mb", "maxmemory-policy": "allkeys-lru" });
    const warned = new Promise<Error>((resolve) => process.once("warning", resolve));
    await opened(t, redisStore({ url: server.url }));
    assert.match((await warned).message, /maxmemory-policy allkeys-lru: .* throws sessions away/);
  });

  test("open() while there is no Redis, again and again, until there is one", async (t) => {
    const server = await Redis.startFor(t);
    await server.kill();
    const engine = redisStore({ url: server.url });
    t.after(() => engine.close());
    for (let round = 0; round < 3; round++)
      assert.match((await failed(engine.open())).message, /can't be reached: .*ECONNREFUSED/);
    assert.equal((await failed(engine.read(keyOf(1)))).outcome, "nothing");
    await server.run();
    await engine.open();
    assert.equal(await engine.read(keyOf(1)), null);
  });
});

describe("A Redis Cluster", { skip: whyNoRedis() ?? false }, () => {
  for (const kind of ["redis", "ioredis"] as const)
    test(`by ${kind}: each operation finds its node; one that dies takes its own sessions along, until it is back`, async (t) => {
      const nodes = await Redis.startCluster(t, 3);
      const places = nodes.map(({ port }) => ({ host: "127.0.0.1", port }));
      const client =
        kind === "redis"
          ? createCluster({ rootNodes: nodes.map(({ url }) => ({ url })) })
          : new IoredisCluster(places, { lazyConnect: true });
      const engine = await opened(t, redisStore({ client }));
      const keys = Array.from({ length: 30 }, (_, n) => keyOf(n)).sort();
      for (const key of keys)
        assert.ok(await engine.insert(key, write({ key }, { holder: "app-a" }), newborn));
      await engine.touch(keys.map((key) => ({ key, idleTimeoutMs: 2 * hourMs })));
      for (const key of keys) {
        assert.equal(await engine.replace(key, 1, write({ key }, { writer: "app-b" })), "done");
        const row = await engine.read(key);
        assert.deepEqual([row?.data, row?.version], [JSON.stringify({ key }), 2]);
      }
      assert.equal(await engine.count(), keys.length);
      const firstPage = await engine.list("", 12);
      const rest = await engine.list(firstPage.at(-1)!.key, 100);
      assert.deepEqual(
        [...firstPage, ...rest].map(({ key }) => key),
        keys,
      );
      assert.match(
        (await failed(engine.listen("app-a", () => {}))).message,
        /can't promise that notices arrive/,
      );
      await nodes[0]!.kill();
      const outcomes = await Promise.allSettled(keys.map((key) => engine.read(key)));
      const refused = outcomes.filter(({ status }) => status === "rejected").length;
      assert.ok(refused > 0 && refused < keys.length, String(refused));
      await nodes[0]!.run();
      await until("all are back", async () => {
        const reads = await Promise.allSettled(keys.map((key) => engine.read(key)));
        return reads.every(({ status }) => status === "fulfilled");
      });
    });
});

test("a library that is not installed is no Redis that is away", async () => {
  const missing = new FlotillaError("FLOTILLA_SESSION_STORE_DRIVER", "npm install redis");
  const make = () => Promise.reject(missing);
  const engine = new RedisEngine({ name: "Redis", isCluster: false, keyPrefix: "", make }, "");
  await assert.rejects(engine.open(), missing);
});

test("what is no client is refused with what to give", () => {
  const wrong: readonly [unknown, RegExp][] = [
    [{}, /give either a url or a client/],
    [{ url: "redis://127.0.0.1", client: {} }, /give either a url or a client/],
    [
      { url: "http://secret@127.0.0.1" },
      /redisStore\(\{ url \}\) is not possible: it is no address of a database/,
    ],
    [{ url: 5 }, /redisStore\(\{ url \}\) is not possible/],
    [{ url: "redis://127.0.0.1", tls: {} }, /it begins with "rediss:\/\/" then/],
    [{ url: "redis://127.0.0.1", ttl: 5 }, /redisStore\(\{ ttl \}\).* none of url, user/],
    [{ client: {} }, /"redis" give, or a Redis or Cluster of "ioredis", not Object/],
    [{ client: null }, /not object/],
    [{ client: createClient(), user: "a" }, /redisStore\(\{ user \}\).* the client says it/],
    [undefined, /give either a url or a client/],
    ["redis://secret@127.0.0.1", /\{ url \}.*in braces/],
    [createClient(), /\{ client \}.*in braces/],
    [{ client: Object.create(null) }, /redisStore\(\{ client \}\) is not possible/],
  ];
  for (const [options, message] of wrong)
    assert.throws(
      () => redisStore(options as RedisStoreOptions),
      (error: Error & { code: string }) => {
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /secret/);
        return error.code === "FLOTILLA_SESSION_OPTION";
      },
    );
});
