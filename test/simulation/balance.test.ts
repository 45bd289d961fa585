/** The policies in the simulator, in a few of its scenarios; all of them, with figures: `npm run simulate:balance`. */
import assert from "node:assert/strict";
import test from "node:test";
import { type PolicyName, policyNames } from "../harness/candidates.ts";
import { type Scenario, scenarios } from "./balance/scenarios.ts";
import { type Outcome, simulate } from "./balance/simulation.ts";

function run(name: string, policy: PolicyName, some: Partial<Scenario> = {}): Outcome {
  const scenario = scenarios.find((one) => one.name === name)!;
  return simulate({ ...scenario, durationMs: 10_000, ...some }, policy, 1);
}

test("one seed, one outcome", () => {
  for (const policy of policyNames) assert.deepEqual(run("bursts", policy), run("bursts", policy));
});

test("beside a busy neighbour 99% of requests are answered twice as soon as with round-robin, if the policy looks", () => {
  for (const apps of [3, 10]) {
    const { p99Ms } = run("neighbour", "round-robin", { apps });
    for (const policy of ["least-connections", "least-load", "latency"] as const)
      assert.ok(2 * run("neighbour", policy, { apps }).p99Ms < p99Ms, `${policy}, ${apps}`);
  }
});

test("least-load is never much worse than the better of round-robin and least-connections, with and without reports", () => {
  for (const name of [
    "equal",
    "bursts",
    "heavy-tail",
    "unequal-plain",
    "neighbour",
    "light",
    "cold",
    "all-10",
  ]) {
    const best = Math.min(run(name, "round-robin").p99Ms, run(name, "least-connections").p99Ms);
    const { p99Ms } = run(name, "least-load");
    assert.ok(p99Ms <= 1.2 * best, `${name}: ${p99Ms} beside ${best}`);
  }
});

test("slow start keeps a cold server from making others' requests wait", () => {
  const atOnce = run("cold-at-once", "round-robin").p99Ms;
  assert.ok(2 * run("cold", "round-robin").p99Ms < atOnce);
});

test("the load bound keeps consistent-hash from drowning a slow server", () => {
  const { p99Ms } = run("unequal", "consistent-hash");
  assert.ok(5 * p99Ms < run("unequal", "round-robin").p99Ms);
});
