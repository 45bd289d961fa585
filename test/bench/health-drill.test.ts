/** The health drill's bookkeeping: what it makes of its requests, and of its figures. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Outcome, outcomeOf } from "../../bench/health/drill.ts";
import { gain, type NeighbourSample, neighbourVerdicts } from "../../bench/health/neighbour.ts";
import { failures, table, verdicts } from "../../bench/health/report.ts";
import type { Asked } from "../../bench/health/visitors.ts";

/** Ten requests per second for ten seconds, in turn to a, b and c; b is ill from 3 to 6 s. */
const times = { struckAtMs: 3_000, wellAtMs: 6_000 };
const asked = (change: (number: number) => Partial<Asked>): Asked[] =>
  Array.from({ length: 100 }, (_, number) => {
    const dueAtMs = number * 100;
    const server = `app-${"abc"[number % 3]}`;
    return {
      number,
      method: "GET",
      dueAtMs,
      endedAtMs: dueAtMs + 20,
      server,
      failure: "",
      ...change(number),
    };
  });
const toVictim = (all: readonly Asked[]): number[] =>
  all.filter(({ server }) => server === "app-b").map(({ number }) => number);

test("nobody notices anything", () => {
  const all = asked(() => ({}));
  const outcome = outcomeOf(all, toVictim(all), "app-b", times, false);
  assert.equal(outcome.requests, 100);
  assert.deepEqual([outcome.failedGets, outcome.failedPosts, outcome.slow], [0, 0, 0]);
  assert.deepEqual([outcome.longestMs, outcome.p99Ms, outcome.gotWhileIll], [20, 20, 10]);
  assert.equal(outcome.leftAfterMs, null, "it got requests all the time");
  assert.equal(outcome.backAfterMs, 9 * 300 + 120);
});

test("a frozen server is left, tried once, and back", () => {
  const all = asked((number) => {
    if (number === 31) return { endedAtMs: 6_010 };
    if (number === 34) return { endedAtMs: 3_900, server: "app-c" };
    const isElsewhere = number > 34 && number < 60 && number !== 55;
    return isElsewhere ? { server: "app-a" } : {};
  });
  const arrivals = [...toVictim(all), 34];
  const outcome = outcomeOf(all, arrivals, "app-b", times, false);
  assert.deepEqual([outcome.leftAfterMs, outcome.gotWhileIll], [400, 3]);
  assert.deepEqual([outcome.slow, outcome.longestMs], [2, 2_910]);
});

test("a dead server counts nothing: what its visitors noticed tells when it was left", () => {
  const all = asked((number) => {
    if (number === 31) return { failure: "answered 502", server: "" };
    if (number === 32) return { failure: "cut off", server: "", method: "POST" };
    return number < 60 ? { server: "app-a" } : {};
  });
  const outcome = outcomeOf(all, toVictim(all), "app-b", times, true);
  assert.deepEqual([outcome.leftAfterMs, outcome.failedGets, outcome.failedPosts], [200, 1, 1]);
  assert.deepEqual(outcome.failures, { "answered 502": 1, "cut off": 1 });
});

function outcome(balancer: Outcome["balancer"], change: Partial<Outcome>): Outcome {
  const counts = {
    requests: 3_600,
    gotWhileIll: 5,
    inUseWhenWell: false,
    failedGets: 0,
    failedPosts: 0,
    failures: {},
  };
  const moments = { leftAfterMs: 100, longestMs: 800, p99Ms: 30, backAfterMs: 400 };
  return { fault: "frozen", balancer, ...counts, slow: 5, ...moments, ...change };
}

test("the table has a row per balancer, and a verdict tells in what a peer is better", () => {
  const ours = outcome("flotilla", { slow: 20 });
  const theirs = outcome("nginx", {
    slow: 460,
    longestMs: 7_000,
    leftAfterMs: null,
    inUseWhenWell: true,
    backAfterMs: null,
  });
  const other = outcome("haproxy", { slow: 3, failures: { "cut off": 2 } });
  assert.match(
    table([ours, theirs]),
    /\| `frozen` \| flotilla \| +0\.10 s \|.*\n\| +\| nginx +\| +never \|.*not yet \|/,
  );
  assert.deepEqual(failures([ours, other]), ["  frozen, haproxy: 2 cut off"]);
  const [promised, besideNginx, besideHaproxy] = verdicts([ours, theirs, other]);
  assert.match(promised!, /FAIL.*20 are slow \(15\)/);
  assert.match(besideNginx!, /PASS.*beside nginx: better in failed or slow, the longest \(ms\)$/);
  assert.match(besideHaproxy!, /FAIL.*worse in failed or slow \(20 to 3\); better in nothing/);
});

test("a policy's gain is the median of the rounds' own ratios", () => {
  const sample = (policy: NeighbourSample["policy"], round: number, p99Ms: number): NeighbourSample => ({
    ...{ policy, round, p99Ms },
    ...{ p50Ms: 5, crippledShare: 0.1, failed: 0 },
  });
  const samples = [100, 900, 120].map((p99Ms, round) => sample("round-robin", round, p99Ms));
  samples.push(...[50, 100, 100].map((p99Ms, round) => sample("latency", round, p99Ms)));
  samples.push(...[90, 800, 100].map((p99Ms, round) => sample("least-load", round, p99Ms)));
  assert.equal(gain(samples, "latency"), 2);
  const [leastLoad, latency] = neighbourVerdicts(samples);
  assert.match(leastLoad!, /FAIL.*least-load.*1\.1/);
  assert.match(latency!, /PASS.*latency.*2\.0/);
});
