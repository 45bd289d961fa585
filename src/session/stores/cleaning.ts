/** Removes rows that have ended: each process now and then, at times of its own, a few at once. A row that has ended is none, removed or not. */
import type { Clock, Random, Timer } from "../../support/clock.ts";
import { sessionStores as limits, session } from "../../support/limits.ts";
import type { SessionEngine } from "./engine.ts";
import type { Guard } from "./guard.ts";

export class Cleaning {
  readonly #engine: SessionEngine;
  readonly #guard: Guard;
  readonly #clock: Clock;
  readonly #random: Random;
  #timer: Timer | null = null;
  #isStopped = false;

  constructor(engine: SessionEngine, guard: Guard, clock: Clock, random: Random) {
    this.#engine = engine;
    this.#guard = guard;
    this.#clock = clock;
    this.#random = random;
  }

  start(): void {
    this.#after(limits.cleanIntervalMs);
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #after(delayMs: number): void {
    if (!this.#isStopped) this.#timer = this.#clock.after(delayMs * (0.5 + this.#random()), this.#clean);
  }

  readonly #clean = (): void => {
    const { cleanedAtOnceMax, cleanIntervalMs, cleanPauseMs } = limits;
    if (!this.#guard.isUp) return this.#after(cleanIntervalMs);
    this.#guard.run(
      this.#clock.now() + session.commitTimeoutMs,
      () => this.#engine.removeExpired(cleanedAtOnceMax),
      (_, removed) => this.#after((removed ?? 0) < cleanedAtOnceMax ? cleanIntervalMs : cleanPauseMs),
    );
  };
}
