/** Servers as policies see them, and what a policy makes of them. */
import { createHash } from "node:crypto";
import { HalfSipHash } from "../../src/balance/half-sip-hash.ts";
import { createPolicy } from "../../src/balance/policies.ts";
import type { Candidate, Policy } from "../../src/balance/policy.ts";
import type { BalanceSettings } from "../../src/config/model.ts";
import { seededRandom } from "../../src/support/clock.ts";

export type PolicyName = BalanceSettings["policy"];
export type TestServer = { -readonly [key in keyof Candidate]: Candidate[key] } & { latencyMs: number };

export const policyNames: readonly PolicyName[] = [
  "round-robin",
  "least-connections",
  "random-of-two",
  "least-load",
  "latency",
  "consistent-hash",
];

export const testHash: HalfSipHash = new HalfSipHash(Buffer.from("a test's"));

export function testServer(name: string, some: Partial<TestServer> = {}): TestServer {
  const fullWeight = some.fullWeight ?? some.weight ?? 1;
  const rest = { usable: true, weight: 1, inFlight: 0, inFlightElsewhere: 0, slowness: 1, latencyMs: 0 };
  return {
    ...{ name, ...rest, ...some, fullWeight },
    latencyAt() {
      return this.latencyMs;
    },
  };
}

export function testServers(count: number, some: Partial<TestServer> = {}): TestServer[] {
  return Array.from({ length: count }, (_, at) => testServer(`app-${at}`, some));
}

export function testPolicy(policy: PolicyName, servers: readonly Candidate[], seed = 1): Policy<Candidate> {
  const settings = { policy, by: "path", name: "", loadBound: 1.25 } as const;
  const created = createPolicy<Candidate>(settings, testHash, seededRandom(seed));
  created.update(servers);
  return created;
}

/** Keys as requests have them. */
export function testKey(at: number): number {
  return createHash("sha256").update(`${at}`).digest().readUInt32LE(0);
}

/** How often each server was chosen. */
export function chosen(policy: Policy<Candidate>, servers: readonly Candidate[], times: number): number[] {
  const counts = servers.map(() => 0);
  for (let at = 0; at < times; at++) counts[servers.indexOf(policy.pick(null, testKey(at))!)]!++;
  return counts;
}
