/** Where ours does otherwise than express-session: each difference as both have it, and the documents that tell of them. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { sessionDifferences, storeDifferences } from "../../harness/express-session-differences.ts";
import { Gate } from "../../harness/gate.ts";
import { Faults, habitRoutes, type Options, subjects } from "../../harness/session-makers.ts";
import { type Handler, SessionSite } from "../../harness/session-site.ts";

for (const subject of subjects) {
  const site = (
    routes: Record<string, Handler>,
    options: Options = {},
    faults?: Faults,
  ): Promise<SessionSite> => SessionSite.start(subject.make(options, faults), { ...habitRoutes, ...routes });
  const seenBy = async (handler: Handler, options: Options = {}): Promise<string> => {
    await using shop = await site({ "/see": handler }, options);
    const browser = shop.browser();
    await browser.get("/count");
    return (await browser.get("/see")).body;
  };

  describe(`${subject.name}: methods`, () => {
    for (const method of ["save", "regenerate", "reload", "destroy"])
      test(`${method}() without a callback`, async () => {
        const seen = await seenBy((req, res) => {
          const returned = req.session[method](subject.differs("promises") ? undefined : () => {});
          res.end(String(returned instanceof Promise));
        });
        assert.equal(seen, String(subject.differs("promises")));
      });

    test("callbacks are called in a later turn", async () => {
      // Of a store that answers at once, as express-session allows; ours never does.
      const seen = await seenBy((req, res) => {
        const order: string[] = [];
        if (!subject.differs("laterTurn"))
          Object.assign((req as unknown as { sessionStore: object }).sessionStore, {
            set: (_sid: string, _session: object, done: () => void) => done(),
          });
        req.session.save(() => {
          order.push("callback");
          setImmediate(() => res.end(order.join()));
        });
        order.push("after");
      });
      assert.equal(seen, subject.differs("laterTurn") ? "after,callback" : "callback,after");
    });

    test("id is sessionID, and stays what it is", async () => {
      const seen = await seenBy((req, res) => {
        const { id } = req.session;
        assert.equal(id, req.sessionID);
        assert.throws(() => {
          req.session.id = "other";
        });
        res.end(String(req.session.id === id));
      });
      assert.equal(seen, "true");
    });

    test("the store is at hand", async () => {
      const seen = await seenBy((req, res) =>
        res.end(typeof (req as { sessionStore?: unknown }).sessionStore),
      );
      assert.equal(seen, subject.differs("sessionStore") ? "undefined" : "object");
    });
  });

  describe(`${subject.name}: requests at the same time`, () => {
    test("change different keys", async () => {
      const gate = new Gate();
      await using shop = await site({
        "/slow": async (req, res) => {
          req.session.slow = true;
          await gate.pass();
          res.end();
        },
        "/quick": (req, res) => {
          req.session.quick = true;
          res.end();
        },
      });
      const browser = shop.browser();
      await browser.get("/count");
      const slow = browser.copy().get("/slow");
      await gate.reached;
      await browser.get("/quick");
      gate.open();
      await slow;
      const keys = Object.keys(JSON.parse(await browser.read("/look"))).toSorted();
      const both = ["count", "quick", "slow"];
      assert.deepEqual(keys, subject.differs("changedKeysOnly") ? both : ["count", "slow"]);
    });

    test("a logout, and a save that comes after it", async () => {
      const gate = new Gate();
      let told: unknown = null;
      await using shop = await site({
        "/slow": async (req, res) => {
          await gate.pass();
          req.session.slow = true;
          req.session.save((error: unknown) => {
            told = error ?? null;
            res.end();
          });
        },
        "/logout": (req, res) => req.session.destroy(() => res.end()),
      });
      const browser = shop.browser();
      await browser.get("/count");
      const [thief, slow] = [browser.copy(), browser.copy().get("/slow")];
      await gate.reached;
      await browser.get("/logout");
      gate.open();
      await slow;
      const left = await thief.read("/look");
      assert.equal(left, subject.differs("staysDestroyed") ? "{}" : '{"count":1,"slow":true}');
      const code = (told as { code?: string } | null)?.code ?? null;
      assert.equal(code, subject.isStore ? null : "FLOTILLA_SESSION_GONE");
    });
  });

  describe(`${subject.name}: values`, () => {
    const after = async (set: (session: Record<string, unknown>) => void): Promise<[number, string]> => {
      await using shop = await site({
        "/set": (req, res) => {
          set(req.session);
          res.end();
        },
        "/see": (req, res) => res.end(`${typeof req.session.value} ${req.session.value?.constructor.name}`),
      });
      const browser = shop.browser();
      const { status } = await browser.get("/set");
      return [status, await browser.read("/see")];
    };

    test("a Date", async () => {
      const seen = await after((session) => {
        session.value = new Date(0);
      });
      assert.deepEqual(seen, [200, subject.differs("richValues") ? "object Date" : "string String"]);
    });

    test("a function", async () => {
      const [status, seen] = await after((session) => {
        session.value = () => 1;
        session.other = 1;
      });
      assert.equal(seen, "undefined undefined");
      assert.equal(status, subject.differs("refusesValues") ? 500 : 200);
    });
  });

  describe(`${subject.name}: keys with the session's own names`, () => {
    /** Null: the end of the response threw, and nothing can be sent any more. */
    const answerTo = async (handler: Handler): Promise<string | null> => {
      await using shop = await site({
        "/see": (req, res) => {
          const text = String(handler(req, res) ?? "fine");
          try {
            res.end(text);
          } catch {
            res.destroy();
          }
        },
      });
      const browser = shop.browser();
      return await browser.get("/see").then(
        ({ status, body }) => `${status} ${body}`,
        () => null,
      );
    };

    test("a method's", async () => {
      const answer = await answerTo((req) => {
        req.session.resetMaxAge = 1;
      });
      if (subject.differs("reserved")) assert.match(answer!, /^500 .*FLOTILLA_SESSION_KEY_RESERVED/);
      else assert.equal(answer, null);
    });

    test("__proto__, as a client may name one", async () => {
      const answer = await answerTo((req) => {
        req.session[JSON.parse('"__proto__"')] = { admin: true };
        return `${typeof req.session.touch} ${req.session.admin}`;
      });
      assert.equal(answer, subject.differs("prototype") ? "200 function undefined" : null);
    });

    test("another object in place of the session", async () => {
      const answer = await answerTo((req) => {
        req.session = { a: 1 };
      });
      if (subject.differs("replaced")) assert.match(answer!, /^500 .*FLOTILLA_SESSION_REPLACED/);
      else assert.equal(answer, null);
    });
  });

  describe(`${subject.name}: which responses bring the cookie`, () => {
    test("of a request that changed nothing but maxAge", async () => {
      await using shop = await site({
        "/remember": (req, res) => {
          req.session.cookie.maxAge = 60_000;
          res.end();
        },
        "/original": (req, res) => res.end(String(req.session.cookie.originalMaxAge)),
      });
      const browser = shop.browser();
      await browser.get("/count");
      const { cookies } = await browser.get("/remember");
      assert.equal(cookies.length, subject.differs("cookieChangeIsSent") ? 1 : 0);
      const ms = Number(await browser.read("/original"));
      assert.ok(ms <= 60_000 && ms > 59_000, `${ms}`);
    });

    test("of one that saved an empty session by hand", async () => {
      await using shop = await site({ "/save": (req, res) => req.session.save(() => res.end()) });
      const { cookies } = await shop.browser().get("/save");
      assert.equal(cookies.length, subject.differs("savedByHand") ? 1 : 0);
    });

    test("its end", async () => {
      await using shop = await site({}, { cookie: { maxAge: 60_000 } });
      const [cookie] = (await shop.browser().get("/count")).cookies;
      assert.match(cookie!, /Expires=/);
      assert.equal(/Max-Age=60/.test(cookie!), subject.differs("maxAgeIsSent"));
    });

    test("one that can't be sent", async () => {
      const faults = new Faults();
      await using shop = await site(
        {
          "/wrong": (req, res) => {
            req.session.user = "anna";
            req.session.cookie.path = "/\r\nX: y";
            res.end();
          },
        },
        {},
        faults,
      );
      // What a site makes of the error of express-session comes after the response has begun.
      const { status, headers, cookies } = await shop
        .browser()
        .get("/wrong")
        .catch(() => ({ status: 0, headers: {}, cookies: [] }));
      assert.deepEqual([cookies, (headers as { x?: string }).x], [[], undefined]);
      assert.equal(faults.saves, subject.differs("wrongCookie") ? 0 : 1);
      if (subject.differs("wrongCookie")) assert.equal(status, 500);
    });
  });
}

describe("the documents", () => {
  const root = join(import.meta.dirname, "../../..");

  /** First cells of the table below a heading. */
  function firstCells(page: string, heading: string): string[] {
    const text = readFileSync(join(root, page), "utf8");
    const section = text
      .slice(text.indexOf(`\n## ${heading}\n`))
      .slice(1)
      .split("\n## ", 2)[0]!
      .slice(3);
    return [...section.matchAll(/^\| (.+?) \|/gm)].map((match) => match[1]!).slice(1);
  }

  test("docs/sessions.md has a row for each difference of session(), and no other", () => {
    const rows = Object.values(sessionDifferences);
    const options = firstCells("docs/sessions.md", "express-session's options");
    const others = rows.filter((row) => !options.includes(row));
    assert.deepEqual(firstCells("docs/sessions.md", "Other differences").toSorted(), others.toSorted());
  });

  test("docs/moving-in.md has one for each of FlotillaStore, and no other", () => {
    assert.deepEqual(
      firstCells("docs/moving-in.md", "Differences").toSorted(),
      Object.values(storeDifferences).toSorted(),
    );
  });

  test("each is shown by a case", () => {
    const cases = globSync("test/session/express-session/*.test.ts", { cwd: root });
    const text = cases.map((file) => readFileSync(join(root, file), "utf8")).join("");
    const names = Object.keys({ ...sessionDifferences, ...storeDifferences });
    assert.deepEqual(
      names.filter((name) => !text.includes(`differs("${name}")`)),
      [],
    );
  });
});
