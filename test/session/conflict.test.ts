/** `session({ onConflict })`: two requests changed one key at the same time, and neither change is lost. */
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { describe, test } from "node:test";
import type { SessionConflict, SessionOptions } from "../../src/session/index.ts";
import { Gate } from "../harness/gate.ts";
import { sessionPlaces } from "../harness/session-places.ts";
import { type AnyMiddleware, type Browser, type Handler, SessionSite } from "../harness/session-site.ts";

type Hook = (key: string, conflict: SessionConflict) => unknown;

const look: Handler = (req, res) => res.end(JSON.stringify({ ...req.session, cookie: undefined }));

interface Shop {
  readonly browser: Browser;
  /** A slow request and, while it has not ended, a quick one. @returns the slow one's status. */
  race(slow: (session: Data) => unknown, quick: (session: Data) => unknown): Promise<number>;
  look(): Promise<unknown>;
}

// biome-ignore lint/suspicious/noExplicitAny: data of tests.
type Data = any;

type SessionIn = (options?: SessionOptions) => AnyMiddleware;

async function withShopIn(
  sessionIn: SessionIn,
  onConflict: Hook | undefined,
  run: (shop: Shop) => Promise<void>,
  start: Data = { n: 1 },
): Promise<void> {
  let [slow, quick]: ((session: Data) => unknown)[] = [() => {}, () => {}];
  let gate = new Gate();
  const options = (onConflict === undefined ? {} : { onConflict }) as SessionOptions;
  await using site = await SessionSite.start(sessionIn(options), {
    "/look": look,
    "/start": (req, res) => {
      Object.assign(req.session, start);
      res.end();
    },
    "/slow": async (req, res) => {
      await gate.pass();
      await slow!(req.session);
      res.end();
    },
    "/quick": async (req, res) => {
      await quick!(req.session);
      res.end();
    },
  });
  const browser = site.browser();
  await browser.get("/start");
  await run({
    browser,
    async race(first, second) {
      [slow, quick] = [first, second];
      gate = new Gate();
      const answer = browser.get("/slow");
      await gate.reached;
      await browser.copy().read("/quick");
      gate.open();
      return (await answer).status;
    },
    look: async () => JSON.parse(await browser.read("/look")),
  });
}

const sum: Hook = (_key, { base, mine, theirs }) =>
  (mine as number) + (theirs as number) - ((base as number | undefined) ?? 0);

for (const [where, sessionIn] of Object.entries(sessionPlaces))
  describe(`onConflict, ${where}`, () => {
    const withShop = (
      onConflict: Hook | undefined,
      run: (shop: Shop) => Promise<void>,
      start?: Data,
    ): Promise<void> => withShopIn(sessionIn, onConflict, run, start);

    test("without it the later one wins", async () => {
      await withShop(undefined, async (shop) => {
        await shop.race(
          (session) => (session.n = 2),
          (session) => (session.n = 5),
        );
        assert.deepEqual(await shop.look(), { n: 2 });
      });
    });

    test("it is given what was there, and what both made of it; what it returns is stored, and the request goes on with it", async () => {
      const asked: unknown[] = [];
      const hook: Hook = (key, conflict) => {
        asked.push([key, conflict]);
        return sum(key, conflict);
      };
      await withShop(hook, async (shop) => {
        let after: unknown;
        await shop.race(
          async (session) => {
            session.n += 10;
            await session.save();
            after = session.n;
          },
          (session) => (session.n += 100),
        );
        assert.deepEqual(asked, [["n", { base: 1, mine: 11, theirs: 101 }]]);
        assert.equal(after, 111);
        assert.deepEqual(await shop.look(), { n: 111 });
      });
    });

    test("nested changes, keys that one of them removed or made, and null are values like any other", async () => {
      const asked: unknown[] = [];
      const hook: Hook = (key, { base, mine, theirs }) => {
        asked.push([key, base, mine, theirs]);
        return key === "gone" ? undefined : [mine, theirs];
      };
      const start = { cart: { items: [1] }, removed: "r", gone: "g", kept: 0 };
      await withShop(
        hook,
        async (shop) => {
          await shop.race(
            (session) => {
              session.cart.items.push(2);
              session.gone = "mine";
              session.made = null;
              delete session.removed;
            },
            (session) => {
              session.cart.items.push(3);
              session.removed = "theirs";
              session.made = "theirs";
              delete session.gone;
            },
          );
          assert.deepEqual(asked, [
            ["cart", { items: [1] }, { items: [1, 2] }, { items: [1, 3] }],
            ["gone", "g", "mine", undefined],
            ["made", undefined, null, "theirs"],
            ["removed", "r", undefined, "theirs"],
          ]);
          assert.deepEqual(await shop.look(), {
            cart: [{ items: [1, 2] }, { items: [1, 3] }],
            removed: [null, "theirs"],
            made: [null, "theirs"],
            kept: 0,
          });
        },
        start,
      );
    });

    test("it is not asked where there is no conflict: other keys, one request after the other", async () => {
      const hook: Hook = () => assert.fail("asked");
      await withShop(hook, async (shop) => {
        const status = await shop.race(
          (session) => (session.mine = 1),
          (session) => (session.n += 10),
        );
        assert.equal(status, 200);
        await shop.browser.read("/quick");
        assert.deepEqual(await shop.look(), { n: 21, mine: 1 });
      });
    });

    test("two that made the same of it have both made it", async () => {
      await withShop(sum, async (shop) => {
        await shop.race(
          (session) => session.n++,
          (session) => session.n++,
        );
        assert.deepEqual(await shop.look(), { n: 3 });
      });
    });

    test("a key that is changed again while it is asked: it is asked again, with what the key is then", async () => {
      const asked: unknown[] = [];
      const hook: Hook = (key, conflict) => {
        asked.push(conflict.theirs);
        return sum(key, conflict);
      };
      await withShop(hook, async (shop) => {
        await shop.race(
          async (session) => {
            session.n += 10;
            await session.save();
            // It goes on with what was stored, and is overtaken once more.
            session.n += 10;
            await shop.browser.copy().read("/quick");
          },
          (session) => (session.n += 100),
        );
        assert.deepEqual(asked, [101, 211]);
        assert.deepEqual(await shop.look(), { n: 221 });
      });
    });

    test("commits of one request that nobody waits for are merged one after the other", async () => {
      await withShop(sum, async (shop) => {
        await shop.race(
          (session) => {
            session.n += 1;
            session.save();
            session.n += 1;
            session.save();
            session.n += 1;
          },
          (session) => (session.n += 100),
        );
        assert.deepEqual(await shop.look(), { n: 104 });
      });
    });

    const broken: readonly [what: string, hook: Hook, message: RegExp][] = [
      [
        "that throws",
        () => {
          throw new Error("can't");
        },
        /it threw: can't/,
      ],
      ["that returns a promise", async () => 1, /it returned a promise/],
      [
        "that returns a promise which fails",
        () => Promise.reject(new Error("late")),
        /it returned a promise/,
      ],
      ["that returns what can't be kept", () => () => {}, /session\.n can't be kept: it is a function/],
      [
        "that is slow",
        () => {
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_010);
          return 1;
        },
        /took 2\d\d\d ms/,
      ],
    ];
    for (const [what, hook, message] of broken) {
      test(`a function ${what}: an error that says so, a 500, and nothing is written`, async () => {
        await withShop(hook, async (shop) => {
          let told: unknown;
          const status = await shop.race(
            async (session) => {
              session.n = 2;
              session.other = true;
              await session.save().catch((error: unknown) => {
                told = error;
              });
            },
            (session) => (session.n = 5),
          );
          assert.ok(told instanceof Error);
          assert.match(told.message, message);
          assert.equal(status, 500);
          assert.deepEqual(await shop.look(), { n: 5 });
        });
      });
    }

    test("A50: it runs in the context of its request", async () => {
      const context = new AsyncLocalStorage<string>();
      let seen: string | undefined;
      const hook: Hook = (key, conflict) => {
        seen = context.getStore();
        return sum(key, conflict);
      };
      await withShop(hook, async (shop) => {
        await shop.race(
          (session) => {
            context.enterWith("the request");
            session.n = 2;
          },
          (session) => (session.n = 5),
        );
        assert.equal(seen, "the request");
      });
    });

    test("a session that was destroyed meanwhile stays destroyed (A41)", async () => {
      await withShop(sum, async (shop) => {
        await shop.race(
          (session) => (session.n = 2),
          (session) => session.destroy(),
        );
        assert.deepEqual(await shop.look(), {});
      });
    });
  });
