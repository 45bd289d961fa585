/** Entries come back as they were written; anything else is refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Entry } from "../entry.ts";
import { entryBytesMax, readEntries, writeEntries } from "./entry-bytes.ts";

function written(pairs: readonly (readonly [string, string])[]): Buffer {
  const entries = new Map(pairs.map(([name, text]) => [name, new Entry(name, text)]));
  const buffer = Buffer.from(new SharedArrayBuffer(entryBytesMax(entries)));
  return Buffer.from(buffer.subarray(0, writeEntries(buffer, 0, entries)));
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

test("what no writer made is refused, and nothing else is thrown", () => {
  assert.throws(
    () => readEntries(Buffer.concat([written([["a", "1"]]), written([["a", "2"]])])),
    /a name twice/,
  );
  const bad = written([["a", '"xx"']]);
  bad[bad.length - 2] = 0xff;
  assert.throws(() => readEntries(bad), /no text/);
  fc.assert(
    fc.property(
      pairs.filter((some) => some.length > 0),
      fc.nat(),
      (some, at) => {
        const whole = written(some);
        const cut = whole.subarray(0, at % whole.length);
        try {
          assert.ok(readEntries(cut).size < some.length);
        } catch (error) {
          assert.match((error as Error).message, /cut off/);
        }
      },
    ),
    { seed: 4 },
  );
});
