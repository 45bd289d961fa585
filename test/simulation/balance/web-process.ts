/** A simulated process of a web server: the real policy, the real averages, and what it alone knows of each app server. */
import { PeakEwma } from "../../../src/balance/peak-ewma.ts";
import { createPolicy } from "../../../src/balance/policies.ts";
import type { Candidate, Policy } from "../../../src/balance/policy.ts";
import { LoadFigures } from "../../../src/load/figures.ts";
import type { LoadRecord } from "../../../src/load/record.ts";
import { seededRandom } from "../../../src/support/clock.ts";
import { balance as limits, load as loadLimits } from "../../../src/support/limits.ts";
import { type PolicyName, testHash } from "../../harness/candidates.ts";
import type { Scheduler } from "../register/scheduler.ts";
import type { SimulatedApp } from "./app-server.ts";

/** One way through the network. */
const wayMs = 0.3;

export interface Request {
  /** The application waits for its database for so long, */
  readonly waitMs: number;
  /** and needs so much of a CPU then. */
  readonly workMs: number;
  readonly key: number;
}

export class KnownApp implements Candidate {
  readonly name: string;
  readonly usable = true;
  readonly fullWeight = 1;
  weight = 1;
  inFlight = 0;
  readonly app: SimulatedApp;
  readonly load: LoadFigures;
  reportedAt = 0;
  readonly #latency = new PeakEwma(limits.latencyDecayMs);
  readonly #scheduler: Scheduler;

  constructor(name: string, app: SimulatedApp, scheduler: Scheduler) {
    this.name = name;
    this.app = app;
    this.load = new LoadFigures(scheduler.clock(1, 0));
    this.#scheduler = scheduler;
  }

  get slowness(): number {
    return this.load.slowness;
  }

  get inFlightElsewhere(): number {
    return this.load.inFlightElsewhere;
  }

  latencyAt(nowMs: number): number {
    return this.#latency.value(nowMs);
  }

  answered(ms: number): void {
    this.#latency.update(ms, this.#scheduler.nowMs);
  }
}

export interface Reports {
  /** Null: app servers report nothing. */
  readonly ageMs: number | null;
}

export class WebProcess {
  readonly #scheduler: Scheduler;
  readonly #reports: Reports;
  readonly #policy: Policy<KnownApp>;
  readonly #known: KnownApp[] = [];
  /** Milliseconds from the browser's request to its answer. */
  readonly #onAnswer: (ms: number) => void;

  constructor(
    scheduler: Scheduler,
    policy: PolicyName,
    seed: number,
    reports: Reports,
    onAnswer: (ms: number) => void,
  ) {
    this.#scheduler = scheduler;
    this.#reports = reports;
    this.#policy = createPolicy(
      { policy, by: "path", name: "", loadBound: 1.25 },
      testHash,
      seededRandom(seed),
      () => scheduler.nowMs,
    );
    this.#onAnswer = onAnswer;
  }

  know(apps: readonly KnownApp[]): void {
    this.#known.push(...apps);
    this.#policy.update([...this.#known]);
    if (this.#reports.ageMs !== null) for (const known of apps) this.#reportRegularly(known);
  }

  take({ waitMs, workMs, key }: Request): void {
    const known = this.#policy.pick(null, key)!;
    const { app } = known;
    const sentAt = this.#scheduler.nowMs;
    known.inFlight++;
    this.#scheduler.after(wayMs, () => {
      app.inFlight++;
      const done = (): void => this.#answer(known, sentAt);
      this.#scheduler.after(waitMs, () => app.add({ workMs, done }));
    });
  }

  #answer(known: KnownApp, sentAt: number): void {
    known.app.inFlight--;
    const now = this.#scheduler.nowMs;
    if (this.#reports.ageMs !== null && now - known.reportedAt >= loadLimits.answerReportMs)
      this.#report(known);
    this.#scheduler.after(wayMs, () => {
      known.inFlight--;
      const ms = this.#scheduler.nowMs - sentAt;
      known.answered(ms);
      this.#onAnswer(ms);
    });
  }

  #reportRegularly(known: KnownApp): void {
    this.#scheduler.after(loadLimits.reportIntervalMs, () => {
      if (this.#scheduler.nowMs - known.reportedAt >= loadLimits.reportIntervalMs) this.#report(known);
      this.#reportRegularly(known);
    });
  }

  #report(known: KnownApp): void {
    known.reportedAt = this.#scheduler.nowMs;
    const record: LoadRecord = known.app.report();
    this.#scheduler.after(this.#reports.ageMs!, () => known.load.update(record, known.inFlight));
  }
}
