/** What the checks of one file share. */
import type { Machine } from "./local.ts";
import type { Cluster, Endpoint, Listener, Route, Server } from "./model.ts";
import type { Position, Problems } from "./problems.ts";
import type { NamedSection } from "./section.ts";

export interface Context {
  readonly problems: Problems;
  /** Absolute folder of the file. */
  readonly folder: string;
  /** Absolute folder for what servers keep. */
  readonly dataFolder: string;
  /** Wall-clock milliseconds since 1970, for certificates. */
  readonly now: number;
  readonly machine: Machine;
}

/** A part of the result and where the file says it. */
export interface Placed<T> {
  readonly at: Position;
  readonly value: T;
}

export interface PlacedRoute extends Placed<Route> {
  /** `to:` as it stands in the file, for messages. */
  readonly writtenTo: string;
}

/** One cluster and where its parts stand in the file. */
export interface ClusterDraft {
  readonly entry: NamedSection;
  readonly cluster: Cluster;
  readonly servers: readonly Placed<Server>[];
  readonly witness: Placed<Server> | null;
  readonly listeners: readonly Placed<Listener>[];
  readonly health: Placed<Endpoint> | null;
  readonly routes: readonly PlacedRoute[];
}
