/**
 * Sessions as this process read or wrote them last. A copy is the base of the next change, whose compare-and-set finds out when it is
 * old; and where this process holds the session, others tell it of each write, so that it may be served without asking.
 *
 * Two generations: a hit in the young one is a look-up and no write. What is used again moves over, the rest is dropped.
 */
import { sessionStores as limits } from "../../support/limits.ts";
import { bytesOf, type SessionEntries } from "../entry.ts";

/** Times are on this process's clock. */
export interface Copy {
  readonly entries: SessionEntries;
  /** What the row holds, to spare reading it once more; "" where the copy may be served. */
  readonly data: string;
  /** Of all of it, about. */
  readonly bytes: number;
  readonly version: number;
  readonly holder: string;
  /** Nobody else has written since that we were not told of, as long as notices come. */
  readonly mayServe: boolean;
  readonly createdAt: number;
  readonly absoluteTimeoutMs: number;
  idleTimeoutMs: number;
  usedAt: number;
  /** The last use that the database knows of, or is about to be told. */
  toldAt: number;
}

/** Of a copy beside its data. */
const overheadBytes = 300;

class Generation {
  readonly copies: Map<string, Copy> = new Map();
  bytes = 0;
  /** Those that may be served. */
  held = 0;

  add(key: string, copy: Copy): void {
    this.copies.set(key, copy);
    this.bytes += copy.bytes;
    if (copy.mayServe) this.held++;
  }

  /** @returns what it was. */
  take(key: string): Copy | undefined {
    const copy = this.copies.get(key);
    if (copy === undefined) return undefined;
    this.copies.delete(key);
    this.bytes -= copy.bytes;
    if (copy.mayServe) this.held--;
    return copy;
  }
}

export class Copies {
  readonly #countPerGeneration: number;
  readonly #bytesPerGeneration: number;
  #young: Generation = new Generation();
  #old: Generation = new Generation();
  /** By key: the version that a change with unknown outcome was to replace. Until another one has, it may still do so. */
  readonly #unsure: Map<string, number> = new Map();

  constructor(countMax: number = limits.copiesMax, bytesMax: number = limits.copiesBytesMax) {
    this.#countPerGeneration = Math.max(1, countMax >>> 1);
    this.#bytesPerGeneration = bytesMax / 2;
  }

  /** Those that may be served, as long as it is proven that notices come. */
  get held(): number {
    return this.#young.held + this.#old.held;
  }

  get(key: string): Copy | undefined {
    const copy = this.#young.copies.get(key);
    if (copy !== undefined) return copy;
    const aged = this.#old.take(key);
    if (aged !== undefined) this.#add(key, aged);
    return aged;
  }

  set(key: string, copy: Copy): void {
    this.delete(key);
    const unsure = this.#unsure.get(key);
    if (unsure !== undefined && copy.version > unsure) this.#unsure.delete(key);
    this.#add(key, copy);
  }

  delete(key: string): void {
    if (this.#young.take(key) === undefined) this.#old.take(key);
  }

  clear(): void {
    this.#young = new Generation();
    this.#old = new Generation();
  }

  /** A statement that was to replace this version may be made at any time from now on: no notice will tell of it. */
  doubt(key: string, version: number): void {
    this.delete(key);
    this.#unsure.delete(key);
    this.#unsure.set(key, version);
    if (this.#unsure.size <= limits.unsureMax) return;
    for (const [oldest] of this.#unsure) {
      this.#unsure.delete(oldest);
      break;
    }
  }

  /** Whether a change of ours may still take the place of this version. */
  isUnsure(key: string, version: number): boolean {
    if (this.#unsure.size === 0) return false;
    const unsure = this.#unsure.get(key);
    return unsure !== undefined && version <= unsure;
  }

  #add(key: string, copy: Copy): void {
    const { copies, bytes } = this.#young;
    if (copies.size >= this.#countPerGeneration || bytes >= this.#bytesPerGeneration) {
      this.#old = this.#young;
      this.#young = new Generation();
    }
    this.#young.add(key, copy);
  }
}

export function copyBytes(entries: SessionEntries, data: string): number {
  return bytesOf(entries) + data.length + overheadBytes;
}
