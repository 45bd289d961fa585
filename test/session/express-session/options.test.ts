/** The options of express-session's README that are not the cookie's. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { Faults, habitRoutes, type Options, subjects } from "../../harness/session-makers.ts";
import { type AnyMiddleware, type Handler, SessionSite } from "../../harness/session-site.ts";

const id: Handler = (req, res) => res.end(req.sessionID);
const written: Handler = (req, res) => {
  req.session.user = "anna";
  res.end(req.sessionID);
};

for (const subject of subjects) {
  const site = (options: Options = {}, faults?: Faults): Promise<SessionSite> =>
    SessionSite.start(subject.make(options, faults), { ...habitRoutes, "/id": id, "/write": written });

  describe(`${subject.name}: name`, () => {
    test("the cookie has it; it has a default", async () => {
      await using named = await site({ name: "shop" });
      assert.match((await named.browser().get("/count")).cookies[0]!, /^shop=/);
      await using unnamed = await site();
      const name = subject.differs("optionName") ? "sid" : "connect.sid";
      assert.ok((await unnamed.browser().get("/count")).cookies[0]!.startsWith(`${name}=`));
    });

    test("`key` is its old name", async () => {
      if (subject.differs("optionKey")) return assert.throws(() => subject.make({ key: "shop" }), /`name`/);
      await using named = await site({ key: "shop" });
      assert.match((await named.browser().get("/count")).cookies[0]!, /^shop=/);
    });

    test("two of different names on one host have a session each", async () => {
      const [one, two] = [subject.make({ name: "one" }), subject.make({ name: "two" })];
      const both: AnyMiddleware = (req, res, next) =>
        (req.url.startsWith("/count") ? one : two)(req, res, next);
      await using shop = await SessionSite.start(both, habitRoutes);
      const browser = shop.browser();
      await browser.get("/count");
      assert.equal(await browser.read("/look"), "{}");
      assert.equal(await browser.read("/count"), "2");
    });
  });

  describe(`${subject.name}: secret`, () => {
    test("signs the id: the cookie of another secret, or an edited one, is none, and the store is not asked", async () => {
      const faults = new Faults();
      await using shop = await site({ name: "sid" }, faults);
      const browser = shop.browser();
      const own = await browser.read("/write");
      const value = browser.jar.get("sid")!;
      const { loads } = faults;
      for (const edited of [
        `${value.slice(0, -1)}${value.endsWith("A") ? "B" : "A"}`,
        own,
        value.slice(0, 20),
      ]) {
        browser.jar.set("sid", edited);
        const seen = await browser.copy().read("/id");
        if (edited !== value) assert.notEqual(seen, edited === own && !subject.isStore ? "" : own);
      }
      if (subject.isStore) assert.equal(faults.loads, loads);
    });

    test("a Buffer does as well as a text", async () => {
      await using shop = await site({ secret: randomBytes(32) });
      const browser = shop.browser();
      await browser.get("/count");
      assert.equal(await browser.read("/count"), "2");
    });

    test("of several the first signs, and all are taken", async () => {
      const [before, after] = ["the word before", "the word after"];
      const cookieOf = async (secret: unknown): Promise<[string, string]> => {
        await using shop = await site({ name: "sid", secret });
        const browser = shop.browser();
        await browser.get("/count");
        return [...browser.jar][0]!;
      };
      const isTaken = async (cookie: [string, string], secret: unknown): Promise<boolean> => {
        // Each site has a store of its own; whether the id was believed shows in whether the store was asked.
        const faults = new Faults();
        await using shop = await site({ name: "sid", secret }, faults);
        const browser = shop.browser();
        browser.jar.set(...cookie);
        await browser.get("/look");
        return faults.loads > 0;
      };
      const rotated = [after, before];
      assert.equal(await isTaken(await cookieOf(before), rotated), true);
      assert.equal(await isTaken(await cookieOf(rotated), after), true);
      assert.equal(await isTaken(await cookieOf(rotated), before), false);
      if (subject.differs("optionSecret"))
        assert.throws(() => subject.make({ secret: ["1", "2", "3"] }), /the new one and the one before/);
      else assert.equal(await isTaken(await cookieOf("1"), ["3", "2", "1"]), true);
      assert.throws(() => subject.make({ secret: [] }), /secret/);
    });

    test("none: `req.secret` of cookie-parser, else an error", async () => {
      const middleware = subject.make({ secret: undefined });
      const parsed: AnyMiddleware = (req, res, next) => {
        req.secret = "a word";
        middleware(req, res, next);
      };
      await using shop = await SessionSite.start(parsed, habitRoutes);
      const browser = shop.browser();
      await browser.get("/count");
      assert.equal(await browser.read("/count"), "2");
      await using without = await site({ secret: undefined });
      const { status, body } = await without.browser().get("/count");
      if (subject.differs("optionSecret")) assert.deepEqual([status, body], [200, "1"]);
      else assert.match(`${status} ${body}`, /^500 .*secret option required/);
    });
  });

  describe(`${subject.name}: genid`, () => {
    if (subject.differs("optionGenid"))
      test("is refused", () => {
        for (const genid of [() => "apple", "bogus"])
          assert.throws(() => subject.make({ genid }), /genid.*ids are signed/);
      });
    else {
      test("is a function, and makes the ids of the request", async () => {
        assert.throws(() => subject.make({ genid: "bogus" }), /genid.*must be a function/);
        let made = 0;
        await using shop = await site({ genid: (req: { url: string }) => `${req.url} é%;,😀 ${made++}` });
        const browser = shop.browser();
        assert.equal(encodeURI(await browser.read("/write")), encodeURI("/write é%;,😀 0"));
        assert.equal(encodeURI(await browser.read("/id")), encodeURI("/write é%;,😀 0"));
        assert.equal(await browser.read("/look"), '{"user":"anna"}');
      });
    }

    test("without it ids are long and random", async () => {
      await using shop = await site();
      const ids = await Promise.all(Array.from({ length: 20 }, () => shop.browser().read("/id")));
      assert.equal(new Set(ids).size, 20);
      for (const made of ids) assert.match(made, /^[\w.-]{32,}$/);
    });
  });

  describe(`${subject.name}: saveUninitialized`, () => {
    test("its default", async () => {
      await using shop = await site({ saveUninitialized: undefined });
      const { cookies } = await shop.browser().get("/look");
      assert.equal(cookies.length, subject.differs("optionSaveUninitialized") ? 0 : 1);
    });

    test("false: nothing is kept of visitors who never write, and nothing touched", async () => {
      const faults = new Faults();
      await using shop = await site({ saveUninitialized: false, cookie: { maxAge: 60_000 } }, faults);
      const browser = shop.browser();
      for (let visit = 0; visit < 2; visit++) assert.equal((await browser.get("/look")).cookies.length, 0);
      assert.equal(faults.saves, 0);
      assert.equal((await browser.get("/write")).cookies.length, 1);
      assert.equal(faults.saves, 1);
    });

    test("true: the first visit makes a session, and the next one has it", async () => {
      const faults = new Faults();
      await using shop = await site({ saveUninitialized: true }, faults);
      const browser = shop.browser();
      assert.equal(await browser.read("/id"), await browser.read("/id"));
      assert.equal(faults.saves, 1);
    });
  });

  describe(`${subject.name}: resave`, () => {
    const savesOf = async (resave: boolean | undefined, paths: readonly string[]): Promise<number[]> => {
      const faults = new Faults();
      await using shop = await site({ resave }, faults);
      const browser = shop.browser();
      const saves: number[] = [];
      for (const path of paths) {
        await browser.get(path);
        saves.push(faults.saves);
      }
      return saves;
    };

    test("false: what was not changed is not saved", async () => {
      assert.deepEqual(await savesOf(false, ["/write", "/look", "/write", "/count"]), [1, 1, 1, 2]);
    });

    test("true, and by default: it is", async () => {
      for (const resave of [true, undefined])
        assert.deepEqual(
          await savesOf(resave, ["/write", "/look", "/count"]),
          subject.differs("optionResave") ? [1, 1, 2] : [1, 2, 3],
        );
    });

    test("a `cookie` that is the application's, deeper in the session, is data", async () => {
      await using shop = await SessionSite.start(subject.make(), {
        ...habitRoutes,
        "/cookie": (req, res) => {
          req.session.user ??= { name: "anna" };
          req.session.user.cookie = (req.session.user.cookie ?? 0) + 1;
          res.end();
        },
      });
      const browser = shop.browser();
      for (let visit = 0; visit < 2; visit++) await browser.get("/cookie");
      assert.equal(JSON.parse(await browser.read("/look")).user.cookie, 2);
    });
  });

  describe(`${subject.name}: rolling`, () => {
    test("false, and by default: the cookie is sent again only where it has to be", async () => {
      for (const rolling of [false, undefined]) {
        await using shop = await site(rolling === undefined ? {} : { rolling });
        const browser = shop.browser();
        assert.equal((await browser.get("/write")).cookies.length, 1);
        assert.equal((await browser.get("/write")).cookies.length, 0);
      }
    });

    test("true: with each response, but not while there is nothing and saveUninitialized is false", async () => {
      await using shop = await site({ rolling: true });
      const browser = shop.browser();
      assert.equal((await browser.get("/look")).cookies.length, 0);
      assert.equal((await browser.get("/write")).cookies.length, 1);
      assert.equal((await browser.get("/look")).cookies.length, 1);
      await using eager = await site({ rolling: true, saveUninitialized: true });
      const other = eager.browser();
      for (let visit = 0; visit < 2; visit++) assert.equal((await other.get("/look")).cookies.length, 1);
    });

    test("with a maxAge, the end moves with the last response, also of one that was long in the making", async () => {
      const maxAge = 3_600_000;
      await using shop = await SessionSite.start(subject.make({ rolling: true, cookie: { maxAge } }), {
        "/long": (req, res) => {
          req.session.user = "anna";
          res.write("hello, ");
          setTimeout(() => res.end("world"), 50);
        },
      });
      const browser = shop.browser();
      const endOf = async (): Promise<number> => {
        const { cookies, body } = await browser.get("/long");
        assert.equal(body, "hello, world");
        return Date.parse(/Expires=([^;]+)/.exec(cookies[0]!)![1]!);
      };
      const first = await endOf();
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      assert.ok((await endOf()) > first);
    });
  });

  describe(`${subject.name}: unset`, () => {
    const unsetSite = (options: Options, faults?: Faults): Promise<SessionSite> =>
      SessionSite.start(subject.make(options, faults), {
        ...habitRoutes,
        "/null": (req, res) => {
          req.session.count = 99;
          req.session = null;
          res.end("unset");
        },
        "/delete": (req, res) => {
          delete (req as { session?: unknown }).session;
          res.end("unset");
        },
      });

    test("other words are refused", () => {
      assert.throws(() => subject.make({ unset: "bogus!" }), /unset.*"(destroy|keep)"/);
    });

    test("keep, and by default: nothing of the request is saved, the session stays", async () => {
      for (const options of [{}, { unset: "keep" }])
        for (const path of ["/null", "/delete"]) {
          await using shop = await unsetSite(options);
          const browser = shop.browser();
          await browser.get("/count");
          assert.equal(await browser.read(path), "unset");
          assert.equal(await browser.read("/look"), '{"count":1}');
        }
    });

    test("destroy: it ends", async () => {
      for (const path of ["/null", "/delete"]) {
        await using shop = await unsetSite({ unset: "destroy" });
        const browser = shop.browser();
        await browser.get("/count");
        const other = browser.copy();
        assert.equal(await browser.read(path), "unset");
        assert.equal(await other.read("/look"), "{}");
      }
    });

    test("destroy of one that there was not: no cookie", async () => {
      await using shop = await unsetSite({ unset: "destroy" });
      assert.deepEqual((await shop.browser().get("/null")).cookies, []);
    });
  });

  describe(`${subject.name}: proxy`, () => {
    // What Express would make of it with its `trust proxy`.
    const secured = (options: Options): Promise<SessionSite> => {
      const middleware = subject.make({ cookie: { secure: true }, ...options });
      const express: AnyMiddleware = (req, res, next) => {
        if (req.headers["x-secure"] === "yes") req.secure = true;
        if (req.headers["x-tls"] === "yes") Object.assign(req.socket, { encrypted: true });
        middleware(req, res, next);
      };
      return SessionSite.start(express, habitRoutes);
    };
    const cases: [proxy: boolean | undefined, header: string, value: string, isSent: boolean][] = [
      [true, "x-forwarded-proto", "https", true],
      [true, "x-forwarded-proto", "HTTPS , http", true],
      [true, "x-forwarded-proto", "http, https", false],
      [true, "x-unrelated", "https", false],
      [true, "x-secure", "yes", false],
      [false, "x-forwarded-proto", "https", false],
      [false, "x-secure", "yes", false],
      [undefined, "x-forwarded-proto", "https", false],
      [undefined, "x-secure", "yes", true],
      [true, "x-tls", "yes", true],
      [false, "x-tls", "yes", true],
      [undefined, "x-tls", "yes", true],
    ];
    for (const [proxy, header, value, isSent] of cases)
      test(`${proxy}, and a request with ${header}: ${value}: ${isSent ? "a" : "no"} secure cookie`, async () => {
        await using shop = await secured(proxy === undefined ? {} : { proxy });
        const { cookies } = await shop.browser().get("/count", { headers: { [header]: value } });
        assert.equal(cookies.length, isSent ? 1 : 0);
      });
  });
}
