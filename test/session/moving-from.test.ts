/** `session({ movingFrom })`: visitors with cookies of express-session or @fastify/session, and those who would like to have been some. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, test } from "node:test";
import fastifyCookie from "@fastify/cookie";
import fastifySession from "@fastify/session";
import fastify from "fastify";
import { readRecord } from "../../src/session/checkpoint/record.ts";
import { Entry } from "../../src/session/entry.ts";
import { keyOfSid } from "../../src/session/foreign/key-of-sid.ts";
import { recordOfStored } from "../../src/session/foreign/stored-session.ts";
import { idOfKey } from "../../src/session/id.ts";
import { type SessionOptions, session } from "../../src/session/index.ts";
import { Keeper } from "../../src/session/keeper.ts";
import { middlewareOf } from "../../src/session/middleware.ts";
import { habitsOf } from "../../src/session/options.ts";
import { placeAlone } from "../../src/session/place.ts";
import { endless } from "../../src/session/snapshot.ts";
import { oldRoutes, oldSecret } from "../harness/old-site.ts";
import { type AnyMiddleware, type Browser, SessionSite } from "../harness/session-site.ts";

const sid = "nzVPBB4bZSj0sqcKQmqUEQP4kKhV2hZy";

/** As the package cookie-signature does. */
function signed(text: string, secret = oldSecret): string {
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64").replace(/=+$/, "")}`;
}

function connectSid(text: string, secret = oldSecret): string {
  return encodeURIComponent(`s:${signed(text, secret)}`);
}

interface MovedSite {
  readonly site: SessionSite;
  readonly keys: () => number;
}

/** With one session of before, in which two were counted. */
async function moved(
  options: SessionOptions = {},
  data: Readonly<Record<string, unknown>> = { count: 2 },
): Promise<MovedSite> {
  const place = placeAlone(null);
  const entries = new Map(Object.entries(data).map(([key, value]) => [key, Entry.of(key, value)]));
  place.store.create(idOfKey(keyOfSid(sid)), entries, 60_000, endless, () => {});
  const habits = habitsOf({ movingFrom: { secret: oldSecret }, ...options }, options.name ?? "sid");
  const middleware = middlewareOf(new Keeper(place, habits)) as AnyMiddleware;
  return { site: await SessionSite.start(middleware, oldRoutes), keys: () => place.store.count };
}

function with_(site: SessionSite, value: string, name = "connect.sid"): Browser {
  const browser = site.browser();
  browser.jar.set(name, value);
  return browser;
}

describe("movingFrom", () => {
  test("the old cookie leads to the session, and is answered with one of ours over the same session", async () => {
    const { site, keys } = await moved();
    await using _ = site;
    const browser = with_(site, connectSid(sid));
    const answer = await browser.get("/look");
    assert.equal(answer.body, '{"count":2}');
    assert.match(answer.cookies.join(), /^sid=/);
    assert.equal(browser.jar.get("sid")!.slice(3, 27), keyOfSid(sid));
    browser.jar.delete("connect.sid");
    assert.equal(await browser.read("/count"), "3");
    assert.equal((await browser.get("/look")).cookies.length, 0);
    assert.equal(
      await with_(site, connectSid(sid)).read("/count"),
      "4",
      "another tab, still with the old one",
    );
    assert.equal(keys(), 1);
  });

  test("a key that is a name of the session's own, as the site's store took it: refused, and nothing is lost", async () => {
    for (const whenUnavailable of ["refuse", "proceed"] as const) {
      const { site, keys } = await moved({ whenUnavailable }, { count: 2, id: 7 });
      await using _ = site;
      const answer = await with_(site, connectSid(sid)).get("/look");
      assert.equal(answer.status, whenUnavailable === "refuse" ? 503 : 200);
      assert.deepEqual([answer.cookies, keys()], [[], 1]);
    }
  });

  test("of @fastify/session, by another name, with the second of two secrets, under our own cookie's name", async () => {
    const { site } = await moved({
      ...{ name: "sessionId", movingFrom: { name: "sessionId", secret: ["newer", oldSecret] } },
    });
    await using _ = site;
    const browser = with_(site, encodeURIComponent(signed(sid)), "sessionId");
    assert.equal(await browser.read("/count"), "3");
    assert.equal(browser.jar.get("sessionId")!.length, 50, "ours has taken its place");
    assert.equal(await browser.read("/count"), "4");
  });

  test("a cookie and a session that @fastify/session itself made", async () => {
    const texts = new Map<string, string>();
    const app = fastify();
    await app.register(fastifyCookie);
    await app.register(fastifySession, {
      secret: `${oldSecret}, of 32 characters or more`,
      cookie: { secure: false, maxAge: 60_000 },
      store: {
        set: (id, value, done) => done(void texts.set(id, JSON.stringify(value))),
        get: (id, done) => done(null, JSON.parse(texts.get(id) ?? "null")),
        destroy: (id, done) => done(void texts.delete(id)),
      },
    });
    app.get("/", (req) => {
      (req.session as { count?: number }).count = 2;
      return "";
    });
    const { headers } = await app.inject("/");
    await app.close();
    const cookie = String(headers["set-cookie"]).split(";")[0]!;
    const [[storedSid, text]] = [...texts] as [[string, string]];
    const record = recordOfStored({ sid: storedSid, text, leftMs: 60_000 }, 60_000, Date.now());

    const place = placeAlone(null);
    const { session: stored } = readRecord(record);
    place.store.create(idOfKey(stored.key), stored.entries, stored.idleTimeoutMs, endless, () => {});
    const movingFrom = { name: "sessionId", secret: `${oldSecret}, of 32 characters or more` };
    const middleware = middlewareOf(new Keeper(place, habitsOf({ movingFrom }, "sid"))) as AnyMiddleware;
    await using site = await SessionSite.start(middleware, oldRoutes);
    const answer = await site.browser().get("/count", { headers: { cookie } });
    assert.equal(answer.body, "3");
    assert.match(answer.cookies.join(), /^sid=[^;]+; Max-Age=60; .*HttpOnly$/);
  });

  test("requests at the same time with nothing but the old cookie find one session", async () => {
    const { site, keys } = await moved();
    await using _ = site;
    const browsers = Array.from({ length: 20 }, () => with_(site, connectSid(sid)));
    await Promise.all(browsers.map((browser) => browser.get("/look")));
    for (const browser of browsers) assert.equal(browser.jar.get("sid")!.slice(3, 27), keyOfSid(sid));
    assert.equal(keys(), 1);
  });

  test("a logout ends it for the old cookie too, and a new id at the login leaves the old one behind", async () => {
    for (const path of ["/logout", "/login"]) {
      const { site } = await moved();
      await using _ = site;
      const browser = with_(site, connectSid(sid));
      await browser.read(path);
      assert.equal(await with_(site, connectSid(sid)).read("/look"), "{}", path);
      assert.equal(await browser.read("/look"), path === "/login" ? '{"user":1}' : "{}");
    }
  });

  test("attacks: what is not signed with the old secret is no cookie, and makes none", async () => {
    const { site, keys } = await moved({ movingFrom: { secret: [oldSecret, "second"] } });
    await using _ = site;
    const right = connectSid(sid);
    const forged: Record<string, string> = {
      "another secret": connectSid(sid, "a guess"),
      "no signature": encodeURIComponent(`s:${sid}`),
      "an empty one": encodeURIComponent(`s:${sid}.`),
      "one character changed": right.replace("nz", "nZ"),
      "a shorter signature": right.slice(0, -1),
      "a longer one": `${right}A`,
      "its padding": `${right}%3D`,
      "characters beyond ASCII": encodeURIComponent(`s:${sid}.${"é".repeat(43)}`),
      "half of a percent sign": "%E0%A4%A",
      "the key in place of the sid": connectSid(keyOfSid(sid), "a guess"),
      "an id of ours without a signature": `a-A${keyOfSid(sid)}.${"A".repeat(22)}`,
      nothing: "",
      "a flood": `s%3A${"x".repeat(100_000)}`.slice(0, 12_000),
    };
    for (const [what, value] of Object.entries(forged)) {
      const answer = await with_(site, value).get("/look");
      assert.deepEqual([answer.body, answer.cookies], ["{}", []], what);
    }
    assert.equal(keys(), 1);
  });

  test("attacks: planted cookies of the same name do not hide the right one; only the first four are looked at", async () => {
    const { site } = await moved();
    await using _ = site;
    const planted = (count: number): string => `connect.sid=${connectSid(sid, "planted")}; `.repeat(count);
    const look = async (cookie: string): Promise<string> =>
      (await site.browser().get("/look", { headers: { cookie } })).body;
    assert.equal(await look(`${planted(3)}connect.sid=${connectSid(sid)}`), '{"count":2}');
    assert.equal(await look(`${planted(4)}connect.sid=${connectSid(sid)}`), "{}");
    assert.equal(await look(`xconnect.sid=${connectSid(sid)}`), "{}");
  });

  test("attacks (fixation): a signed sid of no session makes none, under its key or another one", async () => {
    const { site, keys } = await moved();
    await using _ = site;
    const unknown = connectSid("0123456789abcdef0123456789abcdef");
    const browser = with_(site, unknown);
    assert.equal((await browser.get("/look")).cookies.length, 0);
    assert.equal(await browser.read("/count"), "1");
    assert.notEqual(browser.jar.get("sid")!.slice(3, 27), keyOfSid("0123456789abcdef0123456789abcdef"));
    assert.equal(await with_(site, unknown).read("/look"), "{}");
    assert.equal(keys(), 2);
  });

  test("a cookie of ours comes first, also when its session has ended", async () => {
    const { site } = await moved();
    await using _ = site;
    const browser = site.browser();
    await browser.read("/count");
    browser.jar.set("connect.sid", connectSid(sid));
    assert.equal(await browser.read("/look"), '{"count":1}');
    await browser.read("/logout");
    assert.equal(await browser.read("/look"), "{}");
  });

  test("options that can't be are refused when it is made", () => {
    const wrong: unknown[] = [
      ...[true, {}, { secret: "" }, { secret: [] }, { secret: ["a", 1] }, { secret: "a", name: "a b" }],
      ...[{ secret: "a", cookie: 1 }, { secret: Array(5).fill("a") }],
    ];
    for (const movingFrom of wrong)
      assert.throws(() => session({ movingFrom } as SessionOptions), {
        code: "FLOTILLA_SESSION_OPTION",
        message: /session\({ movingFrom }\) is not possible/,
      });
    session({ movingFrom: { secret: [Buffer.from("a"), "b"] } });
  });
});
