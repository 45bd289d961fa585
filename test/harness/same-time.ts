/** Two requests of one session at the same time, whichever middleware the site has: which of their changes stay. */
import assert from "node:assert/strict";
import { Gate } from "./gate.ts";
import type { Handler, SessionSite } from "./session-site.ts";

/** With "/look", which answers with the session's data. */
type MakeSite = (routes: Record<string, Handler>) => Promise<SessionSite>;

const fill: Handler = (req, res) => {
  Object.assign(req.session, { a: { n: 0 }, b: { n: 0 }, both: 0, gone: 1 });
  res.end();
};

export async function assertBothWin(site: MakeSite): Promise<void> {
  const gate = new Gate();
  await using shop = await site({
    "/fill": fill,
    "/slow": async (req, res) => {
      req.session.a.n = 1;
      req.session.both = "slow";
      await gate.pass();
      res.end();
    },
    "/quick": (req, res) => {
      req.session.b.n = 2;
      req.session.both = "quick";
      req.session.made = true;
      delete req.session.gone;
      res.end();
    },
  });
  const browser = shop.browser();
  await browser.get("/fill");
  const slow = browser.copy().get("/slow");
  await gate.reached;
  await browser.get("/quick");
  assert.equal(await browser.read("/look"), '{"a":{"n":0},"b":{"n":2},"both":"quick","made":true}');
  gate.open();
  await slow;
  assert.equal(await browser.read("/look"), '{"a":{"n":1},"b":{"n":2},"both":"slow","made":true}');
}

export async function assertReaderUndoesNothing(site: MakeSite): Promise<void> {
  const gate = new Gate();
  await using shop = await site({
    "/fill": fill,
    "/reader": async (req, res) => {
      const { n } = req.session.a;
      await gate.pass();
      res.end(String(n));
    },
    "/writer": (req, res) => {
      req.session.a.n++;
      res.end();
    },
  });
  const browser = shop.browser();
  await browser.get("/fill");
  const reader = browser.copy().get("/reader");
  await gate.reached;
  await browser.get("/writer");
  gate.open();
  assert.equal((await reader).body, "0");
  assert.equal(JSON.parse(await browser.read("/look")).a.n, 1);
}
