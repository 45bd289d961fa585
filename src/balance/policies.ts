/** The policies by their names in the file. */
import type { BalanceSettings } from "../config/model.ts";
import type { Random } from "../support/clock.ts";
import { ConsistentHash } from "./consistent-hash.ts";
import type { HalfSipHash } from "./half-sip-hash.ts";
import { Latency } from "./latency.ts";
import { LeastConnections } from "./least-connections.ts";
import { LeastLoad } from "./least-load.ts";
import type { Candidate, Policy } from "./policy.ts";
import { RandomOfTwo } from "./random-of-two.ts";
import { RoundRobin } from "./round-robin.ts";

/** @param hash of the cluster: its key is the same on all web servers, and secret. */
export function createPolicy<C extends Candidate>(
  { policy, loadBound }: BalanceSettings,
  hash: HalfSipHash,
  random: Random = Math.random,
  now: () => number = monotonicNow,
): Policy<C> {
  switch (policy) {
    case "round-robin":
      return new RoundRobin();
    case "least-connections":
      return new LeastConnections();
    case "random-of-two":
      return new RandomOfTwo(random);
    case "least-load":
      return new LeastLoad();
    case "latency":
      return new Latency(now);
    case "consistent-hash":
      return new ConsistentHash(loadBound, hash);
  }
}

function monotonicNow(): number {
  return performance.now();
}
