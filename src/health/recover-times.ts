/** For how long a server stays down that was judged: longer each time in a row, and never in step with other web servers (R11). */
import type { Random } from "../support/clock.ts";
import { serverHealth as limits } from "../support/limits.ts";

export class RecoverTimes {
  readonly #random: Random;
  #inRow = 0;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(random: Random) {
    this.#random = random;
  }

  /** It was judged once more. */
  judged(nowMs: number, recoverTimeMs: number): void {
    // Longer than the longest time that it may just have been down.
    const calmMs = limits.calmMs + recoverTimeMs * limits.recoverFactorMax;
    this.#inRow = nowMs - this.#lastMs < calmMs ? this.#inRow + 1 : 1;
    this.#lastMs = nowMs;
  }

  /** @param isJudged what it is down for, else it could not be reached: then it is tried as often as ever. */
  nextMs(recoverTimeMs: number, isJudged: boolean): number {
    const { recoverFactorMax, recoverJitterShare } = limits;
    const factor = isJudged ? Math.min(recoverFactorMax, 2 ** (this.#inRow - 1)) : 1;
    return recoverTimeMs * factor * (1 + recoverJitterShare * this.#random());
  }

  forget(): void {
    this.#inRow = 0;
  }
}
