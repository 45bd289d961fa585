/** Looks at the servers of one process at a steady pace: one timer for all of them, whatever they have to do. */
import type { Clock, Random, Timer } from "../support/clock.ts";
import { serverHealth as limits } from "../support/limits.ts";
import type { Log } from "../support/log.ts";
import { judge } from "./cluster-judge.ts";
import type { HealthContext, ServerHealth } from "./server-health.ts";

export class HealthWatch implements HealthContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Grows with every change of a state, or of a weight: who has seen this number knows all. */
  changes = 0;
  /** The servers of each cluster. */
  clusters: readonly (readonly ServerHealth[])[] = [];
  #timer: Timer | null = null;
  #dueMs = 0;
  #awakeSinceMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, random: Random, log: Log) {
    this.clock = clock;
    this.random = random;
    this.log = log;
  }

  changed(): void {
    this.changes++;
  }

  start(): void {
    this.#dueMs = this.clock.now() + limits.lookIntervalMs;
    this.#timer = this.clock.after(limits.lookIntervalMs, () => this.#look());
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #look(): void {
    const now = this.clock.now();
    // Answers may wait unread.
    if (now - this.#dueMs > limits.ownPauseMs) this.#awakeSinceMs = now;
    for (const servers of this.clusters) judge(servers, now, this.#awakeSinceMs);
    this.start();
  }
}
