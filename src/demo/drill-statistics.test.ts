import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DrillStatistics, type Outcome, percentile } from "./drill-statistics.ts";

const good: Outcome = {
  method: "GET",
  startedAt: 0,
  endedAt: 5,
  failure: null,
  unknown: false,
  servedBy: "shop-a/1",
};

test("reads and writes are counted apart, failures by kind", () => {
  const statistics = new DrillStatistics(2, 0);
  statistics.add(good);
  statistics.add({ ...good, failure: "status 502", servedBy: "" });
  statistics.add({ ...good, method: "POST" });
  statistics.add({ ...good, method: "POST", failure: "status 502", unknown: true, servedBy: "" });
  statistics.add({ ...good, method: "POST", failure: "status 503", servedBy: "" });
  assert.deepEqual(
    [statistics.requests, statistics.reads, statistics.readsFailed, statistics.writes],
    [5, 2, 1, 3],
  );
  assert.deepEqual([statistics.writesUnknown, statistics.writesNotDone], [1, 1]);
  assert.deepEqual(Object.fromEntries(statistics.failures), {
    "GET status 502": 1,
    "POST status 502": 1,
    "POST status 503": 1,
  });
  assert.deepEqual(statistics.faults(), ["1 idempotent requests failed"]);
});

test("a kill is followed to the dead server's last touch and its successor's first answer", () => {
  const statistics = new DrillStatistics(1, 0);
  const kill = statistics.killed({ server: "shop-a", letter: "a", pid: 1, at: 100 });
  assert.deepEqual(statistics.faults(), ["nothing was asked", "shop-a did not come back"]);
  statistics.add({ ...good, endedAt: 90, servedBy: "shop-a/1" });
  statistics.add({ ...good, endedAt: 102, servedBy: "shop-a/1" });
  statistics.add({ ...good, endedAt: 150, servedBy: "shop-b/2" });
  statistics.add({
    ...good,
    method: "POST",
    endedAt: 110,
    failure: "status 502",
    unknown: true,
    servedBy: "",
  });
  assert.deepEqual([kill.lastTouchedMs, kill.backAfterMs], [10, null]);
  statistics.add({ ...good, endedAt: 900, servedBy: "shop-a/7" });
  statistics.add({ ...good, endedAt: 950, servedBy: "shop-a/7" });
  statistics.add({
    ...good,
    method: "POST",
    endedAt: 990,
    failure: "status 500",
    unknown: true,
    servedBy: "",
  });
  assert.deepEqual([kill.lastTouchedMs, kill.backAfterMs], [10, 800]);
  assert.deepEqual(statistics.faults(), []);
});

test("only a session made before the kill may be lost with its owner", () => {
  const statistics = new DrillStatistics(1, 0);
  statistics.killed({ server: "shop-b", letter: "b", pid: 2, at: 100 });
  assert.equal(statistics.ownerKilledSince("b", 50), true);
  assert.equal(statistics.ownerKilledSince("b", 150), false);
  assert.equal(statistics.ownerKilledSince("a", 50), false);
});

test("another visitor's data is a fault, a lost session is not", () => {
  const statistics = new DrillStatistics(1, 0);
  statistics.add(good);
  statistics.addSessionTrouble("lost-with-owner");
  assert.deepEqual(statistics.faults(), []);
  statistics.addSessionTrouble("foreign");
  assert.deepEqual(statistics.faults(), ["1 answers showed another visitor's data"]);
});

test("percentile is the nearest rank", () => {
  assert.equal(percentile([], 0.5), 0);
  assert.equal(percentile([1, 2, 3, 4], 0.5), 2);
  assert.equal(percentile([1, 2, 3, 4], 0.99), 4);
  const values = fc.array(fc.integer(), { minLength: 1, maxLength: 50 });
  const share = fc.double({ min: 0.01, max: 1, noNaN: true });
  fc.assert(
    fc.property(values, share, (unsorted, wanted) => {
      const sorted = unsorted.toSorted((left, right) => left - right);
      const value = percentile(sorted, wanted);
      const notAbove = sorted.filter((other) => other <= value).length;
      const below = sorted.filter((other) => other < value).length;
      assert.ok(notAbove >= wanted * sorted.length - 1e-9);
      assert.ok(below < wanted * sorted.length);
    }),
    { seed: 8 },
  );
});
