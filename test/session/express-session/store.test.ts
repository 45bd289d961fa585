/** "Session Store Implementation" of express-session's README: what it asks of a store, asked of its own and of ours. */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { describe, test } from "node:test";
import expressSession from "express-session";
import { FlotillaStore } from "../../../src/session/foreign/express-session.ts";
import { type StoreDifference, storeDifferences } from "../../harness/express-session-differences.ts";
import { habitRoutes } from "../../harness/session-makers.ts";
import { type AnyMiddleware, SessionSite } from "../../harness/session-site.ts";

const stores: Record<string, () => FlotillaStore> = {
  MemoryStore: () => new expressSession.MemoryStore(),
  FlotillaStore: () => new FlotillaStore(),
};
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: "/" };

// biome-ignore lint/suspicious/noExplicitAny: what a store gives.
function get(store: FlotillaStore, sid: string): Promise<any> {
  return new Promise((resolve, reject) =>
    store.get(sid, (error, session) => (error ? reject(error) : resolve(session ?? null))),
  );
}

function set(store: FlotillaStore, sid: string, session: object): Promise<void> {
  return new Promise((resolve, reject) =>
    store.set(sid, session, (error) => (error ? reject(error) : resolve())),
  );
}

for (const [name, makeStore] of Object.entries(stores)) {
  const differs = (difference: StoreDifference): boolean =>
    name === "FlotillaStore" && difference in storeDifferences;

  describe(`${name}: the methods of a store`, () => {
    test("it is an EventEmitter and a Store", () => {
      const store = makeStore();
      assert.ok(store instanceof EventEmitter);
      assert.ok(store instanceof expressSession.Store);
    });

    test("get: nothing of an id that it does not know", async () => {
      assert.equal(await get(makeStore(), "unknown"), null);
    });

    test("set and get: what was stored, as JSON, each time another object", async () => {
      const store = makeStore();
      const session = { cookie, user: { name: "anna", since: new Date(0) }, list: [1, null] };
      await set(store, "sid", session);
      const found = await get(store, "sid");
      assert.deepEqual(found, JSON.parse(JSON.stringify(session)));
      found.user.name = "changed";
      assert.equal((await get(store, "sid")).user.name, "anna");
    });

    test("set replaces what was there before", async () => {
      const store = makeStore();
      await set(store, "sid", { cookie, a: 1 });
      await set(store, "sid", { cookie, b: 2 });
      assert.deepEqual(await get(store, "sid"), { cookie, b: 2 });
    });

    test("destroy: it is gone; of one that there is not, no error", async () => {
      const store = makeStore();
      await set(store, "sid", { cookie });
      for (let time = 0; time < 2; time++)
        await new Promise<void>((resolve) =>
          store.destroy("sid", (error) => {
            assert.ok(!error);
            resolve();
          }),
        );
      assert.equal(await get(store, "sid"), null);
    });

    test("touch: it lives on, with the cookie's new end and the data as they were", async () => {
      const store = makeStore();
      const lasting = (ms: number): object => ({
        ...cookie,
        originalMaxAge: ms,
        expires: new Date(Date.now() + ms),
      });
      await set(store, "sid", { cookie: lasting(500), a: 1 });
      const session = await get(store, "sid");
      await new Promise((resolve) =>
        store.touch("sid", { ...session, cookie: lasting(60_000), a: 2 }, resolve),
      );
      await new Promise((resolve) => store.touch("unknown", { cookie }, resolve));
      assert.equal(await get(store, "unknown"), null);
      if (name === "FlotillaStore")
        await new Promise((resolve) => store.touch("sid", { cookie: lasting(60_000) }, resolve));
      await new Promise((resolve) => setTimeout(resolve, 550));
      assert.equal((await get(store, "sid")).a, 1);
    });

    test("a session whose cookie has ended is none", async () => {
      const store = makeStore();
      await set(store, "sid", { cookie: { ...cookie, expires: new Date(Date.now() + 300) } });
      assert.notEqual(await get(store, "sid"), null);
      await new Promise((resolve) => setTimeout(resolve, 320));
      assert.equal(await get(store, "sid"), null);
    });

    test("all", async () => {
      const store = makeStore();
      await set(store, "sid", { cookie, a: 1 });
      const { all } = store as unknown as { all?: (done: (error: unknown, found: object) => void) => void };
      if (differs("noAll")) return assert.equal(all, undefined);
      assert.deepEqual(
        await new Promise((resolve) => all!.call(store, (_error, found) => resolve(Object.keys(found)))),
        ["sid"],
      );
    });

    test("length and clear", async () => {
      const store = makeStore();
      const length = (): Promise<number> =>
        new Promise((resolve, reject) =>
          store.length((error, count) => (error ? reject(error) : resolve(count))),
        );
      for (const sid of ["one", "two", "three"]) await set(store, sid, { cookie });
      await set(store, "ended", { cookie: { ...cookie, expires: new Date(0) } });
      assert.equal(await length(), 3);
      await new Promise((resolve) => store.clear(resolve));
      assert.equal(await length(), 0);
      assert.equal(await get(store, "one"), null);
    });

    test("no callback has to be given", async () => {
      const store = makeStore();
      store.set("sid", { cookie, a: 1 });
      store.touch("sid", { cookie, a: 1 });
      assert.equal((await get(store, "sid")).a, 1);
      store.destroy("sid");
      assert.equal(await get(store, "sid"), null);
    });

    test("createSession: a Session, its cookie a Cookie whose end is a Date", async () => {
      const store = makeStore();
      const expires = new Date(Date.now() + 60_000).toISOString();
      const req: { sessionID: string; session?: unknown } = { sessionID: "sid" };
      const session = store.createSession(req, {
        cookie: { ...cookie, expires, originalMaxAge: 60_000 },
        a: 1,
      });
      assert.equal(req.session, session);
      assert.ok(session instanceof expressSession.Session);
      assert.deepEqual([session.id, session.a, session.cookie.originalMaxAge], ["sid", 1, 60_000]);
      assert.equal(session.cookie.expires.toISOString(), expires);
    });

    test("load: a session of its own, or none", async () => {
      const store = makeStore();
      await set(store, "sid", { cookie, a: 1 });
      const load = (sid: string): Promise<{ id: string; a: number } | undefined> =>
        new Promise((resolve) => store.load(sid, (_error, session) => resolve(session)));
      const session = await load("sid");
      assert.deepEqual([session!.id, session!.a], ["sid", 1]);
      assert.equal(await load("unknown"), undefined);
    });
  });

  describe(`${name}: below the middleware`, () => {
    const site = (store: FlotillaStore): Promise<SessionSite> =>
      SessionSite.start(
        expressSession({ secret: "a word", resave: false, saveUninitialized: false, store }) as AnyMiddleware,
        { ...habitRoutes, "/type": (req, res) => res.end(typeof req.session) },
      );

    test("`disconnect` and `connect`: requests have no session in between", async () => {
      const store = makeStore();
      await using shop = await site(store);
      store.emit("disconnect");
      assert.equal(await shop.browser().read("/type"), "undefined");
      store.emit("connect");
      assert.equal(await shop.browser().read("/type"), "object");
    });

    test("ENOENT means that there is no such session", async () => {
      const store = makeStore();
      await using shop = await site(store);
      const browser = shop.browser();
      await browser.get("/count");
      Object.assign(store, {
        get: (_sid: string, done: (error: unknown) => void) =>
          done(Object.assign(new Error(), { code: "ENOENT" })),
      });
      assert.equal(await browser.read("/look"), "{}");
    });

    test("a stored key with the name of a method takes none away", async () => {
      const store = makeStore();
      await using shop = await SessionSite.start(
        expressSession({ secret: "a word", resave: false, saveUninitialized: true, store }) as AnyMiddleware,
        { "/id": (req, res) => res.end(`${typeof req.session.save} ${req.sessionID}`) },
      );
      const browser = shop.browser();
      const [, sid] = (await browser.read("/id")).split(" ");
      await set(store, sid!, { ...(await get(store, sid!)), save: "nope" });
      assert.equal(await browser.read("/id"), `function ${sid}`);
    });
  });
}
