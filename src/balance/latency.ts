/** The server that is done soonest, by how long answers took of late: that time (`PeakEwma`) times requests in flight. */
import { LeastCost } from "./least-cost.ts";
import type { Candidate } from "./policy.ts";

export class Latency<C extends Candidate> extends LeastCost<C> {
  /** Of the servers compared last, in milliseconds; 0 while none is known. */
  #shortest = 0;
  #shortestNow = Number.POSITIVE_INFINITY;
  readonly #now: () => number;
  #nowMs = 0;

  constructor(now: () => number) {
    super();
    this.#now = now;
  }

  override pick(excluded: C | null): C | null {
    this.#shortestNow = Number.POSITIVE_INFINITY;
    this.#nowMs = this.#now();
    const best = super.pick(excluded);
    this.#shortest = this.#shortestNow === Number.POSITIVE_INFINITY ? 0 : this.#shortestNow;
    return best;
  }

  /** A server of which nothing is known counts as one of the quickest: what it then has in flight keeps it from getting more. */
  protected costOf(candidate: C): number {
    const { inFlight } = candidate;
    const latencyMs = candidate.latencyAt(this.#nowMs);
    if (latencyMs > 0 && latencyMs < this.#shortestNow) this.#shortestNow = latencyMs;
    if (latencyMs <= this.#shortest || this.#shortest === 0) return inFlight;
    return ((inFlight + 1) * latencyMs) / this.#shortest - 1;
  }
}
