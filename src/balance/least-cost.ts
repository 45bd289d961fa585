/**
 * What policies have in common that compare servers: the one where one request more costs least.
 *
 * All servers are compared, of more than 12 the 12 usable ones behind the last one chosen: the worst of the load is then
 * hardly above that of comparing all, and figures that are a moment old do not send everybody to one server
 * (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001, and "How Useful Is Old Information?", 2000).
 *
 * Servers with equal costs take turns, as often as their weights say. Each has a tag, the virtual time at which it has had its
 * share (start-time fair queueing: Goyal, Vin and Cheng, SIGCOMM 1996); how far that lies ahead is less than one request's cost. So
 * a weight of 2 is twice as many requests also where nobody has two at once, and a server that starts slowly gets a few from the begin.
 */
import { balance as limits } from "../support/limits.ts";
import { carried } from "./carried.ts";
import type { Candidate, Policy } from "./policy.ts";

/** Having just had its turn makes a server worse than all that have as many requests, and better than those that have one more. */
const turnMax = 0.99;

export abstract class LeastCost<C extends Candidate> implements Policy<C> {
  #candidates: readonly C[] = [];
  /** Of each: the virtual time at which it has had its share. */
  #sharedAt: Float64Array = new Float64Array(0);
  #virtualTime = 0;
  #next = 0;

  update(candidates: readonly C[]): void {
    this.#sharedAt = carried(this.#candidates, this.#sharedAt, candidates, this.#virtualTime);
    this.#candidates = candidates;
    if (this.#next >= candidates.length) this.#next = 0;
  }

  /** What one request more costs there, in requests that a server with nothing else to do has; 0 for one that is idle. */
  protected abstract costOf(candidate: C): number;

  pick(excluded: C | null): C | null {
    const candidates = this.#candidates;
    const count = candidates.length;
    let best = -1;
    let bestCost = Number.POSITIVE_INFINITY;
    let compared = 0;
    let at = this.#next;
    for (let visited = 0; visited < count && compared < limits.comparedMax; visited++) {
      const candidate = candidates[at]!;
      if (candidate.usable && candidate !== excluded) {
        compared++;
        const { weight } = candidate;
        const turn = Math.min(Math.max(0, (this.#sharedAt[at]! - this.#virtualTime) * weight), turnMax);
        const cost = (this.costOf(candidate) + turn) / weight;
        if (cost < bestCost) {
          best = at;
          bestCost = cost;
        }
      }
      if (++at === count) at = 0;
    }
    return best < 0 ? null : this.#take(best);
  }

  #take(at: number): C {
    const candidate = this.#candidates[at]!;
    this.#virtualTime = Math.max(this.#virtualTime, this.#sharedAt[at]!);
    this.#sharedAt[at] = this.#virtualTime + 1 / candidate.weight;
    this.#next = at + 1 === this.#candidates.length ? 0 : at + 1;
    return candidate;
  }
}
