/** Epochs where two branches of the register meet. */
import assert from "node:assert/strict";
import test from "node:test";
import { aboveForks, emptySlotMap, type Slot, withSlots } from "./slot-map.ts";

const empty = emptySlotMap(new Map());
const holder = (incarnation: string) => ({ server: "app-a", incarnation });
const slot = (epoch: number, incarnation: string): Slot => ({
  ...{ epoch, owner: holder(incarnation), backup: null, prior: null },
});

test("after a fork no epoch is used that a lost branch has used otherwise", () => {
  const kept = withSlots(
    empty,
    new Map([
      [0, slot(3, "one")],
      [1, slot(3, "one")],
      [2, slot(5, "one")],
      [3, slot(4, "one")],
    ]),
  );
  const lost = withSlots(
    empty,
    new Map([
      [0, slot(3, "one")],
      [1, slot(3, "two")],
      [2, slot(4, "two")],
      [3, slot(6, "two")],
    ]),
  );
  const { slots } = aboveForks(kept, [lost]);
  assert.deepEqual(
    slots.slice(0, 5).map(({ epoch }) => epoch),
    [3, 4, 5, 7, 0],
  );
  assert.ok(slots.slice(0, 4).every(({ owner }) => owner?.incarnation === "one"));
});
