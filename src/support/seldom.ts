/** What goes wrong again and again, told once and then at most once in a while, with the sum of what came meanwhile. */
import { type Clock, systemClock } from "./clock.ts";

export class Seldom {
  readonly #intervalMs: number;
  readonly #clock: Clock;
  #toldAt = Number.NEGATIVE_INFINITY;
  #sum = 0;

  constructor(intervalMs: number, clock: Clock = systemClock) {
    this.#intervalMs = intervalMs;
    this.#clock = clock;
  }

  /**
   * It came once more.
   * @param amount times, bytes, or whatever is counted.
   * @returns the sum since it was told last, when it is to be told now; else 0.
   */
  add(amount: number = 1): number {
    this.#sum += amount;
    const now = this.#clock.now();
    if (now - this.#toldAt < this.#intervalMs) return 0;
    const sum = this.#sum;
    this.#toldAt = now;
    this.#sum = 0;
    return sum;
  }
}

/** One for each of few names. */
export class SeldomEach {
  readonly #intervalMs: number;
  readonly #each: Map<string, Seldom> = new Map();

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  /** As `Seldom.add`, of that name. */
  add(name: string): number {
    const seldom = this.#each.get(name) ?? new Seldom(this.#intervalMs);
    this.#each.set(name, seldom);
    return seldom.add();
  }
}
