import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { Question } from "../admin/service.ts";
import { loadOrThrow } from "../config/load.ts";
import type { ClusterFile } from "../config/model.ts";
import type { ServerWords } from "../health/operator-words.ts";
import { silentLog } from "../support/silent-log.ts";
import { NewsBoard } from "./news-board.ts";
import { Operations, type OrdersAnswer } from "./operations.ts";

const text = (apps: string): string => `secret: 0123456789abcdef0123456789abcdef
clusters:
  web:
    servers: { web-a: { address: 192.0.2.1 }, web-b: { address: 192.0.2.2 } }
    listen: [{ http: 8080 }]
    routes: [{ to: app }]
  app: { servers: { ${apps} } }
`;

class FakeClock {
  at = 0;
  #timers: { at: number; callback: () => void }[] = [];
  now = (): number => this.at;
  after = (delayMs: number, callback: () => void): { cancel(): void } => {
    const timer = { at: this.at + delayMs, callback };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  };
  async pass(ms: number): Promise<void> {
    this.at += ms;
    const due = this.#timers.filter(({ at }) => at <= this.at);
    this.#timers = this.#timers.filter(({ at }) => at > this.at);
    for (const { callback } of due) callback();
    for (let turns = 0; turns < 5; turns++) await turn();
  }
}

interface Bench {
  readonly file: ClusterFile;
  readonly clock: FakeClock;
  readonly news: NewsBoard;
  readonly operations: Operations;
  /** "web-b orders", ... */
  readonly asked: string[];
  /** By server; a server that has none does not answer. */
  readonly answers: Map<string, (question: Question) => object>;
  reload(apps: string): ClusterFile;
}

function bench(t: TestContext): Bench {
  const folder = mkdtempSync(join(tmpdir(), "flotilla-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "flotilla.yaml");
  const reload = (apps: string): ClusterFile => {
    writeFileSync(path, text(apps));
    return loadOrThrow(path);
  };
  const file = reload("app-a: { address: 192.0.2.3, weight: 4 }, app-b: { address: 192.0.2.4 }");
  const clock = new FakeClock();
  const asked: string[] = [];
  const answers: Bench["answers"] = new Map();
  const news = new NewsBoard();
  const operations = new Operations({
    ...{ server: file.servers.get("web-a")!, file, news, clock, random: () => 0.5, log: silentLog },
    workers: { views: [], inFlightAt: () => 7, inForce: async () => {}, askReports: async () => {} },
    asker: {
      async server({ name }, question) {
        asked.push(`${name} ${question.ask}`);
        const answer = answers.get(name);
        if (answer === undefined) throw new Error(`${name} does not answer`);
        return answer(question);
      },
    },
  });
  t.after(() => operations.stop());
  return { file, clock, news, operations, asked, answers, reload };
}

const drain = (name: string, atMs: number): ServerWords => ({
  name,
  order: { value: "drain", atMs, id: "x" },
  weight: null,
});

async function operate({ operations }: Bench, name: string, content: object): Promise<OrdersAnswer> {
  return (await operations.answers.operate!({ ask: "operate", servers: [name], content })) as OrdersAnswer;
}

test("an order goes to the workers, to the app server, and into the file of the next process", async (t) => {
  const site = bench(t);
  await site.operations.begin();
  const answer = await operate(site, "app-a", {
    order: { value: "drain", atMs: 5, id: "x" },
    weight: { value: "50%", atMs: 5, id: "y" },
  });
  assert.equal(answer.unsaved, "");
  assert.deepEqual(answer.servers, [
    {
      name: "app-a",
      order: "drain",
      orderedAtMs: 5,
      weight: "50%",
      inFlight: 7,
      states: [],
      takesRequests: false,
    },
  ]);
  assert.partialDeepStrictEqual(site.news.of("app-a"), { order: "drain", orderedAtMs: 5, weight: 2 });
  assert.deepEqual(
    site.operations.standing.map(({ name }) => name),
    ["app-a"],
  );

  const next = new NewsBoard();
  const { file, clock } = site;
  const again = new Operations({
    ...{ server: file.servers.get("web-a")!, file, news: next, clock, random: () => 0.5, log: silentLog },
    workers: { views: [], inFlightAt: () => 0, inForce: async () => {}, askReports: async () => {} },
    asker: { server: async () => Promise.reject(new Error("nobody")) },
  });
  await again.begin();
  t.after(() => again.stop());
  assert.partialDeepStrictEqual(next.of("app-a"), { order: "drain", weight: 2 });
});

test("an app server that is out of service is told again and again; one that is back until it has heard it", async (t) => {
  const site = bench(t);
  await site.operations.begin();
  const told = (): number => site.asked.splice(0).filter((what) => what === "app-a order").length;
  await operate(site, "app-a", drain("app-a", 1));
  assert.equal(told(), 1);
  for (let times = 0; times < 3; times++) {
    await site.clock.pass(3_000);
    assert.equal(told(), 1);
  }
  await operate(site, "app-a", { order: { value: "ready", atMs: 2, id: "x" } });
  await site.clock.pass(3_000);
  assert.equal(told(), 2);
  const heard: unknown[] = [];
  site.answers.set("app-a", ({ content }) => {
    heard.push(content);
    return {};
  });
  await site.clock.pass(3_000);
  await site.clock.pass(3_000);
  assert.equal(told(), 1);
  assert.deepEqual(heard, [{ name: "app-a", order: { value: "ready", atMs: 2, id: "x" } }]);
});

test("what another web server knows is learned, but for what the file has no server for, and nonsense", async (t) => {
  const site = bench(t);
  const words: unknown[] = [
    drain("app-b", 9),
    drain("app-z", 9),
    drain("web-b", 9),
    { name: "app-a" },
    7,
    null,
  ];
  site.answers.set("web-b", () => ({ words }));
  await site.operations.begin();
  await site.clock.pass(0);
  assert.deepEqual(
    site.operations.standing.map(({ name }) => name),
    ["app-b"],
  );
  site.answers.set("web-b", () => ({ words: "all" }));
  await site.clock.pass(3_000);
  // An older word changes nothing.
  await operate(site, "app-b", { order: { value: "ready", atMs: 8, id: "x" } });
  assert.equal(site.news.of("app-b").order, "drain");
});

test("a reload drops orders of servers that are gone, and shares are of the new weight", async (t) => {
  const site = bench(t);
  await site.operations.begin();
  await operate(site, "app-a", { weight: { value: "50%", atMs: 1, id: "x" } });
  await operate(site, "app-b", drain("app-b", 1));
  site.operations.follow(site.reload("app-a: { address: 192.0.2.3, weight: 10 }"));
  assert.deepEqual(
    site.operations.standing.map(({ name }) => name),
    ["app-a"],
  );
  assert.equal(site.news.of("app-a").weight, 5);
  await assert.rejects(operate(site, "app-b", drain("app-b", 2)), { code: "FLOTILLA_ORDER_REFUSED" });
  await assert.rejects(operate(site, "web-b", drain("web-b", 2)), { code: "FLOTILLA_ORDER_REFUSED" });
  await assert.rejects(operate(site, "app-a", { order: "drain" }), { code: "FLOTILLA_ORDER_REFUSED" });
});

test("an order that can't be written is in force, and the answer says what is in the way", async (t) => {
  const site = bench(t);
  await site.operations.begin();
  mkdirSync(site.file.dataFolder, { recursive: true });
  writeFileSync(join(site.file.dataFolder, "orders"), "a file where the folder should be");
  const answer = await operate(site, "app-a", drain("app-a", 1));
  assert.match(answer.unsaved, /orders\/web-a\.json/);
  assert.equal(site.news.of("app-a").order, "drain");
});
