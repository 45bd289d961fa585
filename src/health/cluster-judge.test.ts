/** Three servers behind one web server, on a clock of the test: who is passed over, who is put down, and who is not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeCluster, type FakeRequest } from "../../test/harness/health.ts";
import { seededRandom } from "../support/clock.ts";
import { serverHealth as limits } from "../support/limits.ts";
import type { ServerHealth } from "./server-health.ts";

interface Answer {
  readonly afterMs: number;
  readonly status?: number;
}
/** What a server does with a request; null: it never answers. */
type Behaviour = (at: number) => Answer | null;

const quick: Behaviour = () => ({ afterMs: 5 });
const never: Behaviour = () => null;

/** Visitors of a site: one after the other, each to the next server that takes him. */
class Site {
  readonly cluster: FakeCluster;
  readonly behaviours: Behaviour[];
  /** Each with how long it took, over all servers that it was sent to; as long as the run when it got no answer. */
  readonly took: number[] = [];
  readonly statuses: number[] = [];
  readonly sentTo: Map<ServerHealth, number> = new Map();
  #turn = 0;

  constructor(behaviours: Behaviour[], cluster: FakeCluster = new FakeCluster(behaviours.map(() => "http"))) {
    this.cluster = cluster;
    this.behaviours = behaviours;
    cluster.watch.start();
  }

  /** @param everyMs between two visitors. */
  run(durationMs: number, everyMs: number = 5): void {
    for (let ms = 0; ms < durationMs; ms += everyMs) {
      this.#visit(this.cluster.clock.now());
      this.cluster.clock.advance(everyMs);
    }
  }

  sent(at: number): number {
    return this.sentTo.get(this.cluster.servers[at]!) ?? 0;
  }

  get states(): string[] {
    return this.cluster.servers.map(({ state }) => state);
  }

  get slow(): number {
    return this.took.filter((ms) => ms > 300).length;
  }

  #visit(sinceMs: number): void {
    const { servers, clock } = this.cluster;
    for (let tries = 0; tries < servers.length; tries++) {
      const server = servers[this.#turn++ % servers.length]!;
      if (!server.usable) continue;
      this.sentTo.set(server, (this.sentTo.get(server) ?? 0) + 1);
      const answer = this.behaviours[servers.indexOf(server)]!(clock.now());
      const request: FakeRequest = this.cluster.send(server);
      const move = request.onSilent.bind(request);
      request.onSilent = () => {
        move();
        this.#visit(sinceMs);
      };
      if (answer === null) return;
      clock.after(answer.afterMs, () => {
        if (request.moved) return;
        this.took.push(clock.now() - sinceMs);
        this.statuses.push(answer.status ?? 200);
        this.cluster.answer(server, request, answer.status ?? 200);
      });
      return;
    }
    this.statuses.push(503);
  }
}

function site(...behaviours: Behaviour[]): Site {
  return new Site(behaviours);
}

test("a server that stops answering is passed over after 0.1 s and put down after 0.8 s; who waits moves on", () => {
  const web = site(quick, quick, quick);
  web.run(2_000);
  web.behaviours[0] = never;
  const before = web.sent(0);
  web.run(100);
  const stuck = web.sent(0) - before;
  web.run(100);
  assert.ok(web.cluster.servers[0]!.suspect);
  web.run(1_500);
  assert.equal(web.states[0], "down");
  assert.ok(
    web.sent(0) - before <= stuck + 10,
    `${web.sent(0) - before} requests, ${stuck} in the first 0.1 s`,
  );
  assert.ok(web.slow <= 15, `${web.slow} slow requests`);
  assert.ok(!web.statuses.includes(503));
  assert.match(
    web.cluster.lines.join("\n"),
    /app-a is down: no answer for 0\.\d s while \d+ requests waited/,
  );
});

test("a server comes back also when visitors ask for nothing any more but what takes long everywhere", () => {
  const long: Behaviour = () => ({ afterMs: 3_000 });
  const web = site(never, quick, quick);
  web.run(2_000);
  assert.equal(web.states[0], "down");
  web.behaviours.fill(long);
  web.run(30_000, 200);
  assert.deepEqual(web.states, ["up", "up", "up"], web.cluster.lines.join("\n"));
});

test("R11 put down it gets one request per recover time; when that is answered it is back", () => {
  const web = site(never, quick, quick);
  web.run(2_000);
  assert.equal(web.states[0], "down");
  const before = web.sent(0);
  web.run(13_500);
  assert.equal(web.sent(0), before);
  // One, which moves on.
  web.run(3_000);
  assert.equal(web.sent(0), before + 1);
  assert.equal(web.states[0], "down");
  web.behaviours[0] = quick;
  web.run(32_000);
  assert.equal(web.states[0], "slow-start");
  web.run(11_000);
  assert.equal(web.states[0], "up");
});

test("a page that takes 20 s takes no server out, nor three of them at once", () => {
  const web = site(quick, quick, quick);
  web.run(1_000);
  let reports = 0;
  web.behaviours[0] = () => (reports++ < 3 ? { afterMs: 20_000 } : { afterMs: 5 });
  web.run(21_000, 20);
  assert.ok(web.cluster.lines.length === 0, web.cluster.lines.join("\n"));
  assert.deepEqual(web.states, ["up", "up", "up"]);
  // Between its reports it got visitors all the time.
  assert.ok(web.sent(0) > 200, `${web.sent(0)}`);
});

test("where all answers are slow nobody is suspect for it", () => {
  const slow: Behaviour = (at) => ({ afterMs: 2_000 + (at % 700) });
  const web = site(slow, slow, slow);
  web.run(30_000, 50);
  assert.deepEqual([web.states, web.cluster.lines], [["up", "up", "up"], []]);
});

test("a database that stands still stalls all servers alike: nobody is judged", () => {
  const web = site(quick, quick, quick);
  web.run(2_000);
  const until = web.cluster.clock.now() + 8_000;
  for (const at of [0, 1, 2]) web.behaviours[at] = (now) => ({ afterMs: Math.max(5, until - now) });
  web.run(12_000);
  assert.deepEqual([web.states, web.cluster.lines], [["up", "up", "up"], []]);
  assert.ok(!web.statuses.includes(503));
});

test("what is still being uploaded, or has no connection yet, is not waited for", () => {
  const cluster = new FakeCluster(["http", "http"]);
  const web = new Site([quick, quick], cluster);
  for (let count = 0; count < 5; count++) cluster.send(cluster.servers[0]!).awaitedSinceMs = 0;
  web.run(5_000);
  assert.deepEqual(web.states, ["up", "up"]);
  assert.equal(cluster.servers[0]!.suspect, false);
});

test("a web server that was itself paused judges nobody right after", () => {
  const web = site(quick, quick, quick);
  web.run(2_000);
  const { clock, servers } = web.cluster;
  // Answers wait unread.
  const requests = servers.slice(0, 2).flatMap((server) => [1, 2, 3, 4].map(() => web.cluster.send(server)));
  clock.pause(5_000);
  web.cluster.ask(servers[2]!);
  clock.advance(limits.lookIntervalMs);
  assert.ok(servers.every(({ suspect, state }) => !suspect && state === "up"));
  for (const [at, request] of requests.entries()) web.cluster.answer(servers[at >> 2]!, request);
  web.run(1_000);
  assert.deepEqual(web.states, ["up", "up", "up"]);
});

test("a server that answers 500 is put down within a few requests, longer each time, and back when it is well", () => {
  const web = site(quick, quick, quick);
  web.run(12_000);
  web.behaviours[0] = () => ({ afterMs: 1, status: 500 });
  web.run(10_000);
  assert.equal(web.states[0], "down");
  assert.match(
    web.cluster.lines.join("\n"),
    /app-a is down: \d+ of its last \d+ requests failed, more than elsewhere/,
  );
  const failures = web.statuses.filter((status) => status === 500).length;
  assert.ok(failures <= 20, `${failures} failures`);
  web.run(90_000, 20);
  // After 15, 30 and 60 s one each.
  const later = web.statuses.filter((status) => status === 500).length - failures;
  assert.ok(later <= 3, `${later} more`);
  web.behaviours[0] = quick;
  web.run(90_000, 20);
  assert.equal(web.states[0], "up");
});

test("who sends what breaks every server takes none of them out", () => {
  const random = seededRandom(7);
  // Half of the requests are poison, to whichever server they come.
  const poisoned: Behaviour = () => ({ afterMs: 2, status: random() < 0.5 ? 500 : 200 });
  const web = site(poisoned, poisoned, poisoned);
  web.run(60_000, 10);
  assert.deepEqual([web.states, web.cluster.lines], [["up", "up", "up"], []]);
});

test("never more than half of the servers are put down for failures, and a lone one never", () => {
  const bad: Behaviour = () => ({ afterMs: 1, status: 502 });
  const four = site(bad, bad, quick, quick, quick);
  four.run(5_000);
  assert.deepEqual(four.states, ["down", "down", "up", "up", "up"]);
  for (const at of [2, 3]) four.behaviours[at] = bad;
  four.run(5_000);
  assert.equal(four.states.filter((state) => state === "down").length, 2);
  const lone = site(bad);
  lone.run(5_000);
  assert.deepEqual(lone.states, ["up"]);
});

test("the last server that is left is used, whatever it was judged for", () => {
  const web = site(() => ({ afterMs: 1, status: 500 }), quick);
  web.run(5_000);
  assert.deepEqual(web.states, ["down", "up"]);
  web.cluster.servers[1]!.unreachable("ECONNREFUSED", 60_000);
  web.run(100);
  assert.deepEqual(web.states, ["up", "down"]);
});
