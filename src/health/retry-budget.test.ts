import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RetryBudget } from "./retry-budget.ts";

/** How many of `wanted` may be sent once more now. */
function taken(budget: RetryBudget, wanted: number, nowMs: number): number {
  let count = 0;
  for (let at = 0; at < wanted; at++) if (budget.take(nowMs)) count++;
  return count;
}

test("a quiet site may repeat a hundred at once, and ten a second from then on", () => {
  const budget = new RetryBudget(0.2, 0);
  assert.equal(taken(budget, 1_000, 0), 100);
  assert.equal(taken(budget, 1_000, 9_999), 0);
  assert.equal(taken(budget, 1_000, 10_000), 100);
});

test("a busy one may repeat its share of the last ten seconds", () => {
  const budget = new RetryBudget(0.2, 0);
  for (let ms = 0; ms < 60_000; ms += 2) budget.count(ms);
  const inWindow = 0.2 * 5_000 + 100;
  assert.ok(Math.abs(taken(budget, 10_000, 60_000) - inWindow) <= 100);
  assert.equal(taken(budget, 10, 60_000), 0);
});

test("one of three servers dies with 100 requests in flight at 500 a second: all may be repeated, from the first second on", () => {
  for (const afterMs of [500, 1_000, 10_000, 100_000]) {
    const budget = new RetryBudget(0.2, 0);
    for (let ms = 0; ms < afterMs; ms += 2) budget.count(ms);
    assert.equal(taken(budget, 100, afterMs), 100);
  }
});

test("0% leaves ten a second, 100% all of them", () => {
  const none = new RetryBudget(0, 0);
  const all = new RetryBudget(1, 0);
  for (let count = 0; count < 5_000; count++) {
    none.count(0);
    all.count(0);
  }
  assert.equal(taken(none, 10_000, 0), 100);
  assert.equal(taken(all, 10_000, 0), 5_100);
});

test("in no ten seconds more are repeated than the share of twice as long a time, whatever comes when", () => {
  const steps = fc.array(
    fc.record({
      waitMs: fc.integer({ min: 0, max: 30_000 }),
      requests: fc.integer({ min: 0, max: 500 }),
      failures: fc.integer({ min: 0, max: 500 }),
    }),
    { maxLength: 40 },
  );
  const property = fc.property(steps, (all) => {
    const budget = new RetryBudget(0.2, 0);
    const log: { atMs: number; requests: number; repeated: number }[] = [];
    let now = 0;
    for (const { waitMs, requests, failures } of all) {
      now += waitMs;
      for (let count = 0; count < requests; count++) budget.count(now);
      log.push({ atMs: now, requests, repeated: taken(budget, failures, now) });
      const since = (ms: number): typeof log => log.filter(({ atMs }) => atMs > now - ms);
      const repeated = since(9_000).reduce((sum, one) => sum + one.repeated, 0);
      const possible = 100 + 0.2 * since(19_000).reduce((sum, one) => sum + one.requests, 0);
      assert.ok(repeated <= possible + 1, `${repeated} of ${possible}`);
    }
  });
  fc.assert(property, { seed: 5, numRuns: 300 });
});
