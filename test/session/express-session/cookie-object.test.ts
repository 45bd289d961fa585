/** `req.session.cookie`, and the options that it is made of: as express-session does it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { habitRoutes, type Options, subjects } from "../../harness/session-makers.ts";
import { type AnyMiddleware, type Handler, SessionSite } from "../../harness/session-site.ts";

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function endOf(cookie: string): number {
  return Date.parse(/Expires=([^;]+)/.exec(cookie)![1]!);
}

for (const subject of subjects) {
  const site = (options: Options, routes: Record<string, Handler> = {}): Promise<SessionSite> =>
    SessionSite.start(subject.make(options), { ...habitRoutes, ...routes });

  describe(`${subject.name}: sameSite, priority, partitioned and domain`, () => {
    const lax = subject.differs("optionSameSite") ? "Lax" : undefined;
    const cases: [option: Record<string, unknown>, attribute: string, value: string | undefined][] = [
      [{}, "SameSite", lax],
      [{ sameSite: false }, "SameSite", undefined],
      [{ sameSite: true }, "SameSite", "Strict"],
      [{ sameSite: "lax" }, "SameSite", "Lax"],
      [{ sameSite: "strict" }, "SameSite", "Strict"],
      [{ sameSite: "none" }, "SameSite", "None"],
      [{}, "Priority", undefined],
      [{ priority: "low" }, "Priority", "Low"],
      [{ priority: "medium" }, "Priority", "Medium"],
      [{ priority: "high" }, "Priority", "High"],
      [{}, "Partitioned", undefined],
      [{ partitioned: false }, "Partitioned", undefined],
      [{ partitioned: true }, "Partitioned", ""],
      [{}, "Domain", undefined],
      [{ domain: "example.com" }, "Domain", "example.com"],
      [{}, "Path", "/"],
      [{ httpOnly: true }, "HttpOnly", ""],
      [{ httpOnly: false }, "HttpOnly", undefined],
      [{ maxAge: null }, "Expires", undefined],
      [{ expires: null }, "Expires", undefined],
      [{ expires: new Date("2099-01-01T00:00:00Z") }, "Expires", "Thu, 01 Jan 2099 00:00:00 GMT"],
    ];
    for (const [cookie, attribute, value] of cases)
      test(`${JSON.stringify(cookie)}: ${attribute} is ${value ?? "not there"}`, async () => {
        await using shop = await site({ cookie });
        const [sent] = (await shop.browser().get("/count")).cookies;
        const parts = sent!.split("; ").map((part) => part.split("="));
        const found = parts.find(([name]) => name === attribute);
        assert.equal(found === undefined ? undefined : (found[1] ?? ""), value);
      });

    test('sameSite: "auto" follows the request, as secure: "auto"', async () => {
      await using shop = await site({ cookie: { sameSite: "auto", secure: "auto" }, proxy: true });
      const https = { headers: { "x-forwarded-proto": "https" } };
      assert.match((await shop.browser().get("/count", https)).cookies[0]!, /Secure; SameSite=None/);
      const { cookies } = await shop.browser().get("/count");
      assert.match(cookies[0]!, /SameSite=Lax/);
      assert.doesNotMatch(cookies[0]!, /Secure/);
    });
  });

  test(`${subject.name}: settings that depend on the request`, async () => {
    const options: Options = {
      cookie: (req) => ({ path: req.url === "/look" ? "/look" : "/", maxAge: 60_000 }),
    };
    if (subject.differs("optionCookieFunction"))
      return assert.throws(() => subject.make(options), /it is an object of settings/);
    await using shop = await site({ ...options, saveUninitialized: true });
    assert.match((await shop.browser().get("/count")).cookies[0]!, /Path=\/;/);
    assert.match((await shop.browser().get("/look")).cookies[0]!, /Path=\/look;/);
  });

  test(`${subject.name}: path, also where a router has cut the URL`, async () => {
    const middleware = subject.make({ cookie: { path: "/shop/admin" } });
    const mounted: AnyMiddleware = (req, res, next) => {
      req.originalUrl = `/shop${req.url}`;
      middleware(req, res, next);
    };
    const seen: Handler = (req, res) => res.end(typeof req.session);
    await using shop = await SessionSite.start(mounted, {
      "/admin": seen,
      "/admin/x": seen,
      "/shop/admin": seen,
    });
    for (const [path, type] of Object.entries({
      "/admin": "object",
      "/admin/x": "object",
      "/shop/admin": "undefined",
    }))
      assert.equal(await shop.browser().read(path), type, path);
  });

  describe(`${subject.name}: the cookie of one session`, () => {
    test("its settings can be changed", async () => {
      await using shop = await site(
        { proxy: true, cookie: { maxAge: 5_000, priority: "high", secure: true } },
        {
          "/change": (req, res) => {
            req.session.hit = true;
            req.session.cookie.httpOnly = false;
            req.session.cookie.secure = false;
            req.session.cookie.domain = "example.com";
            res.end();
          },
        },
      );
      const [sent] = (await shop.browser().get("/change")).cookies;
      assert.match(sent!, /Domain=example.com/);
      assert.match(sent!, /Priority=High/);
      assert.doesNotMatch(sent!, /HttpOnly|Secure/);
    });

    test("maxAge, and expires, say when the browser forgets it", async () => {
      await using shop = await site(
        { cookie: { maxAge: 2_000 } },
        {
          "/set": (req, res) => {
            req.session.count = (req.session.count ?? 0) + 1;
            const { searchParams } = new URL(req.url!, "http://shop.example");
            const ms = Number(searchParams.get("ms"));
            if (searchParams.get("by") === "maxAge") req.session.cookie.maxAge = ms;
            else req.session.cookie.expires = new Date(Date.now() + ms);
            res.end();
          },
        },
      );
      const browser = shop.browser();
      const leftMs = async (path: string): Promise<number> =>
        endOf((await browser.get(path)).cookies[0]!) - Date.now();
      const isAbout = (ms: number, expected: number): void =>
        assert.ok(ms <= expected && ms > expected - 3_000, `${ms} and not ${expected}`);
      isAbout(await leftMs("/count"), 2_000);
      isAbout(await leftMs("/set?by=maxAge&ms=5000"), 5_000);
      isAbout(await leftMs("/count"), 5_000);
      isAbout(await leftMs("/set?by=expires&ms=3000000000"), 3_000_000_000);
      isAbout(await leftMs("/count"), 3_000_000_000);
    });

    for (const none of [null, false])
      test(`expires = ${none}: the browser forgets it when it is closed`, async () => {
        await using shop = await site(
          { cookie: { maxAge: 60_000 } },
          {
            "/set": (req, res) => {
              req.session.cookie.expires = none;
              req.session.count = (req.session.count ?? 0) + 1;
              res.end();
            },
          },
        );
        const browser = shop.browser();
        assert.doesNotMatch((await browser.get("/set")).cookies[0]!, /Expires/);
        const again = await browser.get("/set");
        if (none === null) assert.deepEqual(again.cookies, []);
        assert.equal(await browser.read("/look"), '{"count":2}');
      });

    test("an end that is over ends the session", async () => {
      await using shop = await site(
        {},
        {
          "/end": (req, res) => {
            req.session.hit = true;
            req.session.cookie.expires = new Date(0);
            res.end();
          },
        },
      );
      const browser = shop.browser();
      assert.equal(endOf((await browser.get("/end")).cookies[0]!), 0);
      await pass(5);
      assert.equal(await browser.read("/look"), "{}");
    });

    test("originalMaxAge is the same for all requests", async () => {
      await using shop = await site(
        { cookie: { maxAge: 2_000 }, saveUninitialized: true },
        { "/original": (req, res) => res.end(String(req.session.cookie.originalMaxAge)) },
      );
      const browser = shop.browser();
      for (let visit = 0; visit < 3; visit++) {
        // It looks at the clock twice, and keeps what is left.
        const ms = Number(await browser.read("/original"));
        assert.ok(ms <= 2_000 && ms > 1_900, `${ms}`);
        await pass(30);
      }
    });

    test("maxAge during a request", async () => {
      const maxAge = 60_000;
      await using shop = await site(
        { cookie: { maxAge } },
        { "/left": (req, res) => res.end(String(req.session.cookie.maxAge)) },
      );
      const browser = shop.browser();
      await browser.get("/count");
      await pass(1_000);
      const left = Number(await browser.read("/left"));
      if (subject.differs("fullTime")) assert.ok(left > maxAge - 900 && left <= maxAge, `${left}`);
      else assert.ok(left <= maxAge - 900, `${left}`);
    });

    test("a session that was not used for maxAge is gone, and who comes back gets another id", async () => {
      await using shop = await site(
        { cookie: { maxAge: 40 } },
        {
          "/id": (req, res) => {
            req.session.seen = true;
            res.end(req.sessionID);
          },
        },
      );
      const browser = shop.browser();
      const before = await browser.read("/id");
      await pass(60);
      assert.equal(await browser.copy().read("/look"), "{}");
      assert.notEqual(await browser.read("/id"), before);
    });

    test("each use prolongs it, also one that changes nothing", async () => {
      await using shop = await site({ cookie: { maxAge: 2_000 } });
      const browser = shop.browser();
      await browser.get("/count");
      for (let visit = 0; visit < 3; visit++) {
        await pass(800);
        assert.equal(await browser.read("/look"), '{"count":1}');
      }
    });
  });
}
