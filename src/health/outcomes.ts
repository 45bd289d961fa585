/** How requests ended at one server of late: answered, or failed by it. */
import { serverHealth as limits } from "../support/limits.ts";

const slots = limits.outcomeWindowMs / limits.outcomeSlotMs;
const lastMax = 32;

/** The application, or what stands behind it, failed. Others, as 501 and 505, are an answer to what was asked. */
export function isServerFault(status: number): boolean {
  return status === 500 || (status >= 502 && status <= 504);
}

export class Outcomes {
  /** The last 32, a bit each: set when it failed. */
  #last = 0;
  readonly #requests: Uint32Array = new Uint32Array(slots);
  readonly #failures: Uint32Array = new Uint32Array(slots);
  #slot = 0;
  #slotSinceMs = 0;
  #broke = false;

  /** Of the last 32, however old. */
  get someFailed(): boolean {
    return this.#last !== 0;
  }

  /** Of the last ten seconds. */
  get requests(): number {
    return sum(this.#requests);
  }

  /** The share of those that failed. */
  get failureShare(): number {
    return sum(this.#failures) / this.requests;
  }

  /** The last ones of these, at most 32: what a server has begun to do shows there at once, however much it did well before. */
  get lastCount(): number {
    return Math.min(lastMax, this.requests);
  }

  get lastFailures(): number {
    const count = this.lastCount;
    let bits = count === lastMax ? this.#last : this.#last & (2 ** count - 1);
    let failures = 0;
    for (; bits !== 0; bits &= bits - 1) failures++;
    return failures;
  }

  count(isFailure: boolean): void {
    this.#last = (this.#last << 1) | (isFailure ? 1 : 0);
    this.#requests[this.#slot]!++;
    if (isFailure) this.#failures[this.#slot]!++;
  }

  /** A connection broke: counts once until the next look, however many there were. */
  countBreak(): void {
    if (this.#broke) return;
    this.#broke = true;
    this.count(true);
  }

  /** What is too old is forgotten. */
  look(nowMs: number): void {
    this.#broke = false;
    if (nowMs - this.#slotSinceMs < limits.outcomeSlotMs) return;
    this.#slotSinceMs = nowMs;
    this.#slot = (this.#slot + 1) % slots;
    this.#requests[this.#slot] = this.#failures[this.#slot] = 0;
  }

  forget(): void {
    this.#requests.fill(0);
    this.#failures.fill(0);
  }
}

function sum(counts: Uint32Array): number {
  let total = 0;
  for (const count of counts) total += count;
  return total;
}
