/**
 * Between a process and a database that may be slow, full or away: how many statements are under way and wait, for how long, and
 * whether to ask at all (a circuit breaker; Nygard, "Release It!", 2007).
 *
 *   opening --> up --(failures in a row, and a trial fails too)--> down --(a trial succeeds)--> up
 *
 * While it is down everything is refused at once, but for one trial at a time. A statement that is refused by the database because of
 * what it says is an answer (`unfit`), as far as the engine can tell; else a failure: therefore the trial before it counts as down.
 */
import type { Clock, Random, Timer } from "../../support/clock.ts";
import { messageOf } from "../../support/errors.ts";
import { sessionStores as limits, session } from "../../support/limits.ts";
import type { Log } from "../../support/log.ts";
import { type EngineOutcome, type SessionEngine, SessionEngineError } from "./engine.ts";

export interface Failure {
  readonly outcome: EngineOutcome;
  /** The name of the database and what is wrong. */
  readonly why: string;
  readonly cause: unknown;
  /** It failed at once, and the same may succeed with another connection. */
  readonly isWorthRetrying: boolean;
}

type Answered<Answer> = (failure: Failure | null, answer: Answer | null) => void;

interface Statement {
  readonly deadline: number;
  readonly begin: () => Promise<unknown>;
  readonly done: Answered<unknown>;
  isAbandoned: boolean;
}

/** No session has it: an id's random part is never all zero. */
const trialKey = "A".repeat(24);

export interface GuardOptions {
  readonly engine: SessionEngine;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Once, when the engine is open. */
  readonly onOpened: () => void;
}

export class Guard {
  readonly #engine: SessionEngine;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #onOpened: () => void;
  #state: "unopened" | "opening" | "up" | "down" | "stopped" = "unopened";
  #isOpened = false;
  readonly #underWay: Set<Statement> = new Set();
  readonly #waiting: Set<Statement> = new Set();
  #tickTimer: Timer | null = null;
  #tickedAt = 0;
  #failures = 0;
  #isOnTrial = false;
  #trialMs: number = limits.trialMs;
  #trialTimer: Timer | null = null;
  #downSince = 0;
  #whyDown: Failure | null = null;
  #whenOpened: ((error: unknown) => void)[] = [];

  constructor({ engine, clock, random, log, onOpened }: GuardOptions) {
    this.#onOpened = onOpened;
    this.#engine = engine;
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
  }

  get isUp(): boolean {
    return this.#state === "up";
  }

  /** Why nothing can be loaded or stored now, for a person; null: it can. */
  get trouble(): string | null {
    return this.#state === "down" ? this.#whyDown!.why : null;
  }

  /** 0 while it is up. */
  get downForMs(): number {
    return this.#state === "down" ? this.#clock.now() - this.#downSince : 0;
  }

  /** The first attempt, unless there was one. @param done with what it threw, or null. */
  open(done: (error: unknown) => void): void {
    if (this.#state === "up") return done(null);
    if (this.#state === "down") return done(this.#whyDown!.cause);
    if (this.#state === "stopped") return done(new Error(this.#refusal("is closed").why));
    this.#whenOpened.push(done);
    this.#beginOpening();
  }

  /**
   * One statement; it may wait for its turn. @param done is called once, by the deadline or soon afterwards.
   * @param deadline on the clock.
   */
  run<Answer>(deadline: number, begin: () => Promise<Answer>, done: Answered<Answer>): void {
    if (this.#state === "unopened") this.#beginOpening();
    if (this.#state === "down") return done(this.#whyDown, null);
    if (this.#state === "stopped") return done(this.#refusal("is closed"), null);
    const statement: Statement = { deadline, begin, done: done as Answered<unknown>, isAbandoned: false };
    if (this.#tickTimer === null) this.#beginTicking();
    if (this.#state === "up" && this.#underWay.size < limits.underWayMax && this.#waiting.size === 0)
      this.#begin(statement);
    else if (this.#waiting.size < limits.waitingMax) this.#waiting.add(statement);
    else done(this.#refusal(`has ${limits.waitingMax} operations waiting for it`), null);
  }

  /** Refuses everything from now on. Of what is under way its caller is still told by the deadline. */
  stop(): void {
    const refusal = this.#refusal("is closed");
    this.#state = "stopped";
    this.#trialTimer?.cancel();
    this.#tellOpened(new Error(refusal.why));
    this.#refuseWaiting(refusal);
  }

  #begin(statement: Statement): void {
    this.#underWay.add(statement);
    let answer: Promise<unknown>;
    try {
      answer = statement.begin();
    } catch (error) {
      answer = Promise.reject(error);
    }
    answer.then(
      (value) => this.#answered(statement, value),
      (error) => this.#failed(statement, error),
    );
  }

  #answered(statement: Statement, value: unknown): void {
    this.#underWay.delete(statement);
    if (this.#waiting.size > 0) this.#beginWaiting();
    if (statement.isAbandoned) return;
    this.#failures = 0;
    statement.done(null, value);
  }

  #failed(statement: Statement, error: unknown): void {
    this.#underWay.delete(statement);
    if (this.#waiting.size > 0) this.#beginWaiting();
    if (statement.isAbandoned) return;
    const failure = this.#failureOf(error);
    if (failure.outcome === "unfit") this.#failures = 0;
    else if (++this.#failures >= limits.failuresMax && this.#state === "up") this.#try();
    statement.done(failure, null);
  }

  #beginWaiting(): void {
    if (this.#state !== "up") return;
    for (const statement of this.#waiting) {
      if (this.#underWay.size >= limits.underWayMax) return;
      this.#waiting.delete(statement);
      this.#begin(statement);
    }
  }

  #refuseWaiting(failure: Failure): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const { done } of waiting) done(failure, null);
  }

  #beginTicking(): void {
    this.#tickedAt = this.#clock.now();
    this.#tickTimer = this.#clock.after(limits.tickMs, this.#tick);
  }

  readonly #tick = (): void => {
    const now = this.#clock.now();
    const hasStoodStill = now - this.#tickedAt >= limits.ownPauseMs;
    this.#tickedAt = now;
    const isAtRest = this.#underWay.size === 0 && this.#waiting.size === 0;
    this.#tickTimer = isAtRest ? null : this.#clock.after(limits.tickMs, this.#tick);
    if (!hasStoodStill) this.#endLate(now);
  };

  #endLate(now: number): void {
    let isLate = false;
    for (const statement of this.#underWay) {
      if (statement.isAbandoned) {
        if (now >= statement.deadline + limits.abandonedMs) this.#underWay.delete(statement);
      } else if (now >= statement.deadline) {
        isLate = true;
        statement.isAbandoned = true;
        this.#failures++;
        statement.done(this.#late(), null);
      }
    }
    for (const statement of this.#waiting) {
      if (now < statement.deadline) continue;
      this.#waiting.delete(statement);
      statement.done(this.#refusal(waitedTooLong), null);
    }
    if (isLate && this.#failures >= limits.failuresMax && this.#state === "up") this.#goDown(this.#late());
    else this.#beginWaiting();
  }

  #beginOpening(): void {
    if (this.#state !== "unopened") return;
    this.#state = "opening";
    this.#try();
  }

  /** One at a time. */
  #try(): void {
    if (this.#isOnTrial || this.#state === "stopped") return;
    this.#isOnTrial = true;
    let isOver = false;
    const over = (failure: Failure | null): void => {
      if (isOver) return;
      isOver = true;
      timer.cancel();
      this.#isOnTrial = false;
      if (this.#state === "stopped") return;
      if (failure === null) this.#goUp();
      else this.#goDown(failure);
    };
    const timer = this.#clock.after(limits.trialTimeoutMs, () => over(this.#late()));
    this.#ask().then(
      () => over(null),
      (error) => over(this.#failureOf(error)),
    );
  }

  async #ask(): Promise<void> {
    if (!this.#isOpened) await this.#open();
    // A table that somebody dropped is made anew.
    else if (this.#state === "down") await this.#engine.open();
    await this.#engine.read(trialKey).catch((error: unknown) => {
      // Somebody has put a row there that is none: it answers all the same.
      if (this.#failureOf(error).outcome !== "unfit") throw error;
    });
  }

  async #open(): Promise<void> {
    await this.#engine.open();
    // One that came too late may be overtaken by the next.
    if (this.#isOpened || this.#state === "stopped") return;
    this.#isOpened = true;
    this.#onOpened();
  }

  #goUp(): void {
    const wasDown = this.#state === "down";
    this.#state = "up";
    this.#failures = 0;
    this.#trialMs = limits.trialMs;
    // Answers that are still owed will not come.
    for (const statement of this.#underWay) if (statement.isAbandoned) this.#underWay.delete(statement);
    if (wasDown) {
      const seconds = Math.round((this.#clock.now() - this.#downSince) / 1_000);
      this.#log.info(`${this.#engine.name} answers again after ${seconds} s: sessions are as they were`);
    }
    this.#tellOpened(null);
    this.#beginWaiting();
  }

  #goDown(failure: Failure): void {
    this.#whyDown = { ...failure, outcome: "nothing", isWorthRetrying: false };
    if (this.#state !== "down") {
      this.#state = "down";
      this.#downSince = this.#clock.now();
      this.#log.error(
        { code: "FLOTILLA_SESSION_STORE_DOWN" },
        `${failure.why}: sessions can't be loaded or stored; it is tried again until it answers`,
      );
    }
    this.#trialTimer?.cancel();
    this.#trialTimer = this.#clock.after(this.#trialMs * (0.5 + this.#random()), () => this.#try());
    this.#trialMs = Math.min(2 * this.#trialMs, limits.trialMsMax);
    this.#tellOpened(failure.cause ?? new Error(failure.why));
    this.#refuseWaiting(this.#whyDown);
  }

  #tellOpened(error: unknown): void {
    const told = this.#whenOpened;
    this.#whenOpened = [];
    for (const tell of told) tell(error);
  }

  #failureOf(error: unknown): Failure {
    const outcome = error instanceof SessionEngineError ? error.outcome : "unknown";
    const { name } = this.#engine;
    const message = messageOf(error);
    const why = message.includes(name) ? message : `${name}: ${message}`;
    return { outcome, why, cause: error, isWorthRetrying: outcome !== "unfit" };
  }

  #late(): Failure {
    const why = `${this.#engine.name} did not answer within ${session.commitTimeoutMs / 1_000} s`;
    return { outcome: "unknown", why, cause: undefined, isWorthRetrying: false };
  }

  #refusal(what: string): Failure {
    const why = `${this.#engine.name} ${what}`;
    return { outcome: "nothing", why, cause: undefined, isWorthRetrying: false };
  }
}

const waitedTooLong = "is so busy that the operation did not have its turn in time";
