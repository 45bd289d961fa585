/**
 * How long a server takes to answer: a moving average that follows a rise at once and a fall slowly, as Finagle's "peak EWMA". While
 * nothing is heard it fades, so that a server which was slow is tried again; what is much older says nothing.
 */

/** So many times `decayMs` after the last answer nothing is known. */
const forgottenAfter = 3;

export class PeakEwma {
  readonly #decayMs: number;
  #valueMs = 0;
  #at = 0;

  /** @param decayMs what is so old counts 1/e (37%). */
  constructor(decayMs: number) {
    this.#decayMs = decayMs;
  }

  /** @param ms from a request to the head of its answer. @param now of a monotonic clock, in milliseconds. */
  update(ms: number, now: number): void {
    const rest = this.#restAt(now);
    this.#valueMs = ms >= this.#valueMs ? ms : this.#valueMs * rest + ms * (1 - rest);
    this.#at = now;
  }

  /** In milliseconds; 0 when nothing is known. */
  value(now: number): number {
    return now - this.#at > forgottenAfter * this.#decayMs ? 0 : this.#valueMs * this.#restAt(now);
  }

  #restAt(now: number): number {
    return Math.exp(-Math.max(0, now - this.#at) / this.#decayMs);
  }
}
