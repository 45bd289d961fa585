/** `idleTimeout` and `absoluteTimeout` of `session()`, beside what express-session's users know: `cookie.maxAge` and `rolling`. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type SessionOptions, session } from "../../src/session/index.ts";
import { Keeper } from "../../src/session/keeper.ts";
import { habitsOf } from "../../src/session/options.ts";
import { placeAlone } from "../../src/session/place.ts";
import { type AnyMiddleware, type Browser, type Handler, SessionSite } from "../harness/session-site.ts";

const routes: Record<string, Handler> = {
  "/count": (req, res) => {
    req.session.count = (req.session.count ?? 0) + 1;
    res.end(String(req.session.count));
  },
  "/look": (req, res) => res.end(String(req.session.count)),
  "/renew": async (req, res) => {
    await req.session.regenerate();
    req.session.count = 0;
    res.end();
  },
};

function site(options: SessionOptions): Promise<SessionSite> {
  return SessionSite.start(session(options) as AnyMiddleware, routes);
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function maxAge(browser: Browser, path: string): Promise<number | null> {
  const { cookies } = await browser.get(path);
  const found = /Max-Age=(\d+)/.exec(cookies[0] ?? "");
  return found === null ? null : Number(found[1]);
}

describe("absoluteTimeout", () => {
  test("ends a session that is used all the time; the next request begins a new one", async () => {
    await using shop = await site({ absoluteTimeout: 400 });
    const browser = shop.browser();
    const startedAt = performance.now();
    let count = 0;
    for (let last = 0; count >= last; await pass(20)) {
      last = count;
      count = Number(await browser.read("/count"));
    }
    assert.equal(count, 1);
    const ms = performance.now() - startedAt;
    assert.ok(ms >= 400, `${ms} ms`);
  });

  test("regenerate() begins anew", async () => {
    await using shop = await site({ absoluteTimeout: "1m", rolling: true, cookie: { maxAge: 3_600_000 } });
    const browser = shop.browser();
    await browser.get("/count");
    await pass(1_010);
    assert.ok((await maxAge(browser, "/look"))! < 60);
    assert.equal(await maxAge(browser, "/renew"), 60);
  });

  test("the cookie does not outlive the session, and one without maxAge ends with the browser as ever", async () => {
    await using shop = await site({ absoluteTimeout: "5s", rolling: true, cookie: { maxAge: 60_000 } });
    const browser = shop.browser();
    const { cookies } = await browser.get("/count");
    assert.match(cookies[0]!, /Max-Age=5;/);
    const expires = Date.parse(/Expires=([^;]+)/.exec(cookies[0]!)![1]!);
    assert.ok(Math.abs(expires - Date.now() - 5_000) < 2_000);
    await using plain = await site({ absoluteTimeout: "5s", rolling: true });
    assert.equal(await maxAge(plain.browser(), "/count"), null);
    await using short = await site({ absoluteTimeout: "1m", cookie: { maxAge: 3_000 } });
    assert.equal(await maxAge(short.browser(), "/count"), 3);
  });
});

test("idleTimeout: a session's own maxAge comes first, then the option, the maxAge of all, the file", () => {
  const idle = (options: SessionOptions, maxAge?: number | null): number => {
    const keeper = new Keeper({ ...placeAlone(null), idleTimeoutMs: 7_000 }, habitsOf(options, "sid"));
    const cookie = keeper.plainCookie.copy();
    if (maxAge !== undefined) cookie.maxAge = maxAge;
    return keeper.idleTimeoutMsOf(cookie);
  };
  const cookie = { maxAge: 60_000 };
  assert.equal(idle({}), 7_000);
  assert.equal(idle({ cookie }), 60_000);
  assert.equal(idle({ cookie }, null), 7_000);
  assert.equal(idle({ cookie, idleTimeout: "2h" }), 7_200_000);
  assert.equal(idle({ cookie, idleTimeout: "2h" }, 20_000), 20_000);
  assert.equal(idle({ cookie, idleTimeout: "2h" }, null), 7_200_000);
  assert.equal(idle({ idleTimeout: 5_000 }), 5_000);
  assert.equal(idle({ idleTimeout: 5_000 }, -1), 1, "a cookie that is to go takes its session with it");
});

test("times that are none are refused, with what is allowed", () => {
  const cases: readonly [options: object, says: RegExp][] = [
    [{ idleTimeout: "30" }, /session\(\{ idleTimeout \}\) is not possible: "30" is no time/],
    [{ idleTimeout: 0 }, /0 is no time/],
    [{ idleTimeout: "unlimited" }, /has to end/],
    [{ absoluteTimeout: "-1h" }, /"-1h" is no time/],
    [{ absoluteTimeout: Number.NaN }, /is no time/],
    [{ absoluteTimeout: "40000d" }, /ten years at most/],
    [{ absoluteTimeout: "1h", idleTimeout: "2h" }, /absoluteTimeout .*shorter than idleTimeout/],
    [{ save: "on-shutdown" }, /save .*the file says it/],
    [{ save: "sometimes" }, /save .*"on-change" or "always"/],
    [{ onConflict: "merge" }, /onConflict .*a function, not merge/],
  ];
  for (const [options, message] of cases)
    assert.throws(() => session(options as SessionOptions), { code: "FLOTILLA_SESSION_OPTION", message });
  session({ idleTimeout: "1.5h", absoluteTimeout: "unlimited", save: "always", onConflict: () => 1 });
});
