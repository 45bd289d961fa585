/** `session({ store, load, whenUnavailable })`: sessions in a database that the application names, outside of a cluster. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createClient } from "redis";
import { type SessionOptions, session } from "../../src/session/index.ts";
import { DirectNetwork, MemoryDatabase, MemoryEngine } from "../harness/memory-engine.ts";
import { type AnyMiddleware, type Handler, SessionSite } from "../harness/session-site.ts";

const secret = "of all processes";

const routes: Record<string, Handler> = {
  "/count": (req, res) => {
    req.session.count = (req.session.count ?? 0) + 1;
    res.end(String(req.session.count));
  },
  "/look": (req, res) => res.end(req.session === undefined ? "none" : String(req.session.count)),
};

function site(options: SessionOptions): Promise<SessionSite> {
  return SessionSite.start(session(options) as AnyMiddleware, routes);
}

describe("processes on one database", () => {
  test("a visitor may be sent to any of them, one request after the other", async () => {
    const database = new MemoryDatabase();
    await using one = await site({ store: new MemoryEngine(database), secret });
    await using other = await site({ store: new MemoryEngine(database), secret });
    const browser = one.browser();
    for (let expected = 1; expected <= 6; expected++) {
      const at = expected % 2 === 0 ? other : one;
      const visitor = at.browser();
      for (const [name, value] of browser.jar) visitor.jar.set(name, value);
      assert.equal(await visitor.read("/count"), String(expected));
      for (const [name, value] of visitor.jar) browser.jar.set(name, value);
    }
    assert.equal(database.livingKeys().length, 1);
  });

  test("load: cached asks the database once, and is told of what others write", async () => {
    const database = new MemoryDatabase();
    const network = new DirectNetwork();
    await using one = await site({ store: new MemoryEngine(database, network), secret, load: "cached" });
    await using other = await site({ store: new MemoryEngine(database), secret });
    const browser = one.browser();
    assert.equal(await browser.read("/count"), "1");
    assert.equal(await browser.read("/look"), "1");
    const reads = network.calls.get("read");
    assert.equal(await browser.read("/look"), "1");
    assert.equal(network.calls.get("read"), reads, "answered from memory");
    const elsewhere = other.browser();
    for (const [name, value] of browser.jar) elsewhere.jar.set(name, value);
    assert.equal(await elsewhere.read("/count"), "2");
    assert.equal(await browser.read("/look"), "2");
  });

  test("all session() calls with one store have one memory", async () => {
    const store = new MemoryEngine();
    session({ store, secret, load: "cached" });
    session({ store, secret, load: "cached", idleTimeout: "5m" });
    assert.throws(
      () => session({ store, secret, load: "always" }),
      /the same store is used with load: "cached"/,
    );
  });

  test("all session() calls with one store and one secret have the same one before it", async () => {
    const store = new MemoryEngine();
    const refused = (secret: SessionOptions["secret"]): void =>
      assert.throws(() => session({ store, secret: secret! }), {
        code: "FLOTILLA_SESSION_OPTION",
        message: /^session\(\{ secret \}\) .*another one before it(?!.*(?:new|old|older) pearl)/,
      });
    session({ store, secret: ["new pearl", "old pearl"] });
    session({ store, secret: ["new pearl", Buffer.from("old pearl")] });
    refused("new pearl");
    refused(["new pearl", "older pearl"]);
    // Of another secret the ids are others.
    session({ store, secret: "old pearl" });
    refused(["old pearl", "older pearl"]);
  });
});

describe("a database that is down", () => {
  for (const whenUnavailable of ["refuse", "proceed"] as const)
    test(`whenUnavailable: ${whenUnavailable}`, async () => {
      const network = new DirectNetwork();
      const store = new MemoryEngine(new MemoryDatabase(), network);
      await using shop = await site({ store, secret, whenUnavailable });
      const browser = shop.browser();
      assert.equal(await browser.read("/count"), "1");
      network.isDown = true;
      assert.equal(await shop.browser().read("/look"), "undefined", "who has no session is served");
      const answer = await browser.get("/look");
      assert.deepEqual(answer.cookies, []);
      if (whenUnavailable === "refuse") {
        assert.equal(answer.status, 503);
        assert.equal(answer.headers["retry-after"], "1");
        assert.equal(answer.headers["flotilla-session"], undefined);
      } else {
        assert.deepEqual([answer.status, answer.body], [200, "none"]);
        assert.equal(answer.headers["flotilla-session"], "unavailable");
      }
      const lost = await shop.browser().get("/count");
      assert.deepEqual([lost.status, lost.cookies], [503, []], "what can't be kept is not promised");
      network.isDown = false;
      for (let status = 0; status !== 200; ) ({ status } = await browser.get("/look"));
      for (let body = "none"; body !== "1"; ) body = await browser.read("/look");
      assert.equal(await browser.read("/count"), "2");
    });
});

describe("what is no store is refused with what to write", () => {
  const engine = new MemoryEngine();
  class RedisStore {
    get(): void {}
    set(): void {}
    destroy(): void {}
  }
  const cases: readonly [SessionOptions, RegExp][] = [
    [{ store: engine }, /store .*outside of a cluster it needs secret/],
    [
      { store: "redis://:pearl@h" as never, secret },
      /no text: write redisStore\(\{ url \}\) of "flotilla\/session\/redis"/,
    ],
    [{ store: "mongodb://h" as never, secret }, /postgresStore\(\{ url \}\)/],
    [
      { store: new RedisStore() as never, secret },
      /RedisStore is a store of express-session.*redisStore\(\{ client \}\)/,
    ],
    [{ store: { connect() {}, query() {}, totalCount: 0 } as never, secret }, /postgresStore\(\{ pool \}\)/],
    [{ store: { getConnection() {} } as never, secret }, /mysqlStore\(\{ pool \}\)/],
    [{ store: { sendCommand() {} } as never, secret }, /redisStore\(\{ client \}\)/],
    [{ store: createClient() as never, secret }, /a client: write redisStore\(\{ client \}\)/],
    [{ store: (() => engine) as never, secret }, /a function: call it/],
    [{ store: null as never, secret }, /not null/],
    [
      { store: { read() {}, insert() {} } as never, secret },
      /no whole engine: it has no open, replace, touch/,
    ],
    [{ load: "always" }, /goes with store/],
    [{ whenUnavailable: "ignore" as never }, /"refuse" or "proceed"/],
    [{ secret: 5 as never }, /one secret, or the new one and the one before/],
    [{ secret: Buffer.alloc(0) }, /one secret, or/],
    [{ secret: ["a", 5] as never }, /one secret, or/],
  ];
  for (const [options, message] of cases)
    test(String(message), () => {
      assert.throws(
        () => session(options),
        (error: Error & { code: string }) => {
          assert.equal(error.code, "FLOTILLA_SESSION_OPTION");
          assert.match(error.message, message);
          assert.doesNotMatch(error.message, /pearl/);
          return true;
        },
      );
    });
});
