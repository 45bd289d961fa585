/**
 * Two servers at random, by weight, and of those the one with fewer requests in flight (Mitzenmacher, "The Power of Two Choices in
 * Randomized Load Balancing", 2001). For many web servers that know nothing of each other.
 */

import type { Random } from "../support/clock.ts";
import { balance as limits } from "../support/limits.ts";
import type { Candidate, Policy } from "./policy.ts";

/** After so many the heaviest has been among them. */
const drawsPerServer = 8;

export class RandomOfTwo<C extends Candidate> implements Policy<C> {
  readonly #random: Random;
  #candidates: readonly C[] = [];
  /** Weight, of the last servers drawn and of those before. */
  #heaviest = 0;
  #heaviestBefore = 0;
  #draws = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  update(candidates: readonly C[]): void {
    this.#candidates = candidates;
    this.#heaviestBefore = this.#heaviest = candidates.reduce(
      (most, { weight }) => Math.max(most, weight),
      0,
    );
  }

  pick(excluded: C | null): C | null {
    const first = this.#draw(excluded, null) ?? this.#anyBut(excluded);
    if (first === null) return null;
    const second = this.#draw(excluded, first);
    if (second === null) return first;
    return second.inFlight * first.weight < first.inFlight * second.weight ? second : first;
  }

  /** One at random, by weight (Lipowski and Lipowska, "Roulette-wheel selection via stochastic acceptance", 2012); null when none was found. */
  #draw(excluded: C | null, other: C | null): C | null {
    const candidates = this.#candidates;
    let usable: C | null = null;
    for (let tries = 0; tries < limits.drawsMax; tries++) {
      const candidate = candidates[Math.floor(this.#random() * candidates.length)];
      if (candidate === undefined) return null;
      if (candidate === excluded || candidate === other || !candidate.usable) continue;
      usable = candidate;
      if (this.#random() * this.#heaviestWith(candidate.weight) < candidate.weight) return candidate;
    }
    return usable;
  }

  /** While servers start slowly the heaviest of them changes. */
  #heaviestWith(weight: number): number {
    if (++this.#draws > drawsPerServer * this.#candidates.length) {
      this.#draws = 0;
      this.#heaviestBefore = this.#heaviest;
      this.#heaviest = 0;
    }
    if (weight > this.#heaviest) this.#heaviest = weight;
    return Math.max(this.#heaviest, this.#heaviestBefore);
  }

  /** Where hardly any server is usable chance does not find it. */
  #anyBut(excluded: C | null): C | null {
    const candidates = this.#candidates;
    const from = Math.floor(this.#random() * candidates.length);
    for (let visited = 0; visited < candidates.length; visited++) {
      const candidate = candidates[(from + visited) % candidates.length]!;
      if (candidate.usable && candidate !== excluded) return candidate;
    }
    return null;
  }
}
