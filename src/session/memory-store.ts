/**
 * Sessions kept by their owner alone, in its memory: committed when applied, lost with the process (R22).
 * A look-up is one map access; nothing here waits.
 */
import type { Clock, Random, Timer } from "../support/clock.ts";
import { FlotillaError } from "../support/errors.ts";
import { session as limits } from "../support/limits.ts";
import type { Log } from "../support/log.ts";
import type { SavedSession } from "./disk/session-file.ts";
import { applied, bytesOf, noEntries, type SessionChanges, type SessionEntries } from "./entry.ts";
import { type Letter, type SessionIds, slotCount, type VerifiedId } from "./id.ts";
import { IdleItem, IdleOrder } from "./idle-order.ts";
import { type ReadySession, ReadySessions } from "./ready-sessions.ts";
import { type SessionLife, type SessionSnapshot, snapshotOf } from "./snapshot.ts";
import {
  checkedIdleTimeoutMs,
  contended,
  type Done,
  type Expected,
  type Loaded,
  noIdleTimeout,
  type SessionStore,
  sessionGone,
  tooLarge,
} from "./store.ts";

/** What a session costs beside its data: map entries, list item, entries. Measured, rounded up. */
const bookkeepingBytes = 1_024;

export interface MemoryStoreOptions {
  readonly ids: SessionIds;
  readonly letter: Letter;
  readonly processIndex: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly sessionsMax?: number;
  readonly memoryBytesMax?: number;
  readonly readySessionsMax?: number;
}

class KeptSession extends IdleItem implements ReadySession {
  readonly key: string;
  entries: SessionEntries = noEntries;
  bytes = 0;
  readyGeneration = 0;
  readonly createdAt: number;
  readonly absoluteTimeoutMs: number;

  constructor(key: string, idleTimeoutMs: number, createdAt: number, absoluteTimeoutMs: number) {
    super(idleTimeoutMs);
    this.key = key;
    this.createdAt = createdAt;
    this.absoluteTimeoutMs = absoluteTimeoutMs;
  }
}

export class MemoryStore implements SessionStore {
  readonly #options: MemoryStoreOptions;
  readonly #clock: Clock;
  readonly #sessionsMax: number;
  readonly #memoryBytesMax: number;
  readonly #ready: ReadySessions;
  readonly #sessions: Map<string, KeptSession> = new Map();
  readonly #idleOrder: IdleOrder<KeptSession> = new IdleOrder();
  #bytes = 0;
  #sweepTimer: Timer | null = null;
  #isFrozen = false;
  #evicted = 0;
  #toldEvictionAt = Number.NEGATIVE_INFINITY;

  constructor(options: MemoryStoreOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#sessionsMax = options.sessionsMax ?? limits.sessionsMax;
    this.#memoryBytesMax = options.memoryBytesMax ?? limits.memoryBytesMax;
    this.#ready = new ReadySessions(options.readySessionsMax);
  }

  get count(): number {
    return this.#sessions.size;
  }

  /** Sessions as stored, bookkeeping included; cached values of ready sessions come on top. */
  get bytes(): number {
    return this.#bytes;
  }

  /** One more would take the place of one that lives. */
  get isFull(): boolean {
    return this.#sessions.size >= this.#sessionsMax || this.#bytes >= this.#memoryBytesMax;
  }

  /** Of all sessions; others may come and go while it is gone through. */
  keys(): Iterable<string> {
    return this.#sessions.keys();
  }

  /** It counts as no use. */
  look(key: string): SessionSnapshot | null {
    const session = this.#sessions.get(key);
    const now = this.#clock.now();
    if (session === undefined || !isAlive(session, now)) return null;
    return snapshotOf(session, session.entries, now);
  }

  newId(): VerifiedId {
    const { ids, letter, processIndex, random } = this.#options;
    return ids.verify(ids.create(letter, "-", Math.floor(random() * slotCount), processIndex))!;
  }

  /** One process keeps them all. */
  renewed(): null {
    return null;
  }

  load(id: VerifiedId, done: Loaded): void {
    if (this.#isFrozen) return done(ending(), null, 0, 0);
    const now = this.#clock.now();
    const session = this.#living(id, now);
    if (session === null) {
      done(null, null, 0, 0);
      return;
    }
    this.#idleOrder.use(session, now, session.idleTimeoutMs);
    this.#ready.use(session);
    done(null, session.entries, now - session.createdAt, session.absoluteTimeoutMs);
  }

  create(
    { key }: VerifiedId,
    entries: SessionChanges,
    idleTimeoutMs: number,
    life: SessionLife,
    done: Done,
  ): void {
    if (this.#isFrozen) return done(ending());
    const timeoutMs = checkedIdleTimeoutMs(idleTimeoutMs);
    if (timeoutMs === null) return done(noIdleTimeout(idleTimeoutMs));
    this.#add(key, entries, timeoutMs, 0, life);
    done(null);
  }

  update(id: VerifiedId, changes: SessionChanges, idleTimeoutMs: number, done: Done): void {
    if (this.#isFrozen) return done(ending());
    const timeoutMs = checkedIdleTimeoutMs(idleTimeoutMs);
    if (timeoutMs === null) return done(noIdleTimeout(idleTimeoutMs));
    const now = this.#clock.now();
    const session = this.#living(id, now);
    if (session === null) {
      done(sessionGone());
      return;
    }
    if (bytesOf(applied(session.entries, changes)) > limits.dataBytesMax) {
      done(tooLarge(changes));
      return;
    }
    this.#apply(session, changes);
    this.#idleOrder.use(session, now, timeoutMs);
    this.#makeRoom();
    done(null);
  }

  compareAndSet(
    id: VerifiedId,
    changes: SessionChanges,
    expected: Expected,
    idleTimeoutMs: number,
    done: Done,
  ): void {
    if (this.#isFrozen) return done(ending());
    const session = this.#living(id, this.#clock.now());
    for (const [key, text] of expected)
      if (session !== null && (session.entries.get(key)?.text ?? null) !== text) return done(contended(key));
    this.update(id, changes, idleTimeoutMs, done);
  }

  touch(id: VerifiedId, idleTimeoutMs: number): void {
    const timeoutMs = checkedIdleTimeoutMs(idleTimeoutMs);
    if (this.#isFrozen || timeoutMs === null) return;
    const now = this.#clock.now();
    const session = this.#living(id, now);
    if (session === null) return;
    this.#idleOrder.use(session, now, timeoutMs);
    this.#ready.use(session);
  }

  destroy(id: VerifiedId, done: Done): void {
    if (this.#isFrozen) return done(ending());
    const session = this.#sessions.get(id.key);
    if (session !== undefined) this.#forget(session);
    done(null);
  }

  /** Takes up a session that an earlier process saved. */
  restore(session: SavedSession): void {
    const { key, entries, idleTimeoutMs, idleForMs } = session;
    this.#add(key, entries, idleTimeoutMs, idleForMs, session);
  }

  #add(
    key: string,
    entries: SessionChanges,
    idleTimeoutMs: number,
    idleForMs: number,
    { ageMs, absoluteTimeoutMs }: SessionLife,
  ): void {
    const now = this.#clock.now();
    const session = new KeptSession(key, idleTimeoutMs, now - ageMs, absoluteTimeoutMs);
    this.#sessions.set(key, session);
    this.#apply(session, entries);
    this.#idleOrder.use(session, now - idleForMs, idleTimeoutMs);
    this.#makeRoom();
    this.#sweepTimer ??= this.#clock.after(limits.sweepIntervalMs, this.#sweep);
  }

  /** All of them, as they are and will stay: from now on every operation fails, and nothing is told that is not saved. */
  freeze(): Iterable<SavedSession> {
    this.#isFrozen = true;
    this.#sweepTimer?.cancel();
    return savedSessions(this.#sessions, this.#clock.now());
  }

  #living(id: VerifiedId, now: number): KeptSession | null {
    const session = this.#sessions.get(id.key);
    if (session === undefined) return null;
    if (isAlive(session, now)) return session;
    this.#forget(session);
    return null;
  }

  #apply(session: KeptSession, changes: SessionChanges): void {
    session.entries = applied(session.entries, changes);
    let bytes = bookkeepingBytes;
    for (const entry of session.entries.values()) bytes += entry.bytes;
    this.#bytes += bytes - session.bytes;
    session.bytes = bytes;
  }

  #forget(session: KeptSession): void {
    this.#sessions.delete(session.key);
    this.#idleOrder.remove(session);
    this.#bytes -= session.bytes;
    session.entries = noEntries;
  }

  #makeRoom(): void {
    while (this.#sessions.size > this.#sessionsMax || this.#bytes > this.#memoryBytesMax) {
      this.#forget(this.#idleOrder.longestIdle()!);
      this.#evicted++;
    }
    if (this.#evicted > 0) this.#tellEviction();
  }

  #tellEviction(): void {
    const now = this.#clock.now();
    if (now - this.#toldEvictionAt < limits.complaintIntervalMs) return;
    this.#toldEvictionAt = now;
    this.#options.log.warn(
      {
        code: "FLOTILLA_SESSIONS_FULL",
        evicted: this.#evicted,
        sessions: this.#sessions.size,
        bytes: this.#bytes,
      },
      `sessions are full (${this.#sessions.size}, ${this.#bytes} bytes): ` +
        `${this.#evicted} of the longest idle made room; add app servers, or find out who makes so many`,
    );
    this.#evicted = 0;
  }

  readonly #sweep = (): void => {
    this.#sweepTimer = null;
    this.#idleOrder.sweep(this.#clock.now(), limits.sweptAtOnceMax, (session) => this.#forget(session));
    if (this.#sessions.size > 0) this.#sweepTimer = this.#clock.after(limits.sweepIntervalMs, this.#sweep);
  };
}

function isAlive(session: KeptSession, now: number): boolean {
  return !session.isExpired(now) && now - session.createdAt < session.absoluteTimeoutMs;
}

/** From the beginning each time: a disk that was full is written again. */
function savedSessions(sessions: ReadonlyMap<string, KeptSession>, now: number): Iterable<SavedSession> {
  return {
    *[Symbol.iterator]() {
      for (const session of sessions.values()) yield snapshotOf(session, session.entries, now);
    },
  };
}

function ending(): FlotillaError {
  return new FlotillaError(
    "FLOTILLA_SESSION_UNAVAILABLE",
    "this server has saved its sessions and is about to end; nothing was written",
    { retry: "yes" },
  );
}
