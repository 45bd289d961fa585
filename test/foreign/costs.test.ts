/** What the habits of each middleware cost its store: statements that a database is asked for, and what it is told of none. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FlotillaStore } from "../../src/session/foreign/hono.ts";
import type { HonoSessionData } from "../../src/session/foreign/hono-session-data.ts";
import { type ForeignRoutes, ForeignSite, foreignMiddlewares } from "../harness/foreign-sites.ts";
import { DirectNetwork, MemoryDatabase, MemoryEngine } from "../harness/memory-engine.ts";

const routes: ForeignRoutes = {
  "/look": ({ all }) => JSON.stringify(all()),
  "/count": ({ get, set }) => {
    set("count", (get("count") ?? 0) + 1);
    return "";
  },
};

describe("a request", () => {
  /** Statements of each visit, without those that are not of the request itself. */
  async function statements(name: string, paths: readonly string[]): Promise<string[]> {
    const network = new DirectNetwork();
    const middleware = foreignMiddlewares[name]!;
    const store = middleware.makeStore({ store: new MemoryEngine(new MemoryDatabase(), network) });
    await using shop = await ForeignSite.start(middleware, routes, store);
    const browser = shop.browser();
    const seen: string[] = [];
    for (const path of paths) {
      network.calls.clear();
      await browser.read(path);
      const own = ["read", "insert", "replace"].filter((operation) => network.calls.has(operation));
      seen.push(own.join("+"));
    }
    return seen;
  }

  for (const name of Object.keys(foreignMiddlewares))
    test(`that changes nothing writes nothing: ${name}`, async () => {
      const seen = await statements(name, ["/count", "/look", "/look", "/count", "/look"]);
      // hono-sessions makes a session of each visitor before it knows of any change; that an end moves with each use is seen at the first.
      const begin = name === "hono-sessions" ? ["insert+replace", "read+replace"] : ["insert", "read"];
      assert.deepEqual(
        seen.slice(0, 2).map((visit) => visit.split("+").toSorted().join("+")),
        begin,
      );
      assert.deepEqual(seen.slice(2, 3), ["read"]);
      assert.match(seen[3]!, /replace/);
      assert.equal(seen[4], "read");
    });
});

describe("hono-sessions' own end of a session", () => {
  const end = (ms: number): string => new Date(Date.now() + ms).toISOString();
  const fresh = (): HonoSessionData => ({ _data: {}, _expire: null, _delete: false, _accessed: null });

  test("a change sets it, and it comes back: so the middleware ends it, however it was read meanwhile", async () => {
    const store = new FlotillaStore();
    await store.createSession("sid", fresh());
    const session = (await store.getSessionById("sid"))!;
    session._data.a = { value: 1, flash: false };
    session._expire = end(60_000);
    await store.persistSessionData("sid", session);
    const found = (await store.getSessionById("sid"))!;
    assert.deepEqual([found._data, found._expire], [session._data, session._expire]);
  });

  test("moved by a use alone, it is the store's to keep, also when a change follows", async () => {
    const store = new FlotillaStore();
    await store.createSession("sid", { ...fresh(), _expire: end(60_000) });
    for (const change of [false, true]) {
      const session = (await store.getSessionById("sid"))!;
      if (change) session._data.a = { value: 1, flash: false };
      session._expire = end(500);
      await store.persistSessionData("sid", session);
      assert.equal((await store.getSessionById("sid"))!._expire, null);
    }
    await new Promise((resolve) => setTimeout(resolve, 550));
    assert.equal(await store.getSessionById("sid"), null);
  });

  test("keys of the application are none of the middleware's", async () => {
    const store = new FlotillaStore();
    const session = { ...fresh(), _expire: end(60_000) };
    for (const key of ["_expire", "data.a", "cookie", ""]) session._data[key] = { value: key, flash: true };
    await store.createSession("sid", session);
    const found = (await store.getSessionById("sid"))!;
    assert.deepEqual([found._data, found._expire], [session._data, session._expire]);
  });
});

describe("@hono/session", () => {
  test("does not wait for a save: one that fails ends no process", async (t) => {
    const network = new DirectNetwork();
    const store = new FlotillaStore({ store: new MemoryEngine(new MemoryDatabase(), network) });
    const unhandled: unknown[] = [];
    const onUnhandled = (error: unknown): void => void unhandled.push(error);
    process.on("unhandledRejection", onUnhandled);
    t.after(() => process.off("unhandledRejection", onUnhandled));
    network.isDown = true;
    const saving = store.set("sid", { a: 1 });
    const removing = store.delete("sid");
    for (const promise of [saving, removing])
      assert.equal(
        await promise.then(
          () => 200,
          (error: { status: number }) => error.status,
        ),
        503,
      );
    void store.set("sid", { a: 2 });
    network.isDown = false;
    while (network.calls.size === 0) await new Promise((resolve) => setImmediate(resolve));
    await store.get("sid").catch(() => {});
    assert.deepEqual(unhandled, []);
  });

  test("a copy that an update makes is still of what was given; another object is the whole session", async () => {
    const store = new FlotillaStore();
    await store.set("sid", { a: 1, b: 1 });
    const [one, two] = [await store.get("sid"), await store.get("sid")];
    await store.set("sid", { ...one, a: 2 });
    await store.set("sid", { ...two, b: 2 });
    const { a, b } = await store.get("sid");
    assert.deepEqual([a, b], [2, 2]);
    await store.set("sid", { c: 3 });
    assert.deepEqual(Object.keys(await store.get("sid")), ["c"]);
  });
});
