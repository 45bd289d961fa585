/**
 * Sessions in a database under faults: the true store breaks no promise, and each broken one is caught. A failing seed is replayed by
 * `npm run simulate:stores -- --seed N`.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { faults as kinds } from "./stores/faults.ts";
import { mutants } from "./stores/mutants.ts";
import { simulate } from "./stores/simulation.ts";

const seeds = 60;
/** In which a broken store has to be noticed. */
const seedsOfMutant = 200;

test(`${seeds} seeds break no promise`, async () => {
  const broken: string[] = [];
  const happened = new Set<string>();
  const sum = { operations: 0, done: 0, served: 0 };
  for (let seed = 1; seed <= seeds; seed++) {
    const { violations, faults, operations, done, served } = await simulate(seed);
    for (const kind of faults) happened.add(kind);
    sum.operations += operations;
    sum.done += done;
    sum.served += served;
    if (violations.length > 0) broken.push(`seed ${seed}: ${violations[0]}`);
  }
  assert.deepEqual(broken, []);
  // It proves nothing when nobody is served, or nothing happens.
  assert.deepEqual([...happened].sort(), Object.keys(kinds).sort());
  assert.ok(sum.done > sum.operations / 2, `only ${sum.done} of ${sum.operations} operations were done`);
  assert.ok(sum.served > sum.operations / 20, `only ${sum.served} loads were served from copies`);
});

test("the same seed gives the same run", async () => {
  assert.deepEqual(await simulate(7), await simulate(7));
});

for (const [name, mutant] of Object.entries(mutants))
  test(`caught: ${name}`, async () => {
    const { from = 1 } = mutant;
    for (let seed = from; seed < from + seedsOfMutant; seed++)
      if ((await simulate(seed, mutant)).violations.length > 0) return;
    assert.fail(`${seedsOfMutant} seeds did not notice it`);
  });
