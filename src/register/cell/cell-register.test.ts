/** Lives of processes that share one cell whose engine loses answers and delays writes, by seeds; and what single answers mean. */

import assert from "node:assert/strict";
import test from "node:test";
import { BadStore, Shared, World } from "../../../test/harness/cell-world.ts";
import { change, read } from "../../../test/harness/registers.ts";
import { FlotillaError } from "../../support/errors.ts";
import type { ValueCodec, Versioned } from "../register.ts";
import type { CellStore } from "./cell.ts";
import { CellRegister } from "./cell-register.ts";
import { decodeCell, encodeCell } from "./cell-state.ts";

/** Every value that was ever written, in order: who lost one can be seen. */
type Names = readonly string[];
const codec: ValueCodec<Names> = {
  encode: (names) => Buffer.from(names.join()),
  decode: (bytes) => (bytes.length === 0 ? [] : bytes.toString().split(",")),
};

/** Names of a lost branch are marked: what is new in it is known to be lost. */
function afterFork(kept: Names, lost: readonly Names[]): Names {
  const others = lost.flat().filter((name) => !kept.includes(name) && !kept.includes(`-${name}`));
  return [...kept, ...others.map((name) => `-${name}`)];
}

function registerOn(store: CellStore, world: World, node: string, forks: string[] = []): CellRegister<Names> {
  return new CellRegister<Names>({
    ...{ store, where: "the cell", node, codec, afterFork, clock: world, random: world.random },
    onFork: (message) => forks.push(message),
    onEnd: () => {},
  });
}

/** Three processes append names; each settles what is unknown by a read, as the contract says. @returns what went wrong. */
async function live(seed: number): Promise<{ wrong: string | null; unknowns: number; done: number }> {
  const world = new World(seed);
  const shared = new Shared();
  const lossProbability = 0.1 + 0.7 * world.random();
  const done = new Set<string>();
  const never = new Set<string>();
  let unknowns = 0;
  let newest = 0;
  let ended = 0;
  let wrong: string | null = null;
  const note = (what: string): void => {
    wrong ??= what;
  };
  const lifeOf = async (node: string): Promise<void> => {
    const store = new BadStore(world, shared);
    store.lossProbability = lossProbability;
    const register = registerOn(store, world, node);
    let told = 0;
    register.watch(({ version }) => {
      if (version <= told) note(`${node} was told ${version} after ${told}`);
      told = version;
    });
    const settledRead = async (): Promise<Versioned<Names> | null> => {
      for (;;) {
        const least = newest;
        const state = await read(register);
        if (state instanceof FlotillaError) continue;
        if ((state?.version ?? 0) < least) note(`${node} read ${state?.version} after ${least}`);
        newest = Math.max(newest, state?.version ?? 0);
        if (told < (state?.version ?? 0)) note(`${node} was not told of ${state?.version}`);
        return state;
      }
    };
    for (let i = 0; i < 12; i++) {
      const base = world.chance(0.5) ? register.known : await settledRead();
      const name = `${node}${i}`;
      const outcome = await change(register, base?.version ?? 0, [...(base?.value ?? []), name]);
      if (outcome.kind === "done") {
        done.add(name);
        newest = Math.max(newest, outcome.state.version);
      } else if (outcome.kind === "conflict") never.add(name);
      else {
        unknowns++;
        const settled = await settledRead();
        if (settled?.value.includes(name)) done.add(name);
        else never.add(name);
      }
      await world.sleep(world.random() * 300);
    }
    ended++;
  };
  for (const node of ["a", "b", "c"]) void lifeOf(node);
  await world.runUntil(() => ended === 3);
  // What is still on its way arrives.
  let isLater = false;
  world.after(10_000, () => {
    isLater = true;
  });
  await world.runUntil(() => isLater);
  const state = decodeCell(shared.cell!.bytes, "the cell");
  const names = codec.decode(state.value);
  for (const name of done) if (!names.includes(name)) note(`${name} was done, and is lost`);
  for (const name of never) if (names.includes(name)) note(`${name} was never to happen, and did`);
  if (state.version !== names.length) note(`version ${state.version} has ${names.length} names`);
  return { wrong, unknowns, done: done.size };
}

test("one chain, nothing lost, and nothing that a read had settled happens later", async () => {
  let unknowns = 0;
  let done = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const life = await live(seed);
    assert.equal(life.wrong, null, `seed ${seed}`);
    unknowns += life.unknowns;
    done += life.done;
  }
  assert.ok(unknowns > 20 && done > 400, `${unknowns} unknown, ${done} done`);
});

test("a read after an unknown change writes once, and only then", async () => {
  const world = new World(1);
  const shared = new Shared();
  const store = new BadStore(world, shared);
  store.lossProbability = 0;
  const register = registerOn(store, world, "a");
  let isOver = false;
  const life = async (): Promise<void> => {
    assert.equal((await change(register, 0, ["x"])).kind, "done");
    await read(register);
    assert.equal(shared.cell!.revision, "1");
    store.lossProbability = 1;
    assert.equal((await change(register, 1, ["x", "y"])).kind, "unknown");
    store.lossProbability = 0;
    const settled = (await read(register)) as Versioned<Names>;
    await world.sleep(10_000);
    const later = (await read(register)) as Versioned<Names>;
    assert.deepEqual(later, settled);
    isOver = true;
  };
  void life();
  await world.runUntil(() => isOver);
});

test("an engine that lost changes: its branch and that of those who know them become one", async () => {
  for (const built of [0, 1, 2, 3]) {
    const world = new World(built);
    const shared = new Shared();
    const stores = ["a", "b", "c"].map(() => new BadStore(world, shared));
    for (const store of stores) store.lossProbability = 0;
    const forks: string[] = [];
    const [a, b, c] = stores.map((store, index) => registerOn(store, world, "abc"[index]!, forks)) as [
      CellRegister<Names>,
      CellRegister<Names>,
      CellRegister<Names>,
    ];
    let isOver = false;
    const life = async (): Promise<void> => {
      await change(a, 0, ["x"]);
      const lagging = shared.cell!;
      await change(a, 1, ["x", "y"]);
      await change(a, 2, ["x", "y", "z"]);
      // Of the lost changes b knows one, c none.
      shared.cell = { revision: "lagging", bytes: lagging.bytes };
      await read(c);
      for (let i = 0; i < built; i++) await change(c, 1 + i, [...c.known!.value, `c${i}`]);
      const states = [];
      for (const register of [a, b, c, a]) states.push((await read(register)) as Versioned<Names>);
      const [, ofB, ofC, ofA] = states;
      assert.deepEqual(ofB, ofA);
      assert.deepEqual(ofC, ofA);
      // Longer than each of the two, and with what became of each change.
      assert.equal(ofA!.version, Math.max(3, 1 + built) + 1);
      for (const name of ["y", "z"]) assert.ok(ofA!.value.some((each) => each.endsWith(name)));
      for (let i = 0; i < built; i++) assert.ok(ofA!.value.some((each) => each.endsWith(`c${i}`)));
      assert.equal(forks.length, 1);
      assert.match(forks[0]!, /had lost changes \(it held version \d; this server knew version 3\)/);
      assert.equal((await change(c, ofA!.version, ["end"])).kind, "done");
      isOver = true;
    };
    void life();
    await world.runUntil(() => isOver);
  }
});

test("a cell that was removed or belongs to another register is not taken; a damaged one neither", async () => {
  const world = new World(1);
  const shared = new Shared();
  const store = new BadStore(world, shared);
  store.lossProbability = 0;
  const register = registerOn(store, world, "a");
  let isOver = false;
  const refused = async (bytes: Buffer | null, code: string, message: RegExp): Promise<void> => {
    const before = shared.cell!;
    shared.cell = bytes === null ? null : { revision: `${before.revision}'`, bytes };
    const error = (await read(register)) as FlotillaError;
    assert.equal(error.code, code);
    assert.match(error.message, message);
    const outcome = await change(register, 2, ["z"]);
    assert.equal(outcome.kind, "unknown");
    shared.cell = { revision: `${before.revision}"`, bytes: before.bytes };
    assert.equal(((await read(register)) as Versioned<Names>).version, 2);
  };
  const life = async (): Promise<void> => {
    await change(register, 0, ["x"]);
    await change(register, 1, ["x", "y"]);
    const other = { world: "other", version: 9, recent: ["q"], value: Buffer.from("q") };
    await refused(encodeCell(other), "FLOTILLA_REGISTER_REPLACED", /holds another register/);
    await refused(null, "FLOTILLA_REGISTER_REPLACED", /is gone/);
    await refused(Buffer.from("hello"), "FLOTILLA_REGISTER_DAMAGED", /the cell/);
    await refused(
      Buffer.concat([shared.cell!.bytes, Buffer.from("x")]),
      "FLOTILLA_REGISTER_DAMAGED",
      /goes on/,
    );
    isOver = true;
  };
  void life();
  await world.runUntil(() => isOver);
});
