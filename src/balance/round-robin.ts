/** Every usable server in turn. */
import type { Candidate, Policy } from "./policy.ts";

export class RoundRobin implements Policy {
  #next = 0;

  pick<C extends Candidate>(candidates: readonly C[], excluded: C | null): C | null {
    const count = candidates.length;
    for (let tried = 0; tried < count; tried++) {
      if (this.#next >= count) this.#next = 0;
      const candidate = candidates[this.#next++]!;
      if (candidate.usable && candidate !== excluded) return candidate;
    }
    return null;
  }
}
