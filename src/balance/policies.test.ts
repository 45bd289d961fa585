/** What holds of every policy. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import {
  chosen,
  policyNames,
  type TestServer,
  testKey,
  testPolicy,
  testServer,
  testServers,
} from "../../test/harness/candidates.ts";

const anyServer = fc.record({
  usable: fc.boolean(),
  weight: fc.constantFrom(0.1, 1, 2, 7.5),
  inFlight: fc.nat(20),
  inFlightElsewhere: fc.nat(20),
  slowness: fc.double({ min: 1, max: 20, noNaN: true }),
  latencyMs: fc.oneof(fc.constant(0), fc.double({ min: 0.001, max: 5_000, noNaN: true })),
});

const change = fc.record({
  /** Servers that are there, by number, in the order of the file. */
  there: fc.uniqueArray(fc.nat(39), { maxLength: 40 }),
  states: fc.array(anyServer, { minLength: 40, maxLength: 40 }),
  picks: fc.array(
    fc.record({ excluded: fc.option(fc.nat(39)), key: fc.integer({ min: 0, max: 2 ** 32 - 1 }) }),
  ),
});

for (const name of policyNames) {
  test(`${name}: while servers come, go and change, it never chooses one that is unusable or was tried, and finds one if there is one`, () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 6 }), fc.nat(), (changes, seed) => {
        const all = testServers(40);
        const policy = testPolicy(name, [], seed);
        for (const { there, states, picks } of changes) {
          for (const [at, state] of states.entries()) Object.assign(all[at]!, state);
          const servers = there.map((at) => all[at]!);
          policy.update(servers);
          policy.update(servers);
          for (const { excluded, key } of picks) {
            const tried = excluded === null ? null : all[excluded]!;
            const picked = policy.pick(tried, key) as TestServer | null;
            const possible = servers.filter((server) => server.usable && server !== tried);
            if (picked === null) assert.deepEqual(possible, []);
            else assert.ok(possible.includes(picked));
            if (picked !== null) picked.inFlight++;
          }
        }
      }),
      { seed: 44, numRuns: 60 },
    );
  });

  test(`${name}: of a thousand servers it finds the one that is usable`, () => {
    const servers = testServers(1_000, { usable: false });
    const policy = testPolicy(name, servers);
    for (const at of [0, 500, 999]) {
      servers[at]!.usable = true;
      for (let pick = 0; pick < 20; pick++) assert.equal(policy.pick(null, testKey(pick)), servers[at]);
      assert.equal(policy.pick(servers[at]!, testKey(at)), null);
      servers[at]!.usable = false;
    }
  });

  for (const [count, weights] of [
    [3, [1, 2, 5]],
    [10, [1, 3]],
    [50, [1, 1, 4]],
  ] as const) {
    test(`${name}: ${count} idle servers with weights ${weights} get their shares`, () => {
      const servers = Array.from({ length: count }, (_, at) =>
        testServer(`app-${at}`, { weight: weights[at % weights.length]! }),
      );
      const policy = testPolicy(name, servers, 7);
      const perServer = 2_000;
      const counts = chosen(policy, servers, perServer * count);
      const whole = servers.reduce((sum, { weight }) => sum + weight, 0);
      // Each count as if chosen by chance: four standard deviations, and 1% of the share for a Maglev table.
      for (const [at, { weight }] of servers.entries()) {
        const expected = (perServer * count * weight) / whole;
        const off = Math.abs(counts[at]! - expected);
        assert.ok(off <= 4 * Math.sqrt(expected) + 0.01 * expected, `${at}: ${counts[at]} of ${expected}`);
      }
    });
  }

  test(`${name}: a server whose weight grows while it starts gets more with it`, () => {
    const servers = testServers(5);
    servers[0]!.weight = 0.1;
    const policy = testPolicy(name, servers);
    const cold = chosen(policy, servers, 2_000)[0]!;
    servers[0]!.weight = 0.5;
    const warmer = chosen(policy, servers, 2_000)[0]!;
    servers[0]!.weight = 1;
    const warm = chosen(policy, servers, 2_000)[0]!;
    const expected = [(2_000 * 0.1) / 4.1, (2_000 * 0.5) / 4.5, 400];
    for (const [at, count] of [cold, warmer, warm].entries())
      assert.ok(
        Math.abs(count - expected[at]!) < 4 * Math.sqrt(expected[at]!) + 5,
        `${count} ${expected[at]}`,
      );
  });
}

/** Servers of which it is counted how often a policy asks whether they are usable. */
function watched(count: number): { servers: TestServer[]; asked: () => number } {
  let asked = 0;
  const servers = testServers(count);
  for (const server of servers) {
    const { usable } = server;
    Object.defineProperty(server, "usable", {
      get: () => {
        asked++;
        return usable;
      },
    });
  }
  return { servers, asked: () => asked };
}

test("a choice looks at as many of a thousand servers as of ten, or twice as many where it compares", () => {
  for (const name of policyNames) {
    const looks = [10, 100, 1_000].map((count) => {
      const { servers, asked } = watched(count);
      const policy = testPolicy(name, servers);
      const before = asked();
      for (let at = 0; at < 1_000; at++) (policy.pick(null, testKey(at)) as TestServer).inFlight++;
      return (asked() - before) / 1_000;
    });
    const growth = Math.max(...looks) / looks[0]!;
    const allowed = name === "random-of-two" || name === "consistent-hash" ? 1.2 : 2;
    assert.ok(growth <= allowed, `${name}: ${looks}`);
  }
});
