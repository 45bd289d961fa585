import assert from "node:assert/strict";
import { createServer, type Server as TcpServer } from "node:net";
import { type TestContext, test } from "node:test";
import { FakeClock, LogRecorder } from "../../test/harness/link-pair.ts";
import { ok, RawOrigin } from "../../test/harness/raw.ts";
import type { CheckSettings, Cluster, ClusterFile, Server } from "../config/model.ts";
import type { ServerNews } from "../health/server-news.ts";
import { seededRandom } from "../support/clock.ts";
import { checks as limits } from "../support/limits.ts";
import { NewsBoard } from "./news-board.ts";
import { ServerChecks } from "./server-checks.ts";

const settings: CheckSettings = {
  http: { target: "/healthz", host: null, statusMin: 200, statusMax: 399, text: "" },
  ...{ intervalMs: 2_000, timeoutMs: 1_000, rise: 2, fall: 3 },
};

function serverAt(name: string, port: number, address = "127.0.0.1"): Server {
  const plain = { socketPath: null, tls: null, host: null };
  return { name, kind: "http", address, port, authority: `${address}:${port}`, plain } as unknown as Server;
}

/** A file with a cluster for each list of servers; `app` and the like. */
function fileOf(clusters: Readonly<Record<string, [CheckSettings | null, readonly Server[]]>>): ClusterFile {
  const entries = Object.entries(clusters).map(
    ([name, [check, servers]]) => [name, { name, check, servers } as unknown as Cluster] as const,
  );
  return { clusters: new Map(entries) } as unknown as ClusterFile;
}

const routes = (...names: readonly string[]): Cluster =>
  ({ routes: names.map((to) => ({ to })) }) as unknown as Cluster;

interface Checked {
  readonly clock: FakeClock;
  readonly news: NewsBoard;
  readonly told: ServerNews[];
  readonly lines: readonly string[];
  readonly checks: ServerChecks;
}

function checked(t: TestContext, resolve: (name: string) => readonly string[] = () => []): Checked {
  const [clock, news, recorder] = [new FakeClock(), new NewsBoard(), new LogRecorder()];
  const told: ServerNews[] = [];
  news.onChange = (one) => told.push(one);
  const checks = new ServerChecks({
    self: { name: "web-a", incarnation: "test" },
    ownAddress: "127.0.0.1",
    news,
    resolver: { resolve: async (name) => ({ addresses: resolve(name), validMs: 10_000 }) },
    clock,
    random: seededRandom(1),
    log: recorder.log,
  });
  t.after(() => checks.stop());
  return { clock, news, told, lines: recorder.lines, checks };
}

/** Moves on to the next check and lets it come to its end. */
async function next({ clock, checks }: Checked): Promise<void> {
  while (checks.openCount === 0) clock.advance(10);
  while (checks.openCount > 0) await new Promise((resolve) => setImmediate(resolve));
}

test("the first check decides; then `fall` bad ones and `rise` good ones in a row", async (t) => {
  let status = "200 OK";
  const origin = await RawOrigin.start(t, () => ok("x").replace("200 OK", status));
  const site = checked(t);
  site.checks.follow(fileOf({ app: [settings, [serverAt("app-a", origin.port)]] }), routes("app"));
  const verdicts: unknown[] = [];
  for (const answer of ["503 No", "200 OK", "503 No", "200 OK", "200 OK", "503 No", "500 No", "404 No"]) {
    status = answer;
    await next(site);
    verdicts.push(site.news.of("app-a").check?.passed);
  }
  assert.deepEqual(verdicts, [false, false, false, false, true, true, true, false]);
  assert.deepEqual(site.lines, [
    "app-a is down: check GET /healthz: it answered 503",
    "app-a is well again: check GET /healthz passed, 2 times in a row",
    "app-a is down: check GET /healthz: it answered 404, 3 times in a row",
  ]);
  // Workers hear what they do not know yet: the verdict changed, or the reason did.
  assert.deepEqual(
    site.told.map(({ check }) => check?.reason),
    ["check GET /healthz: it answered 503", "", "check GET /healthz: it answered 404, 3 times in a row"],
  );
  status = "410 Gone";
  await next(site);
  assert.equal(site.told.at(-1)!.check!.reason, "check GET /healthz: it answered 410");
  assert.equal(site.lines.length, 3);
});

test("only clusters that a route leads to, and that have a check", async (t) => {
  const origin = await RawOrigin.start(t, () => ok(""));
  const site = checked(t);
  const server = (name: string): Server => serverAt(name, origin.port);
  const file = fileOf({
    app: [settings, [server("app-a")]],
    other: [settings, [server("other-a")]],
    unchecked: [null, [server("unchecked-a")]],
  });
  site.checks.follow(file, routes("app", "unchecked", "app"));
  await next(site);
  await next(site);
  assert.deepEqual([...new Set(site.told.map(({ name }) => name))], ["app-a"]);
});

test("a new file: what is as it was keeps its counts, a changed check the verdict, a server elsewhere nothing", async (t) => {
  const origin = await RawOrigin.start(t, () => "HTTP/1.1 503 No\r\n\r\n");
  const good = await RawOrigin.start(t, () => ok(""));
  const site = checked(t);
  const app = serverAt("app-a", origin.port);
  const web = routes("app");
  const passed = (): boolean | undefined => site.news.of("app-a").check?.passed;
  site.checks.follow(fileOf({ app: [settings, [app]] }), web);
  await next(site);
  assert.equal(passed(), false);
  site.checks.follow(fileOf({ app: [settings, [{ ...app, weight: 5 }, serverAt("app-b", good.port)]] }), web);
  assert.equal(passed(), false);

  const slower = { ...settings, intervalMs: 60_000 };
  site.checks.follow(fileOf({ app: [slower, [app]] }), web);
  assert.equal(passed(), false);

  site.checks.follow(fileOf({ app: [slower, [serverAt("app-a", good.port)]] }), web);
  assert.equal(site.news.of("app-a").check, null);
  await next(site);
  assert.equal(passed(), true);

  site.checks.follow(fileOf({ app: [null, [serverAt("app-a", good.port)]] }), web);
  assert.equal(site.news.of("app-a").check, null);
  assert.equal(site.clock.nextDelayMs, null);
});

test("no answer in time is a bad one; one that stood still itself judges nobody", async (t) => {
  const origin = await RawOrigin.start(t, () => null);
  const site = checked(t);
  site.checks.follow(fileOf({ app: [settings, [serverAt("app-a", origin.port)]] }), routes("app"));
  while (site.checks.openCount === 0) site.clock.advance(10);
  await origin.arrived(/GET \/healthz /);
  site.clock.pause(30_000);
  assert.equal(site.news.of("app-a").check, null);
  while (origin.connections.length < 2) {
    site.clock.advance(10);
    await new Promise((resolve) => setImmediate(resolve));
  }
  site.clock.advance(settings.timeoutMs);
  assert.equal(site.news.of("app-a").check!.reason, "check GET /healthz: no answer within 1 s");
});

test("a name with several addresses: one that refuses is left for the next at once, and the one that answers is asked again", async (t) => {
  const origin = await RawOrigin.start(t, () => ok(""));
  const site = checked(t, () => ["127.0.0.2", "127.0.0.3", "127.0.0.1"]);
  const server = serverAt("app-a", origin.port, "app.example");
  site.checks.follow(fileOf({ app: [settings, [server]] }), routes("app"));
  for (let count = 0; count < 3; count++) await next(site);
  assert.equal(site.news.of("app-a").check!.passed, true);
  assert.equal(origin.requests, 3);
  origin.close();
  for (let count = 0; count < 3; count++) await next(site);
  assert.equal(
    site.news.of("app-a").check!.reason,
    "check GET /healthz: no connection (ECONNREFUSED), 3 times in a row",
  );
});

test("a name that is not known", async (t) => {
  const site = checked(t, (name) => {
    throw new Error(`getaddrinfo ENOTFOUND ${name}`);
  });
  site.checks.follow(fileOf({ app: [settings, [serverAt("app-a", 80, "app.example")]] }), routes("app"));
  await next(site);
  assert.match(
    site.news.of("app-a").check!.reason,
    /its name can't be resolved: getaddrinfo ENOTFOUND app\.example/,
  );
});

test("1,000 servers that take connections and never answer: so many are open, and none when it stops", async (t) => {
  let connections = 0;
  let connectionsMax = 0;
  const origin: TcpServer = createServer((socket) => {
    connectionsMax = Math.max(connectionsMax, ++connections);
    socket.on("error", () => {});
    socket.on("close", () => connections--);
    socket.resume();
  });
  await new Promise<void>((resolve) => origin.listen(0, "127.0.0.1", resolve));
  t.after(() => origin.close());
  const { port } = origin.address() as { port: number };
  const site = checked(t);
  const servers = Array.from({ length: 1_000 }, (_, at) => serverAt(`app-${at}`, port));
  const hanging = { ...settings, intervalMs: 1_000 };
  site.checks.follow(fileOf({ app: [hanging, servers] }), routes("app"));
  let openMax = 0;
  for (let step = 0; step < 600; step++) {
    site.clock.advance(10);
    openMax = Math.max(openMax, site.checks.openCount);
    if (step % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.equal(openMax, limits.atOnceMax);
  // Each got its turn: 512 a second, 6 s.
  assert.equal(site.news.all.filter(({ check }) => check?.passed === false).length, 1_000);
  site.checks.stop();
  assert.equal(site.checks.openCount, 0);
  while (connections > 0) await new Promise((resolve) => setTimeout(resolve, 5));
});
