import assert from "node:assert/strict";
import { test } from "node:test";
import { drillJson, drillTable } from "./drill-report.ts";
import { DrillStatistics, type Outcome } from "./drill-statistics.ts";

const answered: Outcome = {
  visitor: "ann",
  method: "GET",
  startedAt: 0,
  endedAt: 4,
  failure: null,
  mayBeDone: false,
  servedBy: "shop-a/2",
};

function run(): DrillStatistics {
  const statistics = new DrillStatistics(200, 0);
  const kill = statistics.killed({ server: "shop-a", pid: 1, at: 1, owned: new Set(["ann"]) });
  statistics.add({ ...answered, method: "POST", failure: "status 502", mayBeDone: true, servedBy: "" });
  statistics.settled(true);
  statistics.add(answered);
  statistics.add({ ...answered, method: "POST", startedAt: 100, endedAt: 1_234 });
  statistics.cartsCompared = 200;
  statistics.idleVisitors = 100;
  kill.twoCopiesAfterMs = 2_040;
  return statistics;
}

test("the table tells each number, and the verdict", () => {
  const table = drillTable(run(), 1_000);
  assert.match(table, /requests +3 +3\/s of 200 visitors/);
  assert.match(table, /outcome unknown +1 /);
  assert.match(table, /found done +1 /);
  assert.match(table, /POST status 502 +1/);
  assert.match(table, /carts compared +200 +with all that was acknowledged; 100 visitors were away/);
  assert.match(table, /sessions lost +0/);
  assert.match(table, /shop-a +1 +3\.0 ms +0\.0 s +1\.2 s +2\.0 s/);
  assert.match(table, /PASSED: 1 server killed, no session lost, no idempotent request failed/);
});

test("a run that failed says why, in the table and for a program", () => {
  const statistics = run();
  statistics.add({ ...answered, failure: "connection closed", servedBy: "" });
  statistics.addTroubles(new Map([["item-lost", 2]]), () => "ann: 2 bell was owed");
  const table = drillTable(statistics, 1_000);
  assert.match(table, /FAILED: 1 idempotent requests failed; items lost: 2/);
  assert.match(table, /item-lost: ann: 2 bell was owed/);
  const json = JSON.parse(JSON.stringify(drillJson(statistics, 1_000)));
  assert.equal(json.passed, false);
  assert.deepEqual(json.get, { total: 2, failed: 1 });
  assert.deepEqual(json.post, {
    total: 2,
    unknown: 1,
    failedFoundDone: 1,
    failedFoundNotDone: 0,
    failedOtherwise: 0,
  });
  assert.deepEqual(json.carts, {
    compared: 200,
    ofIdleVisitors: 100,
    endedIdsTried: 0,
    sessionsLost: 0,
    itemsLost: 2,
    itemsNeverPutThere: 0,
    anotherVisitors: 0,
    aliveAfterEnd: 0,
  });
  assert.deepEqual(json.kills, [
    {
      server: "shop-a",
      pid: 1,
      sessionsOwned: 1,
      lastTouchedMs: 3,
      backAfterMs: 3,
      writableAfterMs: 1_200,
      twoCopiesAfterMs: 2_000,
    },
  ]);
});
