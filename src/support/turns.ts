/** Long work that lets other events have their turn: heartbeats must not wait for it. */
import { setImmediate as endOfTurn } from "node:timers/promises";

export class Turns {
  readonly #turnMs: number;
  #startedAt: number = performance.now();

  constructor(turnMs: number) {
    this.#turnMs = turnMs;
  }

  /** It has lasted long enough: `next` is due. */
  get isOver(): boolean {
    return performance.now() - this.#startedAt >= this.#turnMs;
  }

  async next(): Promise<void> {
    await endOfTurn();
    this.#startedAt = performance.now();
  }
}
