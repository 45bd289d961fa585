/** Which clusters stand behind a web tier. */
import type { Cluster, ClusterFile } from "./model.ts";

/** Those that its routes lead to, each once. */
export function clustersBehind({ clusters }: ClusterFile, { routes }: Cluster): Cluster[] {
  const names = new Set(routes.flatMap(({ to }) => to ?? []));
  return [...names].map((name) => clusters.get(name)!);
}
