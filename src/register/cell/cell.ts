/**
 * The one thing that an engine outside of the servers has to be able to do: keep some bytes, and replace them only if
 * nobody has replaced them meanwhile. cell-register.ts makes a register of it.
 */

import { FlotillaError, type Retry } from "../../support/errors.ts";

export interface Cell {
  /** Another one after each write, also of the same bytes, and never one that was there before. */
  readonly revision: string;
  readonly bytes: Buffer;
}

export type SwapOutcome =
  | { readonly isDone: true; readonly revision: string }
  /** Its revision is another one; null: there is no cell (any more). */
  | { readonly isDone: false; readonly cell: Cell | null };

/** An error of `swap` after which it has not happened and never will: the engine said so. */
export class SwapRefused extends FlotillaError {
  constructor(message: string, retry: Retry, cause: unknown) {
    super("FLOTILLA_REGISTER_UNREACHABLE", message, { source: "server", retry, cause });
  }
}

/** Promises are settled within `timeoutMs`, and rejected with a FlotillaError that names who was asked and what happened. */
export interface CellStore {
  /** The longest time that is given for one question. */
  readonly attemptTimeoutMs: number;

  /** Linearizable: never older than what was written when the call began. Null: there is no cell yet. */
  get(timeoutMs: number): Promise<Cell | null>;

  /**
   * Writes `bytes` if the cell's revision is still `expected`; null: if there is no cell.
   * After an error other than SwapRefused it may have happened, or may happen at any time later, as long as the revision is
   * still that.
   */
  swap(expected: string | null, bytes: Buffer, timeoutMs: number): Promise<SwapOutcome>;

  /** Tells of cells from now on; some may be skipped, and old ones may come again. Called once. */
  watch(onCell: (cell: Cell) => void): void;

  /** Nobody is called any more; what is under way may be rejected. */
  stop(): void;
}
