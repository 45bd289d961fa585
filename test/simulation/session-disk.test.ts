/**
 * The session protocol with `durability: backup+disk` under faults, of the disks too: seeds of the true one. Its broken ones are caught in
 * session.test.ts. A failing seed is replayed, with its history, by `npm run simulate -- --disks --seed N`.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { diskEpisodes } from "./session/episodes.ts";
import { simulate } from "./session/simulation.ts";

const seeds = 200;

test(`${seeds} seeds with disks break no promise`, () => {
  const broken: string[] = [];
  const happened = new Set<string>();
  let requests = 0;
  let refused = 0;
  let fetched = 0;
  let paired = 0;
  for (let seed = 1; seed <= seeds; seed++) {
    const outcome = simulate(seed, { hasDisks: true });
    requests += outcome.requests;
    refused += outcome.refused;
    fetched += outcome.fetched;
    paired += outcome.paired;
    for (const name of outcome.episodes) happened.add(name);
    if (outcome.violations.length > 0)
      broken.push(`seed ${seed}: ${outcome.violations[0]!.split("\n", 1)[0]}`);
  }
  assert.deepEqual(broken, []);
  assert.deepEqual(
    diskEpisodes.map(({ name }) => name).filter((name) => !happened.has(name)),
    [],
  );
  // It proves nothing when all are served from memory, or after each crash a copy is made anew.
  assert.ok(fetched > 500, `only ${fetched} sessions came from disk`);
  assert.ok(paired > 25, `only ${paired} slots were given both copies that were found`);
  assert.ok(requests > 60_000, `only ${requests} requests`);
  assert.ok(refused < requests / 10, `${refused} of ${requests} requests were refused`);
});
