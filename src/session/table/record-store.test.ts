/** Records outside the heap against a plain model: nothing is lost, nothing runs into its neighbour, and memory is given back. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Entry, type SessionEntries } from "../entry.ts";
import { Key } from "./key.ts";
import { KeyIndex } from "./key-index.ts";
import { RecordStore } from "./record-store.ts";

const segmentBytes = 2_048;
const times = { lastUsedAt: 0, idleTimeoutMs: 1, createdAt: 0, absoluteTimeoutMs: Number.POSITIVE_INFINITY };

/** One table over a store of small segments, and what must be in it. */
class Site {
  readonly records: RecordStore;
  readonly index: KeyIndex;
  readonly model: Map<string, { entries: SessionEntries; lastUsedAt: number }> = new Map();
  readonly #key: Key = new Key();
  moved = 0;

  constructor(size: number = segmentBytes) {
    this.records = new RecordStore((table, hash, from, to) => {
      assert.equal(table, 7);
      this.index.replace(hash, from, to);
      this.moved++;
    }, size);
    this.index = new KeyIndex(this.records);
  }

  put(key: string, entries: SessionEntries, lastUsedAt: number): void {
    this.remove(key);
    this.#key.set(key);
    const { hash } = this.#key;
    const ref = this.records.append(7, this.#key, { ...times, entries, lastUsedAt, isTouched: false });
    assert.notEqual(ref, 0);
    this.index.add(hash, ref);
    this.model.set(key, { entries, lastUsedAt });
  }

  remove(key: string): void {
    const ref = this.index.find(this.#key.set(key));
    assert.equal(ref !== 0, this.model.delete(key));
    if (ref === 0) return;
    this.index.remove(this.records.hashOf(ref), ref);
    this.records.free(ref);
  }

  check(): void {
    let bytes = 0;
    assert.equal(this.index.count, this.model.size);
    for (const [key, { entries, lastUsedAt }] of this.model) {
      const ref = this.index.find(this.#key.set(key));
      assert.notEqual(ref, 0);
      assert.deepEqual(
        [this.records.key(ref), this.records.lastUsedAt(ref), this.records.absoluteTimeoutMs(ref)],
        [key, lastUsedAt, Number.POSITIVE_INFINITY],
      );
      assert.deepEqual(textsOf(this.records.entries(ref)), textsOf(entries));
      bytes += this.records.bytesOf(ref);
    }
    assert.equal(this.records.liveBytes, bytes);
    assert.deepEqual([...this.index.refs].filter((ref) => ref !== 0).length, this.model.size);
  }
}

function textsOf(entries: SessionEntries): [string, string][] {
  return [...entries].map(([key, { text }]) => [key, text]);
}

function entriesOf(texts: Record<string, string>): SessionEntries {
  return new Map(Object.entries(texts).map(([key, text]) => [key, Entry.of(key, text)]));
}

const someEntries = fc
  .dictionary(fc.string({ unit: "grapheme", maxLength: 5 }), fc.string({ unit: "grapheme", maxLength: 60 }), {
    maxKeys: 5,
  })
  .map(entriesOf);

describe("records", () => {
  test("agree with a plain map, whatever comes and goes", () => {
    const step = fc.record({
      key: fc.oneof(
        fc.nat(40).map((n) => `AAkey-${n}`),
        fc.string({ unit: "grapheme", maxLength: 30 }),
      ),
      entries: fc.oneof({ weight: 2, arbitrary: someEntries }, { weight: 1, arbitrary: fc.constant(null) }),
      // Larger than a share of a segment: by itself.
      large: fc.boolean(),
    });
    let moved = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 100, maxLength: 300, size: "max" }), (steps) => {
        const site = new Site();
        let now = 0;
        for (const { key, entries, large } of steps) {
          if (entries === null) site.remove(key);
          else if (large) site.put(key, entriesOf({ a: key.repeat(1 + (now % 20)) }), ++now);
          else site.put(key, entries, ++now);
        }
        site.check();
        moved += site.moved;
        for (const key of [...site.model.keys()]) site.remove(key);
        site.check();
        // The two that are being written to may stay.
        assert.ok(site.records.allocatedBytes <= 2 * segmentBytes, `${site.records.allocatedBytes}`);
      }),
      { seed: 6, numRuns: 150 },
    );
    assert.ok(moved > 100, `the cleaner moved ${moved}`);
  });

  test("under a long random load the memory stays near what lives, and every one is whole", () => {
    const site = new Site(16_384);
    let state = 1;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 8) % below;
    };
    for (let i = 0; i < 40_000; i++) {
      const key = `k${random(2_000)}`;
      if (random(4) === 0) site.remove(key);
      else site.put(key, entriesOf({ n: `${i}`, text: "é".repeat(random(80)) }), i);
      if (i % 10_000 === 9_999) site.check();
    }
    assert.ok(site.moved > 1_000, `${site.moved} moved`);
    const { allocatedBytes, liveBytes } = site.records;
    assert.ok(allocatedBytes < liveBytes * 1.3 + 4 * 16_384, `${allocatedBytes} for ${liveBytes}`);
    for (const key of [...site.model.keys()].filter((_, n) => n % 10 !== 0)) site.remove(key);
    site.check();
    assert.ok(
      site.records.allocatedBytes < liveBytes / 3,
      `${site.records.allocatedBytes} of ${allocatedBytes}`,
    );
  });

  test("one call moves no more than a small multiple of what it brings", () => {
    const site = new Site(16_384);
    for (let i = 0; i < 5_000; i++) site.put(`k${i}`, entriesOf({ a: "x".repeat(100) }), i);
    let most = 0;
    for (let i = 0; i < 5_000; i++) {
      const { moved } = site;
      if (i % 3 !== 0) site.remove(`k${i}`);
      most = Math.max(most, site.moved - moved);
    }
    assert.ok(most > 0 && most <= 9, `${most} at once`);
  });
});
