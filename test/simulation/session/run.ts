/**
 * `npm run simulate`: the session protocol under faults, seed after seed.
 *
 *   npm run simulate -- --seeds 10000         seeds 1 to 10000
 *   npm run simulate -- --seed 4711           that one alone, with its history
 *   npm run simulate -- --mutant NAME         a broken protocol, which has to be caught
 *   npm run simulate -- --disks               servers with durability: backup+disk
 *   npm run simulate -- --pair uncut          two voters without a witness; "cut": with what they promise nothing for
 */
import { parseArgs } from "node:util";
import { tellHistory } from "./history.ts";
import { mutants } from "./mutants.ts";
import { type Options, simulate } from "./simulation.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "500" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    mutant: { type: "string" },
    pair: { type: "string" },
    disks: { type: "boolean", default: false },
    all: { type: "boolean", default: false },
  },
});

const { pair: kind } = values;
const site: Options = {
  ...(kind === "cut" || kind === "uncut" ? { pair: kind } : {}),
  ...(values.disks ? { hasDisks: true } : {}),
};
const mutant = values.mutant === undefined ? null : (mutants[values.mutant] ?? null);
if (values.mutant !== undefined && mutant === null) {
  console.error(`no mutant of that name; there are:\n  ${Object.keys(mutants).join("\n  ")}`);
  process.exit(2);
}

const mutantOption = values.mutant === undefined ? "" : ` --mutant "${values.mutant}"`;

if (values.seed !== undefined) {
  const outcome = simulate(Number(values.seed), { mutant, keepsHistory: true, ...site });
  console.log(tellHistory(outcome, values.all));
  process.exitCode = outcome.violations.length > 0 ? 1 : 0;
} else {
  const from = Number(values.from);
  const end = from + Number(values.seeds);
  const beganAt = performance.now();
  const failed: number[] = [];
  let requests = 0;
  let events = 0;
  let toldAt = beganAt;
  for (let seed = from; seed < end; seed++) {
    const outcome = simulate(seed, { mutant, ...site });
    requests += outcome.requests;
    events += outcome.events;
    if (outcome.violations.length > 0) {
      failed.push(seed);
      console.log(`seed ${seed}: ${outcome.violations[0]!.split("\n", 1)[0]}`);
    }
    if (performance.now() - toldAt > 5_000) {
      toldAt = performance.now();
      console.error(
        `${seed - from + 1} of ${end - from} seeds, ${failed.length} failed, ${requests} requests`,
      );
    }
  }
  const seconds = ((performance.now() - beganAt) / 1_000).toFixed(1);
  console.log(
    `${end - from} seeds, ${failed.length} failed, ${requests} requests, ${events} events, ${seconds} s` +
      (failed.length > 0 ? `; replay one: npm run simulate -- --seed ${failed[0]}${mutantOption}` : ""),
  );
  process.exitCode = failed.length > 0 ? 1 : 0;
}
