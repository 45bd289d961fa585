/** The policies by their names in the file. */
import type { Cluster } from "../config/model.ts";
import { LeastConnections } from "./least-connections.ts";
import type { Policy } from "./policy.ts";
import { RoundRobin } from "./round-robin.ts";

export function createPolicy(name: Cluster["balance"]): Policy {
  switch (name) {
    case "round-robin":
      return new RoundRobin();
    case "least-connections":
      return new LeastConnections();
  }
}
