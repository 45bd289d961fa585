/** The map of slots as bytes: one form per map, nothing else is read, and it stays small. */
import assert from "node:assert/strict";
import test from "node:test";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { register as limits } from "../support/limits.ts";
import { emptySlotMap, type Holder, type Slot, type SlotMap, slotCount, withSlots } from "./slot-map.ts";
import { decodeSlotMap, encodeSlotMap } from "./slot-map-codec.ts";

const holders: Holder[] = Array.from({ length: 6 }, (_, index) => ({
  server: `app-${"abc".charAt(index % 3)}`,
  incarnation: `inc${index}`,
}));
const holder = fc.option(fc.constantFrom(...holders), { nil: null });
const slot = fc.record<Slot>(
  { epoch: fc.nat(2 ** 40), owner: holder, backup: holder, prior: holder },
  { noNullPrototype: true },
);
/** Start, length and content of runs; a later one covers an earlier one. */
const runs = fc.array(fc.tuple(fc.nat(slotCount - 1), fc.integer({ min: 1, max: 900 }), slot), {
  maxLength: 12,
});

function mapOf(drawn: readonly [number, number, Slot][]): SlotMap {
  const changes = new Map<number, Slot>();
  for (const [start, length, value] of drawn)
    for (let at = start; at < Math.min(slotCount, start + length); at++) changes.set(at, value);
  return withSlots(
    emptySlotMap(
      new Map([
        ["app-a", "a"],
        ["app-ä", "Z"],
      ]),
    ),
    changes,
  );
}

test("what was written is read", () => {
  const readsWhatItWrote = fc.property(runs, (drawn) => {
    const given = mapOf(drawn);
    assert.ok(isDeepStrictEqual(decodeSlotMap(encodeSlotMap(given)), given));
  });
  fc.assert(readsWhatItWrote, { seed: 3, numRuns: 60 });
});

test("cut, changed or prolonged bytes are refused, or are another map in its own only form", () => {
  const parts = fc.tuple(runs, fc.nat(), fc.integer({ min: 1, max: 255 }));
  fc.assert(
    fc.property(parts, ([drawn, where, flip]) => {
      const bytes = encodeSlotMap(mapOf(drawn));
      const at = where % bytes.length;
      assert.throws(() => decodeSlotMap(bytes.subarray(0, at)), { code: "FLOTILLA_REGISTER_DAMAGED" });
      assert.throws(() => decodeSlotMap(Buffer.concat([bytes, Buffer.of(0)])), {
        code: "FLOTILLA_REGISTER_DAMAGED",
      });
      const changed = Buffer.from(bytes);
      changed[at]! ^= flip;
      let read: SlotMap;
      try {
        read = decodeSlotMap(changed);
      } catch (thrown) {
        assert.equal((thrown as { code?: string }).code, "FLOTILLA_REGISTER_DAMAGED");
        return;
      }
      assert.ok(encodeSlotMap(read).equals(changed));
    }),
    { seed: 4, numRuns: 60 },
  );
});

test("another format is named", () => {
  const bytes = encodeSlotMap(emptySlotMap(new Map()));
  bytes[0] = 7;
  assert.throws(() => decodeSlotMap(bytes), /format 7; this version of Flotilla knows 1/);
});

test("a usual map is small, and the largest one fits", () => {
  const usual = new Map<number, Slot>();
  const changes = new Map<number, Slot>();
  for (let at = 0; at < slotCount; at++) {
    const of = (n: number): Holder => ({
      server: `app-${n % 62}.${1 + (n % 61)}`,
      incarnation: `incarnat-${n}`,
    });
    usual.set(at, {
      epoch: 40 + (at % 3),
      owner: holders[at % 3]!,
      backup: holders[(at + 1) % 3]!,
      prior: null,
    });
    changes.set(at, { epoch: 1e6 + at, owner: of(3 * at), backup: of(3 * at + 1), prior: of(3 * at + 2) });
  }
  const letters = new Map([["app-a", "a"]]);
  assert.ok(encodeSlotMap(withSlots(emptySlotMap(letters), usual)).length < 25_000);
  const largest = withSlots(emptySlotMap(letters), changes);
  assert.ok(encodeSlotMap(largest).length < limits.valueBytesMax);
  assert.ok(isDeepStrictEqual(decodeSlotMap(encodeSlotMap(largest)), largest));
});
