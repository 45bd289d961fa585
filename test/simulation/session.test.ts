/**
 * The session protocol under faults: 500 seeds of the true one, and each broken one caught by some of them. A failing
 * seed is replayed, with its history, by `npm run simulate -- --seed N`.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { episodes } from "./session/episodes.ts";
import { mutants } from "./session/mutants.ts";
import { rolloutKinds } from "./session/rollout.ts";
import { breakages } from "./session/saved.ts";
import { type Outcome, simulate } from "./session/simulation.ts";

const seeds = 500;

function firstLine({ seed, violations }: Outcome): string {
  return `seed ${seed}: ${violations[0]!.split("\n", 1)[0]}`;
}

test(`${seeds} seeds break no promise`, () => {
  const broken: string[] = [];
  let requests = 0;
  let refused = 0;
  const broke = new Set<string>();
  let pairs = 0;
  let refusedLinks = 0;
  let refusedFrames = 0;
  const happened = new Set<string>();
  for (let seed = 1; seed <= seeds; seed++) {
    const outcome = simulate(seed);
    requests += outcome.requests;
    refused += outcome.refused;
    for (const name of [...outcome.episodes, outcome.rollout]) if (name !== null) happened.add(name);
    for (const breakage of outcome.brokenCopies) broke.add(breakage);
    if (outcome.pair !== null) pairs++;
    refusedLinks += outcome.refusals;
    refusedFrames += outcome.refusedFrames;
    if (outcome.violations.length > 0) broken.push(firstLine(outcome));
  }
  assert.deepEqual(broken, []);
  // It proves nothing when nobody is served, or nothing happens.
  assert.deepEqual(
    [...episodes, ...rolloutKinds].map(({ name }) => name).filter((name) => !happened.has(name)),
    [],
  );
  assert.deepEqual([...broke].sort(), [...breakages].sort());
  assert.ok(pairs > 10, `only ${pairs} sites with two voters`);
  assert.ok(refusedLinks > 100, `only ${refusedLinks} links were refused`);
  assert.ok(refusedFrames > 10, `only ${refusedFrames} frames were refused`);
  assert.ok(requests > 100_000, `only ${requests} requests`);
  assert.ok(refused < requests / 50, `${refused} of ${requests} requests were refused`);
});

test("the same seed gives the same run", () => {
  const one = simulate(11, { keepsHistory: true });
  const other = simulate(11, { keepsHistory: true });
  assert.deepEqual(one, other);
});

test("two voters without a witness promise nothing for a cut between them: that would be seen", () => {
  for (let seed = 1; seed <= seeds; seed++) {
    if (simulate(seed, { pair: "cut" }).violations.some((what) => /^I[1-9]\b/.test(what))) return;
  }
  assert.fail(`${seeds} seeds did not notice it`);
});

for (const [name, mutant] of Object.entries(mutants)) {
  test(`caught: ${name}`, () => {
    const { from = 1 } = mutant;
    for (let seed = from; seed < from + seeds; seed++) {
      if (simulate(seed, { mutant }).violations.length > 0) return;
    }
    assert.fail(`${seeds} seeds did not notice it`);
  });
}
