/** A server that is new or came back gets a tenth of its share at first, then more and more: its caches are cold, its code is not compiled. */
import type { Clock, Timer } from "../support/clock.ts";
import { serverHealth as limits } from "../support/limits.ts";

export class SlowStart {
  /** Of its weight, above 0; 1 when it is not starting. */
  share = 1;
  readonly #clock: Clock;
  readonly #onStep: () => void;
  #timer: Timer | null = null;

  /** @param onStep the share has grown. */
  constructor(clock: Clock, onStep: () => void) {
    this.#clock = clock;
    this.#onStep = onStep;
  }

  get isUnderWay(): boolean {
    return this.#timer !== null;
  }

  /** @param durationMs 0: not at all. */
  begin(durationMs: number): void {
    this.end();
    if (durationMs > 0) this.#step(durationMs, 0);
  }

  end(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.share = 1;
  }

  #step(durationMs: number, step: number): void {
    const { slowStartShare, slowStartSteps } = limits;
    this.share = slowStartShare + (1 - slowStartShare) * (step / slowStartSteps);
    this.#timer = this.#clock.after(durationMs / slowStartSteps, () => {
      if (step + 1 < slowStartSteps) this.#step(durationMs, step + 1);
      else this.end();
      this.#onStep();
    });
  }
}
