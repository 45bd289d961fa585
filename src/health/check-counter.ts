/**
 * When the answers of a server's checks make it down or up. The first one decides by itself: nothing is known yet that could be held
 * against it, and a server that is broken when the web server starts should not get its visitors for `fall` intervals
 * more. From then on a verdict changes only after `fall` bad or `rise` good ones in a row (as HAProxy does).
 */
export class CheckCounter {
  /** Null before the first answer. */
  passed: boolean | null = null;
  /** Answers in a row that were like the last one. */
  inARow = 0;
  readonly #rise: number;
  readonly #fall: number;
  #lastPassed = false;

  constructor({ rise, fall }: { readonly rise: number; readonly fall: number }) {
    this.#rise = rise;
    this.#fall = fall;
  }

  /** @returns whether the verdict has changed. */
  count(passed: boolean): boolean {
    this.inARow = passed === this.#lastPassed ? this.inARow + 1 : 1;
    this.#lastPassed = passed;
    const enough = this.passed === null ? 1 : passed ? this.#rise : this.#fall;
    if (passed === this.passed || this.inARow < enough) return false;
    this.passed = passed;
    return true;
  }
}
