/** Frames come out as they went in, however the bytes are cut on their way. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { LinkStream } from "../../link/api.ts";
import { replication as limits } from "../../support/limits.ts";
import { FrameGatherer, writeFrame } from "./frames.ts";

function bytesOf(frames: readonly Uint8Array[]): Buffer {
  const written: Buffer[] = [];
  const write = (bytes: Uint8Array): boolean => written.push(Buffer.from(bytes)) > 0;
  for (const frame of frames) writeFrame({ write } as unknown as LinkStream, frame);
  return Buffer.concat(written);
}

test("frames come out whole and in order", () => {
  const frames = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 });
  const pieces = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(frames, pieces, (sent, cuts) => {
      const bytes = bytesOf(sent);
      const got: Uint8Array[] = [];
      const gatherer = new FrameGatherer((frame) => got.push(Uint8Array.from(frame)) > 0);
      for (let at = 0, turn = 0; at < bytes.length; turn++) {
        // A copy that is spoiled afterwards, as the link's own buffer is.
        const piece = Buffer.from(bytes.subarray(at, at + cuts[turn % cuts.length]!));
        at += piece.length;
        assert.ok(gatherer.add(piece));
        piece.fill(0xaa);
      }
      assert.deepEqual(got, sent);
    }),
    { seed: 3 },
  );
});

test("a frame above the bound is refused by its length alone, also when that comes byte by byte", () => {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(limits.frameBytesMax + 1);
  const fail = (): boolean => assert.fail("no frame");
  assert.equal(new FrameGatherer(fail).add(length), false);
  const gatherer = new FrameGatherer(fail);
  assert.deepEqual(
    [...length].map((byte) => gatherer.add(Buffer.from([byte]))),
    [true, true, true, false],
  );
});

test("after a frame that its reader refuses nothing more is read", () => {
  let frames = 0;
  const gatherer = new FrameGatherer(() => ++frames < 2);
  assert.equal(gatherer.add(bytesOf([Buffer.from("a"), Buffer.from("b"), Buffer.from("c")])), false);
  assert.equal(frames, 2);
});
