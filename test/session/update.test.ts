/** `req.session.update`: none of several changes of one key is lost. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SessionOptions } from "../../src/session/index.ts";
import { Gate } from "../harness/gate.ts";
import { sessionPlaces } from "../harness/session-places.ts";
import { type Handler, SessionSite } from "../harness/session-site.ts";

const look: Handler = (req, res) => res.end(JSON.stringify({ ...req.session, cookie: undefined }));

for (const [where, sessionIn] of Object.entries(sessionPlaces))
  describe(`update(), ${where}`, () => {
    const site = (routes: Record<string, Handler>, options: SessionOptions = {}): Promise<SessionSite> =>
      SessionSite.start(sessionIn(options), { "/look": look, ...routes });

    const start: Handler = (req, res) => {
      req.session.total = 0;
      res.end();
    };

    test("a function that was overtaken is called again with what the key is now", async () => {
      const given: unknown[] = [];
      await using shop = await site({
        "/start": start,
        "/save": (req, res) => {
          req.session.total = 10;
          res.end();
        },
        "/add": async (req, res) => {
          await req.session.update("total", async (n = 0) => {
            given.push(n);
            if (given.length === 1) await browser.copy().read("/save");
            return (n as number) + 1;
          });
          res.end();
        },
      });
      const browser = shop.browser();
      await browser.get("/start");
      await browser.read("/add");
      assert.deepEqual(given, [0, 10]);
      assert.equal(await browser.read("/look"), '{"total":11}');
    });

    test("one that is overtaken every time gives up, with nothing written", async () => {
      let calls = 0;
      await using shop = await site({
        "/start": start,
        "/other": (req, res) => {
          req.session.total = { calls };
          res.end();
        },
        "/add": async (req, res) => {
          const update = req.session.update("total", async () => {
            calls++;
            await browser.copy().read("/other");
            return "mine";
          });
          await assert.rejects(update, { code: "FLOTILLA_SESSION_CONTENDED" });
          res.end();
        },
      });
      const browser = shop.browser();
      await browser.get("/start");
      await browser.read("/add");
      assert.equal(calls, 200);
      assert.equal(await browser.read("/look"), '{"total":{"calls":200}}');
    });

    test("a session that was destroyed meanwhile stays destroyed (A41)", async () => {
      await using shop = await site({
        "/start": start,
        "/logout": (req, res) => {
          req.session.destroy();
          res.end();
        },
        "/add": async (req, res) => {
          const update = req.session.update("total", async () => {
            await browser.copy().read("/logout");
            return 1;
          });
          await assert.rejects(update, { code: "FLOTILLA_SESSION_GONE" });
          res.end();
        },
      });
      const browser = shop.browser();
      await browser.get("/start");
      await browser.read("/add");
      assert.equal(await browser.read("/look"), "{}");
    });

    test("a function that never ends holds up the next one for two seconds only", async () => {
      const gate = new Gate();
      await using shop = await site({
        "/start": start,
        "/hang": async (req, res) => {
          await req.session.update("total", () => gate.pass().then(() => 7));
          res.end();
        },
        "/add": async (req, res) => {
          await req.session.update("total", (n = 0) => (n as number) + 1);
          res.end();
        },
      });
      const browser = shop.browser();
      await browser.get("/start");
      const hanging = browser.copy().read("/hang");
      await gate.reached;
      await browser.copy().read("/add");
      assert.equal(await browser.read("/look"), '{"total":1}');
      gate.open();
      await hanging;
      assert.equal(await browser.read("/look"), '{"total":7}');
    });

    test("updates of one key can't be nested; of another key they can", async () => {
      await using shop = await site({
        "/start": start,
        "/nested": async (req, res) => {
          const begunAt = performance.now();
          const inner = req.session.update("total", () =>
            req.session.update("other", () => req.session.update("total", (n: number) => n + 1)),
          );
          await assert.rejects(inner, { code: "FLOTILLA_SESSION_UPDATE_NESTED" });
          await req.session.update("total", async (n: number) => {
            await req.session.update("other", () => "set");
            return n + 5;
          });
          assert.ok(performance.now() - begunAt < 1_000, "neither waited for its turn");
          res.end();
        },
        "/later": async (req, res) => {
          let later: Promise<unknown> | null = null;
          await req.session.update("total", (n: number) => {
            later = new Promise((resolve) => setTimeout(resolve, 20)).then(() =>
              req.session.update("total", (m: number) => m + 1),
            );
            return n;
          });
          res.end(String(await later));
        },
      });
      const browser = shop.browser();
      await browser.get("/start");
      await browser.read("/nested");
      assert.equal(await browser.read("/look"), '{"total":5,"other":"set"}');
      assert.equal(await browser.read("/later"), "6");
    });

    test("update() says what it takes, and what belongs to the session can't be set", async () => {
      await using shop = await site({
        "/wrong": async (req, res) => {
          const increment = (n = 0): number => n + 1;
          for (const args of [[5, increment], [undefined, increment], ["n"]])
            await assert.rejects(req.session.update(...args), {
              name: "TypeError",
              message: /^req\.session\.update\(key, fn\) takes a string and a function, not \(/,
            });
          const code = "FLOTILLA_SESSION_KEY_RESERVED";
          await assert.rejects(req.session.update("save", increment), { code });
          for (const key of ["id", "req"])
            assert.throws(
              () => {
                req.session[key] = 1;
              },
              { code },
            );
          res.end("right");
        },
      });
      assert.equal(await shop.browser().read("/wrong"), "right");
    });
  });
