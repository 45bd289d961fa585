/**
 * The sessions of one copy of a slot, by key. Those in use are objects, the others records (record-store.ts) of which `get` makes
 * objects again. An object may be used until the call at hand ends; longer only while it has a change under way, for then it stays
 * one. Whoever drops a copy calls `clear`: the heap's collector knows nothing of records.
 */
import type { SessionEntries } from "../entry.ts";
import type { SessionSnapshot } from "../snapshot.ts";
import { KeptSession, type SessionTable } from "./kept-session.ts";
import { KeyIndex } from "./key-index.ts";
import { RecordFlag, type RecordRef, type RecordStore, recordBytes } from "./record-store.ts";
import type { SessionMemory } from "./session-memory.ts";

/** Of a session in the index: four, where that is as full as on average. */
const indexBytes = 8;

export class SlotSessions implements SessionTable {
  readonly #memory: SessionMemory;
  readonly #records: RecordStore;
  readonly #awake: Map<string, KeptSession> = new Map();
  #index: KeyIndex;
  /** Under which records name this table; -1 before the first one. */
  #number = -1;
  /** Awake ones of which there is a record too. */
  #both = 0;
  #bytes = 0;

  constructor(memory: SessionMemory) {
    this.#memory = memory;
    this.#records = memory.records;
    this.#index = new KeyIndex(this.#records);
  }

  get size(): number {
    return this.#awake.size + this.#index.count - this.#both;
  }

  /** What the committed sessions take as records. */
  get bytes(): number {
    return this.#bytes;
  }

  has(key: string): boolean {
    return this.#awake.has(key) || this.#find(key) !== 0;
  }

  get(key: string): KeptSession | undefined {
    const session = this.#awake.get(key);
    if (session === undefined) return this.#wake(key);
    this.#memory.awake.use(session);
    return session;
  }

  /** Whether this very object stands for the session. */
  isOf(session: KeptSession): boolean {
    return session.table === this;
  }

  /** A new one, in the place of one of the same key. */
  set(session: KeptSession): void {
    if (session.table === this) return;
    this.delete(session.key);
    session.table = this;
    this.#awake.set(session.key, session);
    this.#memory.awake.use(session);
  }

  /** A whole one that is committed, in the place of one of the same key. It does not count as used. */
  put(snapshot: SessionSnapshot, now: number): void {
    const { key, entries, idleTimeoutMs, idleForMs } = snapshot;
    this.delete(key);
    const session = new KeptSession(key, idleTimeoutMs);
    session.begin(snapshot, now);
    session.entries = session.tip = entries;
    session.lastUsedAt = now - idleForMs;
    const ref = this.#append(session);
    if (ref !== 0) this.#bytes += this.#records.bytesOf(ref) + indexBytes;
    else {
      this.set(session);
      this.setEntries(session, entries);
    }
  }

  delete(key: string): void {
    const session = this.#awake.get(key);
    if (session !== undefined) {
      this.#forgetRecord(session);
      this.#bytes -= session.bytes;
      session.bytes = 0;
      session.table = null;
      this.#awake.delete(key);
      return;
    }
    const ref = this.#find(key);
    if (ref === 0) return;
    this.#bytes -= this.#records.bytesOf(ref) + indexBytes;
    this.#index.remove(this.#records.hashOf(ref), ref);
    this.#records.free(ref);
  }

  /** All of them go. Their memory is given back little by little. */
  clear(): void {
    for (const session of this.#awake.values()) session.table = null;
    this.#awake.clear();
    if (this.#number >= 0) this.#memory.drop(this.#number, this.#index);
    this.#number = -1;
    this.#index = new KeyIndex(this.#records);
    this.#both = this.#bytes = 0;
  }

  /** A change of it is committed; null: it is over, and is to be deleted. */
  setEntries(session: KeptSession, entries: SessionEntries | null): void {
    session.entries = entries;
    if (session.table !== this) return;
    this.#forgetRecord(session);
    const bytes = entries === null ? 0 : recordBytes(Buffer.byteLength(session.key), entries) + indexBytes;
    this.#bytes += bytes - session.bytes;
    this.#memory.awake.grow(bytes - session.bytes);
    session.bytes = bytes;
  }

  use(session: KeptSession, now: number, idleTimeoutMs: number): void {
    session.lastUsedAt = now;
    session.idleTimeoutMs = idleTimeoutMs;
  }

  /** The same of the one of that key, if there is one. It may sleep on. */
  touch(key: string, now: number, idleTimeoutMs: number): void {
    const session = this.#awake.get(key);
    if (session !== undefined) this.use(session, now, idleTimeoutMs);
    else {
      const ref = this.#find(key);
      if (ref !== 0) this.#records.setUse(ref, now, idleTimeoutMs);
    }
  }

  /** Its use is told. @returns its idle timeout; null when there is nothing to tell. */
  untouch(key: string): number | null {
    const session = this.#awake.get(key);
    if (session !== undefined) {
      if (!session.isTouched) return null;
      session.isTouched = false;
      return session.entries === null ? null : session.idleTimeoutMs;
    }
    const ref = this.#find(key);
    const flags = ref === 0 ? 0 : this.#records.flags(ref);
    if ((flags & RecordFlag.touched) === 0) return null;
    this.#records.setFlags(ref, flags & ~RecordFlag.touched);
    return this.#records.idleTimeoutMs(ref);
  }

  /**
   * Keys of those that are unused for too long, or too old, and not about to end: at most so many.
   * @param lagMs that they may have been used later than is known.
   */
  expired(now: number, lagMs: number, sessionsMax: number): string[] {
    const keys: string[] = [];
    for (const session of this.#awake.values()) {
      if (session.entries === null || session.tip === null) continue;
      // A change under way is a use.
      const isIdle = !session.isChanging && session.isExpired(now - lagMs);
      if (isIdle || session.isOver(now)) keys.push(session.key);
    }
    const records = this.#records;
    for (const ref of this.#index.refs) {
      if (ref === 0 || !records.isExpired(ref, now - lagMs, now)) continue;
      if ((records.flags(ref) & RecordFlag.awake) === 0) keys.push(records.key(ref));
      if (keys.length >= sessionsMax) break;
    }
    return keys.slice(0, sessionsMax);
  }

  /** When each of those that are committed and not about to end was last used: written behind `count` numbers. @returns how many there are then. */
  lastUses(times: Float64Array, count: number): number {
    let at = count;
    for (const { entries, tip, lastUsedAt } of this.#awake.values())
      if (entries !== null && tip !== null) times[at++] = lastUsedAt;
    for (const ref of this.#index.refs) {
      if (ref === 0 || (this.#records.flags(ref) & RecordFlag.awake) !== 0) continue;
      times[at++] = this.#records.lastUsedAt(ref);
    }
    return at;
  }

  /** Keys of those that `lastUses` tells of and that were not used after this time. */
  unusedSince(time: number): string[] {
    const keys: string[] = [];
    for (const { key, entries, tip, lastUsedAt } of this.#awake.values())
      if (lastUsedAt <= time && entries !== null && tip !== null) keys.push(key);
    for (const ref of this.#index.refs) {
      if (ref === 0 || this.#records.lastUsedAt(ref) > time) continue;
      if ((this.#records.flags(ref) & RecordFlag.awake) === 0) keys.push(this.#records.key(ref));
    }
    return keys;
  }

  /** Of all of them, now. */
  keys(): string[] {
    const keys = [...this.#awake.keys()];
    for (const ref of this.#index.refs) {
      if (ref !== 0 && (this.#records.flags(ref) & RecordFlag.awake) === 0) keys.push(this.#records.key(ref));
    }
    return keys;
  }

  /** Keys of those that `lastUses` tells of and that are unused for longest: so many, or all. */
  longestIdle(count: number): string[] {
    const times = new Float64Array(this.size);
    const sorted = times.subarray(0, this.lastUses(times, 0)).sort();
    if (count === 0 || sorted.length === 0) return [];
    return this.unusedSince(sorted[Math.min(count, sorted.length) - 1]!).slice(0, count);
  }

  /** The session, to be read only: it does not count as asked for. */
  look(key: string): KeptSession | undefined {
    const session = this.#awake.get(key);
    const ref = session === undefined ? this.#find(key) : 0;
    return ref === 0 ? session : this.#read(key, ref);
  }

  /** To be read only. Sessions that come or go meanwhile may be among them or not; all others are, once. */
  *values(): IterableIterator<KeptSession> {
    for (const key of this.keys()) {
      const session = this.look(key);
      if (session !== undefined) yield session;
    }
  }

  sleep(session: KeptSession): boolean {
    if (session.hasRecord) {
      const ref = this.#find(session.key);
      this.#records.setTimes(ref, session);
      this.#records.setFlags(ref, session.isTouched ? RecordFlag.touched : 0);
      this.#both--;
    } else if (this.#append(session) === 0) return false;
    this.#awake.delete(session.key);
    session.table = null;
    return true;
  }

  #find(key: string): RecordRef {
    return this.#index.count === 0 ? 0 : this.#index.find(this.#memory.keyOf(key));
  }

  #append(session: KeptSession): RecordRef {
    if (this.#number < 0) this.#number = this.#memory.register(this.#index);
    const key = this.#memory.keyOf(session.key);
    const ref = this.#records.append(this.#number, key, session);
    if (ref !== 0) this.#index.add(key.hash, ref);
    return ref;
  }

  #wake(key: string): KeptSession | undefined {
    const ref = this.#find(key);
    if (ref === 0) return undefined;
    const session = this.#read(key, ref);
    this.#records.setFlags(ref, RecordFlag.awake);
    this.#both++;
    session.hasRecord = true;
    session.table = this;
    this.#awake.set(key, session);
    this.#memory.awake.use(session);
    return session;
  }

  #read(key: string, ref: RecordRef): KeptSession {
    const records = this.#records;
    const session = new KeptSession(key, records.idleTimeoutMs(ref));
    session.lastUsedAt = records.lastUsedAt(ref);
    session.createdAt = records.createdAt(ref);
    session.absoluteTimeoutMs = records.absoluteTimeoutMs(ref);
    session.entries = session.tip = records.entries(ref);
    session.bytes = records.bytesOf(ref) + indexBytes;
    session.isTouched = (records.flags(ref) & RecordFlag.touched) !== 0;
    return session;
  }

  /** What it says is no longer so. */
  #forgetRecord(session: KeptSession): void {
    if (!session.hasRecord) return;
    session.hasRecord = false;
    this.#both--;
    const ref = this.#find(session.key);
    this.#index.remove(this.#records.hashOf(ref), ref);
    this.#records.free(ref);
  }
}
