/** What holds of `FlotillaStore` below each session middleware for which there is one. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type ForeignRoutes, ForeignSite, foreignMiddlewares } from "../harness/foreign-sites.ts";
import { Gate } from "../harness/gate.ts";
import { DirectNetwork, MemoryDatabase, MemoryEngine } from "../harness/memory-engine.ts";

const common: ForeignRoutes = {
  "/look": ({ all }) => JSON.stringify(all()),
  "/fill": ({ set }) => {
    set("a", { n: 0 });
    set("both", "first");
    set("count", 1);
    set("gone", true);
    return "";
  },
  "/count": ({ get, set }) => {
    set("count", (get("count") ?? 0) + 1);
    return String(get("count"));
  },
  "/logout": async ({ destroy }) => {
    await destroy();
    return "";
  },
};

for (const [name, middleware] of Object.entries(foreignMiddlewares)) {
  const site = (routes: ForeignRoutes = {}, store: unknown = middleware.makeStore()): Promise<ForeignSite> =>
    ForeignSite.start(middleware, { ...common, ...routes }, store);

  describe(`${name} with FlotillaStore`, () => {
    test("keeps sessions, each visitor his own", async () => {
      await using shop = await site();
      const [one, two] = [shop.browser(), shop.browser()];
      assert.equal(await one.read("/count"), "1");
      assert.equal(await one.read("/count"), "2");
      assert.equal(await two.read("/count"), "1");
      assert.equal(await one.read("/look"), '{"count":2}');
    });

    test("values are JSON: a date comes back as a text", async () => {
      await using shop = await site({
        "/date": ({ set }) => {
          set("date", new Date(0));
          set("none", undefined);
          return "";
        },
      });
      const browser = shop.browser();
      await browser.get("/date");
      const { date } = JSON.parse(await browser.read("/look"));
      assert.equal(date, "1970-01-01T00:00:00.000Z");
    });

    test("of two requests at the same time both win on different keys, the later one on the same", async () => {
      const gate = new Gate();
      await using shop = await site({
        "/slow": async ({ get, set }) => {
          get("a").n = 1;
          set("a", get("a"));
          set("both", "slow");
          await gate.pass();
          return "";
        },
        "/quick": ({ get, set, remove }) => {
          set("count", get("count") + 1);
          set("both", "quick");
          set("made", true);
          remove("gone");
          return "";
        },
      });
      const browser = shop.browser();
      await browser.get("/fill");
      const slow = browser.copy().get("/slow");
      await gate.reached;
      await browser.get("/quick");
      assert.deepEqual(JSON.parse(await browser.read("/look")), {
        a: { n: 0 },
        both: "quick",
        count: 2,
        made: true,
      });
      gate.open();
      await slow;
      assert.deepEqual(JSON.parse(await browser.read("/look")), {
        a: { n: 1 },
        both: "slow",
        count: 2,
        made: true,
      });
    });

    test("destroyed stays destroyed when a slower request saves (A41)", async () => {
      const gate = new Gate();
      await using shop = await site({
        "/slow": async ({ set }) => {
          await gate.pass();
          set("count", 99);
          return "fine";
        },
      });
      const browser = shop.browser();
      await browser.get("/fill");
      const [thief, slow] = [browser.copy(), browser.copy().get("/slow")];
      await gate.reached;
      await browser.get("/logout");
      gate.open();
      assert.equal((await slow).body, "fine");
      assert.equal(await thief.read("/look"), "{}");
    });

    test("an id that leads to nothing is not taken over by who has it (A38)", async () => {
      await using shop = await site();
      const browser = shop.browser();
      await browser.get("/fill");
      const planted = browser.copy();
      await browser.get("/logout");
      await planted.get("/fill");
      assert.notDeepEqual([...planted.jar], [...browser.jar]);
      assert.equal(await browser.read("/look"), "{}");
    });

    // It has no way to change the id of a session.
    if (name !== "@hono/session")
      test("a new id at the login: the one from before is worth nothing", async () => {
        await using shop = await site({
          "/login": async (visit) => {
            await visit.renew();
            visit.set("user", "anna");
            return "";
          },
        });
        const browser = shop.browser();
        await browser.get("/fill");
        const planted = browser.copy();
        await browser.get("/login");
        assert.equal(JSON.parse(await browser.read("/look")).user, "anna");
        assert.equal(await planted.read("/look"), "{}");
      });

    test("a session of a megabyte is kept", async () => {
      await using shop = await site({
        "/large": ({ set }) => {
          set("large", "x".repeat(1_000_000));
          return "";
        },
        "/size": ({ get }) => String(get("large").length),
      });
      const browser = shop.browser();
      await browser.get("/large");
      assert.equal(await browser.read("/size"), "1000000");
    });

    test("two processes on one database: changes of both stay, and a logout at one is one at the other", async () => {
      const database = new MemoryDatabase();
      const gate = new Gate();
      const process = (): Promise<ForeignSite> =>
        site(
          {
            "/slow": async ({ set }) => {
              set("slow", true);
              await gate.pass();
              return "";
            },
          },
          middleware.makeStore({ store: new MemoryEngine(database) }),
        );
      await using one = await process();
      await using two = await process();
      const browser = one.browser();
      await browser.get("/fill");
      const slow = browser.copy(one.port).get("/slow");
      await gate.reached;
      const there = browser.copy(two.port);
      assert.equal(await there.read("/count"), "2");
      gate.open();
      await slow;
      const { slow: isSlow, count } = JSON.parse(await there.read("/look"));
      assert.deepEqual([isSlow, count], [true, 2]);
      await there.copy().get("/logout");
      assert.equal(await browser.copy(one.port).read("/look"), "{}");
    });

    test("a store that is away: a 503, no new cookie, and the session is there when it is back", async () => {
      const network = new DirectNetwork();
      const store = middleware.makeStore({ store: new MemoryEngine(new MemoryDatabase(), network) });
      await using shop = await site({}, store);
      const browser = shop.browser();
      await browser.get("/fill");
      const before = new Map(browser.jar);
      network.isDown = true;
      const { status, cookies, body } = await browser.get("/count");
      assert.deepEqual([status, cookies], [503, []], body);
      assert.doesNotMatch(body, /at .*:\d+:\d+/);
      assert.deepEqual(browser.jar, before);
      network.isDown = false;
      assert.equal(await browser.read("/count"), "2");
    });
  });
}
