/**
 * What the protocol asks of a server's disk where `durability: backup+disk` is wanted: the copies of its slots, kept in an
 * embedded database that runs elsewhere (`session/disk/`). Nothing here waits; what is written is told of when it is synced.
 *
 * Changes take effect in their order. All calls of one turn of the event loop, and all that come while the disk is busy, go into
 * one transaction, so that after a crash a copy is as it was at one moment: its sessions are those of its place (epoch and
 * pos). An answer shows all changes that were made before it was asked for; it may show later ones.
 *
 * A disk that can't be written (full, broken, gone) keeps what it was given, in order, and tries again by itself; it is for
 * whoever gives it more to wait (`pendingBytes`). Reads go on as far as they can, and show what is synced: what is not, only
 * its writer knows.
 */
import type { FlotillaError } from "../../support/errors.ts";
import type { SessionSnapshot } from "../snapshot.ts";

/** Where a copy of a slot stands. */
export interface CopyPlaceOnDisk {
  /** Of the process that wrote it. */
  readonly incarnation: string;
  readonly epoch: number;
  readonly pos: number;
  readonly sessions: number;
}

/** One session as the disk keeps it; the time in which no process ran does not count. */
export type DiskSession = SessionSnapshot;

/** Where a session is. */
export interface KeyInSlot {
  readonly slot: number;
  readonly key: string;
}

export type KeysDone = (error: FlotillaError | null, keys: readonly KeyInSlot[]) => void;

export interface Renewal {
  /** Why what was there is of no use, for a person. */
  readonly why: string;
  /** Nobody else may have it: it stays beside, however many do. */
  readonly isOnlyCopy: boolean;
}

export interface DiskObserver {
  /** All that was given of the slot up to this place is synced. Not told of a copy that was dropped or begun anew since. */
  onDurable(slot: number, epoch: number, pos: number): void;
  /** It can't be written, and why, for a person; null: it can again. */
  onTrouble(reason: string | null): void;
  /** It could not be opened before, and is now: `found` tells what is there. */
  onOpened(): void;
  /** `isLost`, from now on: what was told to be synced is not any more. */
  onLost(): void;
}

export interface SlotDisk {
  /** Whether the last attempt to write succeeded. */
  readonly isWell: boolean;
  /** Of changes that are not synced yet: whoever gives it more has to wait. */
  readonly pendingBytes: number;
  /** Of all copies, about: above what is for them the longest idle make room. */
  readonly bytes: number;
  /** Of all copies that are whole, as last heard. */
  readonly sessions: number;

  /** False while it can't be opened: what processes before left there is not known, and nothing is read or written. */
  readonly isOpen: boolean;
  /** What it had is damaged, or was removed: it is not written any more, and nobody counts on it. */
  readonly isLost: boolean;
  /** It is to begin with nothing: nobody wants what was there any more. Not open until `onOpened`. */
  renew(renewal: Renewal): void;
  /** The id of the register whose copies it has: with the next changes it says so. "": of none so far. */
  register: string;

  /** Copies that processes before this one left, by slot: only whole ones. Valid once it is open, before anything is written. */
  readonly found: ReadonlyMap<number, CopyPlaceOnDisk>;

  /** The one that is told; set before anything is written. */
  observe(observer: DiskObserver): void;

  /**
   * The change at `pos`: the session is now this; null: it is over.
   * It goes to the copy that is being made, if there is one, mixed with its parts in the order of the calls.
   */
  write(slot: number, epoch: number, pos: number, key: string, session: DiskSession | null): void;
  /** Sessions were used; they are not rewritten. Nobody waits for it. */
  touch(slot: number, key: string, idleTimeoutMs: number, idleForMs: number): void;
  /** The copy is this process's, and stands here; an empty one is made where there was none. `onDurable` follows. */
  adopt(slot: number, epoch: number, pos: number): void;

  /** A new copy comes in parts. The one before stays what `found` would show after a restart until `endCopy`. */
  beginCopy(slot: number): void;
  addToCopy(slot: number, sessions: readonly DiskSession[]): void;
  /** The new copy is whole, at this place; the one before goes. `onDurable` follows. */
  endCopy(slot: number, epoch: number, pos: number): void;
  /** The new copy is not wanted any more; the one before is. */
  cancelCopy(slot: number): void;
  /** Neither is wanted any more. */
  drop(slot: number): void;

  /** One session; null: the disk has none. Answered later, never within the call. */
  read(
    slot: number,
    key: string,
    done: (error: FlotillaError | null, session: DiskSession | null) => void,
  ): void;
  /** Sessions behind this key in the order of keys ("" from the first), about so many bytes of them; none: that was all. */
  readAfter(
    slot: number,
    key: string,
    bytesMax: number,
    done: (error: FlotillaError | null, sessions: readonly DiskSession[]) => void,
  ): void;
  /** Keys of sessions that are idle for longer than they may, or older, and this much more, of slots that are asked for, at most so many. */
  expired(slots: readonly number[], lateMs: number, sessionsMax: number, done: KeysDone): void;
  /** Keys of those that are idle for longest, at most so many. */
  longestIdle(slots: readonly number[], sessionsMax: number, done: KeysDone): void;
  /** Resolves when all that was written is synced and nobody uses the database any more; nothing may be called after it. */
  close(): Promise<void>;
}
