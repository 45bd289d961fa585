/** When a process serves sessions from its memory, and when not. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { StoreWorld } from "../../../test/harness/store-world.ts";
import { endless } from "../snapshot.ts";

describe("copies of sessions", () => {
  test("are served within the call by the process that holds the session, and by no other", async () => {
    const site = new StoreWorld();
    const [a, b] = [await site.server("a"), await site.server("b")];
    const id = await a.create({ n: 1 });
    assert.deepEqual([a.load(id).data, b.load(id).code], [{ n: 1 }, ""]);
    await site.pass(10);
    assert.equal(b.load(id).code, "", "it asks each time");
  });

  test("what others write or end is told", async () => {
    const site = new StoreWorld();
    const [a, b] = [await site.server("a"), await site.server("b")];
    const id = await a.create({ n: 1 });
    b.update(id, { n: 2 });
    await site.pass(10);
    const loaded = a.load(id);
    assert.equal(loaded.code, "", "the copy is gone");
    await site.pass(10);
    assert.deepEqual([loaded.data, a.load(id).data], [{ n: 2 }, { n: 2 }], "and there is a new one");
    b.destroy(id);
    await site.pass(10);
    const ended = a.load(id);
    await site.pass(10);
    assert.deepEqual([ended.code, ended.data], ["done", null]);
  });

  test("are not served when notices were not proven for 3 s, and again when they are", async () => {
    const site = new StoreWorld();
    const [a, b] = [await site.server("a"), await site.server("b")];
    const id = await a.create({ n: 1 });
    a.network.fates.set("", "silent");
    a.process.pause();
    await site.pass(2_500);
    assert.equal(a.load(id).code, "done");
    b.update(id, { n: 2 });
    await site.pass(1_000);
    assert.equal(a.load(id).code, "", "the notice waits unread");
    a.network.fates.clear();
    a.process.resume();
    await site.pass(3_000);
    const loaded = a.load(id);
    await site.pass(10);
    assert.deepEqual([loaded.data, a.load(id).data], [{ n: 2 }, { n: 2 }]);
  });

  test("all go when the way of notices breaks; it is told when that lasts, and when it is over", async () => {
    const site = new StoreWorld();
    const [a, b] = [await site.server("a"), await site.server("b")];
    const id = await a.create({ n: 1 });
    a.network.hasNotices = a.network.canProve = false;
    await site.pass(1_100);
    b.update(id, { n: 2 });
    assert.equal(a.load(id).code, "");
    await site.pass(10_000);
    const loaded = a.load(id);
    await site.pass(10);
    assert.deepEqual([loaded.data, a.load(id).code], [{ n: 2 }, ""]);
    assert.deepEqual(site.told, [
      "warn: memory database: notices of other servers' writes do not come: the way of notices is broken; each request reads its session until they do",
    ]);
    a.network.hasNotices = a.network.canProve = true;
    await site.pass(3_000);
    assert.deepEqual(site.told.slice(1), [
      "info: memory database: notices of other servers' writes come again",
    ]);
    a.load(id);
    await site.pass(10);
    assert.deepEqual(a.load(id).data, { n: 2 });
  });

  test("a process takes over a session whose id has its letters with its next write", async () => {
    const site = new StoreWorld();
    const [a, b] = [await site.server("a"), await site.server("b")];
    const id = await a.create({ n: 1 });
    b.update(id, { n: 2 });
    await site.pass(10);
    assert.equal(site.database.rows.get(id.key)?.holder, "server-a");
    const moved = { ...id, owner: "b" };
    b.update(moved, { n: 3 });
    await site.pass(10);
    assert.equal(site.database.rows.get(id.key)?.holder, "server-b");
    assert.deepEqual(b.load(moved).data, { n: 3 });
    const loaded = a.load(id);
    await site.pass(10);
    assert.deepEqual(loaded.data, { n: 3 });
  });

  test("an id is made anew when its letter is none of the file's, and else stays", async () => {
    const site = new StoreWorld();
    const [a, gone] = [await site.server("a"), await site.server("z")];
    const id = gone.store.newId();
    assert.equal(a.store.renewed(a.store.newId()), null);
    const renewed = a.store.renewed(id);
    assert.deepEqual([renewed?.key, renewed?.owner], [id.key, "a"]);
  });

  test("are bounded: those used last stay", async () => {
    const site = new StoreWorld();
    const a = await site.server("a", { copiesMax: 100 });
    const created = await Promise.all(Array.from({ length: 300 }, (_, n) => a.create({ n })));
    assert.ok(a.store.count <= 100, `${a.store.count} copies`);
    assert.deepEqual(a.load(created[299]!).data, { n: 299 });
    assert.equal(a.load(created[0]!).code, "");
  });

  test("end with the session's absolute age, and are asked for again when unused for its idle timeout", async () => {
    const site = new StoreWorld();
    const a = await site.server("a");
    const old = await a.create({ n: 1 }, 600_000, { ageMs: 0, absoluteTimeoutMs: 5_000 });
    const idle = await a.create({ n: 2 }, 4_000, endless);
    await site.pass(4_500);
    assert.equal(a.load(old).code, "done");
    const loaded = [a.load(idle)];
    await site.pass(400);
    loaded.push(a.load(old));
    await site.pass(10);
    assert.deepEqual(
      loaded.map(({ code, data }) => [code, data]),
      [
        ["done", null],
        ["done", null],
      ],
    );
  });
});
