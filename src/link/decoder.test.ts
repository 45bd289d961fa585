/** The decoder against every cut of valid frames, and against random and altered bytes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FrameDecoder, type FrameSink } from "./decoder.ts";
import { FrameType, flagEnd, headerBytes, payloadBytesMax, writeUint16, writeUint32 } from "./wire.ts";

interface Frame {
  type: number;
  flags: number;
  id: number;
  payload: Buffer;
}

/** Puts the pieces of DATA together again; copies, as every user must. */
class Recorder implements FrameSink {
  readonly frames: Frame[] = [];
  readonly violations: string[] = [];
  #data: Buffer[] = [];
  dataBytes = 0;

  onFrame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    this.#noneAfterViolation(bytes, start, end);
    this.frames.push({ type, flags, id, payload: Buffer.from(bytes.subarray(start, end)) });
  }

  onData(id: number, bytes: Buffer, start: number, end: number, ended: boolean): void {
    this.#noneAfterViolation(bytes, start, end);
    this.dataBytes += end - start;
    this.#data.push(Buffer.from(bytes.subarray(start, end)));
    const payload = Buffer.concat(this.#data);
    if (!ended && payload.length < 4) return;
    this.#data = [];
    this.frames.push({ type: FrameType.data, flags: ended ? flagEnd : 0, id, payload });
  }

  onViolation(text: string): void {
    this.violations.push(text);
    assert.equal(this.violations.length, 1);
  }

  #noneAfterViolation(bytes: Buffer, start: number, end: number): void {
    assert.deepEqual(this.violations, []);
    assert.ok(start >= 0 && start <= end && end <= bytes.length);
  }
}

function encode({ type, flags, id, payload }: Frame): Buffer {
  const bytes = Buffer.alloc(headerBytes + payload.length);
  bytes[0] = type;
  bytes[1] = flags;
  writeUint16(bytes, 2, payload.length);
  writeUint32(bytes, 4, id);
  payload.copy(bytes, headerBytes);
  return bytes;
}

const payload = (least: number, most: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength: least, maxLength: most }).map((bytes) => Buffer.from(bytes));

function framesOf(
  type: number,
  flags: readonly number[],
  payloads: fc.Arbitrary<Buffer>,
): fc.Arbitrary<Frame> {
  const onStream = type >= FrameType.open && type <= FrameType.reset;
  return fc
    .tuple(fc.constantFrom(...flags), fc.integer({ min: 1, max: 100 }), payloads)
    .map(([flag, id, bytes]) => ({ type, flags: flag, id: onStream ? id : 0, payload: bytes }));
}

// DATA of exactly four bytes, or none with the flag, so that the recorder knows where a frame ends.
const frame: fc.Arbitrary<Frame> = fc.oneof(
  framesOf(FrameType.open, [0, flagEnd], payload(5, 90)),
  framesOf(FrameType.data, [0, flagEnd], payload(4, 4)),
  framesOf(FrameType.data, [flagEnd], payload(0, 0)),
  framesOf(FrameType.trailer, [0], payload(0, 40)),
  framesOf(FrameType.credit, [0], payload(4, 4)),
  framesOf(FrameType.reset, [0], payload(2, 30)),
  framesOf(FrameType.ping, [0], payload(8, 8)),
  framesOf(FrameType.goAway, [0], payload(0, 0)),
);

/** Feeds `bytes` in pieces of the given sizes, each in a buffer that is overwritten afterwards. */
function feed(decoder: FrameDecoder, bytes: Buffer, sizes: readonly number[]): void {
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const size = sizes.length === 0 ? bytes.length : sizes[index % sizes.length]!;
    const chunk = Buffer.from(bytes.subarray(at, at + size));
    decoder.push(chunk);
    chunk.fill(0xee);
    at += size;
  }
}

test("frames cut anywhere come out whole and in order", () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 30 }),
      fc.array(fc.integer({ min: 1, max: 60 })),
      (frames, sizes) => {
        const recorder = new Recorder();
        feed(new FrameDecoder(recorder), Buffer.concat(frames.map(encode)), sizes);
        assert.deepEqual(recorder.violations, []);
        assert.deepEqual(recorder.frames, frames);
      },
    ),
    { seed: 1, numRuns: 500 },
  );
});

test("random and altered bytes: one violation at most, nothing after it, nothing thrown", () => {
  const altered = fc
    .tuple(
      fc.array(frame, { minLength: 1, maxLength: 10 }),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
    )
    .map(([frames, changes]) => {
      const bytes = Buffer.concat(frames.map(encode));
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      return bytes;
    });
  const random = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.oneof(altered, random), fc.array(fc.integer({ min: 1, max: 50 })), (bytes, sizes) => {
      const recorder = new Recorder();
      feed(new FrameDecoder(recorder), bytes, sizes);
      assert.ok(recorder.dataBytes <= bytes.length);
    }),
    { seed: 2, numRuns: 2_000 },
  );
});

test("what was violated is said", () => {
  const cases: readonly [Frame, string][] = [
    [{ type: 0, flags: 0, id: 0, payload: Buffer.alloc(0) }, "a frame of unknown type 0"],
    [{ type: 11, flags: 0, id: 0, payload: Buffer.alloc(0) }, "a frame of unknown type 11"],
    [{ type: 4, flags: 0, id: 1, payload: Buffer.alloc(payloadBytesMax + 1) }, "DATA of 65529 bytes"],
    [{ type: 3, flags: 0, id: 1, payload: Buffer.alloc(60_006) }, "OPEN of 60006 bytes"],
    [{ type: 4, flags: 2, id: 1, payload: Buffer.alloc(1) }, "DATA with unknown flags 2"],
    [{ type: 4, flags: 0, id: 0, payload: Buffer.alloc(1) }, "DATA with stream id 0"],
    [{ type: 4, flags: 0, id: 0x8000_0001, payload: Buffer.alloc(1) }, "DATA with stream id 2147483649"],
    [{ type: 8, flags: 0, id: 3, payload: Buffer.alloc(8) }, "PING with stream id 3"],
    [{ type: 4, flags: 0, id: 1, payload: Buffer.alloc(0) }, "an empty DATA that ends nothing"],
    [{ type: 6, flags: 0, id: 1, payload: Buffer.alloc(3) }, "CREDIT of 3 bytes"],
    [{ type: 1, flags: 0, id: 0, payload: Buffer.alloc(1_025) }, "HELLO of 1025 bytes"],
  ];
  for (const [wrong, text] of cases) {
    const recorder = new Recorder();
    new FrameDecoder(recorder).push(encode(wrong));
    assert.deepEqual(recorder.violations, [text]);
    assert.deepEqual(recorder.frames, []);
  }
});

test("a frame that announces 64 KiB and comes byte by byte holds one frame's memory, and waits for no more", () => {
  const recorder = new Recorder();
  const decoder = new FrameDecoder(recorder);
  const bytes = encode({ type: 5, flags: 0, id: 1, payload: Buffer.alloc(60_000, 7) });
  for (const byte of bytes) decoder.push(Buffer.of(byte));
  assert.equal(recorder.frames.length, 1);
  assert.equal(recorder.frames[0]!.payload.length, 60_000);
});

test("a sink that stops the decoder hears no more of the same chunk", () => {
  const recorder = new Recorder();
  const decoder = new FrameDecoder({
    onFrame(type, flags, id, bytes, start, end) {
      recorder.onFrame(type, flags, id, bytes, start, end);
      decoder.stop();
    },
    onData: () => assert.fail("DATA after the stop"),
    onViolation: () => assert.fail("a violation after the stop"),
  });
  const goAway: Frame = { type: 10, flags: 0, id: 0, payload: Buffer.alloc(0) };
  decoder.push(Buffer.concat([encode(goAway), encode({ type: 4, flags: 1, id: 1, payload: Buffer.of(1) })]));
  decoder.push(encode(goAway));
  assert.deepEqual(recorder.frames, [goAway]);
});
