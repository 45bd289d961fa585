/** Ids at the edges: the wrap, and streams that are still open from the round before. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Stream } from "./stream.ts";
import { StreamTable } from "./stream-table.ts";
import { streamIdMask } from "./wire.ts";

const streamOf = (id: number): Stream => ({ id }) as Stream;

test("ids wrap, and step over those still open", () => {
  const table = new StreamTable(true, streamIdMask - 3);
  table.add(streamOf(3));
  assert.deepEqual([table.nextId(), table.nextId(), table.nextId()], [streamIdMask, 1, 5]);
  const accepting = new StreamTable(false, streamIdMask - 3);
  assert.deepEqual([accepting.nextId(), accepting.nextId()], [streamIdMask - 1, 2]);
});

test("the peer's ids go up, by any even step, over the wrap too", () => {
  const table = new StreamTable(true, streamIdMask - 3);
  assert.equal(table.admit(streamIdMask - 1), "");
  assert.equal(table.admit(4), "");
  for (const id of [4, 2, 5, streamIdMask - 1])
    assert.equal(table.admit(id), `OPEN with stream id ${id} after 4`);
  assert.deepEqual(
    [table.wasOpen(2), table.wasOpen(streamIdMask - 1), table.wasOpen(6)],
    [true, true, false],
  );
});
