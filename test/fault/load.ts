/** Everybody who visits during the runs: busy visitors, some who only come back at the end of a run, and leavers. */
import { type Random, seededRandom } from "../../src/support/clock.ts";
import type { Part } from "./faults.ts";
import { Leaver } from "./leaver.ts";
import type { Wrongs } from "./ledger.ts";
import { type Doors, type Measured, Visitor } from "./visitor.ts";

export interface LoadSize {
  readonly visitors: number;
  readonly sleepers: number;
  readonly leavers: number;
}

export interface Totals {
  readonly acknowledged: number;
  readonly unknown: number;
  readonly logouts: number;
}

export class Load {
  readonly #doors: Doors;
  readonly #visitors: readonly Visitor[];
  readonly #sleepers: readonly Visitor[];
  readonly #leavers: readonly Leaver[];
  /** Of the moment of the fault. */
  #parts: ReadonlyMap<Visitor, Part> = new Map();

  constructor(size: LoadSize, doors: Doors, wrongs: Wrongs, seed: number) {
    const random: Random = seededRandom(seed);
    const make = <T>(count: number, one: (index: number) => T): T[] =>
      Array.from({ length: count }, (_, index) => one(index));
    this.#doors = doors;
    this.#visitors = make(size.visitors, (index) => new Visitor(`visitor${index}`, doors, wrongs, random));
    this.#sleepers = make(size.sleepers, (index) => new Visitor(`sleeper${index}`, doors, wrongs, random));
    this.#leavers = make(size.leavers, (index) => new Leaver(`leaver${index}`, doors, wrongs, random));
  }

  /** All have a session, with something in it. */
  async open(): Promise<void> {
    await Promise.all(this.#everybody.map((visitor) => visitor.begin()));
    await Promise.all(this.#sleepers.map((sleeper) => sleeper.stepOnce()));
  }

  start(): void {
    for (const visitor of [...this.#visitors, ...this.#leavers]) visitor.start();
  }

  /** Ends when nothing is under way. */
  async stop(): Promise<void> {
    await Promise.all([...this.#visitors, ...this.#leavers].map((visitor) => visitor.stop()));
  }

  /**
   * The fault comes now. @param letters of the servers that it strikes
   * @param forgiving sessions that both of them keep may be lost
   */
  mark(letters: string, isForgiving: boolean): void {
    const now = performance.now();
    this.#parts = new Map(this.#everybody.map((visitor) => [visitor, partOf(visitor.keepers, letters)]));
    for (const visitor of this.#everybody) {
      visitor.mark(now);
      if (isForgiving && this.#parts.get(visitor) === "both") visitor.forgive();
    }
  }

  /** Of the busy visitors of one part since the mark. */
  measured(part: Part): Measured[] {
    const chosen = this.#visitors.filter((visitor) => part === "all" || this.#parts.get(visitor) === part);
    return chosen.map((visitor) => visitor.measured());
  }

  /** Compares every session, as every server shows it. */
  async checkAtRest(): Promise<void> {
    for (const door of this.#doors.all) {
      for (const visitor of this.#everybody) await visitor.checkAtRest(door);
      for (const leaver of this.#leavers) await leaver.checkAtRest(door);
    }
    await Promise.all(this.#everybody.map((visitor) => visitor.beginAnewIfForgiven()));
  }

  get totals(): Totals {
    const sum = (counts: number[]): number => counts.reduce((a, b) => a + b, 0);
    return {
      acknowledged: sum(this.#everybody.map(({ acknowledged }) => acknowledged)),
      unknown: sum(this.#everybody.map(({ unknown }) => unknown)),
      logouts: sum(this.#leavers.map(({ logouts }) => logouts)),
    };
  }

  get #everybody(): Visitor[] {
    return [...this.#visitors, ...this.#sleepers];
  }
}

/** What the struck servers are to a session. */
function partOf(keepers: string, letters: string): Part {
  const [owner, backup] = [letters.includes(keepers[0]!), letters.includes(keepers[1]!)];
  if (owner && backup) return "both";
  return owner ? "owner" : backup ? "backup" : "all";
}
