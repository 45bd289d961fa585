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
  /** Grows whenever an operator or an agent gives a server another weight: who has seen this number knows all. */
  weightChanges = 0;
  /** At the last look a server waited for a request that tries it. */
  isTrialWanted = false;
  /** The servers of each cluster. */
  clusters: readonly (readonly ServerHealth[])[] = [];
  #timer: Timer | null = null;
  #lookedAtMs = 0;
  #isLate = false;

  constructor(clock: Clock, random: Random, log: Log) {
    this.clock = clock;
    this.random = random;
    this.log = log;
  }

  weightChanged(): void {
    this.weightChanges++;
  }

  start(): void {
    this.#lookedAtMs = this.clock.now();
    this.#timer = this.clock.after(limits.lookIntervalMs, () => this.#look());
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** Of the time since the look before. Late once, this process stood still; late every time, it has much to do. */
  #awakeMs(passedMs: number): number {
    const wasLate = this.#isLate;
    this.#isLate = passedMs - limits.lookIntervalMs > limits.ownPauseMs;
    if (!this.#isLate) return passedMs;
    return wasLate ? limits.lookIntervalMs + limits.ownPauseMs : 0;
  }

  #look(): void {
    const now = this.clock.now();
    const passedMs = this.#awakeMs(now - this.#lookedAtMs);
    for (const servers of this.clusters) judge(servers, now, passedMs);
    this.isTrialWanted = this.clusters.some((servers) => servers.some(isOnTrial));
    this.start();
  }
}

function isOnTrial({ onTrial }: ServerHealth): boolean {
  return onTrial;
}
