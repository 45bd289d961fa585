/** Entries come back as they were written; anything else is refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Entry } from "./entry.ts";
import { entryBytes, readEntries, writeEntries } from "./entry-bytes.ts";

function written(pairs: readonly (readonly [string, string])[]): Buffer {
  const entries = new Map(pairs.map(([name, text]) => [name, new Entry(name, text)]));
  const buffer = Buffer.alloc(entryBytes(entries));
  writeEntries(buffer, 0, entries);
  return buffer;
}

const pairs = fc.uniqueArray(fc.tuple(fc.string({ unit: "grapheme" }), fc.json()), {
  maxLength: 5,
  selector: ([name]) => name,
});

test("what was written is read", () => {
  fc.assert(
    fc.property(pairs, (some) => {
      const read = readEntries(written(some));
      assert.deepEqual(
        [...read].map(([name, { text }]) => [name, text]),
        some,
      );
    }),
    { seed: 3 },
  );
});

test("what lies before and behind them is nothing to them", () => {
  fc.assert(
    fc.property(pairs, fc.uint8Array({ maxLength: 9 }), (some, other) => {
      const bytes = written(some);
      const read = readEntries(Buffer.concat([other, bytes, other]), other.length);
      assert.deepEqual([...read.keys()], [...readEntries(bytes).keys()]);
    }),
    { seed: 4 },
  );
});

test("what no writer made is refused", () => {
  const twice = Buffer.concat([written([["a", "1"]]), written([["a", "2"]]).subarray(4)]);
  twice[0] = 2;
  assert.throws(() => readEntries(twice), /a name twice/);
  fc.assert(
    fc.property(pairs, fc.nat(), (some, at) => {
      const whole = written(some);
      const end = at % whole.length;
      assert.throws(() => readEntries(whole.subarray(0, end)), /cut off/);
      assert.throws(() => readEntries(whole, 0, end), /cut off/);
    }),
    { seed: 4 },
  );
});

test("their form: another one is another version of the database, which would not be read", () => {
  const bytes = written([
    ["a", '"é"'],
    ["", "1"],
  ]);
  assert.equal(
    bytes.toString("hex"),
    "02000000" + "0100000004000000" + "6122c3a922" + "0000000001000000" + "31",
  );
});
