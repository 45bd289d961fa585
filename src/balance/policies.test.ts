import assert from "node:assert/strict";
import test from "node:test";
import { createPolicy } from "./policies.ts";

const servers = (...inFlight: number[]): { usable: boolean; inFlight: number }[] =>
  inFlight.map((count) => ({ usable: count >= 0, inFlight: count }));

test("round-robin spreads evenly and skips what is not usable or was tried", () => {
  const policy = createPolicy("round-robin");
  const three = servers(0, -1, 0);
  const picks = Array.from({ length: 6 }, () => three.indexOf(policy.pick(three, null)!));
  assert.deepEqual(picks, [0, 2, 0, 2, 0, 2]);
  assert.equal(policy.pick(three, three[0]!), three[2]);
  assert.equal(policy.pick(servers(-1, -1), null), null);
  assert.equal(policy.pick([], null), null);
});

test("least-connections takes the fewest in flight and rotates among equals", () => {
  const policy = createPolicy("least-connections");
  assert.equal(policy.pick(servers(3, 1, 2), null)?.inFlight, 1);
  const equal = servers(0, 0, 0);
  const picks = Array.from({ length: 6 }, () => equal.indexOf(policy.pick(equal, null)!));
  assert.deepEqual([...picks].sort(), [0, 0, 1, 1, 2, 2]);
  assert.equal(policy.pick(equal, equal[0]!) === equal[0], false);
});
