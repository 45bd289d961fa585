/** `req.session` and its methods, alone and below passport: as express-session does it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import passport from "passport";
import { type Options, habitRoutes as routes, subjects } from "../../harness/session-makers.ts";
import {
  type AnyMiddleware,
  type AnyRequest,
  type Handler,
  SessionSite,
} from "../../harness/session-site.ts";

/** Whether `maxAge` is the time that is left of so many ms; however slow the machine is. */
function countsDown(cookie: { maxAge: number; expires: Date }, fromMs: number): boolean {
  const { maxAge } = cookie;
  return maxAge <= fromMs && maxAge >= cookie.expires.getTime() - Date.now();
}

function idOf(req: AnyRequest): string {
  assert.equal(req.session.id, req.sessionID);
  return req.sessionID;
}
for (const { name, make } of subjects) {
  const site = (options: Options = {}, more: Record<string, Handler> = {}): Promise<SessionSite> =>
    SessionSite.start(make(options), { ...routes, ...more });

  describe(`${name}: the session object`, () => {
    test("keeps nested changes and deletions", async () => {
      await using shop = await site(
        {},
        {
          "/fill": (req, res) => {
            req.session.cart = { items: [{ sku: "a", count: 1 }] };
            req.session.gone = true;
            res.end();
          },
          "/more": (req, res) => {
            req.session.cart.items[0].count++;
            delete req.session.gone;
            res.end();
          },
        },
      );
      const browser = shop.browser();
      await browser.get("/fill");
      await browser.get("/more");
      assert.deepEqual(JSON.parse(await browser.read("/look")), {
        cart: { items: [{ sku: "a", count: 2 }] },
      });
    });

    test("shows the data and the cookie as its only properties", async () => {
      await using shop = await site(
        {},
        {
          "/keys": (req, res) => {
            req.session.a = 1;
            const inherited: string[] = [];
            for (const key in req.session) inherited.push(key);
            res.end(JSON.stringify([Object.keys(req.session), inherited, req.session.req === req]));
          },
        },
      );
      assert.deepEqual(JSON.parse(await shop.browser().read("/keys")), [
        ["cookie", "a"],
        ["cookie", "a"],
        true,
      ]);
    });

    test("the cookie's times", async () => {
      await using shop = await site(
        { cookie: { maxAge: 60_000 } },
        {
          "/cookie": (req, res) => {
            const { cookie } = req.session;
            assert.equal(cookie.originalMaxAge, 60_000);
            assert.ok(countsDown(cookie, 60_000));
            assert.ok(cookie.expires instanceof Date);
            cookie.maxAge = 5_000;
            assert.equal(cookie.originalMaxAge, 5_000);
            cookie.expires = new Date(Date.now() + 9_000);
            assert.ok(countsDown(cookie, 9_000) && cookie.originalMaxAge <= 9_000);
            cookie.maxAge = null;
            assert.equal(cookie.expires, null);
            assert.equal(cookie.maxAge, null);
            cookie.originalMaxAge = 7_000;
            assert.equal(req.session.touch(), req.session);
            assert.ok(countsDown(cookie, 7_000));
            assert.equal(req.session.resetMaxAge(), req.session);
            assert.throws(() => {
              cookie.maxAge = "soon";
            }, TypeError);
            res.end("ok");
          },
        },
      );
      assert.equal(await shop.browser().read("/cookie"), "ok");
    });

    test("a changed maxAge is kept with the session", async () => {
      await using shop = await site(
        {},
        {
          "/remember": (req, res) => {
            req.session.user = "anna";
            req.session.cookie.maxAge = 500_000;
            res.end();
          },
          "/age": (req, res) => res.end(String(req.session.cookie.originalMaxAge)),
        },
      );
      const browser = shop.browser();
      assert.match((await browser.get("/remember")).cookies[0]!, /Expires/);
      // express-session looks at the clock twice, and keeps what is left.
      const ageMs = Number(await browser.read("/age"));
      assert.ok(ageMs > 499_900 && ageMs <= 500_000, `${ageMs}`);
    });

    test("regenerate: a new id, nothing of the old session, which is dead", async () => {
      await using shop = await site(
        {},
        {
          "/regenerate": (req, res) => {
            const before = idOf(req);
            const old = req.session;
            req.session.regenerate((error: unknown) => {
              assert.ok(!error);
              assert.notEqual(req.session, old);
              res.end(JSON.stringify([before === idOf(req), req.session.count ?? null]));
            });
          },
        },
      );
      const browser = shop.browser();
      await browser.get("/count");
      const other = browser.copy();
      const answer = await browser.get("/regenerate");
      assert.deepEqual(JSON.parse(answer.body), [false, null]);
      assert.equal(answer.cookies.length, 1);
      assert.equal(await browser.read("/count"), "1");
      assert.equal(await other.read("/look"), "{}");
    });

    test("destroy: req.session is gone, and so is what it held", async () => {
      await using shop = await site(
        {},
        {
          "/logout": (req, res) => {
            req.session.destroy((error: unknown) => res.end(String([error ?? "fine", typeof req.session])));
          },
        },
      );
      const browser = shop.browser();
      await browser.get("/count");
      const answer = await browser.get("/logout");
      assert.deepEqual([answer.body, answer.cookies], ["fine,undefined", []]);
      assert.equal(await browser.read("/look"), "{}");
    });

    test("reload: unsaved changes are dropped", async () => {
      await using shop = await site(
        {},
        {
          "/reload": (req, res) => {
            const old = req.session;
            req.session.count = 99;
            req.session.reload((error: unknown) => {
              assert.ok(!error);
              assert.notEqual(req.session, old);
              res.end(String(req.session.count));
            });
          },
        },
      );
      const browser = shop.browser();
      await browser.get("/count");
      assert.equal(await browser.read("/reload"), "1");
      assert.equal(await browser.read("/count"), "2");
    });

    test("reload of a session that nobody has is an error", async () => {
      await using shop = await site(
        {},
        {
          "/reload": (req, res) =>
            req.session.reload((error: unknown) => res.end(String(error instanceof Error))),
        },
      );
      assert.equal(await shop.browser().read("/reload"), "true");
    });

    test("save: others see it before the response has ended", async () => {
      let release = (): void => {};
      let saved = (): void => {};
      const isSaved = new Promise<void>((resolve) => {
        saved = resolve;
      });
      await using shop = await site(
        {},
        {
          "/slow": (req, res) => {
            req.session.count = 41;
            req.session.save(saved);
            release = () => res.end("done");
          },
        },
      );
      const browser = shop.browser();
      await browser.get("/count");
      const slow = browser.copy().get("/slow");
      await isSaved;
      assert.equal(await browser.read("/look"), '{"count":41}');
      release();
      assert.equal((await slow).body, "done");
      assert.equal(await browser.read("/count"), "42");
    });

    test("unset: keep leaves it as it was, destroy ends it", async () => {
      const unset: Handler = (req, res) => {
        req.session.count = 99;
        req.session = null;
        res.end();
      };
      await using keeping = await site({}, { "/unset": unset });
      const one = keeping.browser();
      await one.get("/count");
      await one.get("/unset");
      assert.equal(await one.read("/look"), '{"count":1}');
      await using destroying = await site({ unset: "destroy" }, { "/unset": unset });
      const two = destroying.browser();
      await two.get("/count");
      await two.get("/unset");
      assert.equal(await two.read("/look"), "{}");
    });

    test("a streamed response: what is written until the end is kept", async () => {
      await using shop = await site(
        {},
        {
          "/stream": (req, res) => {
            req.session.a = 1;
            res.write("one,");
            req.session.b = 2;
            res.write("two");
            res.end();
          },
        },
      );
      const browser = shop.browser();
      const answer = await browser.get("/stream");
      assert.deepEqual([answer.body, answer.cookies.length], ["one,two", 1]);
      assert.equal(await browser.read("/look"), '{"a":1,"b":2}');
    });

    test("A38: an id made by the client is never taken", async () => {
      await using shop = await site({ name: "sid" }, { "/id": (req, res) => res.end(idOf(req)) });
      const browser = shop.browser();
      for (const made of ["abc", "a".repeat(5_000), "s:abc.def", `a-${"A".repeat(25)}.${"A".repeat(22)}`]) {
        browser.jar.set("sid", made);
        assert.notEqual(await browser.read("/id"), made);
      }
    });

    test("one session per request, though the middleware stands twice", async () => {
      const middleware = make({});
      const twice: AnyMiddleware = (req, res, next) =>
        middleware(req, res, () => {
          const first = req.session;
          middleware(req, res, () => {
            assert.equal(req.session, first);
            next();
          });
        });
      await using shop = await SessionSite.start(twice, routes);
      const browser = shop.browser();
      assert.equal((await browser.get("/count")).cookies.length, 1);
      assert.equal(await browser.read("/count"), "2");
    });

    test("a wrapped method is no data", async () => {
      await using shop = await site(
        {},
        {
          "/wrap": (req, res) => {
            const save = req.session.save;
            req.session.save = function wrapped(this: unknown, ...args: unknown[]) {
              return save.apply(this, args);
            };
            req.session.a = 1;
            req.session.save(() => res.end());
          },
        },
      );
      const browser = shop.browser();
      await browser.get("/wrap");
      assert.equal(await browser.read("/look"), '{"a":1}');
    });
  });

  test(`${name}: passport logs in and out`, async () => {
    const auth = new passport.Passport();
    auth.serializeUser((user: unknown, done: (error: unknown, id: string) => void) =>
      done(null, (user as { id: string }).id),
    );
    auth.deserializeUser((id: string, done: (error: unknown, user: object) => void) => done(null, { id }));
    const steps = [make({}), auth.initialize(), auth.session()] as AnyMiddleware[];
    const all: AnyMiddleware = (req, res, next) =>
      steps.reduceRight<() => void>((then, step) => () => step(req, res, then), next)();
    type Passported = AnyRequest & {
      user?: { id: string };
      logIn(user: object, done: (error?: unknown) => void): void;
      logOut(done: (error?: unknown) => void): void;
    };
    await using shop = await SessionSite.start(all, {
      ...routes,
      "/login": (req, res) =>
        (req as Passported).logIn({ id: "anna" }, (error) => res.end(String(error ?? "in"))),
      "/logout": (req, res) => (req as Passported).logOut((error) => res.end(String(error ?? "out"))),
      "/who": (req, res) => res.end((req as Passported).user?.id ?? "nobody"),
    });
    const browser = shop.browser();
    await browser.get("/count");
    const before = browser.copy();
    assert.equal(await browser.read("/login"), "in");
    assert.equal(await browser.read("/who"), "anna");
    assert.equal(await before.read("/who"), "nobody", "the id from before the login is worth nothing");
    assert.equal(await browser.read("/logout"), "out");
    assert.equal(await browser.read("/who"), "nobody");
  });
}
