/** Several requests of one session at the same time: which of their changes stay. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { SessionOptions } from "../../src/session/index.ts";
import { Gate } from "../harness/gate.ts";
import { assertBothWin, assertReaderUndoesNothing } from "../harness/same-time.ts";
import { sessionPlaces } from "../harness/session-places.ts";
import { type Handler, SessionSite } from "../harness/session-site.ts";

const look: Handler = (req, res) => res.end(JSON.stringify({ ...req.session, cookie: undefined }));

for (const [where, sessionIn] of Object.entries(sessionPlaces))
  describe(`two requests of one session at the same time, ${where}`, () => {
    const site = (routes: Record<string, Handler>, options: SessionOptions = {}): Promise<SessionSite> =>
      SessionSite.start(sessionIn(options), { "/look": look, ...routes });

    test("both win on different keys; on the same key the later one; untouched keys stay", () =>
      assertBothWin(site));

    test("a request that only read a key does not undo another one's change", () =>
      assertReaderUndoesNothing(site));

    test("A41: destroyed stays destroyed when a slower one saves, touches or ends", async () => {
      const gate = new Gate();
      const outcome: string[] = [];
      await using shop = await site({
        "/login": (req, res) => {
          req.session.user = "anna";
          res.end();
        },
        "/slow": async (req, res) => {
          await gate.pass();
          req.session.user = "anna again";
          req.session.touch();
          await req.session.save().catch((error: { code: string }) => outcome.push(error.code));
          res.end("fine");
        },
        "/logout": async (req, res) => {
          await req.session.destroy();
          res.end();
        },
      });
      const browser = shop.browser();
      await browser.get("/login");
      const slow = browser.copy().get("/slow");
      await gate.reached;
      await browser.get("/logout");
      gate.open();
      assert.deepEqual([(await slow).body, outcome], ["fine", ["FLOTILLA_SESSION_GONE"]]);
      assert.equal(await browser.read("/look"), "{}");
    });

    test("any interleaving of changes to keys ends as if each key had been set in the order of the ends", async () => {
      const gates: Gate[] = [];
      await using shop = await site({
        "/start": (req, res) => {
          req.session.of = {};
          res.end();
        },
        "/set": async (req, res) => {
          const url = new URL(req.url!, "http://shop.example");
          const [key, number] = [url.searchParams.get("key")!, Number(url.searchParams.get("number"))];
          req.session[key] = { number };
          await gates[number]!.pass();
          res.end();
        },
      });
      const order = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 6 }).chain((keys) =>
        fc.record({
          keys: fc.constant(keys),
          ends: fc.shuffledSubarray([...keys.keys()], { minLength: keys.length }),
        }),
      );
      await fc.assert(
        fc.asyncProperty(order, async ({ keys, ends }) => {
          const browser = shop.browser();
          await browser.get("/start");
          gates.splice(0, gates.length, ...keys.map(() => new Gate()));
          const visits = keys.map((key, number) => browser.copy().get(`/set?key=${key}&number=${number}`));
          await Promise.all(gates.map((gate) => gate.reached));
          const expected: Record<string, unknown> = { of: {} };
          for (const number of ends) {
            gates[number]!.open();
            await visits[number];
            expected[keys[number]!] = { number };
          }
          assert.deepEqual(JSON.parse(await browser.read("/look")), expected);
        }),
        { seed: 33, numRuns: 25 },
      );
    });

    test("update() loses none of many increments", async () => {
      await using shop = await site({
        "/start": (req, res) => {
          req.session.started = true;
          res.end();
        },
        "/add": async (req, res) => {
          const total = await req.session.update("total", async (n = 0) => {
            await new Promise((resolve) => setImmediate(resolve));
            return (n as number) + 1;
          });
          assert.equal(req.session.total, total);
          res.end();
        },
        "/fail": async (req, res) => {
          const failing = req.session.update("total", () => {
            throw new Error("mine");
          });
          await assert.rejects(failing, /mine/);
          res.end("failed");
        },
      });
      const browser = shop.browser();
      await browser.get("/start");
      await Promise.all(
        Array.from({ length: 20 }, (_, n) => browser.copy().read(n === 7 ? "/fail" : "/add")),
      );
      assert.equal(await browser.read("/look"), '{"started":true,"total":19}');
    });
  });
