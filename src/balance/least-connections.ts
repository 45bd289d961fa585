/** The usable server with the fewest requests in flight; equal ones in turn. */
import type { Candidate, Policy } from "./policy.ts";

export class LeastConnections<C extends Candidate> implements Policy<C> {
  #candidates: readonly C[] = [];
  #next = 0;

  update(candidates: readonly C[]): void {
    this.#candidates = candidates;
  }

  pick(excluded: C | null): C | null {
    const candidates = this.#candidates;
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
