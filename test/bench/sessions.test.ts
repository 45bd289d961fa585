/** The session benchmark's bookkeeping, and its proof that the counters are right, on a site that it starts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { rowsOf, type SessionSample, table, verdicts } from "../../bench/sessions/report.ts";
import { type SessionKind, Site } from "../../bench/sessions/site.ts";
import { Visitors } from "../../bench/sessions/visitors.ts";

function sample(kind: SessionKind, round: number, appUs: number, storeUs: number): SessionSample {
  const times = { perSecond: 1_000, p50Ms: appUs / 100, p99Ms: 1 };
  return { kind, page: "write", load: "saturation", round, appUs, storeUs, ...times };
}

const samples: readonly SessionSample[] = [
  ...[100, 60, 50].map((appUs, round) => sample("flotilla", round, appUs, 0)),
  ...[120, 90, 80].map((appUs, round) => sample("redis", round, appUs, 20)),
  sample("none", 0, 40, 0),
];

test("a row's ratio is the median of its rounds' ratios, the store's time included", () => {
  const [cpu, p50] = rowsOf(samples);
  const name = "write/saturation/cpu";
  const times = { unit: "CPU us/request", ours: 60, theirs: 110 } as const;
  assert.deepEqual(cpu, { name, ...times, ratio: 0.55, ratioMin: 0.5, ratioMax: 0.71 });
  assert.deepEqual([p50!.name, p50!.ours, p50!.theirs], ["write/saturation/p50", 0.6, 0.9]);
  assert.match(table(samples, rowsOf(samples)), /write +saturation none +40\.0 +0\.0 +40\.0/);
});

test("a missed target is told, one that is far off fails the run", () => {
  const told = (ours: number): ReturnType<typeof verdicts> => {
    const others = ["write/steady/cpu", "write/steady/p50"].map((name) => ({ ...rowsOf(samples)[0]!, name }));
    return verdicts([{ ...rowsOf(samples)[0]!, ratio: ours }, ...others]);
  };
  assert.match(told(0.55).lines[0]!, /PASS.*0\.60: 0\.55/);
  assert.deepEqual([told(0.55).isFarOff, told(0.7).isFarOff, told(1.3).isFarOff], [false, false, true]);
  assert.match(told(0.7).lines[0]!, /FAIL.*0\.60: 0\.70/);
  assert.ok(told(Number.NaN).isFarOff);
});

test("counters are right at every app server, also when one was killed, and a lost write is noticed", async (t) => {
  const site = await Site.start("flotilla", 3);
  t.after(() => site.stop());
  const visitors = await Visitors.signIn(site);
  await visitors.load("write", 300, 200);
  assert.equal(await visitors.check(), null);
  site.kill(0);
  assert.equal(await visitors.check(0), null);
  visitors.answeredWrites++;
  assert.equal(await visitors.check(0), "the counters stand at 60 after 61 answered writes");
});
