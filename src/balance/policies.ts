/** The policies by their names in the file. */
import type { BalanceSettings } from "../config/model.ts";
import { LeastConnections } from "./least-connections.ts";
import type { Candidate, Policy } from "./policy.ts";
import { RoundRobin } from "./round-robin.ts";

export function createPolicy<C extends Candidate>({ policy }: BalanceSettings): Policy<C> {
  return policy === "round-robin" ? new RoundRobin() : new LeastConnections();
}
