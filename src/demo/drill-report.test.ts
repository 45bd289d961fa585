import assert from "node:assert/strict";
import { test } from "node:test";
import { drillJson, drillTable } from "./drill-report.ts";
import { DrillStatistics, type Outcome } from "./drill-statistics.ts";

const answered: Outcome = {
  method: "GET",
  startedAt: 0,
  endedAt: 4,
  failure: null,
  unknown: false,
  servedBy: "shop-a/2",
};

function run(): DrillStatistics {
  const statistics = new DrillStatistics(200, 0);
  statistics.killed({ server: "shop-a", letter: "a", pid: 1, at: 1 });
  statistics.add({ ...answered, method: "POST", failure: "status 502", unknown: true, servedBy: "" });
  statistics.add(answered);
  statistics.addSessionTrouble("lost-with-owner");
  return statistics;
}

test("the table tells each number, and the verdict", () => {
  const table = drillTable(run(), 1_000);
  assert.match(table, /requests +2 +2\/s of 200 visitors/);
  assert.match(table, /failed, unknown +1 /);
  assert.match(table, /POST status 502 +1/);
  assert.match(table, /sessions lost +1 +with the server that kept them: expected/);
  assert.match(table, /shop-a +1 +3\.0 ms +3\.0 ms/);
  assert.match(table, /PASSED: no idempotent request failed/);
});

test("a run that failed says why, in the table and for a program", () => {
  const statistics = run();
  statistics.add({ ...answered, failure: "connection closed", servedBy: "" });
  assert.match(drillTable(statistics, 1_000), /FAILED: 1 idempotent requests failed/);
  const json = JSON.parse(JSON.stringify(drillJson(statistics, 1_000)));
  assert.equal(json.passed, false);
  assert.deepEqual(json.get, { total: 2, failed: 1 });
  assert.deepEqual(json.post, { total: 1, failedNotDone: 0, failedUnknown: 1 });
  assert.deepEqual(json.kills, [{ server: "shop-a", pid: 1, lastTouchedMs: 3, backAfterMs: 3 }]);
});
