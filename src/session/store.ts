/**
 * What a keeper of sessions offers. Every operation ends with one call of `done`, possibly before it returns:
 * an owner that has all in memory answers at once, and then nothing on a request's way is asynchronous.
 *
 * Operations on one session take effect in the order of the calls. What `load` gives is committed, and an
 * operation is done when it is committed: when it can no longer be lost by what the store is meant to survive.
 */
import { FlotillaError } from "../support/errors.ts";
import { session as limits } from "../support/limits.ts";
import type { SessionChanges, SessionEntries } from "./entry.ts";
import type { VerifiedId } from "./id.ts";
import type { SessionLife } from "./snapshot.ts";

/**
 * `FLOTILLA_SESSION_GONE`: destroyed or expired meanwhile, nothing was written. FLOTILLA_SESSION_CONTENDED: of `compareAndSet`
 * alone, nothing was written. FLOTILLA_SESSION_TOO_LARGE: with what others changed meanwhile, nothing was written.
 * FLOTILLA_SESSION_UNAVAILABLE, _BUSY, _DAMAGED, _UNFIT: nothing was written. Others: outcome unknown.
 */
export type Done = (error: FlotillaError | null) => void;

/** The committed data; null when there is no such session, or with an error. The last two are those of a `SessionLife`. */
export type Loaded = (
  error: FlotillaError | null,
  entries: SessionEntries | null,
  ageMs: number,
  absoluteTimeoutMs: number,
) => void;

/** Of `compareAndSet`: committed texts by key; null: absent. */
export type Expected = ReadonlyMap<string, string | null>;

export interface SessionStore {
  /** Living sessions kept by this process. */
  readonly count: number;

  /** An id for a new session, placed where this process may create it. Nothing is kept before `create`. */
  newId(): VerifiedId;

  /**
   * Asked with every response. The id as it would be made now, when other servers keep its session than the id says; null when it is right.
   * The key is the same: the session is.
   */
  renewed(id: VerifiedId): VerifiedId | null;

  /** Counts as a use of it. */
  load(id: VerifiedId, done: Loaded): void;

  /**
   * @param idleTimeoutMs it expires when not used for so long, or for ten years (`idleTimeoutMsMax`) if that is less. One that is
   * no positive number is refused with FLOTILLA_SESSION_COOKIE, here and below; nothing was written.
   * @param life of a session that begins: age 0.
   */
  create(id: VerifiedId, changes: SessionChanges, idleTimeoutMs: number, life: SessionLife, done: Done): void;

  /** Writes the keys that `changes` names and no other. Never creates: an absent session stays absent (A41). */
  update(id: VerifiedId, changes: SessionChanges, idleTimeoutMs: number, done: Done): void;

  /**
   * `update`, provided that all of `expected` still is so when the change gets its place in the session's order; else `done` is told
   * FLOTILLA_SESSION_CONTENDED when what came before is committed.
   */
  compareAndSet(
    id: VerifiedId,
    changes: SessionChanges,
    expected: Expected,
    idleTimeoutMs: number,
    done: Done,
  ): void;

  /**
   * Marks it as used; never rewrites data, never creates, and nobody waits for it.
   * @param isRecent it was used a moment ago (`touchAfterMs`): no server is told of it (R32).
   */
  touch(id: VerifiedId, idleTimeoutMs: number, isRecent: boolean): void;

  /** Destroying what is absent is no error. */
  destroy(id: VerifiedId, done: Done): void;
}

/** The idle timeout to keep: no other servers refuse, and none that a file can't hold. Null: it is no time. */
export function checkedIdleTimeoutMs(idleTimeoutMs: number): number | null {
  // Also NaN and what is no number at all: the types of an application are not checked while it runs.
  if (typeof idleTimeoutMs !== "number" || !(idleTimeoutMs > 0)) return null;
  return Math.min(idleTimeoutMs, limits.idleTimeoutMsMax);
}

export function noIdleTimeout(idleTimeoutMs: number): FlotillaError {
  return new FlotillaError(
    "FLOTILLA_SESSION_COOKIE",
    `a session can't be kept for ${idleTimeoutMs} ms without use; set req.session.cookie.maxAge to a positive number. Nothing was written.`,
    { source: "server" },
  );
}

/** The failure of operations on a session that is absent. */
export function sessionGone(): FlotillaError {
  return new FlotillaError(
    "FLOTILLA_SESSION_GONE",
    "the session was destroyed or has expired meanwhile; nothing was written",
    { source: "client" },
  );
}

/** Whether the session ended meanwhile: told to who saves it explicitly, no reason to refuse a response. */
export function isGone(failure: FlotillaError): boolean {
  return failure.code === "FLOTILLA_SESSION_GONE";
}

/** @param entries of the session, or those of them that were to be changed. */
export function tooLarge(entries: SessionChanges): FlotillaError {
  let [largest, bytes] = ["", 0];
  for (const [key, entry] of entries)
    if (entry !== null && entry.bytes > bytes) [largest, bytes] = [key, entry.bytes];
  return new FlotillaError(
    "FLOTILLA_SESSION_TOO_LARGE",
    `the session would hold more than the ${limits.dataBytesMax} bytes that are allowed; the largest key is ` +
      `${JSON.stringify(largest.slice(0, 100))} with ${bytes}. Keep such data in a database, its id in the session.`,
    { source: "server" },
  );
}

export function isTooLarge(failure: FlotillaError): boolean {
  return failure.code === "FLOTILLA_SESSION_TOO_LARGE";
}

/** The key is not what the caller thought: somebody else changed it. */
export function contended(key: string): FlotillaError {
  return new FlotillaError(
    "FLOTILLA_SESSION_CONTENDED",
    `req.session[${JSON.stringify(key.slice(0, 100))}] was changed by others again and again; nothing was written`,
    { retry: "yes" },
  );
}

export function isContended(failure: FlotillaError): boolean {
  return failure.code === "FLOTILLA_SESSION_CONTENDED";
}
