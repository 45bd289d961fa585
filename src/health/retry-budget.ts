/**
 * How many requests of a cluster may be sent once more after a server failed them: a share of those of the last ten seconds, and some
 * per second where there are few. When servers fail together, repeating everything would double the load of those that are left.
 * (As RetryBudget of Finagle; a count of retries per request, as elsewhere, bounds what one request costs and not what all of them do.)
 */
import { serverHealth as limits } from "../support/limits.ts";

const slotMs = 1_000;
const slotCount: number = limits.retryWindowMs / slotMs;
const reserve: number = (limits.retriesPerSecondMin * limits.retryWindowMs) / 1_000;

export class RetryBudget {
  readonly #share: number;
  /** By second, as a ring. */
  readonly #requests = new Float64Array(slotCount);
  readonly #repeated = new Float64Array(slotCount);
  /** Sums of the two. */
  #requestCount = 0;
  #repeatedCount = 0;
  #at = 0;
  #slotEndsAtMs: number;

  /** @param share 0.2: of five requests one may be sent once more. @param nowMs on any clock, the same as later. */
  constructor(share: number, nowMs: number) {
    this.#share = share;
    this.#slotEndsAtMs = nowMs + slotMs;
  }

  /** A request is sent for the first time. */
  count(nowMs: number): void {
    if (nowMs >= this.#slotEndsAtMs) this.#goOn(nowMs);
    this.#requests[this.#at]!++;
    this.#requestCount++;
  }

  /** @returns whether one may be sent once more; it is counted then. */
  take(nowMs: number): boolean {
    if (nowMs >= this.#slotEndsAtMs) this.#goOn(nowMs);
    if (this.#repeatedCount >= reserve + this.#share * this.#requestCount) return false;
    this.#repeated[this.#at]!++;
    this.#repeatedCount++;
    return true;
  }

  #goOn(nowMs: number): void {
    const passed = 1 + Math.floor((nowMs - this.#slotEndsAtMs) / slotMs);
    this.#slotEndsAtMs += passed * slotMs;
    for (let slots = Math.min(passed, slotCount); slots > 0; slots--) {
      this.#at = (this.#at + 1) % slotCount;
      this.#requestCount -= this.#requests[this.#at]!;
      this.#repeatedCount -= this.#repeated[this.#at]!;
      this.#requests[this.#at] = this.#repeated[this.#at] = 0;
    }
  }
}
