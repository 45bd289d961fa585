/** The text of a report: what is written is read, and nothing else is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { load as limits } from "../support/limits.ts";
import { formatLoad, type LoadRecord, nothingKnown, parseLoad } from "./record.ts";

const whole = fc.option(fc.integer({ min: 0, max: 2 ** 48 }));
const share = fc.option(fc.integer({ min: 0, max: 10_000 }).map((parts) => parts / 10_000));
const records: fc.Arbitrary<LoadRecord> = fc.record({
  inFlight: whole,
  run: share,
  wait: share,
  lateMs: whole,
  busy: fc.option(fc.integer({ min: 0, max: 1_000 }).map((parts) => parts / 1_000)),
  cpu: whole,
  memoryBytes: whole,
  memoryBytesMax: whole,
  heapBytes: whole,
  heapBytesMax: whole,
  queue: whole,
  cpus: whole,
});

test("what is written is read, within the bytes of one report", () => {
  fc.assert(
    fc.property(records, (record) => {
      const text = formatLoad(record);
      assert.ok(text.length < limits.recordBytesMax);
      const isEmpty = Object.values(record).every((value) => value === null);
      assert.deepEqual(parseLoad(text), isEmpty ? null : { ...record });
    }),
    { seed: 1 },
  );
});

test("names of a newer release are passed over", () => {
  assert.deepEqual(parseLoad("gpu=0.5 inflight=2 colour=blue queue=1.25"), {
    ...nothingKnown,
    inFlight: 2,
    queue: 1.25,
  });
});

for (const [text, why] of [
  ["", "nothing"],
  ["colour=blue", "nothing that we know"],
  ["inflight=-1", "a negative number"],
  ["inflight=1e9", "an exponent"],
  ["inflight=NaN", "no number"],
  ["inflight=Infinity", "no number"],
  ["inflight=0x10", "a hexadecimal one"],
  ["inflight=", "no number at all"],
  ["inflight=1.", "a point at the end"],
  ["inflight=1 inflight=2", "the same twice"],
  ["inflight=1  run=1", "two blanks"],
  ["inflight", "no ="],
  ["=1", "no name"],
  ["inflight=1234567890123456", "too many digits"],
  [`inflight=1 ${"x=1 ".repeat(200)}`, "too long"],
  ["__proto__=1", "a name that objects have"],
] as const)
  test(`no record: ${why}`, () => assert.equal(parseLoad(text), null));

test("any bytes are a record or null", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 600 }), (text) => {
      const record = parseLoad(text);
      if (record !== null)
        for (const value of Object.values(record)) assert.ok(value === null || (value >= 0 && value < 1e15));
    }),
    { seed: 2 },
  );
});
