/**
 * Whether the peer lives: pings, the time since its last byte, and the round trip. It judges the peer only with a
 * good conscience: after our own process stood still, bytes of the peer may wait unread, so the clocks begin anew.
 */
import type { Clock, Timer } from "../support/clock.ts";
import * as limits from "../support/limits.ts";

export interface LivenessEvents {
  sendPing(sequence: number): void;
  silenceChanged(): void;
  /** Nothing came for `deadAfterMs`. */
  dead(): void;
}

const { pingIntervalMs, roundTripIntervalMs, deadAfterMs, ownPauseMs } = limits.link;
const { patienceFactorMax, patienceCalmMs } = limits.link;
/** How often silence is looked for: it is noticed this much late at most. */
const lookIntervalMs = pingIntervalMs / 2;
/** A new round trip counts one eighth (RFC 6298, 2.3). */
const smoothing = 0.125;

export class Liveness {
  readonly #clock: Clock;
  readonly #events: LivenessEvents;
  #timer: Timer | null = null;
  #dueAt = 0;
  #heardAt = 0;
  #sequence = 0;
  #pingedAt = 0;
  #answered = true;
  /** Twice as long after a false alarm: who answers soon after it was given up was only slow. */
  silentAfterMs: number = limits.link.silentAfterMs;
  #patienceAt = 0;
  silent = false;
  roundTripMs = 0;

  constructor(clock: Clock, events: LivenessEvents) {
    this.#clock = clock;
    this.#events = events;
  }

  start(): void {
    this.#heardAt = this.#clock.now();
    this.#ping(this.#heardAt);
    this.#schedule(this.#heardAt);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** Bytes came. */
  heard(): void {
    const now = this.#clock.now();
    const silentMs = now - this.#heardAt;
    this.#heardAt = now;
    if (!this.silent) return;
    this.silent = false;
    const mostMs = patienceFactorMax * limits.link.silentAfterMs;
    // Who was silent for longer than any patience was no false alarm.
    if (silentMs < mostMs) this.#bePatient(Math.min(mostMs, 2 * this.silentAfterMs), now);
    this.#events.silenceChanged();
  }

  pong(sequence: number): void {
    if (this.#answered || sequence !== this.#sequence) return;
    this.#answered = true;
    const roundTripMs = this.#clock.now() - this.#pingedAt;
    this.roundTripMs =
      this.roundTripMs === 0 ? roundTripMs : this.roundTripMs + smoothing * (roundTripMs - this.roundTripMs);
  }

  #bePatient(silentAfterMs: number, now: number): void {
    this.silentAfterMs = silentAfterMs;
    this.#patienceAt = now;
  }

  #schedule(now: number): void {
    this.#dueAt = now + lookIntervalMs;
    this.#timer = this.#clock.after(lookIntervalMs, () => this.#look());
  }

  #look(): void {
    const now = this.#clock.now();
    if (now - this.#dueAt > ownPauseMs) this.#heardAt = now;
    // Who was just heard lives; it is asked only for the round trip. So one side pings an idle link, and none a busy one.
    const isHeard = now - this.#heardAt < pingIntervalMs;
    if (now - this.#pingedAt >= (isHeard ? roundTripIntervalMs : pingIntervalMs)) this.#ping(now);
    this.#schedule(now);
    if (this.silentAfterMs > limits.link.silentAfterMs && now - this.#patienceAt >= patienceCalmMs)
      this.#bePatient(this.silentAfterMs / 2, now);
    const silentMs = now - this.#heardAt;
    if (silentMs >= deadAfterMs) {
      this.#events.dead();
    } else if (silentMs >= this.silentAfterMs && !this.silent) {
      this.silent = true;
      this.#events.silenceChanged();
    }
  }

  #ping(now: number): void {
    this.#sequence = (this.#sequence + 1) & 0x7fff_ffff;
    this.#pingedAt = now;
    this.#answered = false;
    this.#events.sendPing(this.#sequence);
  }
}
