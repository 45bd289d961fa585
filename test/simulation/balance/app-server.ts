/**
 * A simulated app server: one thread that works off requests in the order in which they get ready, as Node does. It reports its
 * load with the formulas of the real one (src/load/sampler.ts): what it ran and waited for its CPU, and how late its event loop is.
 */
import { Average } from "../../../src/load/average.ts";
import { type LoadRecord, nothingKnown } from "../../../src/load/record.ts";
import type { Timer } from "../../../src/support/clock.ts";
import { load as limits } from "../../../src/support/limits.ts";
import type { Scheduler } from "../register/scheduler.ts";

export interface Job {
  /** Milliseconds on the CPU of a server of speed 1 that has it for itself. */
  workMs: number;
  done(): void;
}

export class SimulatedApp {
  /** Requests that have come and are not answered. */
  inFlight = 0;
  readonly #scheduler: Scheduler;
  /** Work done per millisecond on the CPU. */
  #speed: number;
  /** Of the CPU's time; a neighbour has the rest. */
  #share = 1;
  readonly #jobs: Job[] = [];
  #first = 0;
  #backlogMs = 0;
  #running: Timer | null = null;
  #settledAt = 0;
  // As schedstat has it, since the start.
  #runMs = 0;
  #waitMs = 0;
  // At the last look.
  #lookedAt = 0;
  #runThen = 0;
  #waitThen = 0;
  readonly #run = new Average(limits.smoothingMs);
  readonly #wait = new Average(limits.smoothingMs);
  readonly #late = new Average(limits.smoothingMs);

  constructor(scheduler: Scheduler, speed: number) {
    this.#scheduler = scheduler;
    this.#speed = speed;
    this.#settledAt = this.#lookedAt = scheduler.nowMs;
    this.#tick();
  }

  set speed(speed: number) {
    this.#change(() => {
      this.#speed = speed;
    });
  }

  set share(share: number) {
    this.#change(() => {
      this.#share = share;
    });
  }

  /** Its CPU is needed from now on. */
  add(job: Job): void {
    this.#settle();
    this.#jobs.push(job);
    this.#backlogMs += job.workMs;
    if (this.#running === null) this.#start();
  }

  report(): LoadRecord {
    this.#look();
    return {
      ...nothingKnown,
      inFlight: this.inFlight,
      run: this.#run.value,
      wait: this.#wait.value,
      lateMs: this.#late.value,
    };
  }

  #change(change: () => void): void {
    this.#settle();
    this.#running?.cancel();
    this.#running = null;
    change();
    this.#start();
  }

  #start(): void {
    const job = this.#jobs[this.#first];
    if (job === undefined) return;
    this.#running = this.#scheduler.after(job.workMs / (this.#speed * this.#share), () => this.#finish(job));
  }

  #finish(job: Job): void {
    this.#settle();
    this.#backlogMs -= job.workMs;
    this.#running = null;
    this.#first++;
    if (this.#first > 1_000 && this.#first * 2 > this.#jobs.length)
      this.#first -= this.#jobs.splice(0, this.#first).length;
    this.#start();
    job.done();
  }

  /** What has been done since the last time. */
  #settle(): void {
    const elapsedMs = this.#scheduler.nowMs - this.#settledAt;
    this.#settledAt = this.#scheduler.nowMs;
    const job = this.#jobs[this.#first];
    if (this.#running === null || job === undefined) return;
    const doneMs = Math.min(job.workMs, elapsedMs * this.#speed * this.#share);
    job.workMs -= doneMs;
    this.#backlogMs -= doneMs;
    this.#runMs += elapsedMs * this.#share;
    this.#waitMs += elapsedMs * (1 - this.#share);
  }

  #look(): void {
    this.#settle();
    const elapsedMs = this.#scheduler.nowMs - this.#lookedAt;
    if (elapsedMs < 2) return;
    this.#run.add((this.#runMs - this.#runThen) / elapsedMs, elapsedMs);
    this.#wait.add((this.#waitMs - this.#waitThen) / elapsedMs, elapsedMs);
    this.#lookedAt = this.#scheduler.nowMs;
    this.#runThen = this.#runMs;
    this.#waitThen = this.#waitMs;
  }

  /** A timer that is due waits until what is ready has been done. */
  #tick(): void {
    this.#scheduler.after(limits.reportIntervalMs, () => {
      this.#settle();
      const lateMs = Math.min(limits.lateMsMax, this.#backlogMs / (this.#speed * this.#share));
      this.#late.add(lateMs, limits.reportIntervalMs);
      this.#tick();
    });
  }
}
