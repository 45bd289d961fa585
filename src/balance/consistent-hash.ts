/**
 * Requests that are alike go to one server, by a Maglev table, unless it has too many (Mirrokni, Thorup and Zadimoghaddam, "Consistent Hashing
 * with Bounded Loads", 2018): a server above `loadBound` times its share of the requests in flight, or one that can't take any, is
 * passed over for the next one along the table. Servers that are down keep their places, so only their own keys move, and come back.
 *
 * Of a server that starts slowly a growing part of its keys goes to it, the same ones each time.
 */
import { balance as limits } from "../support/limits.ts";
import type { HalfSipHash } from "./half-sip-hash.ts";
import { maglevTable } from "./maglev-table.ts";
import type { Candidate, Policy } from "./policy.ts";

const wholeKey = 2 ** 32;

export class ConsistentHash<C extends Candidate> implements Policy<C> {
  readonly #loadBound: number;
  readonly #hash: HalfSipHash;
  #candidates: readonly C[] = [];
  /** Names and weights that the table was made of. */
  #madeOf = "";
  #table: Uint16Array = new Uint16Array(0);
  // Of all usable servers, found out little by little: requests in flight, weights, and the part of its full weight that
  // the furthest of those that start slowly has.
  #inFlight = 0;
  #weight = 0;
  #warmest = 1;
  #countedInFlight = 0;
  #countedWeight = 0;
  #countedWarmest = 0;
  #countedUntil = 0;

  /** @param loadBound above 1. @param hash under a key that all web servers have, and no visitor. */
  constructor(loadBound: number, hash: HalfSipHash) {
    this.#loadBound = loadBound;
    this.#hash = hash;
  }

  update(candidates: readonly C[]): void {
    const madeOf = candidates.map(({ name, fullWeight }) => `${name} ${fullWeight}`).join("\n");
    if (madeOf !== this.#madeOf) {
      const entries = candidates.map(({ name, fullWeight }) => ({ name, weight: fullWeight }));
      this.#table = maglevTable(entries, this.#hash);
      this.#madeOf = madeOf;
    }
    this.#candidates = candidates;
    this.#countAnew();
    for (let looks = 0; looks < candidates.length; looks += limits.countedPerChoice) this.#count();
  }

  pick(excluded: C | null, key: number): C | null {
    const candidates = this.#candidates;
    if (candidates.length === 0) return null;
    this.#count();
    const table = this.#table;
    let place = key % table.length;
    for (let steps = 0; steps < limits.tableStepsMax; steps++) {
      const candidate = candidates[table[place]!]!;
      if (
        candidate.usable &&
        candidate !== excluded &&
        this.#hasRoom(candidate) &&
        this.#isDue(candidate, key)
      )
        return candidate;
      if (++place === table.length) place = 0;
    }
    return this.#leastLoaded(excluded, table[place]!);
  }

  /** Servers' counts change all the time; a few are looked at with each choice, so that it costs the same however many there are. */
  #count(): void {
    const candidates = this.#candidates;
    for (let looks = Math.min(limits.countedPerChoice, candidates.length); looks > 0; looks--) {
      const candidate = candidates[this.#countedUntil]!;
      if (candidate.usable) {
        this.#countedInFlight += candidate.inFlight + candidate.inFlightElsewhere;
        this.#countedWeight += candidate.weight;
        this.#countedWarmest = Math.max(this.#countedWarmest, candidate.weight / candidate.fullWeight);
      }
      if (++this.#countedUntil < candidates.length) continue;
      this.#inFlight = this.#countedInFlight;
      this.#weight = this.#countedWeight;
      this.#warmest = this.#countedWarmest;
      this.#countAnew();
    }
  }

  #countAnew(): void {
    this.#countedUntil = this.#countedInFlight = this.#countedWeight = this.#countedWarmest = 0;
  }

  #hasRoom({ inFlight, inFlightElsewhere, weight }: C): boolean {
    const load = inFlight + inFlightElsewhere;
    if (load < limits.unboundedRequests) return true;
    const share = this.#weight > 0 ? weight / this.#weight : 1;
    return load < Math.ceil(this.#loadBound * share * (this.#inFlight + 1));
  }

  /** When all start at once, as after a restart of the web server, none is colder than the others. Other bits of the key count than chose the place. */
  #isDue({ weight, fullWeight }: C, key: number): boolean {
    const part = weight / (fullWeight * this.#warmest);
    return part >= 1 || Math.imul(key, 0x9e3779b1) >>> 0 < part * wholeKey;
  }

  /** Where hardly any server is usable, or all are full: none is kept from a request that nobody else takes. */
  #leastLoaded(excluded: C | null, from: number): C | null {
    const candidates = this.#candidates;
    let best: C | null = null;
    let at = from;
    for (let visited = 0; visited < candidates.length; visited++) {
      const candidate = candidates[at]!;
      if (++at === candidates.length) at = 0;
      if (!candidate.usable || candidate === excluded) continue;
      if (best === null || candidate.inFlight * best.weight < best.inFlight * candidate.weight)
        best = candidate;
    }
    return best;
  }
}
