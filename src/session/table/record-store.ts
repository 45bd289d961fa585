/**
 * Sessions as bytes outside the JavaScript heap: records in segments of a mebibyte, written one after the other. A record that goes is
 * marked; a segment that holds none any more is given back; and when too much of the memory is marked, a cleaner moves what
 * lives out of the segment with the least of it, a bounded portion with every record that comes or goes: no call takes
 * long, and the collector of the heap never sees them (Rumble et al., "Log-structured Memory for DRAM-based Storage", FAST 2014).
 *
 *   0  u32  bytes of the record, a multiple of eight       24  f64  creation, on this process's clock
 *   4  u32  its table; `goneMark` when it is gone          32  f64  absolute timeout, milliseconds
 *   8  f64  last use, on this process's clock              40  u32  hash of the key
 *  16  f64  idle timeout, milliseconds                     44  u32  bytes of the key, times 256, and flags
 *  48  key, then the entries (entry-bytes.ts)
 *
 * A record is referred to by its segment and its place in it, in units of eight bytes: references are 32 bits. When
 * the cleaner moves one it tells its table, which finds the reference by the hash and not by the key.
 */
import { session as limits } from "../../support/limits.ts";
import type { SessionEntries } from "../entry.ts";
import { entryBytes, readEntries, writeEntries } from "../entry-bytes.ts";
import type { Key } from "./key.ts";

/** A record: its segment (15 bits, from 1) and its place in units of eight bytes (17 bits). 0 is none. */
export type RecordRef = number;

/** What a record says of a session beside its key. */
export interface RecordContent extends RecordTimes {
  readonly entries: SessionEntries | null;
  readonly isTouched: boolean;
}

export interface RecordTimes {
  readonly lastUsedAt: number;
  readonly idleTimeoutMs: number;
  readonly createdAt: number;
  readonly absoluteTimeoutMs: number;
}

/** Told when a record has moved. */
export type OnMoved = (table: number, hash: number, from: RecordRef, to: RecordRef) => void;

const headBytes = 48;
const placeBits = 17;
const placeMask = (1 << placeBits) - 1;
const segmentsMax = 1 << (32 - placeBits);
const goneMark = 0xffff_ffff;
const keyBytesMax = 0xff_ffff;

/** Of a record. */
export const RecordFlag = {
  /** An object stands for it (kept-session.ts): what the record says of its use is old. */
  awake: 1,
  /** Used since the last touches were sent. */
  touched: 2,
} as const;

class Segment {
  readonly number: number;
  /** By many records; else it was made for one. */
  readonly isShared: boolean;
  readonly memory: ArrayBuffer;
  readonly bytes: Buffer;
  /** The same memory. */
  readonly words: Uint32Array;
  /** The same memory. */
  readonly times: Float64Array;
  /** All before is written. */
  end = 0;
  liveBytes = 0;

  constructor(number: number, size: number, isShared: boolean) {
    this.number = number;
    this.isShared = isShared;
    // One that could grow is mapped by itself, and `resize(0)` gives its pages back at once. A plain one comes from
    // malloc, which keeps what is freed between others.
    this.memory = new ArrayBuffer(size, { maxByteLength: size });
    this.bytes = Buffer.from(this.memory, 0, size);
    this.words = new Uint32Array(this.memory, 0, size >>> 2);
    this.times = new Float64Array(this.memory, 0, size >>> 3);
  }
}

export class RecordStore {
  readonly #onMoved: OnMoved;
  readonly #segmentBytes: number;
  /** Larger records have a segment of their own. */
  readonly #sharedBytesMax: number;
  /** By number. */
  readonly #segments: (Segment | null)[] = [null];
  readonly #freeNumbers: number[] = [];
  /** Takes new records. */
  #head: Segment | null = null;
  /** Takes what the cleaner moves: what has lived for long stays among itself. */
  #survivors: Segment | null = null;
  #victim: Segment | null = null;
  #victimAt = 0;
  #allocatedBytes = 0;
  #liveBytes = 0;
  /** Of records in shared segments that are gone. */
  #goneBytes = 0;

  constructor(onMoved: OnMoved, segmentBytes: number = limits.segmentBytes) {
    this.#onMoved = onMoved;
    this.#segmentBytes = segmentBytes;
    this.#sharedBytesMax = segmentBytes >>> 3;
  }

  /** Of all segments. */
  get allocatedBytes(): number {
    return this.#allocatedBytes;
  }

  /** Of all records. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** @returns 0 when there is no room: there are as many segments as references can name. */
  append(table: number, key: Key, content: RecordContent): RecordRef {
    const entries = content.entries!;
    const bytes = recordBytes(key.length, entries);
    if (key.length > keyBytesMax) return 0;
    this.clean(bytes * limits.cleanedPerByte);
    const segment = this.#roomFor(bytes, false);
    if (segment === null) return 0;
    const at = segment.end;
    const word = at >>> 2;
    const { words } = segment;
    words[word] = bytes;
    words[word + 1] = table;
    words[word + 10] = key.hash;
    words[word + 11] = (key.length << 8) | (content.isTouched ? RecordFlag.touched : 0);
    for (let i = 0; i < key.length; i++) segment.bytes[at + headBytes + i] = key.bytes[i]!;
    writeEntries(segment.bytes, at + headBytes + key.length, entries);
    const ref = this.#take(segment, bytes);
    this.setTimes(ref, content);
    return ref;
  }

  /** It is gone; nobody has its reference any more. */
  free(ref: RecordRef): void {
    const segment = this.#segmentOf(ref);
    const word = (ref & placeMask) << 1;
    const bytes = segment.words[word]!;
    this.#mark(segment, word, bytes);
    if (segment.liveBytes === 0 && segment !== this.#head && segment !== this.#survivors)
      this.#giveBack(segment);
    this.clean(bytes * limits.cleanedPerByte);
  }

  bytesOf(ref: RecordRef): number {
    return this.#segmentOf(ref).words[(ref & placeMask) << 1]!;
  }

  hashOf(ref: RecordRef): number {
    return this.#segmentOf(ref).words[((ref & placeMask) << 1) + 10]!;
  }

  lastUsedAt(ref: RecordRef): number {
    return this.#segmentOf(ref).times[(ref & placeMask) + 1]!;
  }

  idleTimeoutMs(ref: RecordRef): number {
    return this.#segmentOf(ref).times[(ref & placeMask) + 2]!;
  }

  createdAt(ref: RecordRef): number {
    return this.#segmentOf(ref).times[(ref & placeMask) + 3]!;
  }

  absoluteTimeoutMs(ref: RecordRef): number {
    return this.#segmentOf(ref).times[(ref & placeMask) + 4]!;
  }

  /** By its use as of `idleNow`, or by its age as of `now`. */
  isExpired(ref: RecordRef, idleNow: number, now: number): boolean {
    const { times } = this.#segmentOf(ref);
    const at = ref & placeMask;
    return idleNow - times[at + 1]! >= times[at + 2]! || now - times[at + 3]! >= times[at + 4]!;
  }

  setTimes(ref: RecordRef, session: RecordTimes): void {
    const { times } = this.#segmentOf(ref);
    const at = ref & placeMask;
    times[at + 1] = session.lastUsedAt;
    times[at + 2] = session.idleTimeoutMs;
    times[at + 3] = session.createdAt;
    times[at + 4] = session.absoluteTimeoutMs;
  }

  flags(ref: RecordRef): number {
    return this.#segmentOf(ref).words[((ref & placeMask) << 1) + 11]! & 0xff;
  }

  setUse(ref: RecordRef, lastUsedAt: number, idleTimeoutMs: number): void {
    const { times } = this.#segmentOf(ref);
    times[(ref & placeMask) + 1] = lastUsedAt;
    times[(ref & placeMask) + 2] = idleTimeoutMs;
  }

  setFlags(ref: RecordRef, flags: number): void {
    const { words } = this.#segmentOf(ref);
    const word = ((ref & placeMask) << 1) + 11;
    words[word] = (words[word]! & ~0xff) | flags;
  }

  key(ref: RecordRef): string {
    const { bytes, words } = this.#segmentOf(ref);
    const at = (ref & placeMask) << 3;
    return bytes.toString("utf8", at + headBytes, at + headBytes + (words[(at >>> 2) + 11]! >>> 8));
  }

  hasKey(ref: RecordRef, key: Key): boolean {
    const { bytes, words } = this.#segmentOf(ref);
    const at = (ref & placeMask) << 3;
    if (words[(at >>> 2) + 11]! >>> 8 !== key.length) return false;
    for (let i = 0; i < key.length; i++) if (bytes[at + headBytes + i] !== key.bytes[i]) return false;
    return true;
  }

  entries(ref: RecordRef): SessionEntries {
    const { bytes, words } = this.#segmentOf(ref);
    const at = (ref & placeMask) << 3;
    const from = at + headBytes + (words[(at >>> 2) + 11]! >>> 8);
    return readEntries(bytes, from, at + words[at >>> 2]!);
  }

  /** Moves what lives out of segments where too much is gone, until so many bytes of them have been looked at. */
  clean(bytes: number): void {
    let rest = bytes;
    while (rest > 0) {
      this.#victim ??= this.#worst();
      if (this.#victim === null) return;
      const looked = this.#cleanNext(this.#victim);
      if (looked === 0) return;
      rest -= looked;
    }
  }

  #segmentOf(ref: RecordRef): Segment {
    return this.#segments[ref >>> placeBits]!;
  }

  /** The segment that takes the next record. */
  #roomFor(bytes: number, isSurvivor: boolean): Segment | null {
    if (bytes > this.#sharedBytesMax) return this.#newSegment(bytes, false);
    const open = isSurvivor ? this.#survivors : this.#head;
    if (open !== null && open.end + bytes <= this.#segmentBytes) return open;
    const next = this.#newSegment(this.#segmentBytes, true);
    if (next === null) return null;
    if (isSurvivor) this.#survivors = next;
    else this.#head = next;
    if (open !== null && open.liveBytes === 0) this.#giveBack(open);
    return next;
  }

  #newSegment(size: number, isShared: boolean): Segment | null {
    const number = this.#freeNumbers.pop() ?? this.#segments.length;
    if (number === segmentsMax) return null;
    const segment = new Segment(number, size, isShared);
    this.#segments[number] = segment;
    this.#allocatedBytes += size;
    return segment;
  }

  /** Nothing in it lives. */
  #giveBack(segment: Segment): void {
    this.#allocatedBytes -= segment.bytes.length;
    if (segment.isShared) this.#goneBytes -= segment.end;
    if (segment === this.#victim) this.#victim = null;
    this.#segments[segment.number] = null;
    this.#freeNumbers.push(segment.number);
    segment.memory.resize(0);
  }

  #take(segment: Segment, bytes: number): RecordRef {
    const ref = ((segment.number << placeBits) | (segment.end >>> 3)) >>> 0;
    segment.end += bytes;
    segment.liveBytes += bytes;
    this.#liveBytes += bytes;
    return ref;
  }

  #mark(segment: Segment, word: number, bytes: number): void {
    segment.words[word + 1] = goneMark;
    segment.liveBytes -= bytes;
    this.#liveBytes -= bytes;
    if (segment.isShared) this.#goneBytes += bytes;
  }

  /** The full segment in which most is gone, if too much is of all. */
  #worst(): Segment | null {
    if (this.#goneBytes <= this.#allocatedBytes * limits.goneShareMax + this.#segmentBytes) return null;
    let worst: Segment | null = null;
    let most = 0;
    for (const segment of this.#segments) {
      if (segment === null || segment === this.#head || segment === this.#survivors) continue;
      const gone = segment.end - segment.liveBytes;
      if (gone <= most) continue;
      worst = segment;
      most = gone;
    }
    this.#victimAt = 0;
    return worst;
  }

  /** @returns the bytes of the record that was looked at; 0 when there is no room to move it. */
  #cleanNext(victim: Segment): number {
    const word = this.#victimAt >>> 2;
    const bytes = victim.words[word]!;
    const table = victim.words[word + 1]!;
    if (table !== goneMark) {
      const target = this.#roomFor(bytes, true);
      if (target === null) return 0;
      target.bytes.set(victim.bytes.subarray(this.#victimAt, this.#victimAt + bytes), target.end);
      const from = ((victim.number << placeBits) | (word >>> 1)) >>> 0;
      const to = this.#take(target, bytes);
      this.#mark(victim, word, bytes);
      this.#onMoved(table, target.words[((to & placeMask) << 1) + 10]!, from, to);
    }
    this.#victimAt += bytes;
    if (victim.liveBytes === 0) this.#giveBack(victim);
    return bytes;
  }
}

/** What a record takes. @param keyBytes of its key. */
export function recordBytes(keyBytes: number, entries: SessionEntries): number {
  return (headBytes + keyBytes + entryBytes(entries) + 7) & ~7;
}
