import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { FakeCluster, type FakeRequest } from "../../test/harness/health.ts";
import { serverHealth as limits } from "../support/limits.ts";
import { ServerHealth } from "./server-health.ts";

const failed = { passed: false, reason: "GET /healthz: 503" };
const passed = { passed: true, reason: "" };

function one(kind: "link" | "http") {
  const cluster = new FakeCluster([kind]);
  return { cluster, server: cluster.servers[0]!, clock: cluster.clock, lines: cluster.lines };
}

test("who was there before the web server starts with all of its share, and nothing is told of it", () => {
  for (const kind of ["link", "http"] as const) {
    const { server, lines } = one(kind);
    assert.deepEqual([server.state, server.weight, server.usable, lines], ["up", 2, true, []]);
  }
});

test("a server that joins gets a tenth of its share at first, and all of it in the end", () => {
  const { cluster, clock } = one("http");
  const settings = { slowStartMs: 10_000, recoverTimeMs: 15_000 };
  const joined = new ServerHealth({ name: "app-z", weight: 2, kind: "link" }, settings, cluster.watch, true);
  assert.deepEqual([joined.state, joined.reason, joined.usable], ["down", "not connected yet", false]);
  joined.connected("one");
  assert.deepEqual([joined.state, joined.weight, joined.usable], ["slow-start", 0.2, true]);
  let before = 0.2;
  for (let step = 1; step < 20; step++) {
    clock.advance(500);
    assert.ok(joined.weight > before && joined.state === "slow-start");
    before = joined.weight;
  }
  clock.advance(500);
  assert.deepEqual([joined.state, joined.weight], ["up", 2]);
});

test("a link that comes back: the same process has all of its share at once, another one begins slowly", () => {
  const { server, clock, lines } = one("link");
  server.lost("app-a closed the connection");
  assert.deepEqual([server.state, server.usable, server.keeps], ["down", false, false]);
  clock.advance(1_500);
  assert.deepEqual([server.reason, server.forMs], ["app-a closed the connection", 1_500]);
  server.connected("one");
  assert.equal(server.state, "up");
  server.lost("app-a closed the connection");
  clock.advance(7_200);
  server.connected("two");
  assert.deepEqual([server.state, server.weight], ["slow-start", 0.2]);
  // The dialer has told of the link.
  assert.deepEqual(lines, [
    "app-a is up again after 1.5 s",
    "app-a is up again after 7.2 s; its share of requests grows for 10 s",
  ]);
});

test("a silent link: its requests move on, and it is back with its first byte", () => {
  const { cluster, server, clock, lines } = one("link");
  const waiting = [cluster.send(server), cluster.send(server)];
  server.fellSilent(700);
  const moved = () => waiting.map((request) => request.moved);
  // A49: what it was sent first may be what blocks it.
  assert.deepEqual(moved(), [false, true]);
  assert.deepEqual([server.state, server.reason], ["down", "silent for 700 ms"]);
  clock.advance(200);
  assert.deepEqual(moved(), [true, true]);
  clock.advance(100);
  server.spoke();
  assert.deepEqual([server.state, server.weight], ["up", 2]);
  assert.deepEqual(lines, ["app-a is down: silent for 700 ms", "app-a is up again after 0.3 s"]);
});

test("a server that says that it stops drains: its requests end there, nobody new comes", () => {
  const { server } = one("link");
  server.leaving();
  assert.deepEqual(
    [server.state, server.reason, server.isCandidate, server.keeps],
    ["draining", "it is stopping", false, false],
  );
  server.lost("closed");
  server.connected("two");
  assert.equal(server.state, "slow-start");
});

test("R11 a server that can't be reached is tried by one request when its time has come", () => {
  const { cluster, server, clock } = one("http");
  server.unreachable("ECONNREFUSED", 1_000);
  clock.advance(999);
  assert.deepEqual([server.state, server.usable], ["down", false]);
  clock.advance(1);
  assert.deepEqual([server.state, server.usable], ["recovering", true]);
  cluster.send(server);
  assert.deepEqual([server.state, server.usable], ["recovering", false]);
  server.unreachable("ECONNREFUSED", 1_000);
  assert.deepEqual([server.state, server.forMs], ["down", 1_000]);
  clock.advance(1_000);
  const trial = cluster.send(server);
  server.reached();
  assert.deepEqual([server.state, server.usable], ["slow-start", true]);
  cluster.answer(server, trial);
});

test("a trial whose visitor leaves is no verdict: the next one comes a recover time later", () => {
  const { cluster, server, clock } = one("http");
  server.unreachable("no connection", 1_000);
  clock.advance(1_000);
  server.done(cluster.send(server));
  assert.equal(server.state, "down");
  clock.advance(14_999);
  assert.equal(server.usable, false);
  clock.advance(1);
  assert.equal(server.usable, true);
});

test("what a stalled server was sent, and nobody else could take, goes elsewhere also when it answers others again", () => {
  const { cluster, server, clock } = one("http");
  const parked = cluster.send(server);
  let told = 0;
  parked.onSilent = () => {
    told++;
  };
  clock.advance(1);
  server.judge("stalled", "no answer for 1 s");
  clock.advance(15_000);
  const times = told;
  cluster.ask(server);
  assert.equal(server.state, "slow-start");
  const later = cluster.send(server);
  clock.advance(3_000);
  assert.ok(told >= times + 2, `${told} times`);
  assert.equal(later.moved, false);
  server.done(parked);
  clock.advance(3_000);
  assert.equal(later.moved, false);
});

test("judged: the answer to one request decides, and each time in a row lasts longer, up to four recover times", () => {
  const { cluster, server, clock, lines } = one("http");
  server.judge("failing", "5 of its last 5 requests failed");
  for (const recoverTimes of [1, 2, 4, 4]) {
    clock.advance(15_000 * recoverTimes - 1);
    assert.equal(server.usable, false);
    clock.advance(1);
    cluster.ask(server, 500);
    assert.equal(server.state, "down");
  }
  clock.advance(60_000);
  assert.ok(server.usable && server.isTrialRisky);
  cluster.ask(server, 404);
  assert.deepEqual([server.state, server.usable], ["slow-start", true]);
  assert.equal(lines.length, 2);
});

test("a stalled server that answers anything is tried at once", () => {
  const { cluster, server } = one("http");
  const post = cluster.send(server);
  post.onSilent = () => {};
  server.judge("stalled", "no answer for 1.0 s");
  assert.equal(server.state, "down");
  cluster.answer(server, post);
  assert.deepEqual([server.state, server.usable], ["recovering", true]);
});

test("checks put it down and bring it back; orders come first", () => {
  const { cluster, server, lines } = one("http");
  cluster.tell(server, { check: failed });
  assert.deepEqual([server.state, server.reason, server.keeps], ["down", failed.reason, false]);
  cluster.tell(server, { check: failed, order: "maint" });
  assert.equal(server.state, "maintenance");
  cluster.tell(server, { check: failed });
  assert.equal(server.state, "down");
  cluster.tell(server, { check: passed });
  assert.equal(server.state, "slow-start");
  cluster.tell(server, { check: passed, order: "drain" });
  assert.deepEqual(
    [server.state, server.isCandidate, server.usable, server.keeps],
    ["draining", false, false, true],
  );
  cluster.tell(server, { check: passed, weight: 0 });
  assert.deepEqual([server.state, server.isCandidate, server.keeps], ["slow-start", false, true]);
  assert.equal(server.reason, "no new visitors get there, for its weight is 0 (an operator wants it)");
  assert.match(lines.join("\n"), /^app-a is in maintenance: an operator wants it\n/);
});

test("a check that passes again ends what a server was judged for, not the want of a link", () => {
  const { cluster, server } = one("http");
  cluster.tell(server, { check: failed });
  server.unreachable("ECONNREFUSED", 1_000_000);
  cluster.tell(server, { check: passed });
  assert.equal(server.state, "slow-start");
  const linked = one("link");
  linked.cluster.tell(linked.server, { check: failed });
  linked.server.lost("closed");
  linked.cluster.tell(linked.server, { check: passed });
  assert.equal(linked.server.state, "down");
});

test("one that flaps does not fill the log", () => {
  const { server, clock, lines } = one("link");
  for (let count = 0; count < 100; count++) {
    server.fellSilent(700);
    clock.advance(100);
    server.spoke();
  }
  assert.equal(lines.length, limits.changeLinesMax);
  assert.match(lines.at(-1)!, /it changes often, no more is told of it for a while$/);
  clock.advance(limits.changeLinesMs);
  server.fellSilent(700);
  assert.match(lines.at(-1)!, /^app-a is down: silent for 700 ms \(192 changes before it were not told\)$/);
});

/** A state of the table in docs/health.md, and how a server comes to it. */
const comesTo: Readonly<Record<string, (at: At) => void>> = {
  up: () => {},
  "slow-start": ({ cluster, server }) => {
    cluster.tell(server, { check: failed });
    cluster.tell(server, {});
    cluster.tell(server, { check: failed });
    cluster.tell(server, { check: passed });
  },
  draining: ({ cluster, server }) => cluster.tell(server, { order: "drain" }),
  maintenance: ({ cluster, server }) => cluster.tell(server, { order: "maint" }),
  "down (link)": ({ server }) => server.lost("closed"),
  "down (silent)": ({ server }) => server.fellSilent(700),
  "down (connect)": ({ server }) => server.unreachable("refused", 15_000),
  "down (judged)": ({ server }) => server.judge("failing", "fails"),
  "down (stalled)": (at) => {
    at.old = at.cluster.send(at.server);
    at.old.onSilent = () => {};
    at.server.judge("stalled", "stalls");
  },
  "down (checks)": ({ cluster, server }) => cluster.tell(server, { check: failed }),
  "down (connect, checks)": ({ cluster, server }) => {
    server.unreachable("refused", 15_000);
    cluster.tell(server, { check: failed });
  },
  "down (judged, checks)": ({ cluster, server }) => {
    server.judge("failing", "fails");
    cluster.tell(server, { check: failed });
  },
  "recovering (connect)": (at) => {
    at.server.unreachable("refused", 15_000);
    at.cluster.clock.advance(15_000);
    at.old = at.cluster.send(at.server);
  },
  "recovering (judged)": (at) => {
    at.server.judge("failing", "fails");
    at.cluster.clock.advance(15_000);
    at.old = at.cluster.send(at.server);
  },
};

const happens: Readonly<Record<string, (at: At) => void>> = {
  "its link is lost": ({ server }) => server.lost("closed"),
  "its link is silent": ({ server }) => server.fellSilent(700),
  "it says that it stops": ({ server }) => server.leaving(),
  "its link is back, of the same process": ({ server }) => server.connected("one"),
  "its link is back, of another process": ({ server }) => server.connected("two"),
  "its link speaks again": ({ server }) => server.spoke(),
  "no connection can be had": ({ server }) => server.unreachable("refused", 1_000),
  "it is stalled": ({ server }) => server.judge("stalled", "stalls"),
  "it fails more than others": ({ server }) => server.judge("failing", "fails"),
  "its recover time is over": ({ cluster }) => cluster.clock.advance(15_000),
  "it answers an old request": ({ cluster, server, old }) => cluster.answer(server, old!),
  "a connection is made": ({ server }) => server.reached(),
  "the request that tries it is answered": ({ cluster, server, old }) => cluster.answer(server, old!),
  "the request that tries it fails": ({ server, old }) => server.failed(old!),
  "the visitor of that request leaves": ({ server, old }) => server.done(old!),
  "no other server is left": ({ server }) => server.pardon(),
  "its checks fail": ({ cluster, server }) => cluster.tell(server, { check: failed }),
  "its checks pass": ({ cluster, server }) => cluster.tell(server, { check: passed }),
  "an operator drains it": ({ cluster, server }) => cluster.tell(server, { order: "drain" }),
  "an operator wants maintenance": ({ cluster, server }) => cluster.tell(server, { order: "maint" }),
  "an operator wants it ready": ({ cluster, server }) => cluster.tell(server, { order: "ready" }),
};

interface At {
  readonly cluster: FakeCluster;
  readonly server: ServerHealth;
  old?: FakeRequest;
}

test("the table of transitions in docs/health.md is what happens", () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/health.md"), "utf8");
  const [table] = /## Transitions\n[\s\S]*?(?=\n## )/.exec(page)!;
  const rows = [...table.matchAll(/^\| ([^|]+) \| ([^|]+) \| ([a-z-]+) \|$/gm)].slice(1);
  assert.ok(rows.length > 20);
  for (const [, before, happening, after] of rows)
    for (const state of before!.split(/, (?![^(]*\))/)) {
      const isLinked = /link|stops|silent/.test(`${state} ${happening}`);
      const { cluster, server } = one(isLinked ? "link" : "http");
      const at: At = { cluster, server };
      const row = `${state} | ${happening}`;
      assert.ok(comesTo[state] !== undefined && happens[happening!] !== undefined, row);
      comesTo[state]!(at);
      assert.equal(server.state, state.split(" ")[0], row);
      happens[happening!]!(at);
      assert.equal(server.state, after, row);
    }
});

/** What may happen, in whatever order. */
type Happening = (server: ServerHealth, run: Run) => void;
interface Run {
  readonly cluster: FakeCluster;
  readonly requests: FakeRequest[];
  /** It was sent to a server that recovers, of which nothing else was heard since. */
  trial: FakeRequest | null;
}

const ofLinks: readonly Happening[] = [
  (server) => server.connected("one"),
  (server) => server.connected("two"),
  (server) => server.lost("closed"),
  (server) => server.leaving(),
  (server) => server.fellSilent(700),
  (server) => server.spoke(),
];
const ofPlainServers: readonly Happening[] = [
  (server) => server.unreachable("refused", 1_000),
  (server) => server.reached(),
  (server) => server.mayBeReached(),
];
const orders = ["ready", "drain", "maint"] as const;
const news: readonly Happening[] = [
  ...orders.map(
    (order): Happening =>
      (server, { cluster }) =>
        cluster.tell(server, { order }),
  ),
  (server, { cluster }) => cluster.tell(server, { check: failed }),
  (server, { cluster }) => cluster.tell(server, { check: passed, weight: 0 }),
  (server, { cluster }) => cluster.tell(server, { check: passed }),
  (server) => server.judge("failing", "fails"),
  (server) => server.judge("stalled", "stalls"),
  (server) => server.pardon(),
];
const others: readonly Happening[] = [
  (server, { cluster }) => server.suspectOf(!server.suspect, cluster.clock.now()),
  (server, { cluster }) => server.trySuspect(cluster.clock.now()),
  (server, run) => {
    if (!server.usable) return;
    if (server.state === "recovering")
      assert.equal(run.trial, null, "one request tries it, and no second one");
    const request = run.cluster.send(server);
    if (server.state === "recovering") run.trial = request;
    run.requests.push(request);
  },
  (server, run) => {
    const request = run.requests.shift();
    if (request === undefined || request.moved) return;
    // As its trial's, or of a stalled server: it is heard of.
    run.trial = null;
    run.cluster.answer(server, request, run.requests.length % 2 === 1 ? 500 : 200);
  },
  (server, run) => {
    const request = run.requests.pop();
    if (request === undefined || request.moved) return;
    if (request === run.trial) run.trial = null;
    server.done(request);
  },
  (_server, { cluster }) => cluster.clock.advance(400),
  (_server, { cluster }) => cluster.clock.advance(16_000),
];

function holds(server: ServerHealth): void {
  const { state, usable, keeps, isCandidate, weight, fullWeight, reason } = server;
  assert.ok(!usable || isCandidate, "who takes strangers is among those that are chosen from");
  if (state === "down" || state === "maintenance") assert.ok(!usable && !keeps, "nobody is sent there");
  if (state === "draining") assert.ok(!isCandidate, "no strangers there");
  if (state !== "up" && state !== "slow-start") assert.notEqual(reason, "", "a reason");
  assert.ok(weight <= fullWeight, "never more than all of its share");
  if (state === "up") assert.equal(weight, fullWeight);
}

test("whatever happens, in any order: the invariants of docs/health.md hold", () => {
  const kinds = fc.constantFrom("link" as const, "http" as const);
  const scripts = fc.array(fc.nat(1_000), { maxLength: 80 });
  const property = fc.property(kinds, scripts, (kind, script) => {
    const cluster = new FakeCluster([kind]);
    const server = cluster.servers[0]!;
    const run: Run = { cluster, requests: [], trial: null };
    const heard = [...(kind === "link" ? ofLinks : ofPlainServers), ...news];
    const all = [...heard, ...others];
    for (const number of script) {
      const { weightChanges } = cluster.watch;
      const { fullWeight } = server;
      const happening = all[number % all.length]!;
      happening(server, run);
      if (heard.includes(happening)) run.trial = null;
      holds(server);
      if (server.fullWeight !== fullWeight)
        assert.ok(cluster.watch.weightChanges > weightChanges, "the change is seen");
    }
    // Nothing lasts: with orders and checks as at first, and its link or an answer, it is up again.
    cluster.tell(server, { check: passed });
    server.suspectOf(false, cluster.clock.now());
    if (kind === "link") server.connected("three");
    for (let count = 0; count < 3; count++) {
      cluster.clock.advance(70_000);
      if (server.usable) cluster.ask(server);
      server.reached();
    }
    cluster.clock.advance(70_000);
    assert.deepEqual([server.state, server.usable], ["up", true]);
  });
  fc.assert(property, { seed: 5, numRuns: 500 });
});
