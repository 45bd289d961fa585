/** `flotilla/config`: reads and checks a flotilla.yaml. */

export { type LoadOptions, type LoadResult, loadClusterFile, loadOrThrow } from "./load.ts";
export type {
  AccessLogSettings,
  Cluster,
  ClusterFile,
  HttpLimits,
  Listener,
  Route,
  Server,
  SessionSettings,
  Timeouts,
} from "./model.ts";
export { formatProblem, type Position, type Problem } from "./problems.ts";
export { jsonSchema } from "./schema.ts";
