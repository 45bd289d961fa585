/**
 * The way on which this process is told of others' writes to sessions that it holds. It is proven again and again: a notice may be late,
 * but not by more than the age of the last proof, which whoever serves a copy looks at. A way that breaks may have lost notices: another
 * one is opened, and nothing from before counts any more.
 */
import type { Clock, Random, Timer } from "../../support/clock.ts";
import { messageOf } from "../../support/errors.ts";
import { sessionStores as limits } from "../../support/limits.ts";
import type { Log } from "../../support/log.ts";
import type { NoticeChannel, SessionEngine } from "./engine.ts";

export interface NoticesOptions {
  readonly engine: SessionEngine;
  readonly holder: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The database itself is up: that the way is broken is worth telling. */
  readonly isUp: () => boolean;
  readonly onChanged: (key: string) => void;
  /** What was known before is not known any more. */
  readonly onBegin: () => void;
}

export class Notices {
  readonly #options: NoticesOptions;
  readonly #clock: Clock;
  /** All changes committed before this time have been told. */
  #provenAt: number = Number.NEGATIVE_INFINITY;
  #channel: NoticeChannel | null = null;
  #timer: Timer | null = null;
  /** Of a question without an answer yet. */
  #deadline: Timer | null = null;
  /** What comes of an earlier attempt is ignored. */
  #attempt = 0;
  #isStopped = false;
  #deafSince: number | null = null;
  #isToldDeaf = false;

  constructor(options: NoticesOptions) {
    this.#options = options;
    this.#clock = options.clock;
  }

  /** Which way is open: another number after each break; 0: none is. */
  get way(): number {
    return this.#channel === null ? 0 : this.#attempt;
  }

  /** All changes are known that others had committed `proofAgeMsMax` ago. */
  isFresh(now: number): boolean {
    return now - this.#provenAt <= limits.proofAgeMsMax;
  }

  start(): void {
    if (this.#isStopped) return;
    const { engine, holder, onChanged, onBegin } = this.#options;
    const attempt = ++this.#attempt;
    this.#expect(attempt, `does not take up notices within ${limits.proofTimeoutMs / 1_000} s`);
    const listening = engine.listen(holder, (key) => {
      if (attempt === this.#attempt) onChanged(key);
    });
    listening.then(
      (channel) => {
        if (attempt !== this.#attempt) return channel.close();
        this.#deadline?.cancel();
        this.#channel = channel;
        onBegin();
        this.#prove(attempt);
      },
      (error) => this.#broken(attempt, messageOf(error)),
    );
  }

  stop(): void {
    this.#isStopped = true;
    this.#attempt++;
    this.#end();
  }

  #prove(attempt: number): void {
    const askedAt = this.#clock.now();
    this.#expect(attempt, `tells nothing for ${limits.proofTimeoutMs / 1_000} s`);
    this.#channel!.prove().then(
      () => {
        if (attempt !== this.#attempt) return;
        this.#deadline?.cancel();
        this.#provenAt = askedAt;
        this.#tellHeard();
        const waitMs = Math.max(0, askedAt + this.#options.engine.proveIntervalMs - this.#clock.now());
        this.#timer = this.#clock.after(waitMs, () => this.#prove(attempt));
      },
      (error) => this.#broken(attempt, messageOf(error)),
    );
  }

  #expect(attempt: number, otherwise: string): void {
    this.#deadline?.cancel();
    this.#deadline = this.#clock.after(limits.proofTimeoutMs, () => this.#broken(attempt, otherwise));
  }

  #broken(attempt: number, why: string): void {
    if (attempt !== this.#attempt) return;
    this.#attempt++;
    this.#end();
    this.#options.onBegin();
    this.#tellDeaf(why);
    const waitMs = limits.listenAgainMs * (0.5 + this.#options.random());
    this.#timer = this.#clock.after(waitMs, () => this.start());
  }

  #end(): void {
    this.#timer?.cancel();
    this.#deadline?.cancel();
    this.#provenAt = Number.NEGATIVE_INFINITY;
    this.#channel?.close();
    this.#channel = null;
  }

  #tellDeaf(why: string): void {
    this.#deafSince ??= this.#clock.now();
    if (this.#isToldDeaf || !this.#options.isUp()) return;
    if (this.#clock.now() - this.#deafSince < limits.deafComplaintMs) return;
    this.#isToldDeaf = true;
    this.#options.log.warn(
      { code: "FLOTILLA_SESSION_STORE_DEAF" },
      `${this.#options.engine.name}: notices of other servers' writes do not come: ${why}; each request reads its session until they do`,
    );
  }

  #tellHeard(): void {
    this.#deafSince = null;
    if (!this.#isToldDeaf) return;
    this.#isToldDeaf = false;
    this.#options.log.info(`${this.#options.engine.name}: notices of other servers' writes come again`);
  }
}
