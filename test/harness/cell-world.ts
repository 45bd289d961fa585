/** Cells of the register in virtual time, behind an engine that loses answers and does late what it was asked in vain. */
import assert from "node:assert/strict";
import type { Cell, CellStore, SwapOutcome } from "../../src/register/cell/cell.ts";
import { unreachable } from "../../src/register/unreachable.ts";
import { type Clock, type Random, seededRandom, type Timer } from "../../src/support/clock.ts";

/** Virtual time: what is due runs one after the other, and promises settle in between. */
export class World implements Clock {
  readonly random: Random;
  readonly #due: { readonly at: number; readonly callback: () => void; isCancelled: boolean }[] = [];
  #now = 0;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  now(): number {
    return this.#now;
  }

  after(delayMs: number, callback: () => void): Timer {
    const entry = { at: this.#now + Math.max(0, delayMs), callback, isCancelled: false };
    this.#due.push(entry);
    return {
      cancel: () => {
        entry.isCancelled = true;
      },
    };
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, resolve));
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  async runUntil(done: () => boolean): Promise<void> {
    for (let steps = 0; !done(); steps++) {
      assert.ok(steps < 100_000, "the life does not end");
      await new Promise(setImmediate);
      if (this.#due.length === 0) continue;
      this.#due.sort((one, other) => one.at - other.at);
      const next = this.#due.shift()!;
      this.#now = next.at;
      if (!next.isCancelled) next.callback();
    }
  }
}

export class Shared {
  cell: Cell | null = null;
  #revisions = 0;

  write(expected: string | null, bytes: Buffer): SwapOutcome {
    if ((this.cell?.revision ?? null) !== expected) return { isDone: false, cell: this.cell };
    this.cell = { revision: String(++this.#revisions), bytes };
    return { isDone: true, revision: this.cell.revision };
  }
}

/** Loses questions and answers; what was asked in vain may be done seconds later. */
export class BadStore implements CellStore {
  readonly attemptTimeoutMs = 600;
  readonly #world: World;
  readonly #shared: Shared;
  onCell: (cell: Cell) => void = () => {};
  lossProbability = 0.2;

  constructor(world: World, shared: Shared) {
    this.#world = world;
    this.#shared = shared;
  }

  async get(timeoutMs: number): Promise<Cell | null> {
    await this.#travel(timeoutMs);
    const { cell } = this.#shared;
    await this.#travel(timeoutMs);
    return cell;
  }

  async swap(expected: string | null, bytes: Buffer, timeoutMs: number): Promise<SwapOutcome> {
    if (this.#world.chance(this.lossProbability)) {
      if (this.#world.chance(0.5))
        this.#world.after(this.#world.random() * 5_000, () => void this.#shared.write(expected, bytes));
      await this.#world.sleep(timeoutMs);
      throw unreachable("no answer");
    }
    await this.#world.sleep(this.#world.random() * 30);
    const outcome = this.#shared.write(expected, bytes);
    await this.#travel(timeoutMs);
    const { cell } = this.#shared;
    if (cell !== null && this.#world.chance(0.3))
      this.#world.after(this.#world.random() * 200, () => this.onCell(cell));
    return outcome;
  }

  watch(onCell: (cell: Cell) => void): void {
    this.onCell = onCell;
  }

  stop(): void {}

  async #travel(timeoutMs: number): Promise<void> {
    if (this.#world.chance(this.lossProbability / 2)) {
      await this.#world.sleep(timeoutMs);
      throw unreachable("no answer");
    }
    await this.#world.sleep(this.#world.random() * 30);
  }
}
