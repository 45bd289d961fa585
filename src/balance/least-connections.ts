/** The usable server with the fewest requests in flight; equal ones in turn. */
import type { Candidate, Policy } from "./policy.ts";

export class LeastConnections implements Policy {
  #next = 0;

  pick<C extends Candidate>(candidates: readonly C[], excluded: C | null): C | null {
    const count = candidates.length;
    if (this.#next >= count) this.#next = 0;
    let best: C | null = null;
    let bestAt = 0;
    for (let tried = 0; tried < count; tried++) {
      const at = (this.#next + tried) % count;
      const candidate = candidates[at]!;
      if (!candidate.usable || candidate === excluded) continue;
      if (best === null || candidate.inFlight < best.inFlight) {
        best = candidate;
        bestAt = at;
      }
    }
    this.#next = bestAt + 1;
    return best;
  }
}
