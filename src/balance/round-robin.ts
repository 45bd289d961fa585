/**
 * Every usable server in turn, as often as its weight says.
 *
 * In each round a server saves up the share that its weight has of the heaviest one's, and is chosen when that makes a whole request
 * (the static stride scheduler of gRPC, gRFC A58, with weights that may change all the time). Servers of one weight are chosen strictly in
 * turn. A choice visits as many servers as the heaviest is heavier than the mean, however many there are.
 */
import { carried } from "./carried.ts";
import type { Candidate, Policy } from "./policy.ts";

/** Of a server that is not there yet: those of equal, small weights shall not all be due in the same round. */
const golden = (Math.sqrt(5) - 1) / 2;

export class RoundRobin<C extends Candidate> implements Policy<C> {
  #candidates: readonly C[] = [];
  /** Of each: the part of a request that it has saved up. */
  #saved: Float64Array = new Float64Array(0);
  #next = 0;
  /** Weight, of this round so far and of the one before. */
  #heaviest = 0;
  #heaviestBefore = 0;

  update(candidates: readonly C[]): void {
    const saved = carried(this.#candidates, this.#saved, candidates, Number.NaN);
    this.#saved = saved.map((part, at) => (Number.isNaN(part) ? (at * golden) % 1 : part));
    // Whose turn it was has it still.
    const turns = [...this.#candidates.slice(this.#next), ...this.#candidates.slice(0, this.#next)];
    const next = turns.find((candidate) => candidates.includes(candidate));
    this.#next = next === undefined ? 0 : candidates.indexOf(next);
    this.#candidates = candidates;
  }

  pick(excluded: C | null): C | null {
    const count = this.#candidates.length;
    let most = -1;
    // Two rounds: when the heaviest has just gone, the first one finds out who is it now.
    for (let visited = 0; visited < 2 * count; visited++) {
      const at = this.#visit();
      const candidate = this.#candidates[at]!;
      if (!candidate.usable || candidate === excluded) continue;
      if (this.#save(at, candidate.weight)) return candidate;
      if (most < 0 || this.#saved[at]! > this.#saved[most]!) most = at;
    }
    if (most < 0) return null;
    this.#saved[most] = 0;
    return this.#candidates[most]!;
  }

  #visit(): number {
    const at = this.#next;
    if (at === 0) {
      this.#heaviestBefore = this.#heaviest;
      this.#heaviest = 0;
    }
    this.#next = at + 1 === this.#candidates.length ? 0 : at + 1;
    return at;
  }

  /** @returns whether it is due. */
  #save(at: number, weight: number): boolean {
    if (weight > this.#heaviest) this.#heaviest = weight;
    const saved = this.#saved[at]! + weight / Math.max(this.#heaviest, this.#heaviestBefore);
    this.#saved[at] = saved >= 1 ? saved - 1 : saved;
    return saved >= 1;
  }
}
