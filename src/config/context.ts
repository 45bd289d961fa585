/** What the checks of one file share. */
import type { Machine } from "./local.ts";
import type { Position, Problems } from "./problems.ts";

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
