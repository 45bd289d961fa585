/** One session as an object: its committed data, and with the changes that are under way. */
import type { SessionEntries } from "../entry.ts";
import { IdleItem } from "../idle-order.ts";
import type { ReadySession } from "../ready-sessions.ts";
import type { SessionLife } from "../snapshot.ts";

export class KeptSession extends IdleItem implements ReadySession {
  readonly key: string;
  /** Committed; null before the commit of its creation. Written by `SlotSessions.setEntries` alone. */
  entries: SessionEntries | null = null;
  /** With the changes that are under way; null when one of them ends it. */
  tip: SessionEntries | null = null;
  /** On this process's clock; before its begin, of a session that is older. */
  createdAt = 0;
  /** From then on; Infinity: as long as it is used. */
  absoluteTimeoutMs: number = Number.POSITIVE_INFINITY;
  /** Of what is committed, as stored. */
  bytes = 0;
  readyGeneration = 0;
  /** When an update of another server last lost against one of this server. */
  contendedAt: number = Number.NEGATIVE_INFINITY;
  /** Used since the last touches were sent. */
  isTouched = false;

  constructor(key: string, idleTimeoutMs: number) {
    super(idleTimeoutMs);
    this.key = key;
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
