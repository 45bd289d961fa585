/** Uses of sessions that the database has to be told of, gathered: many in one statement, each session seldom. */
import type { Clock, Timer } from "../../support/clock.ts";
import { sessionStores as limits, session } from "../../support/limits.ts";
import { type SessionEngine, type SessionTouch, touchIntervalMs } from "./engine.ts";
import type { Guard } from "./guard.ts";

export class Touches {
  readonly #engine: SessionEngine;
  readonly #guard: Guard;
  readonly #clock: Clock;
  /** The idle timeout by key. */
  #waiting: Map<string, number> = new Map();
  #timer: Timer | null = null;
  #dueAt = 0;
  #isUnderWay = false;
  #whenEmpty: (() => void)[] = [];

  constructor(engine: SessionEngine, guard: Guard, clock: Clock) {
    this.#engine = engine;
    this.#guard = guard;
    this.#clock = clock;
  }

  get count(): number {
    return this.#waiting.size;
  }

  /** It was used now. */
  note(key: string, idleTimeoutMs: number): void {
    const before = this.#waiting.get(key);
    if (before === undefined && this.#waiting.size >= limits.touchesMax) return;
    this.#waiting.set(key, before === undefined ? idleTimeoutMs : Math.max(before, idleTimeoutMs));
    // Half of what a row lives longer than its idle timeout; the rest is for the statement.
    this.#sendAfter(Math.min(limits.touchGatherMs, touchIntervalMs(idleTimeoutMs) / 2));
  }

  /** A write told the same, or the session is gone. */
  forget(key: string): void {
    if (this.#waiting.size > 0) this.#waiting.delete(key);
  }

  /** Sends what waits. @param done when all is told, or can't be. */
  flush(done: () => void): void {
    this.#whenEmpty.push(done);
    this.#send();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#waiting.clear();
  }

  #sendAfter(delayMs: number): void {
    if (this.#isUnderWay) return;
    const dueAt = this.#clock.now() + delayMs;
    if (this.#timer !== null && this.#dueAt <= dueAt) return;
    this.#timer?.cancel();
    this.#dueAt = dueAt;
    this.#timer = this.#clock.after(delayMs, this.#send);
  }

  readonly #send = (): void => {
    if (this.#isUnderWay) return;
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#waiting.size === 0) return this.#end();
    const touches: SessionTouch[] = [];
    for (const [key, idleTimeoutMs] of this.#waiting) {
      touches.push({ key, idleTimeoutMs });
      this.#waiting.delete(key);
      if (touches.length === limits.touchedAtOnceMax) break;
    }
    this.#isUnderWay = true;
    const deadline = this.#clock.now() + session.commitTimeoutMs;
    this.#guard.run(
      deadline,
      () => this.#engine.touch(touches),
      (failure) => {
        this.#isUnderWay = false;
        if (failure === null) return this.#waiting.size === 0 ? this.#end() : this.#sendAfter(0);
        // Twice is as good as once.
        for (const { key, idleTimeoutMs } of touches) this.note(key, idleTimeoutMs);
        this.#timer?.cancel();
        this.#timer = null;
        this.#sendAfter(limits.touchRetryMs);
        this.#end();
      },
    );
  };

  #end(): void {
    const told = this.#whenEmpty;
    this.#whenEmpty = [];
    for (const tell of told) tell();
  }
}
