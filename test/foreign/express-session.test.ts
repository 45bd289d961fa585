/** express-session itself, on Express, with `FlotillaStore` as its store. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { describe, test } from "node:test";
import express from "express";
import expressSession from "express-session";
import { FlotillaStore } from "../../src/session/foreign/express-session.ts";
import { Gate } from "../harness/gate.ts";
import { MemoryDatabase, MemoryEngine } from "../harness/memory-engine.ts";
import { assertBothWin, assertReaderUndoesNothing } from "../harness/same-time.ts";
import { type AnyMiddleware, type Handler, SessionSite } from "../harness/session-site.ts";

const look: Handler = (req, res) => res.end(JSON.stringify({ ...req.session, cookie: undefined }));
const fill: Handler = (req, res) => {
  Object.assign(req.session, { a: { n: 0 }, b: { n: 0 }, both: 0, gone: 1 });
  res.end();
};

/** On Express, which is what the middleware was made for. */
function site(
  routes: Record<string, Handler>,
  options: object = {},
  store: FlotillaStore = new FlotillaStore(),
): Promise<SessionSite> {
  const app = express();
  app.use(expressSession({ secret: "a word", resave: false, saveUninitialized: false, store, ...options }));
  const middleware: AnyMiddleware = (req, res, next) => app(req, res, next);
  return SessionSite.start(middleware, { "/look": look, "/fill": fill, ...routes });
}

/** What is asked of the store from now on, by name. */
function callsOf(store: FlotillaStore): string[] {
  const calls: string[] = [];
  const methods = store as unknown as Record<string, (...args: unknown[]) => unknown>;
  for (const name of ["get", "set", "touch", "destroy"]) {
    const method = methods[name]!;
    methods[name] = (...args) => {
      calls.push(name);
      return method.apply(store, args);
    };
  }
  return calls;
}

describe("express-session with FlotillaStore", () => {
  test("is a store as express-session's README wants it", () => {
    const store = new FlotillaStore();
    assert.ok(store instanceof expressSession.Store);
    for (const name of ["get", "set", "destroy", "touch", "createSession", "regenerate", "load", "on"])
      assert.equal(typeof (store as unknown as Record<string, unknown>)[name], "function", name);
  });

  test("two requests at the same time that change different keys both win, on the same key the later one", () =>
    assertBothWin(site));

  for (const resave of [true, false])
    test(`resave: ${resave}: a request that only read does not undo another one's change`, () =>
      assertReaderUndoesNothing((routes) => site(routes, { resave })));

  for (const resave of [true, false])
    test(`resave: ${resave}: destroyed stays destroyed when a slower request saves, touches or ends (A41)`, async () => {
      const gate = new Gate();
      let told: unknown = "nothing";
      await using shop = await site(
        {
          "/slow": async (req, res) => {
            await gate.pass();
            req.session.a = "again";
            req.session.touch();
            await new Promise<void>((resolve) =>
              req.session.save((error: unknown) => {
                told = error;
                resolve();
              }),
            );
            req.session.b = "again";
            res.end("fine");
          },
          "/logout": (req, res) => req.session.destroy(() => res.end()),
        },
        { resave },
      );
      const browser = shop.browser();
      await browser.get("/fill");
      const other = browser.copy();
      const slow = browser.copy().get("/slow");
      await gate.reached;
      await browser.get("/logout");
      gate.open();
      assert.equal((await slow).body, "fine");
      assert.equal(told, null);
      assert.equal(await other.read("/look"), "{}");
    });

  test("what a request saved itself is what its later changes are compared with", async () => {
    await using shop = await site({
      "/twice": async (req, res) => {
        req.session.first = 1;
        await new Promise((resolve) => req.session.save(resolve));
        delete req.session.first;
        req.session.second = 2;
        res.end();
      },
    });
    const browser = shop.browser();
    await browser.get("/twice");
    assert.equal(await browser.read("/look"), '{"second":2}');
    await browser.get("/twice");
    assert.equal(await browser.read("/look"), '{"second":2}');
  });

  test("reload gives what others saved meanwhile, and later changes are compared with that", async () => {
    const gate = new Gate();
    await using shop = await site({
      "/reload": async (req, res) => {
        req.session.a = "lost";
        await gate.pass();
        await new Promise((resolve) => req.session.reload(resolve));
        req.session.seen = req.session.b;
        res.end();
      },
      "/other": (req, res) => {
        req.session.b = "other";
        res.end();
      },
    });
    const browser = shop.browser();
    await browser.get("/fill");
    const slow = browser.copy().get("/reload");
    await gate.reached;
    await browser.get("/other");
    gate.open();
    await slow;
    const { a, b, seen } = JSON.parse(await browser.read("/look"));
    assert.deepEqual([a, b, seen], [{ n: 0 }, "other", "other"]);
  });

  test("the id of a session that there is not is not taken: not after a login, not from a clever visitor (A38)", async () => {
    await using shop = await site({
      "/id": (req, res) => {
        req.session.seen = true;
        res.end(req.sessionID);
      },
      "/login": (req, res) => {
        req.session.regenerate(() => {
          req.session.user = "anna";
          res.end(req.sessionID);
        });
      },
      "/logout": (req, res) => req.session.destroy(() => res.end()),
    });
    const browser = shop.browser();
    const first = await browser.read("/id");
    const before = browser.copy();
    assert.notEqual(await browser.read("/login"), first);
    assert.equal(await before.read("/look"), "{}", "the id from before the login is worth nothing");
    const after = browser.copy();
    const loggedIn = await browser.read("/id");
    await browser.get("/logout");
    assert.notEqual(await after.read("/id"), loggedIn);
  });

  test("a session of a megabyte is kept; a larger one is an error, and nothing of it is", async () => {
    const errors: unknown[] = [];
    await using shop = await site({
      "/large": (req, res) => {
        req.session.large = "x".repeat(
          Number(new URL(req.url!, "http://shop.example").searchParams.get("size")),
        );
        req.session.save((error: { code: string } | null) => {
          errors.push(error?.code ?? null);
          res.end();
        });
      },
      "/size": (req, res) => res.end(String(req.session.large?.length)),
    });
    const browser = shop.browser();
    await browser.get("/fill");
    await browser.get("/large?size=1048000");
    assert.equal(await browser.read("/size"), "1048000");
    await browser.get("/large?size=1048576");
    assert.equal(await browser.read("/size"), "1048000");
    assert.deepEqual(errors, [null, "FLOTILLA_SESSION_TOO_LARGE"]);
  });
});

describe("what is asked of the store", () => {
  async function asked(options: object, paths: readonly string[]): Promise<string[]> {
    const store = new FlotillaStore();
    const calls = callsOf(store);
    await using shop = await site({}, options, store);
    const browser = shop.browser();
    for (const path of paths) await browser.get(path);
    return calls;
  }

  test("a first visit only writes, a later one reads and touches, or with resave writes", async () => {
    assert.deepEqual(await asked({}, ["/fill", "/look"]), ["set", "get", "touch"]);
    assert.deepEqual(await asked({ resave: true }, ["/fill", "/look"]), ["set", "get", "set"]);
  });
});

describe("FlotillaStore used directly", () => {
  const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: "/" };

  test("values come back as JSON has them, as from other stores", async () => {
    const store = new FlotillaStore();
    const date = new Date(0);
    await store.set("sid", {
      cookie,
      date,
      map: new Map([[1, 2]]),
      nan: Number.NaN,
      none: undefined,
      fn: () => 1,
      own: { toJSON: () => "mine" },
      nested: [{ undefined: undefined }],
    });
    assert.deepEqual(await store.get("sid"), {
      cookie,
      date: date.toISOString(),
      map: {},
      nan: null,
      own: "mine",
      nested: [{}],
    });
  });

  test("what JSON refuses is an error", async () => {
    const store = new FlotillaStore();
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    for (const wrong of [circle, 1n])
      await assert.rejects(store.set("sid", { cookie, wrong }), {
        code: "FLOTILLA_SESSION_NOT_SERIALIZABLE",
      });
    assert.equal(await store.get("sid"), null);
  });

  test("an object that was given to nobody is the whole session", async () => {
    const store = new FlotillaStore();
    await store.set("sid", { cookie, a: 1, b: 1 });
    await store.set("sid", { cookie, b: 2 });
    assert.deepEqual(await store.get("sid"), { cookie, b: 2 });
  });

  test("any text is an id: empty, long, of all kinds of characters", async () => {
    const store = new FlotillaStore();
    const sids = [
      "",
      " ",
      "../../x",
      "%00",
      "\0",
      "a\nb",
      "é",
      "😀",
      "__proto__",
      "x".repeat(1_000_000),
      "a:b;c=d",
    ];
    for (const [n, sid] of sids.entries()) await store.set(sid, { cookie, n });
    for (const [n, sid] of sids.entries()) assert.equal((await store.get(sid)).n, n);
    for (const sid of sids) await store.destroy(sid);
    for (const sid of sids) assert.equal(await store.get(sid), null);
  });

  test("callbacks are called in a later turn, and not within the store's", async () => {
    const store = new FlotillaStore();
    const order: string[] = [];
    await new Promise<void>((resolve) => {
      store.set("sid", { cookie }, () => {
        order.push("set");
        store.get("sid", (_error, session) => {
          order.push(JSON.stringify(session.cookie));
          store.destroy("sid", () =>
            store.get("sid", (error, none) => resolve(void order.push(`${error} ${none}`))),
          );
        });
        order.push("after get");
      });
      order.push("after set");
    });
    assert.deepEqual(order, ["after set", "set", "after get", JSON.stringify(cookie), "null null"]);
  });

  test("an id that is no text is an error, told where the caller listens", async () => {
    const store = new FlotillaStore();
    const sid = undefined as unknown as string;
    await assert.rejects(store.destroy(sid), TypeError);
    const told = await new Promise((resolve) => store.destroy(sid, resolve));
    assert.ok(told instanceof TypeError);
  });

  test("load makes a session of it, whose methods work", async () => {
    const store = new FlotillaStore();
    await store.set("sid", { cookie, a: 1 });
    const session = await new Promise<{ a: number; id: string; save(done: () => void): void }>((resolve) =>
      store.load("sid", (_error, loaded) => resolve(loaded)),
    );
    assert.ok(session instanceof expressSession.Session);
    assert.deepEqual([session.id, session.a], ["sid", 1]);
    session.a = 2;
    await new Promise<void>((resolve) => session.save(resolve));
    assert.equal((await store.get("sid")).a, 2);
  });

  test("length and clear of a database are about all that is there", async () => {
    const database = new MemoryDatabase();
    const [one, two] = [1, 2].map(() => new FlotillaStore({ store: new MemoryEngine(database) }));
    for (let n = 0; n < 300; n++)
      await one!.set(`sid ${n}`, { cookie, large: "x".repeat(n === 7 ? 300_000 : 0) });
    assert.equal(await two!.length(), 300);
    await two!.clear();
    assert.equal(await one!.length(), 0);
    assert.equal(await one!.get("sid 1"), null);
  });

  test("an option that there is not is refused", () => {
    for (const options of [
      { ttl: 1 },
      { idleTimeout: "soon" },
      { idleTimeout: 0 },
      { store: new Map() },
      null,
    ])
      assert.throws(() => new FlotillaStore(options as never), { code: "FLOTILLA_SESSION_OPTION" });
  });
});

test("require() of CommonJS applications finds it", () => {
  const loaded = createRequire(import.meta.url)("../../src/session/foreign/express-session.ts");
  assert.equal(loaded.FlotillaStore, FlotillaStore);
});
