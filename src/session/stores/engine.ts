/**
 * What a database has to do to keep sessions: a dozen operations on rows, each of them atomic by the database's own means (R52). What is
 * the same for all of them (the owner's copies, merging of changes, outages) is `engine-store.ts`, which stands between an engine
 * and `session()`. For a database of your own: implement this, and run `flotilla/session/conformance`.
 *
 * Rules for all operations:
 * - Times are those of the database's clock alone; a row that has ended is as one that is not there, whether or not it was removed.
 * - Nothing is retried here, and nothing waits without a bound that is not for an answer of the database.
 * - What fails rejects with a SessionEngineError where the engine knows what became of it; any other error counts as unknown.
 * - A row that can't be read concerns nobody but who asks for it: `read` may reject as `unfit`, `list` tells of
 *   it with a version that is NaN, and the others find none, or remove it.
 */
import { sessionStores as limits } from "../../support/limits.ts";

/**
 * A row ends when it was not used for so long: a little after its idle timeout, for not every use is told to the database at
 * once. Nothing ends too early.
 */
export function endsAfterMs(idleTimeoutMs: number): number {
  return idleTimeoutMs + touchIntervalMs(idleTimeoutMs);
}

/** A session that is used all the time is touched in the database so often. */
export function touchIntervalMs(idleTimeoutMs: number): number {
  return Math.min(limits.touchIntervalMsMax, Math.ceil(idleTimeoutMs * limits.touchIntervalShare));
}

/** A living session as the database has it. */
export interface SessionRow {
  /** As `row-data.ts` writes it: the text of one JSON object. */
  readonly data: string;
  /** 1 of a new row, one more with each write; a touch leaves it. */
  readonly version: number;
  /** The process that may keep a copy in its memory and is told of others' writes; "": nobody. */
  readonly holder: string;
  readonly idleTimeoutMs: number;
  /** For how long it has not been used. */
  readonly idleForMs: number;
  readonly ageMs: number;
  /** Infinity: it lives as long as it is used. */
  readonly absoluteTimeoutMs: number;
}

export interface SessionWrite {
  readonly data: string;
  /** Who writes; tells the row's holder of before, if that is another. */
  readonly writer: string;
  /** Who holds it from now on. */
  readonly holder: string;
  readonly idleTimeoutMs: number;
}

export interface SessionTouch {
  readonly key: string;
  readonly idleTimeoutMs: number;
}

/** How old a session is that is inserted, and at what age it ends; 0 and Infinity of most. */
export interface RowLife {
  readonly ageMs: number;
  readonly absoluteTimeoutMs: number;
}

/** A row with its key, for operators. */
export interface ListedRow extends SessionRow {
  readonly key: string;
}

/** `changed`: another version is there; `gone`: no row is. Nothing was written then. */
export type Replaced = "done" | "changed" | "gone";

export interface SessionEngine {
  /** For messages and `flotilla status`: "PostgreSQL at 10.0.0.5:5432". Holds no secret. */
  readonly name: string;

  /**
   * The slowest that notices may be: how often `NoticeChannel.prove` is to be called. 1,000 where the database calls by itself, less where it
   * has to be asked.
   */
  readonly proveIntervalMs: number;

  /** Makes the table where there is none. Called before anything else, and again until it succeeds; several processes may at once. */
  open(): Promise<void>;

  /** It counts as no use. Null: there is none. */
  read(key: string): Promise<SessionRow | null>;

  /** A new row, used now. False: there is one already, and it was left as it is. */
  insert(key: string, write: SessionWrite, life: RowLife): Promise<boolean>;

  /** Provided that the row is of this version; counts as a use. */
  replace(key: string, version: number, write: SessionWrite): Promise<Replaced>;

  /** Used now. Those that are not there stay so; a longer idle timeout takes the place of the row's, a shorter one does not. */
  touch(touches: readonly SessionTouch[]): Promise<void>;

  /** @param writer as in SessionWrite. Removing what is not there is no error. */
  remove(key: string, writer: string): Promise<void>;

  /** Frees the place of rows that have ended, at most so many; processes that do it at once do not wait for each other. @returns how many. */
  removeExpired(rowsMax: number): Promise<number>;

  /** Living rows behind this key ("" from the first), in the order of keys by their bytes, at most so many. */
  list(after: string, rowsMax: number): Promise<readonly ListedRow[]>;

  /** Living rows. */
  count(): Promise<number>;

  /** Tells of rows of this holder that others wrote or removed, from now on. */
  listen(holder: string, onChanged: (key: string) => void): Promise<NoticeChannel>;

  /** Ends what it opened itself; a pool or client that was given to it stays open. */
  close(): Promise<void>;
}

export interface NoticeChannel {
  /** Resolves when all that was committed before the call has been told; rejects when notices may have been missed. */
  prove(): Promise<void>;
  close(): void;
}

/**
 * `nothing`: the database surely has not done it, and will not. `unknown`: it may have, or may still. `unfit`: as `nothing`, and so it would be
 * each time, for a value that it can't hold, or a row that somebody else made and that is none. It is well then, and is asked on.
 */
export type EngineOutcome = "nothing" | "unknown" | "unfit";

export class SessionEngineError extends Error {
  readonly outcome: EngineOutcome;

  /** @param message for a person: what happened, where, and what to do. */
  constructor(message: string, outcome: EngineOutcome, cause?: unknown) {
    super(message, { cause });
    this.outcome = outcome;
  }
}
