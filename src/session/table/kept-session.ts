/** One session as an object: its committed data, and with the changes that are under way. */
import type { SessionEntries } from "../entry.ts";
import { IdleItem } from "../idle-order.ts";
import type { ReadySession } from "../ready-sessions.ts";

export class KeptSession extends IdleItem implements ReadySession {
  readonly key: string;
  /** Committed; null before the commit of its creation. Written by `SlotSessions.setEntries` alone. */
  entries: SessionEntries | null = null;
  /** With the changes that are under way; null when one of them ends it. */
  tip: SessionEntries | null = null;
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
}
