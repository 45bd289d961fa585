/** Changes of sessions in a database: merged, compared, and made once, whatever becomes of a statement. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { changesOf, type StoreServer, StoreWorld } from "../../../test/harness/store-world.ts";
import type { VerifiedId } from "../id.ts";
import { endless } from "../snapshot.ts";

function stored(site: StoreWorld, id: VerifiedId): unknown {
  const row = site.database.living(id.key);
  return row === null ? null : JSON.parse(row.data);
}

/** Two processes of which neither is told anything: each has what it read or wrote last. */
async function deafPair(): Promise<[StoreWorld, StoreServer, StoreServer]> {
  const site = new StoreWorld();
  const pair = [await site.server("a"), await site.server("b")] as const;
  for (const { network } of pair) network.hasNotices = false;
  return [site, ...pair];
}

describe("changes of a session in a database", () => {
  test("are merged with what others have written meanwhile, however old the copy is", async () => {
    const [site, a, b] = await deafPair();
    const id = await a.create({ x: 1, y: 1, z: 1 });
    b.update(id, { x: 2, z: null });
    await site.pass(10);
    const told = a.update(id, { y: 2 });
    await site.pass(10);
    assert.deepEqual([told.code, stored(site, id)], ["done", { x: 2, y: 2 }]);
  });

  test("a comparison fails only with what is there now", async () => {
    const [site, a, b] = await deafPair();
    const id = await a.create({ n: 1 });
    b.update(id, { n: 2 });
    await site.pass(10);
    const right = a.compareAndSet(id, { n: 3 }, { n: 2 });
    await site.pass(10);
    assert.deepEqual([right.code, stored(site, id)], ["done", { n: 3 }], "its copy said 1");
    b.update(id, { n: 4 });
    await site.pass(10);
    const wrong = a.compareAndSet(id, { n: 9 }, { n: 3 });
    await site.pass(10);
    assert.deepEqual(
      [wrong.code, stored(site, id)],
      ["FLOTILLA_SESSION_CONTENDED", { n: 4 }],
      "its copy said 3",
    );
  });

  test("too large is what would be too large now", async () => {
    const [site, a, b] = await deafPair();
    const large = "x".repeat(600_000);
    const id = await a.create({ large });
    b.update(id, { large: null });
    await site.pass(10);
    const fits = a.update(id, { other: large });
    await site.pass(10);
    assert.equal(fits.code, "done", "its copy was too large for it");
    const [tooLarge, small] = [a.update(id, { large }), a.update(id, { n: 1 })];
    await site.pass(10);
    assert.deepEqual([tooLarge.code, small.code], ["FLOTILLA_SESSION_TOO_LARGE", "done"]);
    assert.deepEqual(stored(site, id), { other: large, n: 1 });
  });

  test("what is gone stays so, whatever the copy says", async () => {
    const [site, a, b] = await deafPair();
    const id = await a.create({ n: 1 });
    void b.destroy(id);
    await site.pass(10);
    const told = [a.update(id, { n: 2 }), a.compareAndSet(id, { n: 2 }, { n: 1 })];
    a.store.touch(id, 900_000, false);
    await site.pass(1_000);
    assert.deepEqual(
      [told.map(({ code }) => code), stored(site, id)],
      [["FLOTILLA_SESSION_GONE", "FLOTILLA_SESSION_GONE"], null],
    );
  });

  test("one whose answer was lost is made once; of a comparison nobody knows", async () => {
    const site = new StoreWorld();
    const a = await site.server("a");
    const id = await a.create({ n: 1 });
    a.network.fates.set("replace", "reset after");
    const update = a.update(id, { n: 2 });
    await site.pass(200);
    assert.deepEqual([update.code, site.database.rows.get(id.key)?.version], ["done", 2]);
    const compared = a.compareAndSet(id, { n: 3 }, { n: 2 });
    await site.pass(200);
    assert.equal(compared.code, "FLOTILLA_SESSION_UNKNOWN");
    assert.deepEqual(stored(site, id), { n: 3 });
    const loaded = a.load(id);
    assert.equal(loaded.code, "", "what was there before is not served");
    await site.pass(10);
    assert.deepEqual(loaded.data, { n: 3 });
  });

  test("one that was lost on its way is made again, with what others wrote meanwhile", async () => {
    const site = new StoreWorld();
    const [a, b] = [await site.server("a"), await site.server("b")];
    const id = await a.create({ x: 1 });
    a.network.fates.set("replace", "reset before");
    const told = a.update(id, { y: 2 });
    await site.pass(5);
    b.update(id, { x: 2 });
    await site.pass(5);
    a.network.fates.clear();
    await site.pass(200);
    assert.deepEqual([told.code, stored(site, id)], ["done", { x: 2, y: 2 }]);
  });

  test("a change that nobody can make is unavailable when surely nothing was written, else unknown", async () => {
    const site = new StoreWorld();
    const a = await site.server("a");
    for (const [fate, code] of [
      ["refused", "FLOTILLA_SESSION_UNAVAILABLE"],
      ["reset before", "FLOTILLA_SESSION_UNKNOWN"],
    ] as const) {
      const id = await a.create({ n: 1 });
      a.network.fates.set("replace", fate);
      a.network.fates.set("remove", fate);
      const [update, destroy] = [a.update(id, { n: 2 }), a.destroy(id)];
      await site.pass(1_000);
      assert.deepEqual([update.code, destroy.code], [code, code], fate);
      a.network.fates.clear();
      await site.pass(3_000);
    }
  });

  test("a session whose creation was lost is not made twice, and is made anew when it is asked for again", async () => {
    const site = new StoreWorld();
    const a = await site.server("a");
    a.network.fates.set("insert", "reset after");
    const id = a.store.newId();
    const create = () =>
      a.asked((done) => a.store.create(id, new Map(), 600_000, { ageMs: 0, absoluteTimeoutMs: 1e9 }, done));
    const first = create();
    await site.pass(100);
    assert.deepEqual([first.code, a.network.taken("insert")], ["FLOTILLA_SESSION_UNKNOWN", 1]);
    a.network.fates.clear();
    const second = create();
    await site.pass(100);
    assert.deepEqual([second.code, stored(site, id)], ["done", {}]);
  });

  test("a row that somebody else damaged is told of, and never written over; it can be ended", async () => {
    const site = new StoreWorld();
    const a = await site.server("a", { load: "always" });
    const id = await a.create({ n: 1 });
    const row = site.database.rows.get(id.key)!;
    row.data = '{"n":';
    row.version++;
    const told = [a.load(id), a.update(id, { n: 2 }), a.compareAndSet(id, { n: 2 }, { n: 1 })];
    await site.pass(100);
    for (const { code, message } of told) {
      assert.equal(code, "FLOTILLA_SESSION_DAMAGED");
      assert.match(
        message,
        /^the row of session [\w-]{8}\.\.\. in memory database can't be read: its data are no JSON/,
      );
      assert.doesNotMatch(message, new RegExp(id.key));
    }
    assert.equal(row.data, '{"n":');
    const ended = a.destroy(id);
    await site.pass(100);
    assert.deepEqual([ended.code, stored(site, id)], ["done", null]);
  });

  test("a value that the database can't hold fails its own request alone, by name, and is not tried again", async () => {
    const site = new StoreWorld();
    const a = await site.server("a", { load: "always" });
    site.database.cannotHold = /bad/;
    const id = await a.create({ n: 1 });
    a.network.calls.clear();
    // The first is under way while the others come, which would be one write.
    const told = [a.update(id, { n: 2 }), a.update(id, { n: 3 }), a.update(id, { note: "bad", n: 4 })];
    told.push(a.update(id, { x: 1 }));
    await site.pass(100);
    assert.deepEqual(
      told.map(({ code }) => code),
      ["done", "done", "FLOTILLA_SESSION_UNFIT", "done"],
    );
    assert.deepEqual(stored(site, id), { n: 3, x: 1 });
    assert.equal(
      told[2]!.message,
      'a value in req.session["note"] or req.session["n"] can\'t be kept where sessions are: memory database does not take /bad/; nothing was written',
    );
    assert.equal(a.network.taken("replace"), 5);
    const [created, compared] = [a.store.newId(), a.compareAndSet(id, { n: "bad" }, { n: 3 })];
    const creating = a.asked((done) =>
      a.store.create(created, changesOf({ note: "bad" }), 600_000, endless, done),
    );
    await site.pass(100);
    assert.deepEqual([compared.code, creating.code], ["FLOTILLA_SESSION_UNFIT", "FLOTILLA_SESSION_UNFIT"]);
    assert.match(creating.message, /^a value in req\.session\["note"\] can't/);
    assert.equal(a.network.taken("insert"), 1);
  });

  test("values that the database can't hold never make it count as down", async () => {
    const site = new StoreWorld();
    const a = await site.server("a");
    site.database.cannotHold = /bad/;
    const ids = await Promise.all(Array.from({ length: 20 }, (_, n) => a.create({ n })));
    a.network.calls.clear();
    const told = ids.map((id) => a.update(id, { n: "bad" }));
    await site.pass(2_000);
    for (const { code } of told) assert.equal(code, "FLOTILLA_SESSION_UNFIT");
    assert.deepEqual([site.told, a.store.trouble, a.network.taken("read")], [[], null, 0]);
  });

  test("a row whose times or version are none is damaged, and concerns nobody else", async () => {
    const site = new StoreWorld();
    const a = await site.server("a", { load: "always" });
    for (const change of [{ version: 1e300 }, { version: Number.NaN }, { idleTimeoutMs: -1 }]) {
      const id = await a.create({ n: 1 });
      const row = site.database.rows.get(id.key)!;
      Object.assign(row, change, { usedAt: Number.POSITIVE_INFINITY });
      const told = a.load(id);
      await site.pass(100);
      assert.equal(told.code, "FLOTILLA_SESSION_DAMAGED");
    }
    assert.deepEqual(site.told, []);
  });

  test("two processes that add to one number lose nothing", async () => {
    const site = new StoreWorld();
    const servers = [await site.server("a"), await site.server("b")];
    const id = await servers[0]!.create({ n: 0 });
    let left = 200;
    const add = (server: StoreServer): void => {
      if (left-- <= 0) return;
      const again = (): void => {
        server.store.load(id, (_, entries) => {
          const n = Number(entries!.get("n")!.text);
          const told = server.compareAndSet(id, { n: n + 1 }, { n });
          site.world.after(20, null, () => (told.code === "done" ? add(server) : again()));
        });
      };
      again();
    };
    for (const server of servers) add(server);
    await site.pass(60_000);
    assert.deepEqual(stored(site, id), { n: 200 });
  });
});
