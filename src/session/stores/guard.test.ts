/** A database that is down, slow, full or refuses: what operations are told, how soon, and what the log says. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { changesOf, StoreWorld, type Told } from "../../../test/harness/store-world.ts";
import { sessionStores as limits } from "../../support/limits.ts";
import { endless } from "../snapshot.ts";

const unavailable = "FLOTILLA_SESSION_UNAVAILABLE";
const unknown = "FLOTILLA_SESSION_UNKNOWN";

function codesOf(all: readonly Told[]): string[] {
  return [...new Set(all.map(({ code }) => code))];
}

describe("a database that is down", () => {
  test("is told of once when that begins and once when it ends; in between nothing waits, and one trial is made at a time", async () => {
    const site = new StoreWorld();
    const server = await site.server("a", { load: "always" });
    const id = await server.create({ n: 1 });
    server.network.fates.set("", "refused");
    const first = Array.from({ length: 10 }, () => server.load(id));
    for (let n = 0; n < 20; n++) {
      server.load(server.store.newId());
      await site.pass(50);
    }
    assert.deepEqual(codesOf(first), [unavailable]);
    assert.match(first[0]!.message, /^memory database: read was refused; nothing was written$/);
    assert.deepEqual(site.told, [
      "error: memory database: read was refused: sessions can't be loaded or stored; it is tried again until it answers",
    ]);
    server.network.taken("open");
    const whileDown = Array.from({ length: 1_000 }, () => server.load(server.store.newId()));
    assert.deepEqual(codesOf(whileDown), [unavailable], "within the call");
    await site.pass(60_000);
    const trials = server.network.taken("open");
    assert.ok(trials >= 20 && trials <= 60_000 / (limits.trialMsMax / 2), `${trials} trials in a minute`);
    server.network.fates.clear();
    await site.pass(1.5 * limits.trialMsMax + 10);
    assert.match(site.told[1]!, /^info: memory database answers again after 6\d s/);
    const after = server.load(id);
    await site.pass(10);
    assert.deepEqual([after.code, after.data, site.told.length], ["done", { n: 1 }, 2]);
  });

  test("at the start: it is opened as soon as it is up, and what was asked meanwhile is refused in time", async () => {
    const site = new StoreWorld();
    const server = await site.server("a", {}, false);
    server.network.fates.set("open", "silent");
    let opened: unknown = null;
    const early = server.load(server.store.newId());
    server.store.start((error) => {
      opened = error;
    });
    await site.pass(2_200);
    assert.deepEqual([early.code, early.afterMs <= 2_100], [unavailable, true]);
    assert.match(String(opened), /did not answer within 2 s/);
    assert.equal(site.told.length, 1);
    server.network.fates.clear();
    await site.pass(3_000);
    assert.deepEqual([site.told.length, server.store.trouble], [2, null]);
    const id = await server.create({ n: 1 });
    assert.equal(server.load(id).code, "done", "notices are proven: it is served from memory");
  });

  test("whose table was dropped is opened again: the table is made anew", async () => {
    const site = new StoreWorld();
    const server = await site.server("a", { load: "always" });
    server.network.taken("open");
    server.network.fates.set("", "refused");
    server.network.fates.set("open", "answered");
    for (let n = 0; n < 10; n++) server.load(server.store.newId());
    await site.pass(1_000);
    assert.equal(server.store.trouble === null, false);
    assert.ok(server.network.taken("open") >= 1, "with the trials");
    server.network.fates.clear();
    await site.pass(1.5 * limits.trialMsMax + 10);
    assert.equal(server.store.trouble, null);
  });

  test("one that answers nothing is down after five operations; each was told in time, and what may have been written is not denied", async () => {
    const site = new StoreWorld();
    const server = await site.server("a", { load: "always" });
    const created = await Promise.all([1, 2, 3, 4, 5].map((n) => server.create({ n })));
    server.network.fates.set("", "silent");
    const loads = created.slice(0, 2).map((id) => server.load(id));
    const updates = created.slice(2).map((id) => server.update(id, { n: 0 }));
    await site.pass(2_200);
    assert.deepEqual([codesOf(loads), codesOf(updates)], [[unavailable], [unknown]]);
    for (const { afterMs } of [...loads, ...updates])
      assert.ok(afterMs >= 2_000 && afterMs <= 2_100, `${afterMs}`);
    assert.match(site.told[0]!, /did not answer within 2 s/);
    assert.equal(server.load(created[0]!).code, unavailable);
  });

  test("a process that stood still does not take its database for slow", async () => {
    const site = new StoreWorld();
    const server = await site.server("a", { load: "always" });
    const loads = Array.from({ length: 10 }, () => server.load(server.store.newId()));
    server.process.pause();
    await site.pass(5_000);
    server.process.resume();
    await site.pass(1_000);
    assert.deepEqual([codesOf(loads), site.told], [["done"], []]);
  });

  test("that is closed meanwhile: what is under way is told by its deadline, all else at once, also who waits for it to open", async () => {
    const site = new StoreWorld();
    const [server, unopened] = [await site.server("a"), await site.server("b", {}, false)];
    const id = await server.create({ n: 1 });
    server.network.fates.set("", "silent");
    unopened.network.fates.set("open", "silent");
    const update = server.update(id, { n: 2 });
    let opened = 0;
    unopened.store.start(() => opened++);
    const waiting = unopened.load(id);
    server.store.stop();
    unopened.store.stop();
    unopened.store.start(() => opened++);
    assert.deepEqual([update.code, waiting.code, opened], ["", unavailable, 2]);
    await site.pass(2_200);
    assert.deepEqual([update.code, server.update(id, { n: 3 }).code], [unknown, unavailable]);
  });

  test("data that a database refuses do not make it count as down", async () => {
    const site = new StoreWorld();
    const server = await site.server("a");
    const id = await server.create({ n: 1 });
    server.network.fates.set("replace", "refused");
    for (let n = 0; n < 20; n++) {
      const refused = server.update(id, { n });
      await site.pass(200);
      assert.equal(refused.code, unavailable);
    }
    assert.deepEqual([server.store.trouble, site.told], [null, []]);
    const other = await server.create({ n: 2 });
    assert.deepEqual(server.load(other).data, { n: 2 });
  });
});

test("a row that somebody else put where trials look keeps nobody from the database", async () => {
  const site = new StoreWorld();
  const server = await site.server("a", { load: "always" }, false);
  server.network.fates.set("read", "unfit");
  server.store.start();
  await site.pass(100);
  assert.deepEqual([server.store.trouble, site.told], [null, []]);
  await server.create({ n: 1 });
});

describe("how much waits", () => {
  test("statements under way are bounded, and the others have their turn", async () => {
    const site = new StoreWorld();
    const server = await site.server("a", { load: "always" });
    server.network.taken("read");
    const loads = Array.from({ length: 1_000 }, () => server.load(server.store.newId()));
    assert.equal(server.network.calls.get("read"), limits.underWayMax);
    await site.pass(100);
    assert.deepEqual(codesOf(loads), ["done"]);
  });

  test("operations are bounded, of all sessions and of one, and so are the values in them", async () => {
    const site = new StoreWorld();
    const server = await site.server("a", { load: "always" });
    const id = await server.create({ n: 1 });
    server.network.fates.set("", "silent");
    const ofOne = Array.from({ length: limits.operationsPerSessionMax + 10 }, () => server.update(id, {}));
    assert.equal(ofOne.filter(({ code }) => code === "FLOTILLA_SESSION_BUSY").length, 9);
    const ofAll = Array.from({ length: 20_000 }, () => server.load(server.store.newId()));
    const isTold = ({ code }: Told): boolean => code !== "";
    assert.ok(ofAll.filter(isTold).length >= 20_000 - limits.waitingMax - limits.underWayMax);
    await site.pass(5_000);
    assert.ok([...ofOne, ...ofAll].every(isTold));
    server.network.fates.clear();
    await site.pass(5_000);
    const large = "x".repeat(1_000_000);
    const [first] = Array.from({ length: 100 }, () => {
      const fresh = server.store.newId();
      return server.asked((done) => server.store.create(fresh, changesOf({ large }), 600_000, endless, done));
    }).toReversed();
    assert.equal(first!.code, "FLOTILLA_SESSION_BUSY");
    await site.pass(5_000);
    assert.equal(server.load(await server.create({ n: 1 })).code, "", "nothing is in the way any more");
  });
});
