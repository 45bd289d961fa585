/** The order in which servers are stopped. */
import type { ClusterFile, Server } from "../config/model.ts";

/**
 * In which turn servers are stopped: web servers first, because their visitors' open requests need the app servers;
 * witnesses last, because app servers that hand over need their votes.
 */
export function stopTurn(file: ClusterFile, { kind, cluster }: Server): 0 | 1 | 2 {
  if (kind === "witness") return 2;
  return file.clusters.get(cluster)!.tier === "web" ? 0 : 1;
}
