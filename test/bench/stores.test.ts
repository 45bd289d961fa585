/** The benchmark of stores: its bookkeeping, and that it notices a lost write before and after it measures. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Visitors } from "../../bench/sessions/visitors.ts";
import { startDatabase } from "../../bench/stores/databases.ts";
import { type StoreSample, storeRows, storeTable } from "../../bench/stores/report.ts";
import { areRight } from "../../bench/stores/run.ts";
import { keepers, StoreSite } from "../../bench/stores/site.ts";
import { whyNoRedis } from "../harness/redis.ts";

function sample(keeper: string, round: number, appUs: number): StoreSample {
  return { keeper, page: "read", round, appUs, databaseUs: 10, p50Ms: 0.5, p99Ms: 2 };
}

test("a row's ratio is the median of its rounds' ratios, beside the one on the same database", () => {
  const rows = storeRows([
    ...[100, 60, 50].map((appUs, round) => sample("redis, load: cached", round, appUs)),
    ...[200, 80, 100].map((appUs, round) => sample("connect-redis", round, appUs)),
    sample("none", 0, 40),
  ]);
  const [ours, theirs, none] = rows;
  assert.deepEqual(ours, {
    ...{ keeper: "redis, load: cached", page: "read", beside: "connect-redis" },
    ...{ appUs: 60, databaseUs: 10, p50Ms: 0.5, p99Ms: 2, ratio: 0.5, ratioMin: 0.5, ratioMax: 0.75 },
  });
  assert.deepEqual([theirs!.appUs, theirs!.ratio, none!.ratio], [100, null, null]);
  assert.match(storeTable(rows), /redis, load: cached +60 +10 +0\.50 +2\.00 +0\.50 \(0\.50 to 0\.75\)\n/);
});

test("all that are compared answer the same, and a lost write is noticed", {
  skip: whyNoRedis() ?? false,
}, async (t) => {
  const database = await startDatabase("redis");
  t.after(() => database.remove());
  for (const name of ["redis, load: cached", "redis, load: always", "connect-redis"]) {
    const keeper = keepers.find((each) => each.name === name)!;
    const site = await StoreSite.start(keeper, new Map([["redis", database]]));
    t.after(() => site.stop());
    const visitors = await Visitors.signIn(site, 1);
    await visitors.load("write", 200, 300);
    const told: string[] = [];
    assert.ok(await areRight([visitors], "now", (line) => told.push(line)));
    visitors.answeredWrites++;
    assert.equal(await areRight([visitors], "now", (line) => told.push(line)), false);
    assert.match(told[1]!, /now: the counters stand at 60 after 61 answered writes/);
  }
});
