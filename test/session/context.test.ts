/** A50: what the session does later happens in the asynchronous context of its own request, not in that of the store. */
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { describe, test } from "node:test";
import { setUpSlow } from "../harness/slow-store.ts";

describe("A50: a request whose session takes its time", () => {
  test("goes on in its own request's asynchronous context", async () => {
    const context = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    const { site, store, browser } = await setUpSlow({
      "/held": (req, res) => {
        context.enterWith("the request");
        req.session.a = 1;
        res.once("finish", () => seen.push(context.getStore()));
        res.once("drain", () => {
          seen.push(context.getStore());
          res.end();
        });
        res.write("x");
      },
      "/look2": (_req, res) => res.end(context.getStore() ?? "none"),
    });
    await using _site = site;
    const answer = browser.get("/held");
    await store.arrival();
    context.run("the store", () => store.answer());
    await answer;
    assert.equal(seen[0], "the request");
    store.isLoadingSlow = true;
    const loaded = browser.read("/look2");
    assert.deepEqual(await context.run("the store", () => store.answerLoads()), []);
    assert.equal(await loaded, "none");
  });

  test("calls back in its own request's asynchronous context", async () => {
    const context = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    const { site, store, browser } = await setUpSlow({
      "/saved": (req, res) => {
        context.enterWith("the request");
        req.session.a = 1;
        req.session.save(() => {
          seen.push(context.getStore());
          res.end();
        });
      },
    });
    await using _site = site;
    const answer = browser.get("/saved");
    await store.arrival();
    context.run("the store", () => store.answer());
    await answer;
    assert.deepEqual(seen, ["the request"]);
  });

  test("is refused in its own request's asynchronous context", async () => {
    const context = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    const { site, browser } = await setUpSlow({
      "/slow": (req, res) => {
        context.enterWith(req.url!);
        req.session.a = 1;
        res.once("finish", () => seen.push(context.getStore()));
        res.end();
      },
    });
    await using _site = site;
    await Promise.all([browser.get("/slow?1"), site.browser().get("/slow?2")]);
    assert.deepEqual(seen.sort(), ["/slow?1", "/slow?2"]);
  });
});
