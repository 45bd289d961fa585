/**
 * What operators do with sessions (`flotilla sessions`), as whoever keeps them offers it: alone (memory-admin.ts), together with
 * other servers (cluster-admin.ts), or in a database (database-admin.ts). None of it is on a request's way.
 *
 * All of it concerns sessions of slots that this process serves now. Who asks for others is told FLOTILLA_SESSION_ELSEWHERE,
 * and asks the server that does.
 */
import { FlotillaError } from "../../support/errors.ts";
import { bytesOf } from "../entry.ts";
import type { SessionSnapshot } from "../snapshot.ts";
import type { Done } from "../store.ts";

/** One that lives, as committed. */
export interface LivingSession extends SessionSnapshot {
  /** Why nothing can be read of it but its key, where others may write to it, too: in a database. */
  readonly damage?: string;
}

export type Listed = (error: FlotillaError | null, sessions: readonly LivingSession[]) => void;

/** Null: there is none. */
export type Found = (error: FlotillaError | null, session: LivingSession | null) => void;

export interface Kept {
  readonly sessions: number;
  /** As stored, bookkeeping included. */
  readonly bytes: number;
}

export interface SessionCounts {
  /** In memory: those that it serves. */
  readonly owned: Kept;
  /** In memory: copies of those of other servers. */
  readonly backedUp: Kept;
  /** On its disk, both, whether in memory or not; as large as they are there. Null: it has none. */
  readonly onDisk: Kept | null;
  /** Slots that it serves of which no other server has a copy, and the sessions in them. Null: it is not meant to have one. */
  readonly singleCopy: { readonly slots: number; readonly sessions: number } | null;
}

/** Where a slot is kept, as far as this process knows. */
export interface Whereabouts {
  /** What this process does for it. */
  readonly role: "owner" | "backup" | "joining" | "nobody";
  /** Servers, by name. */
  readonly owner: string | null;
  readonly backup: string | null;
  /** How often its keepers have changed; 0: it is kept alone. */
  readonly epoch: number;
}

export interface SessionAdmin {
  /**
   * `alone`: all slots are served here, and other servers have sessions of theirs in the same slots. `shared`: a slot is served by
   * one server of the cluster. `common`: they are in a database, and each server can tell of all of them.
   */
  readonly kind: "alone" | "shared" | "common";
  /** Of `common`: which database; else null. */
  readonly database: string | null;

  /** Of what this process has: nothing of `common`. */
  counts(): SessionCounts;
  serves(slot: number): boolean;
  whereabouts(slot: number): Whereabouts;

  /**
   * Living sessions of the slot behind this key ("" from the first) in the order of keys, about so many bytes of them, at least one;
   * none: that was all. It counts as no use of them. Of `common` those of all slots, whatever the slot.
   */
  page(slot: number, after: string, bytesMax: number, done: Listed): void;

  /** It counts as no use. FLOTILLA_SESSION_DAMAGED: there is one, and it can't be read. */
  find(slot: number, key: string, done: Found): void;

  /** Ends it for good, as the application's `destroy` does, whatever was under way. */
  end(slot: number, key: string, done: Done): void;

  /** Makes it, or takes the place of the one that there is; it counts as used now. FLOTILLA_SESSION_FULL: others would have to make room. */
  put(slot: number, session: LivingSession, done: Done): void;
}

export function elsewhere(): FlotillaError {
  return new FlotillaError(
    "FLOTILLA_SESSION_ELSEWHERE",
    "another server keeps this session now, or is about to; nothing was done",
    { retry: "yes" },
  );
}

export function full(): FlotillaError {
  return new FlotillaError(
    "FLOTILLA_SESSION_FULL",
    "this server keeps as many sessions as it may; nothing was written, for one of a visitor would have had to make room",
  );
}

/**
 * The first of these in the order of keys, as many as come to about so many bytes, and one at least.
 * @param look null: there is none any more. Not called for more than are wanted: it may mean to read one from outside the heap.
 */
export function firstOf(
  keys: string[],
  look: (key: string) => LivingSession | null,
  bytesMax: number,
): LivingSession[] {
  const sessions: LivingSession[] = [];
  let bytes = 0;
  for (const key of keys.sort()) {
    const session = look(key);
    if (session === null) continue;
    sessions.push(session);
    bytes += bytesOf(session.entries);
    if (bytes >= bytesMax) break;
  }
  return sessions;
}
