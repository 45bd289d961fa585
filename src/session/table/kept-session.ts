/** One session as an object: its committed data, and with the changes that are under way. */
import type { SessionEntries } from "../entry.ts";
import type { SessionLife } from "../snapshot.ts";

/** Where a session is awake. */
export interface SessionTable {
  /** It becomes a record. @returns false when there is no room for one. */
  sleep(session: KeptSession): boolean;
}

export class KeptSession {
  readonly key: string;
  /** Committed; null before the commit of its creation. Written by `SlotSessions` alone. */
  entries: SessionEntries | null = null;
  /** With the changes that are under way; null when one of them ends it. */
  tip: SessionEntries | null = null;
  /** On this process's clock; before its begin, of a session that is older. */
  createdAt = 0;
  /** From then on; Infinity: as long as it is used. */
  absoluteTimeoutMs: number = Number.POSITIVE_INFINITY;
  /** Of what is committed, as stored. */
  bytes = 0;
  /** Monotonic. */
  lastUsedAt = 0;
  idleTimeoutMs: number;
  /** When an update of another server last lost against one of this server; forgotten when it falls asleep. */
  contendedAt: number = Number.NEGATIVE_INFINITY;
  /** Used since the last touches were sent. */
  isTouched = false;

  /** @internal Where it is awake; null: nowhere any more. */
  table: SessionTable | null = null;
  /** @internal The generation in which it was last asked for (awake-sessions.ts). */
  generation = 0;
  /** @internal There is a record of what is committed. */
  hasRecord = false;

  constructor(key: string, idleTimeoutMs: number) {
    this.key = key;
    this.idleTimeoutMs = idleTimeoutMs;
  }

  isExpired(now: number): boolean {
    return now - this.lastUsedAt >= this.idleTimeoutMs;
  }

  /** A change is under way: it is more than a record can say. */
  get isChanging(): boolean {
    return this.entries === null || this.tip !== this.entries;
  }

  begin({ ageMs, absoluteTimeoutMs }: SessionLife, now: number): void {
    this.createdAt = now - ageMs;
    this.absoluteTimeoutMs = absoluteTimeoutMs;
  }

  /** It has lived for as long as it may, whatever its use. */
  isOver(now: number): boolean {
    return now - this.createdAt >= this.absoluteTimeoutMs;
  }
}
