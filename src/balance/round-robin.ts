/** Every usable server in turn. */
import type { Candidate, Policy } from "./policy.ts";

export class RoundRobin<C extends Candidate> implements Policy<C> {
  #candidates: readonly C[] = [];
  #next = 0;

  update(candidates: readonly C[]): void {
    this.#candidates = candidates;
  }

  pick(excluded: C | null): C | null {
    const candidates = this.#candidates;
    const count = candidates.length;
    for (let tried = 0; tried < count; tried++) {
      if (this.#next >= count) this.#next = 0;
      const candidate = candidates[this.#next++]!;
      if (candidate.usable && candidate !== excluded) return candidate;
    }
    return null;
  }
}
