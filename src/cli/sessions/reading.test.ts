import assert from "node:assert/strict";
import { test } from "node:test";
import { sessionImport as limits } from "../../support/limits.ts";
import { type Read, Reading } from "./reading.ts";
import type { Found, Page, SessionSource } from "./sources/source.ts";

const session = (bytes: number): string => JSON.stringify({ a: "x".repeat(bytes - 8) });

/** With pages of so many sessions; notes how much was asked for at once. */
class FakeSource implements SessionSource {
  readonly name = "a store";
  readonly note = null;
  readonly asked: number[] = [];
  readonly #sizes: readonly (number | null)[];
  readonly #pageRows: number;

  constructor(sizes: readonly (number | null)[], pageRows: number) {
    this.#sizes = sizes;
    this.#pageRows = pageRows;
  }

  async leadsOn(): Promise<boolean> {
    return true;
  }

  async page(from: string): Promise<Page> {
    const begin = Number(from);
    const end = Math.min(begin + this.#pageRows, this.#sizes.length);
    const found = this.#sizes.slice(begin, end).map((bytes, index): Found => {
      const sid = `sid-${begin + index}`;
      return { sid, bytes: bytes === 0 ? 2 : bytes, leftMs: bytes === 1 ? 0 : 60_000 };
    });
    const next = end === this.#sizes.length ? null : String(end);
    return { found, next, share: end / this.#sizes.length };
  }

  async texts(sids: readonly string[]): Promise<readonly (string | null)[]> {
    const texts = sids.map((sid) => {
      const bytes = this.#sizes[Number(sid.slice(4))]!;
      return bytes === 0 ? null : session(bytes);
    });
    this.asked.push(texts.reduce((sum, text) => sum + (text?.length ?? 0), 0));
    return texts;
  }

  async close(): Promise<void> {}
}

async function all(items: AsyncIterable<Read>): Promise<Read[]> {
  const read: Read[] = [];
  for await (const item of items) read.push(item);
  return read;
}

test("portions are no larger than memory should hold, and one that is larger comes alone", async () => {
  const third = Math.floor(limits.textsBytes / 3);
  const sizes = [third, third, third, third, limits.textsBytes + 5, 100, 100];
  const source = new FakeSource(sizes, 100);
  const reading = new Reading(source, 1_000);
  const taken = await all(reading.all(""));
  assert.equal(taken.length, 7);
  assert.deepEqual(source.asked, [3 * third, third, limits.textsBytes + 5, 200]);
});

test("each session is told once or counted once, and between pages how far it is", async () => {
  const sizes = [50, 1, null, 0, 60, limits.textBytesMax + 1, 70];
  const source = new FakeSource(sizes, 2);
  const reading = new Reading(source, 1_000);
  const told = await all(reading.all(""));
  assert.deepEqual(
    told.map((item) => (item.kind === "session" ? item.sid : item.place)),
    ["sid-0", "2", "4", "sid-4", "6", "sid-6"],
  );
  assert.deepEqual([reading.sessions, reading.expired, reading.share], [3, 2, 1]);
  assert.deepEqual(
    reading.leftOut.reasons.map(({ why, count, examples, isLoss }) => [why, count, examples, isLoss]),
    [
      ["it holds more than 1048576 bytes", 1, ["si..."], true],
      ["it is no text", 1, ["si..."], false],
    ],
  );
  const rest = await all(new Reading(source, 1_000).all("6"));
  assert.equal(rest.length, 1);
});
