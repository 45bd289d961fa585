/** Lives of processes that change a register while it moves from one engine to another, both losing answers, by seeds. */

import assert from "node:assert/strict";
import test from "node:test";
import { BadStore, Shared, World } from "../../../test/harness/cell-world.ts";
import { change, read } from "../../../test/harness/registers.ts";
import { FlotillaError } from "../../support/errors.ts";
import { CellRegister } from "../cell/cell-register.ts";
import { decodeCell } from "../cell/cell-state.ts";
import type { Register, ValueCodec, Versioned } from "../register.ts";
import { aboveForks, emptySlotMap, type SlotMap, withSlots } from "../slot-map.ts";
import { movingMapCodec, slotMapCodec } from "../slot-map-codec.ts";
import { MovingRegister } from "./register.ts";

const letters = new Map([["app-a", "a"]]);

function openOn(
  shared: Shared,
  world: World,
  node: string,
  codec: ValueCodec<SlotMap>,
): CellRegister<SlotMap> {
  const store = new BadStore(world, shared);
  return new CellRegister<SlotMap>({
    ...{ store, where: "the cell", node, codec, clock: world, random: world.random, onEnd: () => {} },
    ...{ afterFork: aboveForks, onFork: (message) => assert.fail(message) },
  });
}

async function live(seed: number): Promise<{ wrong: string | null; before: number; after: number }> {
  const world = new World(seed);
  const [old, fresh] = [new Shared(), new Shared()];
  const done = new Map<number, number>();
  const never = new Set<number>();
  let newest = 0;
  let ended = 0;
  let wrong: string | null = null;
  const note = (what: string): void => {
    wrong ??= what;
  };
  const open = (node: string): MovingRegister =>
    new MovingRegister({
      from: openOn(old, world, node, movingMapCodec),
      to: openOn(fresh, world, `${node}'`, slotMapCodec),
      ...{ where: "the new cell", onMoved: () => {} },
    });
  const settledRead = async (
    register: Register<SlotMap>,
    node: string,
  ): Promise<Versioned<SlotMap> | null> => {
    for (;;) {
      const least = newest;
      const state = await read(register);
      if (state instanceof FlotillaError) continue;
      if ((state?.version ?? 0) < least) note(`${node} read ${state?.version} after ${least}`);
      newest = Math.max(newest, state?.version ?? 0);
      return state;
    }
  };
  const lifeOf = async (node: string, index: number): Promise<void> => {
    const register = open(node);
    let told = 0;
    register.watch(({ version, value }) => {
      if (version <= told) note(`${node} was told ${version} after ${told}`);
      if (value.movedTo !== undefined) note(`${node} was told of the end`);
      told = version;
    });
    for (let slot = index; slot < 30; slot += 3) {
      const base = world.chance(0.5) ? register.known : await settledRead(register, node);
      const claim = { epoch: 1, owner: { server: node, incarnation: "x" }, backup: null, prior: null };
      const value = withSlots(base?.value ?? emptySlotMap(letters), new Map([[slot, claim]]));
      const outcome = await change(register, base?.version ?? 0, value);
      if (outcome.kind === "done") {
        done.set(slot, outcome.state.version);
        newest = Math.max(newest, outcome.state.version);
      } else if (outcome.kind === "conflict") never.add(slot);
      else {
        const settled = await settledRead(register, node);
        if (settled === null || settled.value.slots[slot]!.owner === null) never.add(slot);
        else done.set(slot, settled.version);
      }
      await world.sleep(world.random() * 300);
    }
    ended++;
  };
  const mover = async (node: string): Promise<void> => {
    const register = open(node);
    await world.sleep(world.random() * 3_000);
    while (!register.hasMoved || (await read(register)) instanceof FlotillaError) {
      await register.move().catch((error: unknown) => {
        if (!(error instanceof FlotillaError)) throw error;
      });
      await world.sleep(50);
    }
    ended++;
  };
  for (const [index, node] of ["a", "b", "c"].entries()) void lifeOf(node, index);
  for (const node of ["d", "e"]) void mover(node);
  await world.runUntil(() => ended === 5);
  let isLater = false;
  world.after(10_000, () => {
    isLater = true;
  });
  await world.runUntil(() => isLater);
  const last = movingMapCodec.decode(decodeCell(old.cell!.bytes, "the old cell").value);
  if (last.movedTo !== "the new cell") note("something followed the end");
  assert.throws(
    () => slotMapCodec.decode(movingMapCodec.encode(last)),
    /restart it with the one of the others/,
  );
  const state = decodeCell(fresh.cell!.bytes, "the new cell");
  const map = slotMapCodec.decode(state.value);
  for (const slot of done.keys()) if (map.slots[slot]!.owner === null) note(`${slot} was done, and is lost`);
  for (const slot of never) if (map.slots[slot]!.owner !== null) note(`${slot} was never to happen, and did`);
  const moved = decodeCell(old.cell!.bytes, "the old cell").version;
  const after = [...done.values()].filter((version) => version > moved).length;
  return { wrong, before: done.size - after, after };
}

test("while it moves: one chain, nothing lost, nothing twice, and nothing after the end of the old one", async () => {
  let [before, after] = [0, 0];
  for (let seed = 1; seed <= 40; seed++) {
    const life = await live(seed);
    assert.equal(life.wrong, null, `seed ${seed}`);
    before += life.before;
    after += life.after;
  }
  assert.ok(before > 100 && after > 100, `${before} before, ${after} after`);
});

test("a place that is taken is refused before anything has changed", async () => {
  const world = new World(1);
  const [old, fresh] = [new Shared(), new Shared()];
  const other = openOn(fresh, world, "other", slotMapCodec);
  const register = new MovingRegister({
    from: openOn(old, world, "a", movingMapCodec),
    to: openOn(fresh, world, "a'", slotMapCodec),
    ...{ where: "the new cell", onMoved: () => assert.fail("it has not moved") },
  });
  let isOver = false;
  const life = async (): Promise<void> => {
    while ((await change(other, 0, emptySlotMap(letters))).kind === "unknown");
    while ((await change(register, 0, emptySlotMap(letters))).kind === "unknown");
    for (let tries = 0; tries < 3; tries++) {
      const error = await register.move().catch((thrown: unknown) => thrown as FlotillaError);
      assert.match((error as FlotillaError).message, /holds a register already|no answer/);
    }
    assert.equal(register.known?.version, 1);
    isOver = true;
  };
  void life();
  await world.runUntil(() => isOver);
});
