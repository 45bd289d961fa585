/**
 * One visitor: sends increments at a steady pace whatever became of the earlier ones, reads in between, through web
 * servers and from app servers directly, and compares every answer with its ledger.
 */
import type { Random } from "../../src/support/clock.ts";
import { Browser, shownBy } from "./browser.ts";
import { type Before, Ledger, type Wrongs } from "./ledger.ts";

/** Where the site is asked. */
export interface Doors {
  /**
   * The web servers, the first of which visitors use, the next when that refuses connections: times are those of
   * requests that went through them.
   */
  readonly web: readonly URL[];
  /** Every server, by its own HTTP port. */
  readonly all: readonly URL[];
}

const paceMs = 100;
/** Counters of a visitor of which each has at most one increment under way; a step takes the first that is free. */
const lanesMax = 40;
/** One increment in so many is an `update` of a counter that others increment at the same time. */
const sharedEvery = 5;
const sharedUnderWayMax = 20;
const readEvery = 2;
const readsUnderWayMax = 20;
/** The rest is sent to any one server: most reads, because a replaced owner must be asked to be caught. */
const writesByWebShare = 0.7;
const readsByWebShare = 0.3;

/** Since the last `mark`. */
export interface Measured {
  /** Until the first acknowledgement of what was sent after it; null when there was none. */
  readonly firstMs: number | null;
  /** The longest time without one. */
  readonly gapMs: number;
  /** Until it was told that its session is gone; null when it was not. */
  readonly goneMs: number | null;
}

export class Visitor {
  acknowledged = 0;
  unknown = 0;
  readonly #name: string;
  readonly #doors: Doors;
  readonly #wrongs: Wrongs;
  readonly #random: Random;
  #ledger: Ledger;
  #browser: Browser = new Browser();
  #lives = 0;
  #steps = 0;
  #readsUnderWay = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #underWay: Set<Promise<void>> = new Set();
  #markedAt = 0;
  #lastAt = 0;
  #firstMs: number | null = null;
  #gapMs = 0;
  #goneMs: number | null = null;

  constructor(name: string, doors: Doors, wrongs: Wrongs, random: Random) {
    this.#name = name;
    this.#doors = doors;
    this.#wrongs = wrongs;
    this.#random = random;
    this.#ledger = new Ledger(name, wrongs);
  }

  get keepers(): string {
    return this.#browser.keepers;
  }

  /** Begins a session, under a new name each time. */
  async begin(): Promise<void> {
    const ledger = new Ledger(`${this.#name}-${++this.#lives}`, this.#wrongs);
    const browser = new Browser();
    await browser.insist("POST", this.#doors.web, `/begin?token=${ledger.token}`);
    ledger.isAlive = true;
    this.#ledger = ledger;
    this.#browser = browser;
  }

  start(): void {
    // Not all visitors in the same moment.
    this.#timer = setTimeout(() => {
      this.#timer = setInterval(() => this.#step(), paceMs);
    }, this.#random() * paceMs);
  }

  /** Sends nothing more; ends when everything is answered or given up. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  /** Begins to measure, at `at` of performance.now(). */
  mark(at: number): void {
    this.#markedAt = this.#lastAt = at;
    this.#firstMs = this.#goneMs = null;
    this.#gapMs = 0;
  }

  measured(): Measured {
    const sinceLastMs = performance.now() - this.#lastAt;
    return { firstMs: this.#firstMs, gapMs: Math.max(this.#gapMs, sinceLastMs), goneMs: this.#goneMs };
  }

  /** Both servers that keep its session are being killed: it may be told that the session is gone. */
  forgive(): void {
    this.#ledger.isForgiven = true;
  }

  /** Compares its session as this door shows it, with nothing under way and everything whole. */
  async checkAtRest(door: URL): Promise<void> {
    const answer = await this.#browser.insist("GET", [door], "/");
    this.#ledger.checkAtRest(shownBy(answer), answer.where);
  }

  /** Its session counts from nothing again when it may have been lost. */
  async beginAnewIfForgiven(): Promise<void> {
    if (this.#ledger.isForgiven) await this.begin();
  }

  /** One increment, to its end. */
  async stepOnce(): Promise<void> {
    this.#step();
    await this.stop();
  }

  #step(): void {
    const step = this.#steps++;
    if (step % readEvery === 0 && this.#readsUnderWay < readsUnderWayMax) this.#launch(this.#read());
    if (step % sharedEvery > 0) {
      const key = this.#freeLane();
      if (key !== null) this.#launch(this.#increment(key, "/add"));
    } else if (this.#ledger.counter("shared").underWay < sharedUnderWayMax) {
      this.#launch(this.#increment("shared", "/update"));
    }
  }

  #freeLane(): string | null {
    for (let lane = 0; lane < lanesMax; lane++) {
      if (this.#ledger.counter(`n${lane}`).underWay === 0) return `n${lane}`;
    }
    return null;
  }

  #launch(request: Promise<void>): void {
    this.#underWay.add(request);
    void request.finally(() => this.#underWay.delete(request));
  }

  /** The web servers, or any one server. */
  #chooseDoors(webShare: number): readonly URL[] {
    const { web, all } = this.#doors;
    return this.#random() < webShare ? web : [all[Math.floor(this.#random() * all.length)]!];
  }

  async #increment(key: string, path: string): Promise<void> {
    const ledger = this.#ledger;
    const doors = this.#chooseDoors(writesByWebShare);
    const before = ledger.before();
    const sentAt = performance.now();
    ledger.send(key);
    const answer = await this.#browser.ask("POST", doors, `${path}?key=${key}`);
    const { where } = answer;
    if (answer.status === 200) {
      ledger.settle(key, before, shownBy(answer), where);
      this.acknowledged++;
      if (doors === this.#doors.web) this.#noteAcknowledged(sentAt);
    } else if (answer.status === 410) {
      ledger.takeBack(key);
      await this.#foundGone(ledger, before, where);
    } else if (answer.isRefused) {
      ledger.takeBack(key);
    } else {
      ledger.settle(key, before, null, where);
      this.unknown++;
    }
  }

  async #read(): Promise<void> {
    const ledger = this.#ledger;
    const doors = this.#chooseDoors(readsByWebShare);
    const before = ledger.before();
    this.#readsUnderWay++;
    const answer = await this.#browser.ask("GET", doors, "/");
    this.#readsUnderWay--;
    if (answer.status === 200) ledger.check(before, shownBy(answer), answer.where);
  }

  async #foundGone(ledger: Ledger, before: Before, where: string): Promise<void> {
    ledger.check(before, { token: null, counts: {} }, where);
    if (!ledger.isForgiven || ledger !== this.#ledger || this.#goneMs !== null) return;
    this.#goneMs = performance.now() - this.#markedAt;
    await this.begin();
  }

  #noteAcknowledged(sentAt: number): void {
    const now = performance.now();
    if (sentAt < this.#markedAt) return;
    this.#firstMs ??= now - this.#markedAt;
    this.#gapMs = Math.max(this.#gapMs, now - this.#lastAt);
    this.#lastAt = now;
  }
}
