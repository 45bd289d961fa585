/** One policy in one scenario: discrete events, virtual time, one seed. The same seed has the same requests for all policies. */
import { type Random, seededRandom } from "../../../src/support/clock.ts";
import type { PolicyName } from "../../harness/candidates.ts";
import { Scheduler } from "../register/scheduler.ts";
import { SimulatedApp } from "./app-server.ts";
import type { Scenario } from "./scenarios.ts";
import { KnownApp, type Request, WebProcess } from "./web-process.ts";

export interface Outcome {
  readonly requests: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Requests in flight at the server that has most, beside the mean of all; averaged over time. */
  readonly maxToMean: number;
}

/** On the CPU of a server of speed 1. */
const workMeanMs = 5;
/** For the database. */
const waitMeanMs = 10;
const heavySigma = 1.5;
const sampleIntervalMs = 50;
/** The begin, which is not measured. */
const warmUpShare = 0.1;
const coldStartMs = 5_000;
const slowStartMs = 10_000;
const slowStartFrom = 0.1;
const stepMs = 250;

export function simulate(scenario: Scenario, policy: PolicyName, seed: number): Outcome {
  return new Simulation(scenario, policy, seed).run();
}

/** The mean over all seeds of the scenario. */
export function simulateAll(scenario: Scenario, policy: PolicyName): Outcome {
  const outcomes = Array.from({ length: scenario.seeds }, (_, at) => simulate(scenario, policy, at + 1));
  const mean = (of: (outcome: Outcome) => number): number =>
    outcomes.reduce((sum, outcome) => sum + of(outcome), 0) / outcomes.length;
  return {
    requests: mean(({ requests }) => requests),
    p50Ms: mean(({ p50Ms }) => p50Ms),
    p99Ms: mean(({ p99Ms }) => p99Ms),
    maxToMean: mean(({ maxToMean }) => maxToMean),
  };
}

class Simulation {
  readonly #scenario: Scenario;
  readonly #scheduler = new Scheduler();
  readonly #random: Random;
  readonly #apps: SimulatedApp[];
  readonly #webs: WebProcess[];
  readonly #latencies: number[] = [];
  #ratioSum = 0;
  #ratios = 0;

  constructor(scenario: Scenario, policy: PolicyName, seed: number) {
    this.#scenario = scenario;
    this.#random = seededRandom(seed);
    const scheduler = this.#scheduler;
    const onAnswer = (ms: number): void => {
      if (this.#isMeasured) this.#latencies.push(ms);
    };
    const reports = { ageMs: scenario.reportAgeMs };
    this.#webs = Array.from(
      { length: scenario.webs },
      (_, at) => new WebProcess(scheduler, policy, seed * 1_000 + at, reports, onAnswer),
    );
    this.#apps = Array.from(
      { length: scenario.apps },
      (_, at) => new SimulatedApp(scheduler, scenario.speed(at)),
    );
    for (const web of this.#webs)
      web.know(this.#apps.map((app, at) => new KnownApp(`app-${at}`, app, scheduler)));
  }

  run(): Outcome {
    const { durationMs, neighbourLeaves, cold } = this.#scenario;
    this.#arrive();
    this.#sample();
    if (neighbourLeaves !== null) {
      this.#scheduler.after(0.4 * durationMs, () => this.#leave(neighbourLeaves));
      this.#scheduler.after(0.7 * durationMs, () => this.#leave(1));
    }
    if (cold !== "no") this.#scheduler.after(0.3 * durationMs, () => this.#joinCold(cold === "slow-start"));
    this.#scheduler.runUntil(durationMs);
    const sorted = this.#latencies.toSorted((left, right) => left - right);
    return {
      requests: sorted.length,
      p50Ms: sorted[Math.floor(sorted.length * 0.5)] ?? 0,
      p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
      maxToMean: this.#ratioSum / this.#ratios,
    };
  }

  get #isMeasured(): boolean {
    return this.#scheduler.nowMs >= warmUpShare * this.#scenario.durationMs;
  }

  /** Clumps at one web server, exponential times between them. */
  #arrive(): void {
    const { utilization, speed, apps, clump } = this.#scenario;
    let capacity = 0;
    for (let at = 0; at < apps; at++) capacity += speed(at);
    const clumpsPerMs = (utilization * capacity) / workMeanMs / clump;
    const next = (): void => {
      const web = this.#webs[Math.floor(this.#random() * this.#webs.length)]!;
      let size = 1;
      while (this.#random() > 1 / clump) size++;
      for (let count = 0; count < size; count++) web.take(this.#request());
      this.#scheduler.after(this.#exponential(1 / clumpsPerMs), next);
    };
    this.#scheduler.after(this.#exponential(1 / clumpsPerMs), next);
  }

  #request(): Request {
    const waitMs = this.#exponential(waitMeanMs);
    const workMs = this.#scenario.heavyTail ? this.#heavyTailed(workMeanMs) : this.#exponential(workMeanMs);
    // Some visitors are busier than others.
    const key = Math.imul(Math.floor(1_000 * this.#random() ** 2 * this.#scenario.apps), 0x9e3779b1) >>> 0;
    return { waitMs, workMs, key };
  }

  #exponential(mean: number): number {
    return -mean * Math.log(1 - this.#random());
  }

  /** Lognormal: one in a hundred takes more than 11 times the mean, one in a thousand more than 33 times. */
  #heavyTailed(mean: number): number {
    const normal = Math.sqrt(-2 * Math.log(1 - this.#random())) * Math.cos(2 * Math.PI * this.#random());
    return mean * Math.exp(heavySigma * normal - heavySigma ** 2 / 2);
  }

  #leave(share: number): void {
    for (const [at, app] of this.#apps.entries()) if (at % 10 === 0) app.share = share;
  }

  #joinCold(slowly: boolean): void {
    const scheduler = this.#scheduler;
    const startedAt = scheduler.nowMs;
    const app = new SimulatedApp(scheduler, 0.15);
    this.#apps.push(app);
    const known = this.#webs.map((web) => {
      const one = new KnownApp("app-new", app, scheduler);
      web.know([one]);
      return one;
    });
    const step = (): void => {
      const forMs = scheduler.nowMs - startedAt;
      app.speed = Math.min(1, 0.15 + (0.85 * forMs) / coldStartMs);
      const weight = Math.min(1, slowStartFrom + ((1 - slowStartFrom) * forMs) / slowStartMs);
      for (const one of known) one.weight = slowly ? weight : 1;
      if (forMs < Math.max(coldStartMs, slowStartMs)) scheduler.after(stepMs, step);
    };
    step();
  }

  #sample(): void {
    this.#scheduler.after(sampleIntervalMs, () => {
      const counts = this.#apps.map(({ inFlight }) => inFlight);
      const sum = counts.reduce((total, count) => total + count, 0);
      if (sum > 0 && this.#isMeasured) {
        this.#ratioSum += (Math.max(...counts) * counts.length) / sum;
        this.#ratios++;
      }
      this.#sample();
    });
  }
}
