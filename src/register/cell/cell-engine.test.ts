/** What is told of an engine that answers and refuses changes, as one with a full disk does. */
import assert from "node:assert/strict";
import test from "node:test";
import { FlotillaError } from "../../support/errors.ts";
import type { Versioned } from "../register.ts";
import { emptySlotMap, type SlotMap } from "../slot-map.ts";
import { unreachable } from "../unreachable.ts";
import { type Cell, type CellStore, type SwapOutcome, SwapRefused } from "./cell.ts";
import { CellEngine } from "./cell-engine.ts";

class Store implements CellStore {
  readonly attemptTimeoutMs = 1_000;
  cell: Cell | null = null;
  isFull = false;
  isAway = false;
  swaps = 0;
  #revision = 0;

  get(): Promise<Cell | null> {
    return this.isAway ? Promise.reject(unreachable("nobody answers")) : Promise.resolve(this.cell);
  }

  swap(expected: string | null, bytes: Buffer): Promise<SwapOutcome> {
    this.swaps++;
    if (this.isFull) return Promise.reject(new SwapRefused("the disk is full", "no", null));
    if ((this.cell?.revision ?? null) !== expected)
      return Promise.resolve({ isDone: false, cell: this.cell });
    this.cell = { revision: String(++this.#revision), bytes };
    return Promise.resolve({ isDone: true, revision: this.cell.revision });
  }

  watch(): void {}
  stop(): void {}
}

test("a full disk is told once, is not over with a read, and is over when it can be written", async (t) => {
  const store = new Store();
  const told: string[] = [];
  const mended = Promise.withResolvers<string>();
  const engine = new CellEngine({
    ...{ name: "postgres", store, where: "the row", node: "a#1" },
    onProblem: (message) => told.push(message),
    onMended: mended.resolve,
  });
  t.after(() => engine.stop());
  const { register } = engine;
  const change = (expected: number): Promise<string> =>
    new Promise((resolve) =>
      register.compareAndSet(expected, emptySlotMap(new Map()), ({ kind }) => resolve(kind)),
    );
  const read = (): Promise<FlotillaError | Versioned<SlotMap> | null> =>
    new Promise((resolve) => register.read((error, state) => resolve(error ?? state)));
  assert.equal(await change(0), "done");
  store.isFull = true;
  assert.equal(await change(1), "unknown");
  const swaps = store.swaps;
  for (let i = 0; i < 3; i++) assert.equal(((await read()) as Versioned<SlotMap>).version, 1);
  assert.equal(store.swaps, swaps, "what was refused need not be made impossible");
  assert.equal(await change(1), "unknown");
  assert.equal(told.length, 1);
  assert.match(told[0]!, /^can't change who keeps which session: the disk is full\. Sessions are served/);
  assert.match(engine.problem!, /the disk is full/);
  // For the timers of engines do not keep a process alive.
  const alive = setInterval(() => {}, 1_000);
  t.after(() => clearInterval(alive));
  store.isFull = false;
  assert.match(await mended.promise, /^the row can be changed again, after /);
  assert.equal(engine.problem, null);
  assert.equal(await change(1), "done");
  store.isAway = true;
  assert.ok((await read()) instanceof FlotillaError);
  assert.match(told[1]!, /^can't read or change .* Sessions here are served for 10 s/);
  store.isAway = false;
  await read();
  assert.equal(engine.problem, null);
  engine.isAwaited = () => true;
  store.isAway = true;
  await read();
  assert.match(
    told[2]!,
    /^can't read or change .* has not moved there yet: sessions go on by the members' votes$/,
  );
});
