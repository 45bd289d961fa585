/**
 * Sessions kept by their owner alone, in its memory: committed when applied, lost with the process (R22).
 * A look-up is one map access; nothing here waits.
 */
import type { Clock, Random, Timer } from "../support/clock.ts";
import { FlotillaError } from "../support/errors.ts";
import { session as limits } from "../support/limits.ts";
import type { Log } from "../support/log.ts";
import type { SavedSession } from "./disk/saved-rows.ts";
import { applied, bytesOf, noEntries, type SessionChanges } from "./entry.ts";
import { type Letter, type SessionIds, slotCount, slotOfKey, type VerifiedId } from "./id.ts";
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
import { KeptSession } from "./table/kept-session.ts";
import { LongestIdle } from "./table/longest-idle.ts";
import { SessionMemory } from "./table/session-memory.ts";
import { SlotSessions } from "./table/slot-sessions.ts";
import { Sweep } from "./table/sweep.ts";

export interface MemoryStoreOptions {
  readonly ids: SessionIds;
  readonly letter: Letter;
  readonly processIndex: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly sessionsMax?: number;
  readonly memoryBytesMax?: number;
  readonly awakeSessionsMax?: number;
}

export class MemoryStore implements SessionStore {
  readonly #options: MemoryStoreOptions;
  readonly #clock: Clock;
  readonly #sessionsMax: number;
  readonly #memoryBytesMax: number;
  readonly #memory: SessionMemory;
  /** As in a cluster there are many, by slot: one alone would stand still whenever its index grows. */
  readonly #tables: readonly SlotSessions[];
  readonly #sweeps: Sweep = new Sweep();
  readonly #longestIdle: LongestIdle = new LongestIdle();
  #count = 0;
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
    const { awakeSessionsMax } = options;
    this.#memory = new SessionMemory(awakeSessionsMax === undefined ? {} : { awakeSessionsMax });
    this.#tables = Array.from({ length: slotCount }, () => new SlotSessions(this.#memory));
  }

  get count(): number {
    return this.#count;
  }

  /** What all sessions take as records; those in use are objects besides. */
  get bytes(): number {
    return this.#bytes;
  }

  /** One more would take the place of one that lives. */
  get isFull(): boolean {
    return this.#count >= this.#sessionsMax || this.#bytes >= this.#memoryBytesMax;
  }

  keysIn(slot: number): string[] {
    return this.#tables[slot]!.keys();
  }

  /** It counts as no use. */
  look(key: string): SessionSnapshot | null {
    const session = this.#tableOf(key).look(key);
    const now = this.#clock.now();
    if (session === undefined || !isAlive(session, now)) return null;
    return snapshotOf(session, session.entries!, now);
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
    session.lastUsedAt = now;
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
    const session = new KeptSession(key, timeoutMs);
    session.begin(life, this.#clock.now());
    this.#forget(key);
    this.#tableOf(key).set(session);
    this.#count++;
    this.#apply(session, entries, this.#clock.now(), timeoutMs);
    this.#makeRoom();
    this.#sweepTimer ??= this.#clock.after(limits.sweepIntervalMs, this.#sweep);
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
    if (bytesOf(applied(session.entries!, changes)) > limits.dataBytesMax) {
      done(tooLarge(changes));
      return;
    }
    this.#apply(session, changes, now, timeoutMs);
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
      if (session !== null && (session.entries!.get(key)?.text ?? null) !== text) return done(contended(key));
    this.update(id, changes, idleTimeoutMs, done);
  }

  touch(id: VerifiedId, idleTimeoutMs: number): void {
    const timeoutMs = checkedIdleTimeoutMs(idleTimeoutMs);
    if (this.#isFrozen || timeoutMs === null) return;
    const now = this.#clock.now();
    const session = this.#living(id, now);
    if (session === null) return;
    session.lastUsedAt = now;
    session.idleTimeoutMs = timeoutMs;
  }

  destroy(id: VerifiedId, done: Done): void {
    if (this.#isFrozen) return done(ending());
    this.#forget(id.key);
    done(null);
  }

  /** Takes up a session that an earlier process saved. */
  restore(session: SavedSession): void {
    const { key } = session;
    this.#forget(key);
    const table = this.#tableOf(key);
    const { bytes } = table;
    table.put(session, this.#clock.now());
    this.#count++;
    this.#bytes += table.bytes - bytes;
    this.#makeRoom();
    this.#sweepTimer ??= this.#clock.after(limits.sweepIntervalMs, this.#sweep);
  }

  /** All of them, as they are and will stay: from now on every operation fails, and nothing is told that is not saved. */
  freeze(): Iterable<SavedSession> {
    this.#isFrozen = true;
    this.#sweepTimer?.cancel();
    return savedSessions(this.#tables, this.#clock.now());
  }

  #living(id: VerifiedId, now: number): KeptSession | null {
    const session = this.#tableOf(id.key).get(id.key);
    if (session === undefined) return null;
    if (isAlive(session, now)) return session;
    this.#forget(id.key);
    return null;
  }

  #tableOf(key: string): SlotSessions {
    return this.#tables[slotOfKey(key)]!;
  }

  #apply(session: KeptSession, changes: SessionChanges, now: number, idleTimeoutMs: number): void {
    const table = this.#tableOf(session.key);
    const { bytes } = table;
    session.tip = applied(session.entries ?? noEntries, changes);
    table.setEntries(session, session.tip);
    table.use(session, now, idleTimeoutMs);
    this.#bytes += table.bytes - bytes;
  }

  #forget(key: string): void {
    const table = this.#tableOf(key);
    const { size, bytes } = table;
    table.delete(key);
    this.#count -= size - table.size;
    this.#bytes -= bytes - table.bytes;
  }

  #makeRoom(): void {
    while (this.#count > this.#sessionsMax || this.#bytes > this.#memoryBytesMax) {
      const share = Math.max(1 - this.#sessionsMax / this.#count, 1 - this.#memoryBytesMax / this.#bytes);
      const batch = Math.floor(Math.min(this.#count, limits.lookedAtMax) * limits.evictedShare);
      this.#longestIdle.take(this.#tables, Math.max(batch, Math.ceil(this.#count * share)), this.#evict);
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
        sessions: this.#count,
        bytes: this.#bytes,
      },
      `sessions are full (${this.#count}, ${this.#bytes} bytes): ` +
        `${this.#evicted} of the longest idle made room; add app servers, or find out who makes so many`,
    );
    this.#evicted = 0;
  }

  readonly #evict = (_table: number, key: string): void => {
    this.#forget(key);
    this.#evicted++;
  };

  readonly #sweep = (): void => {
    const now = this.#clock.now();
    this.#sweeps.next(this.#tables, (index, endsMax) => {
      const keys = this.#tables[index]!.expired(now, 0, endsMax);
      for (const key of keys) this.#forget(key);
      return keys.length;
    });
    this.#memory.tidy();
    const isAtRest = this.#count === 0;
    this.#sweepTimer = isAtRest ? null : this.#clock.after(limits.sweepIntervalMs, this.#sweep);
  };
}

function isAlive(session: KeptSession, now: number): boolean {
  return !session.isExpired(now) && !session.isOver(now);
}

/** From the beginning each time: a disk that was full is written again. */
function savedSessions(tables: readonly SlotSessions[], now: number): Iterable<SavedSession> {
  return {
    *[Symbol.iterator]() {
      for (const table of tables)
        for (const session of table.values()) yield snapshotOf(session, session.entries!, now);
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
