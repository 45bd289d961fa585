/** One pair of streams, each end a stream of the test's own. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type LinkStream, ResetCode, type StreamHandler } from "../../link/api.ts";
import { replication as limits } from "../../support/limits.ts";
import { type PairEvents, StreamPair } from "./stream-pair.ts";

/** Notes what is done to it. */
class NotedStream {
  written: Buffer[] = [];
  pendingBytes = 0;
  consumedBytes = 0;
  resetCode: ResetCode | null = null;

  write(bytes: Uint8Array): boolean {
    this.written.push(Buffer.from(bytes));
    return true;
  }

  consumed(bytes: number): void {
    this.consumedBytes += bytes;
  }

  reset(code: ResetCode): void {
    this.resetCode = code;
  }

  get asLink(): LinkStream {
    return this as unknown as LinkStream;
  }

  get bytes(): string {
    return Buffer.concat(this.written).toString("latin1");
  }
}

function setUp(isDialer: boolean) {
  const told: string[] = [];
  const events: PairEvents = {
    onUp: () => told.push("up"),
    onFrame: (_pair, frame) => told.push(`frame ${Buffer.from(frame)}`) > 0 && !frame.includes(0x21),
    onDown: (_pair, reason) => told.push(`down: ${reason}`),
    onFailed: (_pair, reason) => told.push(`failed: ${reason}`),
  };
  const pair = new StreamPair("app-b", "1", isDialer, events);
  const frames = new NotedStream();
  const beats = new NotedStream();
  const give = (end: StreamHandler, stream: NotedStream, text: string): void => {
    const frame = Buffer.from(text);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(frame.length);
    end.onData(stream.asLink, Buffer.concat([length, frame]));
  };
  return {
    ...{ pair, frames, beats, told, give },
    complete: () => pair.complete(frames.asLink, beats.asLink),
    send: (text: string) => pair.send(Buffer.from(text)),
  };
}

describe("a pair of streams", () => {
  test("the accepting side is up when both are there, and says so", () => {
    const { complete, send, frames, beats, told } = setUp(false);
    send("too early");
    assert.equal(frames.bytes, "");
    complete();
    send("a");
    assert.deepEqual(told, ["up"]);
    assert.equal(frames.bytes, "\0\0\0\0\0\0\0\x01a");
    assert.equal(beats.bytes, "");
  });

  test("the dialing side is up when it is told so; a heartbeat that comes earlier is not missed", () => {
    const { pair, complete, send, give, frames, beats, told } = setUp(true);
    complete();
    send("too early");
    give(pair.beatsEnd, beats, "beat");
    assert.deepEqual([frames.bytes, told], ["", []]);
    give(pair.framesEnd, frames, "");
    pair.sendBeat(Buffer.from("b"));
    give(pair.beatsEnd, beats, "beat");
    assert.deepEqual(told, ["up", "frame beat"]);
    assert.equal(beats.bytes, "\0\0\0\x01b");
  });

  test("what comes before the accepting side is up is no frame of ours (A42)", () => {
    for (const text of ["x", ""]) {
      const { pair, give, frames, told } = setUp(false);
      give(pair.framesEnd, frames, text);
      assert.deepEqual(told, ["failed: it sent what can't be read"]);
    }
  });

  test("all that comes is given back as credit", () => {
    const { pair, complete, give, frames } = setUp(false);
    complete();
    give(pair.framesEnd, frames, "abc");
    assert.equal(frames.consumedBytes, 7);
  });

  test("the end of one stream is the end of both, once; what still comes goes nowhere", () => {
    const { pair, complete, send, give, frames, beats, told } = setUp(false);
    complete();
    const before = frames.bytes;
    pair.beatsEnd.onReset(beats.asLink, ResetCode.linkLost, "the connection broke");
    pair.framesEnd.onReset(frames.asLink, ResetCode.linkLost, "the connection broke");
    pair.framesEnd.onEnd(frames.asLink, "");
    give(pair.framesEnd, frames, "late");
    send("late");
    assert.deepEqual(told, ["up", "down: the connection broke"]);
    assert.equal(frames.bytes, before);
    assert.ok(pair.isOver && frames.resetCode !== null && beats.resetCode !== null);
  });

  for (const [what, garbage] of [
    ["a length above the bound", Buffer.from("ffffffff", "hex")],
    ["a frame that its reader refuses", Buffer.from("\0\0\0\x01!", "latin1")],
  ] as const) {
    test(`${what} ends it (A42)`, () => {
      const { pair, complete, frames, beats, told } = setUp(false);
      complete();
      pair.framesEnd.onData(frames.asLink, garbage);
      assert.equal(told.at(-1), "down: it sent what can't be read");
      assert.deepEqual([frames.resetCode, beats.resetCode], [ResetCode.protocol, ResetCode.protocol]);
    });
  }

  test("a side that takes nothing is given up at the bound, for frames and for heartbeats", () => {
    for (const isBeat of [false, true]) {
      const { pair, complete, frames, beats, told } = setUp(false);
      complete();
      const stream = isBeat ? beats : frames;
      const send = (): void => (isBeat ? pair.sendBeat : pair.send).call(pair, Buffer.from("x"));
      stream.pendingBytes = isBeat ? limits.unsentBeatBytesMax : limits.unsentBytesMax;
      send();
      assert.deepEqual(told, ["up"]);
      stream.pendingBytes++;
      send();
      assert.deepEqual(told, ["up", "down: it does not take what it is sent"]);
    }
  });
});
