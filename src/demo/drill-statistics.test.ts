import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DrillStatistics, type Outcome, percentile, troubleTexts } from "./drill-statistics.ts";

const good: Outcome = {
  visitor: "ann",
  method: "GET",
  startedAt: 0,
  endedAt: 5,
  failure: null,
  mayBeDone: false,
  servedBy: "shop-a/1",
};

/** Of one visitor, whose cart was compared. */
function statisticsOfOne(): DrillStatistics {
  const statistics = new DrillStatistics(1, 0);
  statistics.cartsCompared = 1;
  return statistics;
}

const unanswered: Outcome = { ...good, method: "POST", failure: "status 502", mayBeDone: true, servedBy: "" };

test("reads and writes are counted apart, failures by kind", () => {
  const statistics = statisticsOfOne();
  statistics.add(good);
  statistics.add({ ...good, failure: "status 502", servedBy: "" });
  statistics.add({ ...good, method: "POST" });
  statistics.add(unanswered);
  statistics.add({ ...unanswered, failure: "status 403", mayBeDone: false });
  assert.deepEqual(
    [statistics.requests, statistics.reads, statistics.readsFailed, statistics.writes],
    [5, 2, 1, 3],
  );
  assert.deepEqual([statistics.writesUnknown, statistics.writesFailed], [1, 1]);
  assert.deepEqual(Object.fromEntries(statistics.failures), {
    "GET status 502": 1,
    "POST status 502": 1,
    "POST status 403": 1,
  });
  assert.deepEqual(statistics.faults(), [
    "1 idempotent requests failed",
    "1 POST failed in a way that no killed server explains",
  ]);
});

test("a kill is followed to the dead server's last touch and its successor's first answer", () => {
  const statistics = statisticsOfOne();
  const kill = statistics.killed({ server: "shop-a", pid: 1, at: 100, owned: new Set() });
  assert.deepEqual(statistics.faults(), ["nothing was asked", "shop-a did not come back"]);
  statistics.add({ ...good, endedAt: 90, servedBy: "shop-a/1" });
  statistics.add({ ...good, endedAt: 102, servedBy: "shop-a/1" });
  statistics.add({ ...good, endedAt: 150, servedBy: "shop-b/2" });
  statistics.add({ ...unanswered, endedAt: 110 });
  assert.deepEqual([kill.lastTouchedMs, kill.backAfterMs], [10, null]);
  statistics.add({ ...good, endedAt: 900, servedBy: "shop-a/7" });
  statistics.add({ ...good, endedAt: 950, servedBy: "shop-a/7" });
  statistics.add({ ...unanswered, endedAt: 990 });
  assert.deepEqual([kill.lastTouchedMs, kill.backAfterMs], [10, 800]);
  assert.deepEqual(statistics.faults(), []);
});

test("writable: the first acknowledged POST that was sent after the kill, of a session that the dead server owned", () => {
  const statistics = statisticsOfOne();
  const kill = statistics.killed({ server: "shop-a", pid: 1, at: 100, owned: new Set(["ann"]) });
  const post: Outcome = { ...good, method: "POST", startedAt: 110, endedAt: 400 };
  for (const other of [
    { ...post, startedAt: 99 },
    { ...post, visitor: "bob" },
    { ...post, method: "GET" as const },
    { ...unanswered, startedAt: 110, endedAt: 300 },
  ]) {
    statistics.add(other);
    assert.equal(kill.writableAfterMs, null);
  }
  statistics.add(post);
  statistics.add({ ...post, endedAt: 500 });
  assert.equal(kill.writableAfterMs, 300);
});

test("each kind of trouble is a fault, with the first of them in words", () => {
  for (const [trouble, text] of troubleTexts) {
    const statistics = statisticsOfOne();
    statistics.add(good);
    assert.deepEqual(statistics.faults(), []);
    statistics.addTroubles(new Map([[trouble, 2]]), () => "ann saw it");
    assert.deepEqual(statistics.faults(), [`${text}: 2`]);
    assert.deepEqual(statistics.details, [`${trouble}: ann saw it`]);
  }
});

test("only so many troubles are told in words; without trouble nobody is asked for them", () => {
  const statistics = statisticsOfOne();
  statistics.addTroubles(new Map(), () => assert.fail());
  for (let times = 0; times < 50; times++) statistics.addTroubles(new Map([["foreign", 1]]), () => "again");
  assert.equal(statistics.troublesOf("foreign"), 50);
  assert.equal(statistics.details.length, 10);
});

test("a cart that was not compared and an early end are faults", () => {
  const statistics = new DrillStatistics(2, 0);
  statistics.add(good);
  statistics.cartsCompared = 1;
  statistics.endedEarly = "it ended early";
  assert.deepEqual(statistics.faults(), ["1 carts could not be compared", "it ended early"]);
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
