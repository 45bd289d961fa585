/** Least-connections, least-load and latency: what each counts as cost, and how equal ones take turns. */
import assert from "node:assert/strict";
import test from "node:test";
import { chosen, testPolicy, testServer, testServers } from "../../test/harness/candidates.ts";

const comparing = ["least-connections", "least-load", "latency"] as const;

for (const name of comparing) {
  test(`${name}: equal ones take turns; fewer requests in flight come first, by weight`, () => {
    const servers = testServers(3);
    const policy = testPolicy(name, servers);
    const picks = Array.from({ length: 6 }, () => policy.pick(null, 0)!.name);
    assert.deepEqual(picks, ["app-0", "app-1", "app-2", "app-0", "app-1", "app-2"]);
    servers[0]!.inFlight = 1;
    servers[2]!.inFlight = 1;
    for (let pick = 0; pick < 5; pick++) assert.equal(policy.pick(null, 0), servers[1]);
    const [light, heavy] = [
      testServer("light", { inFlight: 2 }),
      testServer("heavy", { inFlight: 5, weight: 4 }),
    ];
    assert.equal(testPolicy(name, [light, heavy]).pick(null, 0), heavy);
  });

  test(`${name}: of a thousand servers the better ones get the requests, and each gets some`, () => {
    const servers = testServers(1_000);
    for (const [at, server] of servers.entries()) server.inFlight = at % 2 === 0 ? 5 : 0;
    const counts = chosen(testPolicy(name, servers), servers, 5_000);
    for (const [at, count] of counts.entries())
      assert.ok(at % 2 === 0 ? count === 0 : count === 10, `${at}: ${count}`);
  });
}

test("least-load counts how busy the processor is, and a little of what others have sent", () => {
  const servers = testServers(2);
  const policy = testPolicy("least-load", servers);
  servers[0]!.slowness = 2;
  for (let pick = 0; pick < 3; pick++) assert.equal(policy.pick(null, 0), servers[1]);
  servers[1]!.inFlight = 2;
  assert.equal(policy.pick(null, 0), servers[0]);
  servers[0]!.inFlightElsewhere = 20;
  for (let pick = 0; pick < 3; pick++) assert.equal(policy.pick(null, 0), servers[1]);
});

test("latency prefers the quick; one of which nothing is known counts as quick", () => {
  const servers = [testServer("slow", { latencyMs: 90 }), testServer("quick", { latencyMs: 30 })];
  const policy = testPolicy("latency", servers);
  policy.pick(null, 0);
  for (let pick = 0; pick < 5; pick++) assert.equal(policy.pick(null, 0), servers[1]);
  servers[1]!.inFlight = 3;
  assert.equal(policy.pick(null, 0), servers[0]);
  servers[0]!.latencyMs = 0;
  assert.equal(policy.pick(null, 0), servers[0]);
});
