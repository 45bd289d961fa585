/** The drill's visitors: they must see nothing wrong in a shop that works, and all that is wrong in one that does not. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { DrillStatistics } from "../../src/demo/drill-statistics.ts";
import type { Trouble } from "../../src/demo/ledger.ts";
import { Visitor } from "../../src/demo/visitor.ts";
import { seededRandom } from "../../src/support/clock.ts";
import { type ShopServer, type ShopSession, startShop } from "./shop-server.ts";

const visitorsMax = 20;

interface Visit {
  readonly shop: ShopServer;
  readonly visitors: readonly Visitor[];
  readonly statistics: DrillStatistics;
}

/** Visitors walk through the real shop in this process while `during` runs, then compare their carts. */
async function visit(
  context: TestContext,
  during: (visit: Visit) => Promise<void>,
): Promise<DrillStatistics> {
  const shop = await startShop();
  context.after(() => shop.stop());
  const statistics = new DrillStatistics(visitorsMax, performance.now());
  const over = new AbortController();
  const visitors = Array.from(
    { length: visitorsMax },
    (_, index) =>
      new Visitor(`visitor-${index}`, new URL(shop.origin), statistics, seededRandom(index), {
        minMs: 1,
        maxMs: 4,
      }),
  );
  const walks = visitors.map((visitor) => visitor.walk(over.signal));
  await until(() => statistics.requests > 500);
  await during({ shop, visitors, statistics });
  over.abort();
  await Promise.all(walks);
  await Promise.all(visitors.map((visitor) => visitor.compare()));
  return statistics;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5);
}

test("a shop that works: no failure, no trouble, every cart compared, ended ids tried again", async (context) => {
  const statistics = await visit(context, async () => {});
  assert.deepEqual(Object.fromEntries(statistics.failures), {});
  assert.deepEqual(statistics.details, []);
  assert.deepEqual(statistics.faults(), []);
  assert.ok(statistics.writes > 50);
  assert.equal(statistics.cartsCompared, visitorsMax);
  assert.ok(statistics.endedIdsTried > 0);
});

/** What happens to the sessions, or to requests on their way, and what visitors must say of it. */
const damages: [name: string, expected: Trouble, damage: (shop: ShopServer) => void][] = [
  ["sessions vanish", "session-lost", beforeEachPage(({ sessions }) => sessions.clear())],
  ["pieces are taken out of carts", "item-lost", beforeEachPage(({ sessions }) => sessions.forEach(takeOne))],
  ["pieces are put into carts", "item-added", beforeEachPage(({ sessions }) => sessions.forEach(addOne))],
  [
    "a change is acknowledged and forgotten",
    "item-lost",
    (shop) => {
      shop.fault = (req, res) => req.url === "/cart/add" && !!res.writeHead(303, { location: "/cart" }).end();
    },
  ],
  [
    "everybody is shown the session of the first who is signed in",
    "foreign",
    (shop) => {
      shop.fault = (req) => {
        const signedIn = [...shop.sessions].find(([, { name }]) => name !== undefined);
        if (req.method === "GET" && signedIn !== undefined) req.headers.cookie = `sid=${signedIn[0]}`;
        return false;
      };
    },
  ],
  [
    "whoever signs out stays signed in",
    "revived",
    (shop) => {
      shop.fault = (req, res) => req.url === "/logout" && !!res.writeHead(303, { location: "/" }).end();
    },
  ],
];

function beforeEachPage(harm: (shop: ShopServer) => void): (shop: ShopServer) => void {
  return (shop) => {
    shop.fault = (req) => {
      if (req.method === "GET") harm(shop);
      return false;
    };
  };
}

function takeOne({ cart = {} }: ShopSession): void {
  const product = Object.keys(cart)[0];
  if (product === undefined) return;
  if (cart[product] === 1) delete cart[product];
  else cart[product]!--;
}

function addOne(session: ShopSession): void {
  session.cart = { ...session.cart, rope: (session.cart?.rope ?? 0) + 1 };
}

for (const [name, expected, damage] of damages) {
  test(`${name}: ${expected}`, async (context) => {
    const statistics = await visit(context, async ({ shop, statistics: running }) => {
      damage(shop);
      await until(() => running.troublesOf(expected) >= 5);
    });
    assert.notDeepEqual(statistics.faults(), []);
    assert.ok(statistics.details.some((detail) => detail.startsWith(expected)));
  });
}

test("sessions that were ended and come back are found by their old ids", async (context) => {
  const statistics = await visit(context, async ({ shop, statistics: running }) => {
    const known = new Map<string, ShopSession>();
    shop.fault = () => {
      for (const [id, { cart, name }] of shop.sessions)
        known.set(id, { ...(cart && { cart }), ...(name && { name }) });
      return false;
    };
    await until(() => running.requests > 1_000);
    const ended = [...known].filter(([id]) => !shop.sessions.has(id));
    for (const [id, session] of ended) shop.sessions.set(id, session);
  });
  assert.ok(statistics.troublesOf("revived") >= 5);
});

test("visitors who are away ask for nothing, and look at their carts when they come back", async (context) => {
  const statistics = await visit(context, async ({ shop, visitors, statistics: running }) => {
    await Promise.all(visitors.map((visitor) => visitor.leave()));
    const { requests } = running;
    await sleep(50);
    assert.equal(running.requests, requests);
    assert.equal(running.troublesOf("session-lost"), 0);
    shop.sessions.clear();
    for (const visitor of visitors) visitor.comeBack();
    await until(() => running.troublesOf("session-lost") >= visitorsMax);
  });
  assert.equal(statistics.faults()[0], `sessions lost: ${visitorsMax}`);
});

test("a POST without an answer may have been done or not: the next page settles it, and nothing is in trouble", async (context) => {
  const statistics = await visit(context, async ({ shop, statistics: running }) => {
    shop.fault = (req, res) => {
      // It is done, and nobody is told.
      if (req.method === "POST") res.end = () => res.destroy();
      return false;
    };
    await until(() => running.foundDone >= 10);
    shop.fault = (req, res) => req.method === "POST" && !!res.writeHead(503).end();
    await until(() => running.foundNotDone >= 10);
    shop.fault = () => false;
  });
  assert.deepEqual(statistics.details, []);
  assert.deepEqual(statistics.faults(), []);
  assert.ok(statistics.writesUnknown >= 20);
});

test("failures are named: errors of the site, closed connections, answers cut off, wrong pages", async (context) => {
  const statistics = await visit(context, async ({ shop, statistics: running }) => {
    const faults: [string, ShopServer["fault"]][] = [
      ["GET status 502", (req, res) => req.method === "GET" && !!res.writeHead(502).end("<html></html>")],
      ["POST status 503", (req, res) => req.method === "POST" && !!res.writeHead(503).end()],
      ["POST status 403", (req, res) => req.method === "POST" && !!res.writeHead(403).end()],
      ["POST connection closed", (req) => req.method === "POST" && !!req.socket.destroy()],
      ["GET connection closed", (req) => req.method === "GET" && !!req.socket.destroy()],
      ["GET wrong page", (req, res) => req.method === "GET" && !!res.end("half of <html>")],
      [
        "GET answer cut off",
        (req, res) => {
          if (req.method === "POST") return false;
          res.writeHead(200, { "content-length": "1000" });
          res.write("<html>");
          return !!setTimeout(() => res.destroy(), 2);
        },
      ],
    ];
    for (const [kind, fault] of faults) {
      shop.fault = fault;
      await until(() => (running.failures.get(kind) ?? 0) >= 3);
      // Whoever has a POST without an answer looks at the cart first.
      shop.fault = () => false;
      const { requests } = running;
      await until(() => running.requests > requests + 100);
    }
  });
  assert.ok(statistics.readsFailed >= 12);
  assert.ok(statistics.writesFailed >= 3);
  assert.ok(statistics.writesUnknown >= 6);
  // Whatever is uncertain after a failed POST is no session in trouble.
  assert.deepEqual(statistics.details, []);
});
