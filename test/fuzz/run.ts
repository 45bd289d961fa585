/**
 * `npm run fuzz`: the parsers of requests and answers beside a lenient one, and whole web tiers, seed after seed.
 *
 *   npm run fuzz -- --seeds 100000               seeds 1 to 100000
 *   npm run fuzz -- --seed 4711                  that one alone
 *   npm run fuzz -- --from 100001 --seeds 1000   later ones
 *
 * Prints each seed that fails with its bytes, and exits 1. What it finds belongs into corpus.ts when it is mended.
 */
import { parseArgs } from "node:util";
import { fuzzAnswers } from "./run-answers.ts";
import { fuzzRequests } from "./run-requests.ts";
import { type SeedTrial, siteTrials } from "./sites.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "10000" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
  },
});
const from = Number(values.seed ?? values.from);
const end = values.seed === undefined ? from + Number(values.seeds) : from + 1;

const ends: (() => Promise<void> | void)[] = [];
const trials: readonly SeedTrial[] = [
  ["requests, parser", async (seed) => void fuzzRequests(seed)],
  ["answers, parser", async (seed) => void fuzzAnswers(seed)],
  ...(await siteTrials({ after: (close) => void ends.push(close) })),
];
let failures = 0;
let toldAt = performance.now();
for (let seed = from; seed < end; seed++) {
  for (const [what, run] of trials) {
    try {
      await run(seed);
    } catch (error) {
      failures++;
      console.log(`seed ${seed}, ${what}: ${(error as Error).message}`);
    }
  }
  if (performance.now() - toldAt > 5_000) {
    toldAt = performance.now();
    console.error(`${seed - from + 1} of ${end - from} seeds, ${failures} failures`);
  }
}
for (const close of ends) await close();
console.log(`${end - from} seeds, ${trials.length} trials each: ${failures} failures`);
process.exitCode = failures === 0 ? 0 : 1;
