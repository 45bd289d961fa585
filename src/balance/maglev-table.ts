/**
 * Which server a key belongs to: the table of Google's Maglev (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load
 * Balancer", NSDI 2016, section 3.4). Servers choose places in turn, each in an order of its own that comes of its name; so all web servers make the
 * same table, shares are even, and when a server goes hardly any key moves but its own.
 */
import { balance as limits } from "../support/limits.ts";
import type { HalfSipHash } from "./half-sip-hash.ts";

/** Marks places that nobody has chosen yet. */
const free = 0xffff;

export interface TableEntry {
  readonly name: string;
  /** Places beside the others'; above 0. */
  readonly weight: number;
}

/** @returns of each place the index of its entry; as long as a prime of `limits.tableSizes`. */
export function maglevTable(entries: readonly TableEntry[], hash: HalfSipHash): Uint16Array {
  const table = new Uint16Array(sizeFor(entries.length)).fill(free);
  const heaviest = entries.reduce((most, { weight }) => Math.max(most, weight), 0);
  // By name: the order in which the file has them must not count.
  const turns = entries
    .map((entry, index) => new Turns(entry, index, heaviest, table.length, hash))
    .sort((left, right) => compare(left.name, right.name));
  let left = entries.length === 0 ? 0 : table.length;
  while (left > 0) {
    for (const turn of turns) {
      if (!turn.isDue()) continue;
      turn.choose(table);
      if (--left === 0) break;
    }
  }
  return table;
}

/** One entry, and the order in which it wants places. */
class Turns {
  readonly name: string;
  readonly #index: number;
  /** Turns in each round: 1 for the heaviest. */
  readonly #share: number;
  readonly #skip: number;
  #place: number;
  #saved = 0;

  constructor(
    { name, weight }: TableEntry,
    index: number,
    heaviest: number,
    size: number,
    hash: HalfSipHash,
  ) {
    this.name = name;
    this.#index = index;
    this.#share = weight / heaviest;
    this.#place = hash.hash(`${name} place`) % size;
    this.#skip = (hash.hash(`${name} skip`) % (size - 1)) + 1;
  }

  isDue(): boolean {
    this.#saved += this.#share;
    if (this.#saved < 1) return false;
    this.#saved -= 1;
    return true;
  }

  /** The size is prime, so every place comes once before the first one comes again. */
  choose(table: Uint16Array): void {
    while (table[this.#place] !== free) this.#place = (this.#place + this.#skip) % table.length;
    table[this.#place] = this.#index;
  }
}

/** A hundred places for each: no share is then off by more than 1%. */
function sizeFor(count: number): number {
  return limits.tableSizes.find((size) => size >= 100 * count) ?? limits.tableSizes.at(-1)!;
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
