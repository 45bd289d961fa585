import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RecentTable } from "./recent-table.ts";

const seed = 5;

function contents(table: RecentTable, nowMs: number): Map<number, number> {
  const found = new Map<number, number>();
  for (let from = 1; from !== 0; )
    from = table.walk(from, 7, nowMs, (key, value) => {
      assert.equal(found.has(key), false);
      found.set(key, value);
    });
  return found;
}

test("it does what a map in the order of use would do", () => {
  const entriesMax = 20;
  const keptMs = 5_000;
  const step = fc.record({
    // Few and alike: chains are long, and keys come again.
    key: fc.integer({ min: -15, max: 15 }).map((key) => key * 1_024),
    value: fc.option(fc.nat(65_535), { nil: undefined }),
    afterMs: fc.integer({ min: 0, max: 12 }).map((ticks) => ticks * 100),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const table = new RecentTable(entriesMax, keptMs);
      const model = new Map<number, { value: number; usedAt: number }>();
      let now = 1_000;
      for (const { key, value, afterMs } of steps) {
        now += afterMs;
        for (const [known, { usedAt }] of model) if (now - usedAt >= keptMs) model.delete(known);
        const known = model.get(key);
        assert.equal(table.get(key, now), known?.value ?? -1);
        if (known !== undefined) assert.equal(table.usedAtMs, known.usedAt);
        if (value !== undefined) {
          table.set(key, value, now);
          model.delete(key);
          model.set(key, { value, usedAt: now });
        }
        if (model.size > entriesMax) model.delete(model.keys().next().value!);
        assert.deepEqual(
          [...contents(table, now)].toSorted(([a], [b]) => a - b),
          [...model].map(([k, { value: v }]) => [k, v]).toSorted(([a], [b]) => a! - b!),
        );
      }
      assert.ok(table.size <= entriesMax);
    }),
    { seed, numRuns: 300 },
  );
});

test("what is over makes room before the table grows", () => {
  const table = new RecentTable(1_000_000, 1_000);
  for (let key = 0; key < 100; key++) table.set(key, 1, 0);
  for (let key = 100; key < 200; key++) table.set(key, 2, 1_000);
  assert.equal(table.size, 100);
  assert.equal(table.get(0, 1_000), -1);
  assert.equal(table.get(150, 1_000), 2);
});

test("a million entries take 26 bytes each, and no more come", () => {
  const table = new RecentTable(1_048_576, 1_000_000);
  for (let key = 0; key < 1_200_000; key++) table.set(Math.imul(key, 0x9e3779b1), key & 0xffff, key >> 4);
  assert.equal(table.size, 1_048_576);
  assert.ok(table.bytes / table.size < 26.01, `${table.bytes / table.size}`);
  assert.equal(table.get(0, 100_000), -1);
  assert.equal(table.get(Math.imul(1_199_999, 0x9e3779b1), 100_000), 1_199_999 & 0xffff);
});
