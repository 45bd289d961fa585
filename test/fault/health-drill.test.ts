/**
 * Two faults of the health drill with Flotilla alone: what is promised when one of three app servers is frozen, and when it takes
 * requests and answers none. How others do: `npm run health-drill` (docs/health-drill.md).
 */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { drill, type Outcome } from "../../bench/health/drill.ts";
import { faults } from "../../bench/health/faults.ts";
import { raisePriority } from "../../bench/health/priority.ts";
import { promises } from "../../bench/health/report.ts";

const cells = (["frozen", "mute"] as const).flatMap((fault) =>
  (["flotilla", "flotilla-http"] as const).map((balancer) => ({ fault, balancer })),
);
/** A frozen one is back by then; a mute one is tried much later. */
const afterMs = 3_000;
/** Counted by itself, until it is well: what comes before it is left, and trials. A third of all would be 467 and 667. */
const gotMax = 25;
const outcomes: Outcome[] = [];

before(async () => {
  // What else the machine does makes requests slow as well.
  raisePriority();
  const drills = cells.map(({ fault, balancer }) =>
    drill(balancer, { ...faults.find(({ name }) => name === fault)!, afterMs }),
  );
  outcomes.push(...(await Promise.all(drills)));
});

for (const { fault, balancer } of cells) {
  test(`${fault}, behind ${balancer}: it is left, no GET fails, few requests are slow`, () => {
    const outcome = outcomes.find((each) => each.fault === fault && each.balancer === balancer)!;
    const told = JSON.stringify(outcome, null, 1);
    assert.notEqual(outcome.leftAfterMs, null, told);
    assert.ok(outcome.gotWhileIll <= gotMax, told);
    assert.equal(outcome.failedGets, promises.failedGets, told);
    assert.ok(outcome.slow <= promises.slow, told);
    // A plain one, when nothing that may not be sent twice waits there, only after its recover time.
    if (fault === "frozen" && balancer === "flotilla") assert.notEqual(outcome.backAfterMs, null, told);
  });
}
