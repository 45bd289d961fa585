/** What `session()` does otherwise than express-session, or beyond it (docs/sessions.md). */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Cookie, type SessionOptions, session } from "../../src/session/index.ts";
import { type AnyMiddleware, type Handler, SessionSite } from "../harness/session-site.ts";

const look: Handler = (req, res) => res.end(JSON.stringify({ ...req.session, cookie: undefined }));

function site(routes: Record<string, Handler>, options: SessionOptions = {}): Promise<SessionSite> {
  return SessionSite.start(session(options) as AnyMiddleware, { "/look": look, ...routes });
}

const wrongCookies: [what: string, set: (cookie: Cookie) => void][] = [
  ["expires of no date", (cookie) => (cookie.expires = new Date(Number.NaN))],
  ["a maxAge of 1e300", (cookie) => (cookie.maxAge = 1e300)],
  ["a maxAge of -1e300", (cookie) => (cookie.maxAge = -1e300)],
  ["a maxAge of Infinity", (cookie) => (cookie.maxAge = Number.POSITIVE_INFINITY)],
  ["an originalMaxAge of NaN", (cookie) => (cookie.originalMaxAge = Number.NaN)],
  ["a path of two lines", (cookie) => (cookie.path = "/\r\nX: y")],
  ["a domain with a semicolon", (cookie) => (cookie.domain = "a;b")],
  ["a sameSite of its own", (cookie) => (cookie.sameSite = "weird" as "lax")],
  ["a priority of its own", (cookie) => (cookie.priority = "urgent" as "low")],
];

describe("other differences", () => {
  test("SameSite=Lax by default, Max-Age beside Expires", async () => {
    const write: Handler = (req, res) => {
      req.session.a = 1;
      res.end();
    };
    await using shop = await site({ "/write": write }, { cookie: { maxAge: 60_000 } });
    const { cookies } = await shop.browser().get("/write");
    assert.match(
      cookies[0]!,
      /^sid=a-[\w-]{25}\.[\w-]{22}; Max-Age=60; Expires=[^;]+; Path=\/; HttpOnly; SameSite=Lax$/,
    );
    await using lenient = await site({ "/write": write }, { cookie: { sameSite: false } });
    assert.doesNotMatch((await lenient.browser().get("/write")).cookies[0]!, /SameSite/);
  });

  test("changed cookie settings are sent and kept, also without other changes", async () => {
    await using shop = await site({
      "/write": (req, res) => {
        req.session.a = 1;
        res.end();
      },
      "/remember": (req, res) => {
        req.session.cookie.maxAge = 9_000;
        res.end();
      },
      "/age": (req, res) => res.end(String(req.session.cookie.originalMaxAge)),
    });
    const browser = shop.browser();
    await browser.get("/write");
    assert.match((await browser.get("/remember")).cookies[0]!, /Max-Age=9;/);
    assert.equal(await browser.read("/age"), "9000");
    assert.equal((await shop.browser().get("/remember")).cookies.length, 0, "alone it makes no session");
  });

  test("a change that can't be kept is a 500 that names the code, and changes nothing", async () => {
    await using shop = await site({
      "/write": (req, res) => {
        req.session.a = 1;
        res.end();
      },
      "/function": (req, res) => {
        req.session.a = 2;
        req.session.fn = () => {};
        res.end("never seen");
      },
      "/large": (req, res) => {
        req.session.large = "x".repeat(2_000_000);
        res.end("never seen");
      },
      "/reserved": (req, res) => {
        req.session.save = 1;
        res.end("never seen");
      },
      "/replaced": (req, res) => {
        req.session = { a: 2 };
        res.end("never seen");
      },
      "/cookie": (req, res) => {
        req.session.a = 2;
        req.session.cookie = { maxAge: 1 };
        res.end("never seen");
      },
      "/inject": (req, res) => {
        req.session.cookie.path = "/\r\nX: y";
        res.end("never seen");
      },
    });
    const browser = shop.browser();
    await browser.get("/write");
    const cases: [path: string, code: string][] = [
      ["/function", "FLOTILLA_SESSION_NOT_SERIALIZABLE"],
      ["/large", "FLOTILLA_SESSION_TOO_LARGE"],
      ["/reserved", "FLOTILLA_SESSION_KEY_RESERVED"],
      ["/replaced", "FLOTILLA_SESSION_REPLACED"],
      ["/cookie", "FLOTILLA_SESSION_COOKIE"],
      ["/inject", "FLOTILLA_SESSION_COOKIE"],
    ];
    for (const [path, code] of cases) {
      const { status, body } = await browser.copy().get(path);
      assert.deepEqual(
        [status, body],
        [500, `500 Internal Server Error: the session could not be saved (${code}).\n`],
      );
      assert.equal(await browser.read("/look"), '{"a":1}');
    }
  });

  for (const [what, set] of wrongCookies)
    test(`a cookie with ${what} is a 500, and nothing of that request is stored, not even a new session`, async () => {
      await using shop = await site({
        "/write": (req, res) => {
          req.session.a = 1;
          res.end();
        },
        "/wrong": (req, res) => {
          req.session.a = 2;
          set(req.session.cookie);
          res.end("never seen");
        },
        "/saved": async (req, res) => {
          req.session.a = 3;
          set(req.session.cookie);
          const failure = await req.session.save().catch((error: { code: string }) => error.code);
          assert.equal(failure, "FLOTILLA_SESSION_COOKIE");
          res.end("never seen");
        },
      });
      const browser = shop.browser();
      await browser.get("/write");
      for (const path of ["/wrong", "/saved"]) {
        const fresh = await shop.browser().get(path);
        assert.deepEqual([fresh.status, fresh.cookies], [500, []]);
        assert.equal((await browser.get(path)).status, 500);
        assert.equal(await browser.read("/look"), '{"a":1}');
      }
    });

  test("a cookie that ends the session, and one that outlives all limits", async () => {
    await using shop = await site({
      "/set": (req, res) => {
        req.session.a = 1;
        req.session.cookie.maxAge = Number(req.url!.split("?")[1]);
        res.end();
      },
    });
    const browser = shop.browser();
    assert.match((await browser.get("/set?7000000000000000")).cookies[0]!, /Max-Age=7000000000000;/);
    assert.equal(await browser.read("/look"), '{"a":1}');
    for (const ms of [0, -7e15]) {
      const ending = await shop.browser().get(`/set?${ms}`);
      assert.deepEqual([ending.status, /Max-Age=(\d+)/.exec(ending.cookies[0]!)?.[1]], [200, "0"]);
    }
  });

  test("A40: a key named by the client takes no method away", async () => {
    await using shop = await site({
      "/set": async (req, res) => {
        for (const key of ["__proto__", "constructor"]) req.session[key] = { admin: true };
        await req.session.save();
        res.end(String([req.session.admin, ({} as { admin?: boolean }).admin]));
      },
    });
    const browser = shop.browser();
    assert.equal(await browser.read("/set"), ",");
    assert.equal(await browser.read("/look"), '{"constructor":{"admin":true}}');
  });

  test("Date, Map, Set, BigInt and Buffer come back as they were", async () => {
    const made = { at: new Date(0), map: new Map([["a", 1]]), set: new Set([1n]), bytes: Buffer.from("x") };
    await using shop = await site({
      "/make": (req, res) => {
        Object.assign(req.session, made);
        res.end();
      },
      "/grow": (req, res) => {
        assert.deepEqual({ ...req.session, cookie: undefined }, { ...made, cookie: undefined });
        req.session.map.set("b", 2);
        req.session.bytes[0] = 0x79;
        res.end();
      },
      "/grown": (req, res) => res.end(String([req.session.map.get("b"), req.session.bytes])),
    });
    const browser = shop.browser();
    await browser.get("/make");
    await browser.read("/grow");
    assert.equal(await browser.read("/grown"), "2,y");
  });

  test("an instance that was saved is a plain object for the next request, always", async () => {
    class Cart {
      items = [1];
      total(): number {
        return 1;
      }
    }
    await using shop = await site({
      "/make": (req, res) => {
        req.session.cart = new Cart();
        res.end();
      },
      "/again": (req, res) => {
        const before = req.session.cart.constructor.name;
        req.session.cart = Object.assign(new Cart(), req.session.cart);
        res.end(before);
      },
    });
    const browser = shop.browser();
    await browser.get("/make");
    for (let visit = 0; visit < 3; visit++) assert.equal(await browser.read("/again"), "Object");
  });

  test("the smallest responses: {} of an upgrade, and engine.io's", async () => {
    const middleware = session() as AnyMiddleware;
    const req = {
      url: "/",
      headers: {},
      session: undefined as unknown as { a: number; save(): Promise<void> },
      sessionID: "",
    };
    middleware(req, {}, (error) => assert.equal(error, undefined));
    req.session.a = 1;
    await req.session.save();
    const again = {
      url: "/",
      headers: { cookie: `sid=${req.sessionID}` },
      session: undefined as unknown as { a: number },
    };
    const fields = new Map<string, unknown>();
    let ended = false;
    const small = {
      setHeader: (name: string, value: unknown) => void fields.set(name.toLowerCase(), value),
      getHeader: (name: string) => fields.get(name.toLowerCase()),
      removeHeader: (name: string) => void fields.delete(name.toLowerCase()),
      write() {},
      writeHead() {},
      end() {
        ended = true;
      },
    };
    middleware(again, small, () => {});
    assert.equal(again.session.a, 1);
    small.writeHead();
    assert.equal(fields.size, 0);
    small.end();
    assert.equal(ended, true);
    const fresh = { url: "/", headers: {}, session: undefined as unknown as { a: number } };
    const other = { ...small };
    fields.clear();
    other.writeHead = () => {};
    middleware(fresh, other, () => {});
    fresh.session.a = 1;
    other.writeHead();
    assert.match(String(fields.get("set-cookie")), /^sid=/);
  });

  test("options that can't be honoured are refused when the middleware is made", () => {
    const cases: [options: object, message: RegExp][] = [
      [{ genid: () => "x" }, /genid.*ids are signed/],
      [{ store: {} }, /store.*what postgresStore\(.*gives/],
      [{ rollling: true }, /rollling.*it is none of name, cookie/],
      [{ name: "a b" }, /"a b" is no name for a cookie/],
      [{ unset: "forget" }, /"keep" or "destroy"/],
      [{ cookie: { maxAge: "1d" } }, /maxAge is a number of milliseconds/],
      [{ cookie: { path: "/a;b" } }, /path can't be sent/],
      [{ cookie: { sameSite: "weird" } }, /sameSite can't be sent: 'weird' is none of lax, strict, none/],
      [{ cookie: { priority: "urgent" } }, /priority can't be sent: 'urgent' is none of low/],
      [{ cookie: { maxAge: 1e300 } }, /maxAge .* 1e\+300 ms from now is no date/],
      [{ cookie: { expires: "tomorrow" } }, /expires is a Date, null or false, not tomorrow/],
      [{ cookie: { domain: 5 } }, /domain can't be sent: 5/],
      [{ cookie: null }, /it is an object of settings, not null/],
      [{ secret: [] }, /it is one secret/],
      [null as unknown as object, /an object, not null/],
      [5 as unknown as object, /an object, not 5/],
    ];
    for (const [options, message] of cases) {
      assert.throws(
        () => session(options),
        (error: Error & { code: string }) => {
          assert.equal(error.code, "FLOTILLA_SESSION_OPTION");
          assert.match(error.message, message);
          return true;
        },
      );
    }
  });
});
