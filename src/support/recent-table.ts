/**
 * What was used of late: 32-bit keys with a small number each, bounded in count and time; the least recently used leaves first.
 *
 * 26 bytes an entry in typed arrays: a million cost 26 MiB and nothing of the garbage collector's time, where a Map of objects would
 * take several times as much and stop the process for its rehashing. Chained hashing; a key is taken to be a good hash already.
 * Whoever could choose keys finds at most 4,096 of them in one chain of a table of a million.
 */
const tickMs = 100;
const firstCapacity = 1_024;

type Visit = (key: number, value: number, usedAtMs: number) => void;

export class RecentTable {
  /** An entry is forgotten so long after its last use. */
  keptMs: number;
  /** When the entry that `get` found was last used. */
  usedAtMs = 0;
  readonly #entriesMax: number;
  #capacity = 0;
  /** Entries 1 to this one are filled; 0 stands for none, and for both ends of the order. */
  #filled = 0;
  #keys = new Int32Array(1);
  #values = new Uint16Array(1);
  #usedAt = new Uint32Array(1);
  #newer = new Uint32Array(1);
  #older = new Uint32Array(1);
  /** Of the chain. */
  #next = new Uint32Array(1);
  #heads = new Uint32Array(0);

  constructor(entriesMax: number, keptMs: number) {
    this.#entriesMax = entriesMax;
    this.keptMs = keptMs;
  }

  /** Those that nobody has missed yet included. */
  get size(): number {
    return this.#filled;
  }

  get bytes(): number {
    const arrays = [
      this.#keys,
      this.#values,
      this.#usedAt,
      this.#newer,
      this.#older,
      this.#next,
      this.#heads,
    ];
    return arrays.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** @returns the key's value, or -1. It does not count as a use. */
  get(key: number, nowMs: number): number {
    const at = this.#find(key);
    if (at === 0 || this.#isOver(at, nowMs)) return -1;
    this.usedAtMs = this.#usedAt[at]! * tickMs;
    return this.#values[at]!;
  }

  /**
   * It counts as used.
   * @param value 0 to 65,535. @param usedAtMs may be ahead of now, when it need not be told of uses until then.
   */
  set(key: number, value: number, nowMs: number, usedAtMs: number = nowMs): void {
    let at = this.#find(key);
    if (at === 0) {
      at = this.#room(nowMs);
      const bucket = key & (this.#capacity - 1);
      this.#keys[at] = key;
      this.#next[at] = this.#heads[bucket]!;
      this.#heads[bucket] = at;
    }
    this.#values[at] = value;
    this.#touch(at, Math.floor(usedAtMs / tickMs));
  }

  /** Visits up to `count` entries from the `first` (from 1 on) that are not over. @returns where to go on, or 0 at the end. */
  walk(first: number, count: number, nowMs: number, visit: Visit): number {
    const end = Math.min(first + count, this.#filled + 1);
    for (let at = first; at < end; at++)
      if (!this.#isOver(at, nowMs)) visit(this.#keys[at]!, this.#values[at]!, this.#usedAt[at]! * tickMs);
    return end > this.#filled ? 0 : end;
  }

  #find(key: number): number {
    if (this.#capacity === 0) return 0;
    let at = this.#heads[key & (this.#capacity - 1)]!;
    while (at !== 0 && this.#keys[at] !== key) at = this.#next[at]!;
    return at;
  }

  #isOver(at: number, nowMs: number): boolean {
    return nowMs - this.#usedAt[at]! * tickMs >= this.keptMs;
  }

  /** Makes it the latest. */
  #touch(at: number, tick: number): void {
    this.#usedAt[at] = tick;
    this.#unlist(at);
    const latest = this.#older[0]!;
    this.#older[at] = latest;
    this.#newer[at] = 0;
    this.#newer[latest] = at;
    this.#older[0] = at;
  }

  /** One that is in no order yet is its own neighbour. */
  #unlist(at: number): void {
    const newer = this.#newer[at]!;
    const older = this.#older[at]!;
    if (newer === at) return;
    this.#older[newer] = older;
    this.#newer[older] = newer;
  }

  /** @returns an entry that is in no chain. */
  #room(nowMs: number): number {
    const oldest = this.#newer[0]!;
    if (oldest !== 0 && (this.#filled >= this.#entriesMax || this.#isOver(oldest, nowMs))) {
      this.#unchain(oldest);
      return oldest;
    }
    if (this.#filled === this.#capacity) this.#grow();
    const at = ++this.#filled;
    this.#newer[at] = this.#older[at] = at;
    return at;
  }

  #unchain(at: number): void {
    const bucket = this.#keys[at]! & (this.#capacity - 1);
    if (this.#heads[bucket] === at) {
      this.#heads[bucket] = this.#next[at]!;
      return;
    }
    let before = this.#heads[bucket]!;
    while (this.#next[before] !== at) before = this.#next[before]!;
    this.#next[before] = this.#next[at]!;
  }

  #grow(): void {
    this.#capacity = Math.max(firstCapacity, this.#capacity * 2);
    const entries = this.#capacity + 1;
    this.#keys = copied(this.#keys, new Int32Array(entries));
    this.#values = copied(this.#values, new Uint16Array(entries));
    this.#usedAt = copied(this.#usedAt, new Uint32Array(entries));
    this.#newer = copied(this.#newer, new Uint32Array(entries));
    this.#older = copied(this.#older, new Uint32Array(entries));
    this.#next = new Uint32Array(entries);
    this.#heads = new Uint32Array(this.#capacity);
    for (let at = 1; at <= this.#filled; at++) {
      const bucket = this.#keys[at]! & (this.#capacity - 1);
      this.#next[at] = this.#heads[bucket]!;
      this.#heads[bucket] = at;
    }
  }
}

function copied<A extends Int32Array | Uint16Array | Uint32Array>(from: A, to: A): A {
  to.set(from);
  return to;
}
