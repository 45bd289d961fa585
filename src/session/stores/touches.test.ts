/** Uses of sessions, as the database is told of them, and rows that have ended. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { StoreWorld } from "../../../test/harness/store-world.ts";

const minuteMs = 60_000;

describe("uses of sessions in a database", () => {
  test("are told once a minute, many in one statement", async () => {
    const site = new StoreWorld();
    const server = await site.server("a");
    const created = await Promise.all(
      Array.from({ length: 20 }, (_, n) => server.create({ n }, 30 * minuteMs)),
    );
    for (let n = 0; n < 300; n++) {
      for (const id of created) {
        server.load(id);
        server.store.touch(id, 30 * minuteMs, true);
      }
      await site.pass(1_000);
    }
    const statements = server.network.taken("touch");
    assert.ok(statements >= 4 && statements <= 10, `${statements} statements in five minutes`);
  });

  test("keep a session for as long as it is used, with copies and without", async () => {
    for (const load of ["cached", "always"] as const)
      for (const idleTimeoutMs of [1_000, 30 * minuteMs]) {
        const site = new StoreWorld();
        const server = await site.server("a", { load });
        const id = await server.create({ n: 1 }, idleTimeoutMs);
        for (let n = 0; n < 50; n++) {
          await site.pass(0.88 * idleTimeoutMs);
          const loaded = server.load(id);
          await site.pass(10);
          assert.deepEqual(loaded.data, { n: 1 }, `${load}, ${idleTimeoutMs} ms, use ${n}`);
        }
        await site.pass(1.2 * idleTimeoutMs);
        const ended = server.load(id);
        await site.pass(10);
        assert.equal(ended.data, null);
      }
  });

  test("are told later when the database is down, and never shorten a session's life", async () => {
    const site = new StoreWorld();
    const [a, b] = [await site.server("a"), await site.server("b")];
    const id = await a.create({ n: 1 }, 10_000);
    await site.pass(5_000);
    a.network.fates.set("touch", "refused");
    a.store.touch(id, 10_000, false);
    await site.pass(1_000);
    b.update(id, { n: 2 }, 600_000);
    await site.pass(1_000);
    a.network.fates.clear();
    await site.pass(5_000);
    assert.equal(site.database.rows.get(id.key)?.idleTimeoutMs, 600_000);
    assert.ok(site.world.now - site.database.rows.get(id.key)!.usedAt <= 5_000);
  });

  test("a longer idle timeout is told at once", async () => {
    const site = new StoreWorld();
    const server = await site.server("a");
    const id = await server.create({ n: 1 }, 10_000);
    server.store.touch(id, 600_000, true);
    await site.pass(1_000);
    assert.equal(site.database.rows.get(id.key)?.idleTimeoutMs, 600_000);
  });

  test("what waits is told before the process ends", async () => {
    const site = new StoreWorld();
    const server = await site.server("a");
    const id = await server.create({ n: 1 }, 10_000);
    await site.pass(3_000);
    server.load(id);
    let isFlushed = false;
    server.store.flush(() => {
      isFlushed = true;
    });
    await site.pass(5);
    assert.ok(isFlushed);
    assert.ok(site.world.now - site.database.rows.get(id.key)!.usedAt <= 5);
  });
});

test("rows that have ended are removed, a thousand at once, soon where there are more, and by several processes at different times", async () => {
  const site = new StoreWorld();
  const servers = [await site.server("a"), await site.server("b")];
  const [server] = servers;
  for (let n = 0; n < 5_500; n++)
    site.database.insert(
      `key${n}`,
      { data: "{}", writer: "", holder: "", idleTimeoutMs: 1_000 },
      {
        ageMs: 0,
        absoluteTimeoutMs: Number.POSITIVE_INFINITY,
      },
    );
  const kept = await server!.create({ n: 1 }, 3_600_000);
  await site.pass(1.5 * minuteMs + 3_000);
  assert.deepEqual([...site.database.rows.keys()], [kept.key]);
  const counts = servers.map(({ network }) => network.taken("removeExpired"));
  await site.pass(10 * minuteMs);
  for (const [n, { network }] of servers.entries()) {
    const rounds = network.taken("removeExpired");
    assert.ok(rounds >= 6 && rounds <= 20, `${rounds} rounds in ten minutes, ${counts[n]} before`);
  }
});
