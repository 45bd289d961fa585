/**
 * Every fault once, on real servers in network namespaces, under load. What takes how long is measured by
 * `npm run faults` (docs/faults.md); here everybody has to be able to write again at all.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { faults } from "./faults.ts";
import { wrongs } from "./ledger.ts";
import { whyNoNetwork } from "./network.ts";
import { type RunResult, runFaults } from "./rig.ts";

const size = { visitors: 12, sleepers: 24, leavers: 1 };
const nothing = Object.fromEntries(wrongs.map((wrong) => [wrong, 0]));
const why = whyNoNetwork();

test("single faults lose nothing, and nobody is shown anything wrong", { skip: why ?? false }, async (t) => {
  const results: RunResult[] = [];
  const order = { faults: faults.map(({ name }) => name), runs: 1, size, seed: 1 };
  const folder = await runFaults(order, (result) => results.push(result), t.signal);
  for (const { name, title, parts } of faults) {
    await t.test(title, () => {
      const result = results.find(({ fault }) => fault === name)!;
      assert.deepEqual(result.wrongs, nothing, `${result.details.join("\n")}\nlogs: ${folder}`);
      assert.ok(result.totals.acknowledged > 0);
      for (const part of parts) {
        const { visitors, writableMs } = result.parts.find((each) => each.part === part)!;
        assert.ok(visitors === 0 || writableMs !== null, `somebody can't write any more (${part})`);
      }
      const gone = result.parts.reduce((sum, part) => sum + part.gone, 0);
      assert.ok(gone === 0 || result.lossLines.length > 0, "sessions are gone, and no log says so");
    });
  }
});
