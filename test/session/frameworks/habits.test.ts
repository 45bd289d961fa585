/** What `session()` promises, asked of each framework's adapter over HTTP. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import type { SessionOptions } from "../../../src/session/index.ts";
import { FlotillaError } from "../../../src/support/errors.ts";
import { Browser } from "../../harness/session-site.ts";
import { type SlowStore, slowSessions } from "../../harness/slow-store.ts";
import { makers, portOf, type Route } from "./apps.ts";

const routes: Record<string, Route> = {
  "/set": (current) => {
    current().a = "kept";
    return "set";
  },
  "/look": (current) => JSON.stringify({ ...current(), cookie: undefined }),
  "/sign-in": async (current) => {
    await current().regenerate();
    current().user = "anna";
    return current().id;
  },
  "/sign-out": async (current) => {
    await current().destroy();
    return current() === undefined;
  },
  "/add": (current) => current().update<number>("total", (total = 0) => total + 1),
  "/function": (current) => {
    current().fn = () => {};
    return "never sent";
  },
  "/has": (current) => current() !== undefined,
  "/text": () => "no session is asked for",
};

interface Started {
  readonly browser: Browser;
  readonly store: SlowStore;
  readonly told: { readonly statuses: number[] };
}

for (const [name, make] of Object.entries(makers)) {
  describe(name, () => {
    test("keeps what is set, under a cookie that is sent once", async (t) => {
      const { browser } = await start(t);
      const first = await browser.get("/set");
      assert.deepEqual([first.status, first.body, first.cookies.length], [200, "set", 1]);
      assert.match(first.cookies[0]!, /^sid=[^;]+; Path=\/; HttpOnly; SameSite=Lax$/);
      const second = await browser.get("/look");
      assert.deepEqual([second.body, second.cookies], ['{"a":"kept"}', []]);
    });

    test("makes no cookie for who leaves nothing", async (t) => {
      const { browser } = await start(t);
      assert.deepEqual((await browser.get("/look")).cookies, []);
      assert.deepEqual((await browser.get("/text")).cookies, []);
    });

    test("regenerates at sign-in: another id, and the old one is worth nothing", async (t) => {
      const { browser } = await start(t);
      await browser.get("/set");
      const before = browser.copy();
      const answer = await browser.get("/sign-in");
      assert.equal(browser.jar.get("sid"), answer.body);
      assert.notEqual(before.jar.get("sid"), answer.body);
      assert.equal(await browser.read("/look"), '{"user":"anna"}');
      assert.equal(await before.read("/look"), "{}");
    });

    test("destroys at sign-out, and then there is none in that request", async (t) => {
      const { browser } = await start(t);
      await browser.get("/set");
      assert.equal(await browser.read("/sign-out"), "true");
      assert.equal(await browser.read("/look"), "{}");
    });

    test("loses none of many updates at once", async (t) => {
      const { browser } = await start(t);
      await browser.get("/set");
      await Promise.all(Array.from({ length: 20 }, () => browser.copy().get("/add")));
      assert.equal(await browser.read("/look"), '{"a":"kept","total":20}');
    });

    test("answers 500 for what can't be kept, without the handler's own head", async (t) => {
      const { browser } = await start(t);
      const { status, body, headers } = await browser.get("/function");
      assert.deepEqual([status, headers["x-of-route"]], [500, undefined]);
      assert.match(body, /FLOTILLA_SESSION_NOT_SERIALIZABLE/);
    });

    test("answers when the change is committed, not before", async (t) => {
      const { browser, store } = await start(t);
      store.isSlow = true;
      const answer = browser.get("/set");
      await store.arrival();
      let isAnswered = false;
      void answer.then(() => {
        isAnswered = true;
      });
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      assert.equal(isAnswered, false);
      store.answer();
      assert.deepEqual([(await answer).status, (await answer).cookies.length], [200, 1]);
    });

    test("answers 503 for what was not committed", async (t) => {
      const { browser, store } = await start(t);
      store.isSlow = true;
      const answer = browser.get("/set");
      await store.arrival();
      store.answer(new FlotillaError("FLOTILLA_TEST", "the backup refused"));
      const { status, body, cookies, headers } = await answer;
      assert.deepEqual([status, cookies, headers["x-of-route"]], [503, [], undefined]);
      assert.match(body, /FLOTILLA_TEST/);
    });

    test("answers 503 when the session can't be had, and goes on when it can again", async (t) => {
      const { browser, store, told } = await start(t);
      await browser.get("/set");
      store.isAway = true;
      const { status, headers, body } = await browser.get("/look");
      assert.deepEqual([status, headers["retry-after"]], [503, "1"]);
      assert.match(body, /503 Service Unavailable/);
      store.isAway = false;
      assert.equal(await browser.read("/look"), '{"a":"kept"}');
      assert.deepEqual(
        told.statuses,
        [200, 503, 200],
        "who comes before the session's middleware goes on after it",
      );
    });

    test("goes on without one where the application wants that", async (t) => {
      const { browser, store } = await start(t, { whenUnavailable: "proceed" });
      await browser.get("/set");
      store.isAway = true;
      const { status, headers, cookies, body } = await browser.get("/has");
      assert.deepEqual(
        [status, headers["flotilla-session"], cookies, body],
        [200, "unavailable", [], "false"],
      );
      store.isAway = false;
      assert.equal(await browser.read("/has"), "true");
    });

    test("waits for a session that comes from another server", async (t) => {
      const { browser, store } = await start(t);
      await browser.get("/set");
      store.isLoadingSlow = true;
      const answer = browser.read("/look");
      assert.deepEqual(await store.answerLoads(), []);
      assert.equal(await answer, '{"a":"kept"}');
    });
  });

  async function start(t: TestContext, options?: SessionOptions): Promise<Started> {
    const { middleware, store } = slowSessions(options);
    store.isSlow = false;
    const told = { statuses: [] as number[] };
    const server = await make(middleware, routes, told);
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    return { browser: new Browser(portOf(server)), store, told };
  }
}
