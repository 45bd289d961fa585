/**
 * `npm run simulate:stores`: sessions in a database under faults, seed after seed.
 *
 *   npm run simulate:stores -- --seeds 10000       seeds 1 to 10000
 *   npm run simulate:stores -- --seed 4711         that one alone
 *   npm run simulate:stores -- --mutant NAME       a broken store, which has to be caught
 */
import { parseArgs } from "node:util";
import { mutants } from "./mutants.ts";
import { simulate } from "./simulation.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "500" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    mutant: { type: "string" },
  },
});
const mutant = values.mutant === undefined ? null : mutants[values.mutant];
if (mutant === undefined) {
  console.error(`no mutant of that name; there are:\n  ${Object.keys(mutants).join("\n  ")}`);
  process.exit(2);
}
const from = Number(values.seed ?? values.from);
const end = values.seed === undefined ? from + Number(values.seeds) : from + 1;
const sum = { failed: 0, operations: 0, done: 0, served: 0, events: 0 };
const beganAt = performance.now();
for (let seed = from; seed < end; seed++) {
  const { violations, ...outcome } = await simulate(seed, mutant);
  for (const name of ["operations", "done", "served", "events"] as const) sum[name] += outcome[name];
  if (violations.length === 0) continue;
  sum.failed++;
  for (const violation of values.seed === undefined ? violations.slice(0, 1) : violations)
    console.log(`seed ${seed}: ${violation}`);
}
const seconds = ((performance.now() - beganAt) / 1_000).toFixed(1);
console.log(`${end - from} seeds, ${JSON.stringify(sum)}, ${seconds} s`);
process.exitCode = sum.failed > 0 ? 1 : 0;
