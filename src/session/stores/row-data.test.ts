import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { Entry } from "../entry.ts";
import { encode } from "../value.ts";
import { readRowData, writeRowData } from "./row-data.ts";

function entriesOf(values: Record<string, unknown>): Map<string, Entry> {
  return new Map(Object.keys(values).map((name) => [name, Entry.of(name, values[name])]));
}

test("what a person reads in the database", () => {
  const entries = entriesOf({ user: "bob", cart: { apple: 2 }, since: new Date(0), price: { $: 3 } });
  assert.equal(
    writeRowData(entries),
    '{"user":"bob","cart":{"apple":2},"since":{"$":{"$date":0}},"price":{"$$":{"$":3}}}',
  );
});

test("every text comes back as it was", () => {
  const names = fc.string({ unit: "grapheme" });
  const values = fc.anything({
    ...{ key: fc.oneof(fc.constantFrom("$", "$$", "$date", "__proto__", "1"), names) },
    ...{ withDate: true, withMap: true, withSet: true, withBigInt: true },
  });
  fc.assert(
    fc.property(fc.dictionary(names, values), (data) => {
      const entries = new Map<string, Entry>();
      for (const name of Object.keys(data)) {
        let text: string;
        try {
          text = encode(data[name], name);
        } catch {
          continue;
        }
        entries.set(name, new Entry(name, text));
      }
      const back = readRowData(writeRowData(entries));
      assert.deepEqual(textsOf(back), textsOf(entries));
    }),
    { seed: 7, numRuns: 2_000 },
  );
});

function textsOf(entries: ReadonlyMap<string, Entry>): [string, string][] {
  return [...entries].map(([name, { text }]): [string, string] => [name, text]).sort();
}

test("what somebody else wrote there", () => {
  for (const data of ["", "{", "[]", "null", '"a"', '{"a":1} ']) {
    if (data.endsWith(" ")) assert.equal(readRowData(data).get("a")?.text, "1");
    else assert.throws(() => readRowData(data), /its data are no JSON/, data);
  }
  for (const value of ['{"$bigint":"x"}', '{"$map":5}', '[{"$set":5}]', '{"$bytes":5}'])
    assert.throws(() => readRowData(`{"a":{"$":${value}}}`), /it has a value that is none/, value);
});
