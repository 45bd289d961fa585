/**
 * Simulated time and simulated processes. Everything happens in one queue of events, in the order of a seed's choices.
 * A process has a clock of its own that runs up to a tenth too fast or too slow, can stand still (what comes for
 * it waits, in order) and can die (what comes for it is lost).
 */

import { type Clock, type Random, seededRandom, type Timer } from "../../../src/support/clock.ts";
import type { Setup } from "./setup.ts";

interface Event {
  readonly at: number;
  readonly order: number;
  readonly process: Process | null;
  readonly isTimer: boolean;
  run: (() => void) | null;
}

export interface Line {
  readonly at: number;
  readonly who: string;
  readonly what: string;
}

export class World {
  readonly random: Random;
  now = 0;
  /** Null: nobody will read it. */
  readonly history: Line[] | null;
  eventCount = 0;
  #number = 0;
  #order = 0;
  readonly #heap: Event[] = [];

  constructor(seed: number, keepsHistory: boolean) {
    this.random = seededRandom(seed);
    this.history = keepsHistory ? [] : null;
  }

  /** Another one with each call. */
  nextNumber(): number {
    return ++this.#number;
  }

  between(least: number, most: number): number {
    return least + this.random() * (most - least);
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[Math.floor(this.random() * items.length)]!;
  }

  /** One with twice the weight comes twice as often. */
  pickByWeight<Item extends { readonly weight: number }>(items: readonly Item[]): Item {
    let dice = this.random() * items.reduce((sum, { weight }) => sum + weight, 0);
    for (const item of items) {
      dice -= item.weight;
      if (dice < 0) return item;
    }
    return items[0]!;
  }

  tell(who: string, what: string): void {
    this.history?.push({ at: this.now, who, what });
  }

  /** @param process for whom it happens: not before it runs again, not at all when it is dead. */
  after(delayMs: number, process: Process | null, run: () => void, isTimer: boolean = false): Timer {
    const event: Event = { at: this.now + Math.max(0, delayMs), order: this.#order++, process, isTimer, run };
    this.#push(event);
    return {
      cancel() {
        event.run = null;
      },
    };
  }

  runUntil(end: number): void {
    while (this.#isDue(end)) this.#next();
    this.now = end;
  }

  /** The same where promises are used: after each event all that it kept is done. */
  async runPromisesUntil(end: number): Promise<void> {
    await new Promise(setImmediate);
    while (this.#isDue(end)) if (this.#next()) await new Promise(setImmediate);
    this.now = end;
  }

  #isDue(end: number): boolean {
    return this.#heap.length > 0 && this.#heap[0]!.at <= end;
  }

  /** @returns whether anything happened. */
  #next(): boolean {
    const event = this.#pop();
    this.now = event.at;
    if (event.run === null) return false;
    this.eventCount++;
    if (event.process === null) event.run();
    else event.process.happen(event.run, event.isTimer);
    return true;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (!isBefore(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): Event {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}

const never = Number.POSITIVE_INFINITY;

/** A change of the register takes no longer. */
const underWayMs = 2_000;

/** One start of one server. */
export class Process {
  readonly world: World;
  readonly server: string;
  readonly incarnation: string;
  readonly clock: Clock;
  readonly bornAt: number;
  isAlive = true;
  isPaused = false;
  /** When it last could not do its part: paused or cut off. */
  #bad: { readonly since: number; until: number } | null = null;
  #harms = 0;
  /** The others refuse it, or it them, and it has no majority of the voters: since when. */
  refusedSince: number | null = null;
  /** Of servers and the witness. */
  readonly setup: Setup | null;
  readonly #waiting: { readonly run: () => void; readonly isTimer: boolean }[] = [];

  constructor(
    world: World,
    server: string,
    incarnation: string,
    clockRate: number,
    setup: Setup | null = null,
  ) {
    this.setup = setup;
    this.world = world;
    this.server = server;
    this.incarnation = incarnation;
    this.bornAt = world.now;
    const offset = world.between(0, 1e6);
    this.clock = {
      now: () => offset + (world.now - this.bornAt) * clockRate,
      after: (delayMs, callback) => world.after(delayMs / clockRate, this, callback, true),
    };
  }

  /** For how long it could not do its part; told for a while longer: what others make of it may be under way. */
  get badForMs(): number {
    const { now } = this.world;
    const isOver = this.#bad === null || now - this.#bad.until > underWayMs;
    const since = Math.min(isOver ? never : this.#bad!.since, this.refusedSince ?? never);
    return since === never ? 0 : now - since;
  }

  /** The others refuse it for so long. */
  get refusedForMs(): number {
    return this.refusedSince === null ? 0 : this.world.now - this.refusedSince;
  }

  get isBad(): boolean {
    return this.#bad !== null && this.#bad.until === never;
  }

  /** It can't do its part until `heal` has been called as often. */
  harm(): void {
    if (this.#harms++ === 0) this.#bad = { since: this.world.now, until: never };
  }

  heal(): void {
    if (--this.#harms === 0) this.#bad!.until = this.world.now;
  }

  get name(): string {
    return `${this.server}#${this.incarnation}`;
  }

  happen(run: () => void, isTimer: boolean = false): void {
    if (!this.isAlive) return;
    if (this.isPaused) this.#waiting.push({ run, isTimer });
    else run();
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    const waiting = this.#waiting.splice(0);
    // What was due is called before what has come is read, or after it: an event loop does either.
    if (this.world.chance(0.5)) waiting.sort((one, other) => Number(other.isTimer) - Number(one.isTimer));
    for (const { run, isTimer } of waiting) this.happen(run, isTimer);
  }

  die(): void {
    this.isAlive = false;
    this.#waiting.length = 0;
  }
}

/** Nothing may rest on the time of day, which jumps, nor on any chance that a seed would not repeat. */
export function withoutWallClock<Result>(run: () => Result): Result {
  const { now } = Date;
  const { random } = Math;
  const { now: monotonic } = performance;
  const refuse = (): never => {
    throw new Error("the wall clock, or chance that no seed repeats, was asked");
  };
  Date.now = Math.random = performance.now = refuse;
  try {
    return run();
  } finally {
    Date.now = now;
    Math.random = random;
    performance.now = monotonic;
  }
}
