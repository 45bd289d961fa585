import assert from "node:assert/strict";
import test from "node:test";
import { HalfSipHash } from "./half-sip-hash.ts";

test("HalfSipHash-2-4 gives the values of its authors' test vectors", () => {
  const hash = new HalfSipHash(Buffer.from([0, 1, 2, 3, 4, 5, 6, 7]));
  const expected = [
    "a9359f5b",
    "27475ab8",
    "fa62a603",
    "8afee704",
    "2a6e4689",
    "c5fab669",
    "5863fc23",
    "8bcf63c5",
    "d0b8848f",
    "f806e779",
    "94b07934",
    "08083050",
  ];
  for (const [length, text] of expected.entries()) {
    const bytes = Buffer.from(Array.from({ length }, (_, at) => at));
    assert.equal(hash.hash(bytes.toString("latin1")), Buffer.from(text, "hex").readUInt32LE(0), `${length}`);
  }
});

test("another key gives other values", () => {
  const [one, other] = ["one key.", "another."].map((key) => new HalfSipHash(Buffer.from(key)));
  assert.notEqual(one!.hash("/"), other!.hash("/"));
});
