/** One way of asking a server whether it is well. Each is a file beside this one. */
import type { Asking } from "../../support/polling.ts";

/** "": it is well. Else what is wrong, in words. Null: nothing was learned of it. */
export type Finding = string | null;

export interface Probe {
  /** Asks once; two never run at once. @param done called once, unless it is cut before. */
  begin(done: (finding: Finding) => void): Asking<Finding>;
  /** What it keeps between two questions ends. */
  close(): void;
}
