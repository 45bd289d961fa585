import assert from "node:assert/strict";
import test from "node:test";
import { LeastConnections } from "./least-connections.ts";
import type { Candidate, Policy } from "./policy.ts";
import { RoundRobin } from "./round-robin.ts";

const servers = (...inFlight: number[]): Candidate[] =>
  inFlight.map((count, at) => ({
    name: `app-${at}`,
    usable: count >= 0,
    inFlight: count,
    inFlightElsewhere: 0,
    weight: 1,
    fullWeight: 1,
    slowness: 1,
    latencyMs: 0,
  }));

function among(policy: Policy<Candidate>, candidates: readonly Candidate[]): Policy<Candidate> {
  policy.update(candidates);
  return policy;
}

test("round-robin spreads evenly and skips what is not usable or was tried", () => {
  const three = servers(0, -1, 0);
  const policy = among(new RoundRobin(), three);
  const picks = Array.from({ length: 6 }, () => three.indexOf(policy.pick(null, 0)!));
  assert.deepEqual(picks, [0, 2, 0, 2, 0, 2]);
  assert.equal(policy.pick(three[0]!, 0), three[2]);
  assert.equal(among(policy, servers(-1, -1)).pick(null, 0), null);
  assert.equal(among(policy, []).pick(null, 0), null);
});

test("least-connections takes the fewest in flight and rotates among equals", () => {
  assert.equal(among(new LeastConnections(), servers(3, 1, 2)).pick(null, 0)?.inFlight, 1);
  const equal = servers(0, 0, 0);
  const policy = among(new LeastConnections(), equal);
  const picks = Array.from({ length: 6 }, () => equal.indexOf(policy.pick(null, 0)!));
  assert.deepEqual([...picks].sort(), [0, 0, 1, 1, 2, 2]);
  assert.equal(policy.pick(equal[0]!, 0) === equal[0], false);
});
