/** Faults on a real site, as a test: nothing is lost, and nobody is shown anything wrong. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { Coordination } from "./engines.ts";
import type { Fault } from "./faults.ts";
import { wrongs } from "./ledger.ts";
import { type RunResult, runFaults } from "./rig.ts";

const size = { visitors: 12, sleepers: 24, leavers: 1 };
const nothing = Object.fromEntries(wrongs.map((wrong) => [wrong, 0]));

/** Lets each of these faults happen once. What takes how long is measured by `npm run faults`; here everybody has to be able to write again at all. */
export async function strike(
  t: TestContext,
  coordination: Coordination,
  chosen: readonly Fault[],
): Promise<void> {
  const results: RunResult[] = [];
  const order = { coordination, faults: chosen.map(({ name }) => name), runs: 1, size, seed: 1 };
  const folder = await runFaults(order, (result) => results.push(result), t.signal);
  for (const { name, title, parts } of chosen) {
    await t.test(title, () => {
      const result = results.find(({ fault }) => fault === name)!;
      assert.deepEqual(result.wrongs, nothing, `${result.details.join("\n")}\nlogs: ${folder}`);
      assert.ok(result.totals.acknowledged > 0);
      for (const part of parts) {
        const { visitors, writableMs } = result.parts.find((each) => each.part === part)!;
        assert.ok(visitors === 0 || writableMs !== null, `somebody can't write any more (${part})`);
      }
      const gone = result.parts.reduce((sum, part) => sum + part.gone, 0);
      assert.ok(result.isTold, `no log tells of it; logs: ${folder}`);
      assert.ok(gone === 0 || result.lossLines.length > 0, "sessions are gone, and no log says so");
    });
  }
}
