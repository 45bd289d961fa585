/** Which requests get a session cookie, with which settings: as express-session does it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Options, habitRoutes as routes, subjects } from "../../harness/session-makers.ts";
import { type Handler, SessionSite } from "../../harness/session-site.ts";

for (const { name, make } of subjects) {
  const site = (options: Options = {}, more: Record<string, Handler> = {}): Promise<SessionSite> =>
    SessionSite.start(make(options), { ...routes, ...more });

  describe(`${name}: which requests get a cookie`, () => {
    test("none while the session is empty", async () => {
      await using shop = await site();
      const answer = await shop.browser().get("/look");
      assert.deepEqual([answer.body, answer.cookies], ["{}", []]);
    });

    test("one when it is first written to, with Path=/ and HttpOnly", async () => {
      await using shop = await site({ name: "shop" });
      const { cookies } = await shop.browser().get("/count");
      assert.equal(cookies.length, 1);
      assert.match(cookies[0]!, /^shop=[^;]+;.*Path=\/; .*HttpOnly/);
      assert.doesNotMatch(cookies[0]!, /Secure|Domain|Expires|Max-Age/);
    });

    test("no further one while the id stays the same", async () => {
      await using shop = await site();
      const browser = shop.browser();
      await browser.get("/count");
      const answer = await browser.get("/count");
      assert.deepEqual([answer.body, answer.cookies], ["2", []]);
    });

    test("saveUninitialized: also an empty session is kept", async () => {
      await using shop = await site({ saveUninitialized: true });
      const browser = shop.browser();
      assert.equal((await browser.get("/look")).cookies.length, 1);
      assert.equal((await browser.get("/look")).cookies.length, 0);
    });

    test("rolling: every response, once there is something", async () => {
      await using shop = await site({ rolling: true, cookie: { maxAge: 60_000 } });
      const browser = shop.browser();
      assert.equal((await browser.get("/look")).cookies.length, 0);
      assert.equal((await browser.get("/count")).cookies.length, 1);
      assert.match((await browser.get("/look")).cookies[0]!, /Expires=/);
    });

    test("maxAge: those that change the session", async () => {
      await using shop = await site({ cookie: { maxAge: 60_000 } });
      const browser = shop.browser();
      const first = await browser.get("/count");
      const expires = Date.parse(/Expires=([^;]+)/.exec(first.cookies[0]!)![1]!);
      assert.ok(Math.abs(expires - Date.now() - 60_000) < 3_000);
      assert.equal((await browser.get("/look")).cookies.length, 0);
      assert.equal((await browser.get("/count")).cookies.length, 1);
    });

    test("a cookie of the application's own stays beside it, however it is set", async () => {
      await using shop = await site(
        {},
        {
          "/header": (req, res) => {
            req.session.a = 1;
            res.setHeader("Set-Cookie", "own=1");
            res.end();
          },
          "/object": (req, res) => {
            req.session.a = 1;
            res.writeHead(200, { "Set-Cookie": "own=1", "X-Own": "yes" });
            res.end();
          },
          "/array": (req, res) => {
            req.session.a = 1;
            res.writeHead(200, "Fine", ["Set-Cookie", "own=1", "X-Own", "yes"] as never);
            res.end();
          },
        },
      );
      for (const path of ["/header", "/object", "/array"]) {
        const { cookies, headers } = await shop.browser().get(path);
        assert.equal(cookies.length, 2, path);
        assert.equal(cookies.filter((line) => line === "own=1").length, 1, path);
        if (path !== "/header") assert.equal(headers["x-own"], "yes");
      }
    });

    test("settings of the cookie are sent", async () => {
      const cookie = {
        domain: "example.com",
        sameSite: "strict",
        priority: "high",
        partitioned: true,
        httpOnly: false,
      };
      await using shop = await site({ cookie });
      const { cookies } = await shop.browser().get("/count");
      for (const part of ["Domain=example.com", "SameSite=Strict", "Priority=High", "Partitioned"]) {
        assert.ok(cookies[0]!.split("; ").includes(part), `${part} in ${cookies[0]}`);
      }
      assert.doesNotMatch(cookies[0]!, /HttpOnly/);
    });

    test("secure: only where the request came over https", async () => {
      const https = { headers: { "x-forwarded-proto": "https, http" } };
      await using direct = await site({ cookie: { secure: true } });
      assert.equal((await direct.browser().get("/count")).cookies.length, 0);
      assert.equal((await direct.browser().get("/count", https)).cookies.length, 0);
      await using proxied = await site({ cookie: { secure: true }, proxy: true });
      assert.equal((await proxied.browser().get("/count")).cookies.length, 0);
      assert.match((await proxied.browser().get("/count", https)).cookies[0]!, /Secure/);
    });

    test("secure: auto follows the request", async () => {
      await using shop = await site({ cookie: { secure: "auto" }, proxy: true });
      const { cookies } = await shop.browser().get("/count", { headers: { "x-forwarded-proto": "https" } });
      assert.match(cookies[0]!, /Secure/);
      assert.doesNotMatch((await shop.browser().get("/count")).cookies[0]!, /Secure/);
    });

    test("requests outside the cookie's path get no session", async () => {
      const seen: Handler = (req, res) => res.end(typeof req.session);
      await using shop = await site({ cookie: { path: "/admin" } }, { "/admin/x": seen, "/x": seen });
      assert.equal(await shop.browser().read("/x"), "undefined");
      assert.equal(await shop.browser().read("/admin/x"), "object");
    });

    test("a HEAD request and an explicit head get theirs", async () => {
      await using shop = await site(
        {},
        {
          "/explicit": (req, res) => {
            req.session.a = 1;
            res.writeHead(201, "Made");
            res.end("x");
          },
        },
      );
      assert.equal((await shop.browser().get("/count", { method: "HEAD" })).cookies.length, 1);
      const answer = await shop.browser().get("/explicit");
      assert.deepEqual([answer.status, answer.cookies.length, answer.body], [201, 1, "x"]);
    });
  });
}
