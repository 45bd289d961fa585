/** The drill's visitors: they must see nothing wrong in a shop that works, and all that is wrong in one that does not. */
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { DrillStatistics } from "../../src/demo/drill-statistics.ts";
import { Visitor } from "../../src/demo/visitor.ts";
import { seededRandom } from "../../src/support/clock.ts";

interface Session {
  count: number;
  name: string | null;
}

/** A shop with the real one's addresses and marks, small enough to be broken on purpose. */
class SmallShop {
  readonly sessions = new Map<string, Session>();
  #last = 0;
  /** Answers instead of the shop; returns true when it did. */
  fault: (req: IncomingMessage, res: ServerResponse, session: Session) => boolean = () => false;

  answer(req: IncomingMessage, res: ServerResponse): void {
    let body = "";
    req.setEncoding("utf8");
    req.on("data", (text: string) => {
      body += text;
    });
    req.on("end", () => {
      const id = /sid=([^;]+)/.exec(req.headers.cookie ?? "")?.[1] ?? `a-${++this.#last}`;
      const session = this.sessions.get(id) ?? { count: 0, name: null };
      this.sessions.set(id, session);
      res.setHeader("set-cookie", `sid=${id}; Path=/`);
      res.setHeader("x-served-by", "shop-a/1");
      if (this.fault(req, res, session)) return;
      this.#change(req.url ?? "", new URLSearchParams(body), session);
      if (req.method === "POST") return void res.writeHead(303, { location: "/cart" }).end();
      const name = session.name === null ? "" : `<b data-name="${session.name}">`;
      res.end(`<html>${name}<b data-count="${session.count}"></html>\n`);
    });
  }

  #change(path: string, form: URLSearchParams, session: Session): void {
    if (path === "/cart/add") session.count += Number(form.get("quantity"));
    if (path === "/checkout") session.count = 0;
    if (path === "/login") session.name = form.get("name");
  }
}

async function visit(
  context: TestContext,
  shop: SmallShop,
  during: (statistics: DrillStatistics) => Promise<void>,
): Promise<DrillStatistics> {
  const server = createServer((req, res) => shop.answer(req, res));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const origin = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const statistics = new DrillStatistics(20, performance.now());
  const over = new AbortController();
  const walks = Array.from({ length: 20 }, (_, index) =>
    new Visitor(`visitor-${index}`, origin, statistics, seededRandom(index), { minMs: 1, maxMs: 4 }).walk(
      over.signal,
    ),
  );
  await until(() => statistics.requests > 500);
  await during(statistics);
  over.abort();
  await Promise.all(walks);
  return statistics;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5);
}

function sessionsOf(statistics: DrillStatistics): object {
  return Object.fromEntries(statistics.sessions);
}

test("a shop that works: no failure, no session in trouble", async (context) => {
  const statistics = await visit(context, new SmallShop(), async () => {});
  assert.deepEqual(Object.fromEntries(statistics.failures), {});
  assert.deepEqual(sessionsOf(statistics), {});
  assert.ok(statistics.writes > 50);
  assert.deepEqual(statistics.faults(), []);
});

test("sessions that vanish are counted: with their killed owner, and without one", async (context) => {
  const shop = new SmallShop();
  const statistics = await visit(context, shop, async (running) => {
    shop.sessions.clear();
    await until(() => running.sessionTroubles("lost-otherwise") >= 10);
    assert.equal(running.sessionTroubles("lost-with-owner"), 0);
    // Ten of them may have lost it before; the others' next loss has a reason.
    await until(() => running.requests > 1_500);
    running.killed({ server: "shop-a", letter: "a", pid: 1, at: performance.now() });
    shop.sessions.clear();
    await until(() => running.sessionTroubles("lost-with-owner") >= 10);
  });
  assert.deepEqual(Object.keys(sessionsOf(statistics)).toSorted(), ["lost-otherwise", "lost-with-owner"]);
});

test("a cart that changed by itself and another visitor's name are told apart", async (context) => {
  const shop = new SmallShop();
  const statistics = await visit(context, shop, async (running) => {
    for (const session of shop.sessions.values()) session.count += 40;
    await until(() => running.sessionTroubles("wrong") >= 10);
    for (const session of shop.sessions.values()) session.name = "somebody-else";
    await until(() => running.sessionTroubles("foreign") >= 10);
  });
  assert.equal(statistics.sessionTroubles("lost-with-owner"), 0);
  assert.match(statistics.faults().join(), /another visitor's data/);
});

test("failures are named: errors of the site, closed connections, answers cut off, wrong pages", async (context) => {
  const shop = new SmallShop();
  const statistics = await visit(context, shop, async (running) => {
    const faults: [string, SmallShop["fault"]][] = [
      ["GET status 502", (req, res) => req.method === "GET" && !!res.writeHead(502).end("<html></html>")],
      ["POST status 503", (req, res) => req.method === "POST" && !!res.writeHead(503).end()],
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
    }
    shop.fault = () => false;
  });
  assert.ok(statistics.readsFailed >= 12);
  assert.ok(statistics.writesNotDone >= 3);
  assert.ok(statistics.writesUnknown >= 3);
  // Whatever is uncertain after a failed POST is no session in trouble.
  assert.deepEqual(sessionsOf(statistics), {});
});
