/**
 * The register of the members in simulated life: 300 seeds of crashes between any two steps of a vote, power cuts, pauses,
 * cuts in one or both directions, loss, duplicates and delays, clocks 10% off, full disks, lost and torn voters' files,
 * changes of voters and answers that never come. And the same lives with a faulty part, each of which must be noticed.
 *
 *   FLOTILLA_SEED=17 node --test test/simulation/register.test.ts    one seed, with its history
 */
import assert from "node:assert/strict";
import test from "node:test";
import { VoterChanges } from "../../src/register/members/voter-changes.ts";
import type { Voter, VoterSet } from "../../src/register/members/voters.ts";
import { type LifeOptions, live, type Outcome } from "./register/life.ts";
import { type Parts, soundParts } from "./register/world.ts";

const seeds = 300;
const chosen = process.env.FLOTILLA_SEED;

/** Three voters mostly, sometimes five or one; more machines than voters. */
function optionsOf(seed: number, parts: Parts = soundParts): LifeOptions {
  const voters = [3, 3, 3, 5, 1][seed % 5]!;
  return { machines: Math.max(4, voters), voters, parts };
}

function report(seed: number, { failure, history }: Outcome): string {
  const last = chosen === undefined ? history.slice(-60) : history;
  return [`seed ${seed}: ${failure}`, ...last, `Replay: FLOTILLA_SEED=${seed}`].join("\n");
}

test(`the register keeps its promises in ${seeds} lives`, () => {
  const sum: Record<string, number> = {};
  for (const seed of seedsToRun()) {
    const outcome = live(seed, optionsOf(seed));
    if (outcome.failure !== null || chosen !== undefined) console.log(report(seed, outcome));
    assert.equal(outcome.failure, null, `seed ${seed}`);
    for (const [name, count] of Object.entries(outcome.counts)) sum[name] = (sum[name] ?? 0) + count;
  }
  // Lives in which nothing happens prove nothing.
  if (chosen === undefined)
    for (const [name, count] of Object.entries(sum)) assert.ok(count > 50, `only ${count} times "${name}"`);
});

test("two voters go on alone, and agree again when they meet", () => {
  for (const seed of seedsToRun().slice(0, 60)) {
    const outcome = live(seed, { machines: 3, voters: 2 });
    assert.equal(outcome.failure, null, report(seed, outcome));
  }
});

test("one seed is one life", () => {
  assert.deepEqual(live(7, optionsOf(7)).history, live(7, optionsOf(7)).history);
});

function seedsToRun(): number[] {
  if (chosen !== undefined) return [Number(chosen)];
  return Array.from({ length: seeds }, (_, index) => index + 1);
}

/** Takes one in and another out at once: the majorities before and after need not meet. */
class DisjointChanges extends VoterChanges {
  protected override joint(_current: readonly Voter[], next: readonly Voter[]): VoterSet {
    return { current: next.slice(-3), next: null };
  }
}

const mutants: Record<string, Partial<Parts>> = {
  "a voter that answers before it has synced": { syncs: false },
  "a voter that lost its memory and votes on": { newMarker: (machine) => machine },
  "voters changed without a majority of both sets": { changes: (options) => new DisjointChanges(options) },
  "a proposer that does not take the highest accepted value": {
    answer: (request, answer) =>
      request.kind === "prepare" && answer.ok && answer.accepted !== null
        ? { ...answer, accepted: { ...answer.accepted, ballot: { counter: 1, node: "" } } }
        : answer,
  },
};

for (const [name, faulty] of Object.entries(mutants)) {
  test(`noticed within ${seeds} lives: ${name}`, { skip: chosen !== undefined }, () => {
    const parts = { ...soundParts, ...faulty };
    for (let seed = 1; seed <= seeds; seed++) if (live(seed, optionsOf(seed, parts)).failure !== null) return;
    assert.fail("nobody noticed");
  });
}
