/**
 * The records of one table by key: references in an array with open addressing (linear probing; what is taken out is closed by
 * moving back what stands behind it, so that there are no tombstones). At most 70% full; it grows and shrinks with its records.
 */
import type { Key } from "./key.ts";
import type { RecordRef, RecordStore } from "./record-store.ts";

const capacityMin = 8;
const fullShareMax = 0.7;
/** Below it the array is halved: far from where it is doubled, so that one that comes and goes costs nothing. */
const fullShareMin = 0.15;
const none: Uint32Array = new Uint32Array(0);
/** Names no record (there is no segment 0): in the place of one that was taken out while all are. */
const takenOut = 1;

export class KeyIndex {
  readonly #records: RecordStore;
  /** 0: free. */
  #refs: Uint32Array = none;
  #count = 0;
  /** While it is being emptied: all before is. */
  #emptyAt = 0;

  constructor(records: RecordStore) {
    this.#records = records;
  }

  get count(): number {
    return this.#count;
  }

  /** All references, and 0 between them. Valid until one is added or removed. */
  get refs(): Uint32Array {
    return this.#refs;
  }

  /** 0: there is none. */
  find(key: Key): RecordRef {
    const at = this.#placeOf(key);
    return at < 0 ? 0 : this.#refs[at]!;
  }

  /** The key is not there yet. */
  add(hash: number, ref: RecordRef): void {
    if (this.#count + 1 > this.#refs.length * fullShareMax)
      this.#resize(Math.max(capacityMin, this.#refs.length * 2));
    this.#insert(hash, ref);
    this.#count++;
  }

  /** It is there. */
  remove(hash: number, ref: RecordRef): void {
    const refs = this.#refs;
    const mask = refs.length - 1;
    let hole = this.#placeOfRef(hash, ref);
    for (let at = (hole + 1) & mask; refs[at] !== 0; at = (at + 1) & mask) {
      const home = this.#records.hashOf(refs[at]!) & mask;
      // It may stand in the hole unless its home lies behind that.
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      refs[hole] = refs[at]!;
      hole = at;
    }
    refs[hole] = 0;
    this.#count--;
    if (this.#count === 0) this.#refs = none;
    else if (refs.length > capacityMin && this.#count < refs.length * fullShareMin)
      this.#resize(refs.length / 2);
  }

  /** Takes out at most so many, and frees their records. @returns how many. */
  empty(countMax: number): number {
    const refs = this.#refs;
    let count = 0;
    for (; this.#emptyAt < refs.length && count < countMax; this.#emptyAt++) {
      const ref = refs[this.#emptyAt]!;
      if (ref === 0) continue;
      refs[this.#emptyAt] = takenOut;
      this.#records.free(ref);
      count++;
    }
    this.#count -= count;
    return count;
  }

  /** The record has moved. */
  replace(hash: number, from: RecordRef, to: RecordRef): void {
    this.#refs[this.#placeOfRef(hash, from)] = to;
  }

  #placeOf(key: Key): number {
    if (this.#count === 0) return -1;
    const { hash } = key;
    const refs = this.#refs;
    const mask = refs.length - 1;
    for (let at = hash & mask; refs[at] !== 0; at = (at + 1) & mask) {
      const ref = refs[at]!;
      if (this.#records.hashOf(ref) === hash && this.#records.hasKey(ref, key)) return at;
    }
    return -1;
  }

  #placeOfRef(hash: number, ref: RecordRef): number {
    const mask = this.#refs.length - 1;
    let at = hash & mask;
    while (this.#refs[at] !== ref) at = (at + 1) & mask;
    return at;
  }

  #insert(hash: number, ref: RecordRef): void {
    const mask = this.#refs.length - 1;
    let at = hash & mask;
    while (this.#refs[at] !== 0) at = (at + 1) & mask;
    this.#refs[at] = ref;
  }

  #resize(capacity: number): void {
    const before = this.#refs;
    this.#refs = new Uint32Array(capacity);
    for (const ref of before) if (ref !== 0) this.#insert(this.#records.hashOf(ref), ref);
  }
}
