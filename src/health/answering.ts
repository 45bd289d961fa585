/**
 * Whether a server goes on answering, of all that it has been sent: who waits, since when nothing came, and how long its
 * answers usually take. A request pays for three additions; everything else is found out by a look now and then.
 */
import { serverHealth as limits } from "../support/limits.ts";
import { type Waiting, WaitingList } from "./waiting-list.ts";

/** As retransmission timers do it: the mean, and how far answers are from it (RFC 6298, 2.3). */
const meanShare = 1 / 8;
const deviationShare = 1 / 4;
/** For the share of answers that take long: about the last hundred count. */
const longShareStep = 1 / 64;

export class Answering {
  readonly waiting: WaitingList = new WaitingList();
  /** Requests whose answer was up to the server at the last look, */
  awaited = 0;
  /** and for how long nothing had come then, although something was awaited. */
  quietMs = 0;
  #lastMs = 0;
  #lastSeenMs = 0;
  #meanMs = 0;
  #longShare = 0;
  #deviationMs = 0;

  /** @returns how long an answer may take and be nothing unusual; 0 when none has come yet. */
  get expectedMs(): number {
    return this.#meanMs + 4 * this.#deviationMs;
  }

  /** The head of its answer is there. */
  answered(request: Waiting, nowMs: number): void {
    const sinceMs = request.awaitedSinceMs;
    this.#lastMs = nowMs;
    // Answered before its body had come.
    if (sinceMs === 0) return;
    const tookMs = nowMs - sinceMs;
    this.#longShare += longShareStep * ((tookMs >= limits.suspectTrialMs ? 1 : 0) - this.#longShare);
    if (this.#meanMs === 0) {
      this.#meanMs = tookMs;
      this.#deviationMs = tookMs / 2;
      return;
    }
    this.#deviationMs += deviationShare * (Math.abs(tookMs - this.#meanMs) - this.#deviationMs);
    this.#meanMs += meanShare * (tookMs - this.#meanMs);
  }

  /** @param passedMs since the look before; less when our own process stood still in between, for then answers may wait unread. */
  look(nowMs: number, passedMs: number): void {
    this.awaited = 0;
    let oldestMs = nowMs;
    let left: number = limits.waitingLooksMax;
    for (let request = this.waiting.first; request !== null && left > 0; request = request.nextWaiting) {
      left--;
      const sinceMs = request.awaitedSinceMs;
      if (sinceMs === 0) continue;
      this.awaited++;
      if (sinceMs < oldestMs) oldestMs = sinceMs;
    }
    const wasQuietMs = this.#lastMs === this.#lastSeenMs ? this.quietMs + passedMs : passedMs;
    this.#lastSeenMs = this.#lastMs;
    this.quietMs = Math.max(0, Math.min(wasQuietMs, nowMs - Math.max(oldestMs, this.#lastMs)));
  }

  /** @returns how many it was sent between these times which it has not answered. */
  unanswered(fromMs: number, toMs: number): number {
    let count = 0;
    let left: number = limits.waitingLooksMax;
    for (let request = this.waiting.first; request !== null && left > 0; request = request.nextWaiting) {
      left--;
      const sinceMs = request.awaitedSinceMs;
      if (sinceMs > fromMs && sinceMs <= toMs) count++;
    }
    return count;
  }

  /** @returns how likely a request takes longer than a trial may, by those that were answered and those that wait; 0 to 1. */
  longShare(nowMs: number): number {
    const waiting = this.unanswered(0, nowMs - limits.suspectTrialMs) * longShareStep;
    return (this.#longShare + waiting) / (1 + waiting);
  }

  /** It answered something within this time. */
  answeredWithin(nowMs: number, ms: number): boolean {
    return nowMs - this.#lastMs <= ms;
  }

  /** Another process answers there now. */
  forget(): void {
    this.#lastMs = this.#meanMs = this.#deviationMs = 0;
    this.quietMs = 0;
  }
}
