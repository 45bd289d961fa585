/**
 * The sessions of one copy of a slot, by key. Whoever gets one may keep it for the turn; beyond it only one that has changes
 * under way. Whoever drops a copy calls `clear`.
 */
import type { SessionEntries } from "../entry.ts";
import { IdleOrder } from "../idle-order.ts";
import type { SessionSnapshot } from "../snapshot.ts";
import { KeptSession } from "./kept-session.ts";

/** What a session costs beside its data, as in memory-store.ts. */
const bookkeepingBytes = 1_024;

export class SlotSessions {
  readonly #sessions: Map<string, KeptSession> = new Map();
  readonly #idle: IdleOrder<KeptSession> = new IdleOrder();
  #bytes = 0;

  get size(): number {
    return this.#sessions.size;
  }

  /** Of the committed sessions as stored, bookkeeping included. */
  get bytes(): number {
    return this.#bytes;
  }

  has(key: string): boolean {
    return this.#sessions.has(key);
  }

  get(key: string): KeptSession | undefined {
    return this.#sessions.get(key);
  }

  /** A new one, in the place of one of the same key. */
  set(session: KeptSession): void {
    this.#sessions.set(session.key, session);
  }

  /** A whole one that is committed, in the place of one of the same key. */
  put(snapshot: SessionSnapshot, now: number): void {
    const { key, entries, idleTimeoutMs, idleForMs } = snapshot;
    this.delete(key);
    const session = new KeptSession(key, idleTimeoutMs);
    session.begin(snapshot, now);
    session.tip = entries;
    this.set(session);
    this.setEntries(session, entries);
    this.use(session, now - idleForMs, idleTimeoutMs);
  }

  delete(key: string): void {
    const session = this.#sessions.get(key);
    if (session === undefined) return;
    this.setEntries(session, null);
    this.#idle.remove(session);
    this.#sessions.delete(key);
  }

  /** All of them go. */
  clear(): void {
    this.#sessions.clear();
    this.#bytes = 0;
  }

  /** A change of it is committed. */
  setEntries(session: KeptSession, entries: SessionEntries | null): void {
    session.entries = entries;
    const bytes = storedBytes(entries);
    this.#bytes += bytes - session.bytes;
    session.bytes = bytes;
  }

  use(session: KeptSession, now: number, idleTimeoutMs: number): void {
    this.#idle.use(session, now, idleTimeoutMs);
  }

  /** The same of the one of that key, if there is one. */
  touch(key: string, now: number, idleTimeoutMs: number): void {
    const session = this.#sessions.get(key);
    if (session !== undefined) this.use(session, now, idleTimeoutMs);
  }

  /** Its use is told. @returns its idle timeout; null when there is nothing to tell. */
  untouch(key: string): number | null {
    const session = this.#sessions.get(key);
    if (session === undefined || !session.isTouched) return null;
    session.isTouched = false;
    return session.entries === null ? null : session.idleTimeoutMs;
  }

  /** It is about to end: neither swept nor the longest idle any more. */
  ends(session: KeptSession): void {
    this.#idle.remove(session);
  }

  /** The committed one that is unused for longest, or null when there is none. */
  longestIdle(): KeptSession | null {
    return this.#idle.longestIdle();
  }

  /** Hands out those that are expired, at most so many; the callback ends them. */
  sweep(now: number, sessionsMax: number, expire: (session: KeptSession) => void): void {
    this.#idle.sweep(now, sessionsMax, expire);
  }

  /** To be read only. Sessions that come or go meanwhile may be among them or not; all others are, once. */
  values(): Iterator<KeptSession> & Iterable<KeptSession> {
    return this.#sessions.values();
  }
}

/** Of one session as stored, bookkeeping included. */
function storedBytes(entries: SessionEntries | null): number {
  if (entries === null) return 0;
  let bytes = bookkeepingBytes;
  for (const entry of entries.values()) bytes += entry.bytes;
  return bytes;
}
