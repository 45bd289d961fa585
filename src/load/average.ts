/**
 * The average of a figure over about the last moment, by looks that come at no fixed times: an exponentially weighted
 * moving average whose weight is the time between two looks.
 */
export class Average {
  readonly #smoothingMs: number;
  /** Null before the first look. */
  value: number | null = null;

  /** @param smoothingMs what is so old counts 1/e (37%) of what is new. */
  constructor(smoothingMs: number) {
    this.#smoothingMs = smoothingMs;
  }

  /** The figure was `value` for the last `elapsedMs`. */
  add(value: number, elapsedMs: number): void {
    if (this.value === null) this.value = value;
    else this.value += (value - this.value) * (1 - Math.exp(-elapsedMs / this.#smoothingMs));
  }
}
