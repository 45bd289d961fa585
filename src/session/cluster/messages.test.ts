import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Entry, type SessionChanges, type SessionEntries } from "../entry.ts";
import { endless } from "../snapshot.ts";
import { FrameWriter } from "./frame-writer.ts";
import {
  MessageError,
  type MessageSink,
  OpKind,
  PeerState,
  ReplyStatus,
  RequestKind,
  readFrame,
} from "./messages.ts";

/** Notes each call. */
function recorder(): { sink: MessageSink; calls: unknown[][] } {
  const calls: unknown[][] = [];
  const sink = new Proxy({} as MessageSink, {
    get:
      (_, name) =>
      (...args: unknown[]) =>
        void calls.push([name, ...args.map(plain)]),
  });
  return { sink, calls };
}

/** Entries by their text: the values beside it are a cache. */
function plain(value: unknown): unknown {
  if (value instanceof Map)
    return [...value].map(([key, entry]) => [key, entry instanceof Entry ? entry.text : entry]);
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Uint8Array) return [...value];
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, plain(field)]));
}

function read(frame: Uint8Array): unknown[][] {
  const { sink, calls } = recorder();
  readFrame(frame, sink, (version) => calls.push(["version", version]));
  return calls;
}

const changes: SessionChanges = new Map([
  ["käse", Entry.of("käse", { list: [1, "zwei", null] })],
  ["gone", null],
]);
const oneChange: SessionChanges = new Map([["gone", null]]);
const request = { id: 1, slot: 3, key: "k", ownerClock: 4, freshMs: 5, idleTimeoutMs: 6, life: null };
const life = { ageMs: 7, absoluteTimeoutMs: 8 };
const expected = new Map([
  ["gone", '"zwei"'],
  ["käse", null],
]);
const entries = new Map([["a", Entry.of("a", 1)]]) as SessionEntries;

const beat = {
  ...{ sentAt: 1.5, state: PeerState.blind, fullness: 0.5 },
  ...{ heard: -1, promised: 2.5, takenVersion: 3 },
};

function fullFrame(): Uint8Array {
  const writer = new FrameWriter(8);
  writer.beat(beat);
  writer.op({
    slot: 4_095,
    epoch: 7,
    pos: 9,
    kind: OpKind.update,
    key: "k",
    idleTimeoutMs: 1_000,
    life: null,
    changes,
  });
  writer.op({
    slot: 0,
    epoch: 7,
    pos: 10,
    kind: OpKind.create,
    key: "l",
    idleTimeoutMs: 1,
    life,
    changes: entries,
  });
  writer.ack(1, 2, 3);
  writer.diskAck(1, 2, 3, -1);
  writer.refuse(1, 2, 3);
  writer.touch(1, 2, "k", Number.POSITIVE_INFINITY);
  writer.transferBegin(1, 2, 3);
  writer.transferPart(1, 2, [{ key: "k", idleTimeoutMs: 5, idleForMs: 6, ...endless, entries }]);
  writer.transferEnd(1, 2);
  writer.transferTaken(1, 2, true);
  writer.transferDropped(1, 2);
  writer.request({ ...request, kind: RequestKind.load, changes, expected: null });
  writer.request({ ...request, kind: RequestKind.create, life, changes, expected: null });
  writer.request({ ...request, kind: RequestKind.compareAndSet, changes: oneChange, expected });
  writer.reply(8, ReplyStatus.done, entries, life);
  writer.reply(9, ReplyStatus.absent, null, null);
  writer.copyQuery(12);
  writer.copyOffer(12, -1, -1, true);
  writer.map(77, Uint8Array.of(1, 2, 3));
  return writer.take(42);
}

/** Where each message of the full frame ends: cut there it can be read. */
function endsOfMessages(): number[] {
  const whole = fullFrame();
  return Array.from({ length: whole.length - 8 }, (_, at) => at + 9).filter((length) => {
    try {
      return read(whole.subarray(0, length)).length > 1;
    } catch {
      return false;
    }
  });
}

describe("messages between the servers of a session", () => {
  test("all that is written is read, in order", () => {
    const changesRead = [
      ["käse", '{"list":[1,"zwei",null]}'],
      ["gone", null],
    ];
    assert.deepEqual(read(fullFrame()), [
      ["version", 42],
      ["onBeat", beat],
      [
        "onOp",
        {
          slot: 4_095,
          epoch: 7,
          pos: 9,
          kind: 2,
          key: "k",
          idleTimeoutMs: 1_000,
          life: null,
          changes: changesRead,
        },
      ],
      [
        "onOp",
        { slot: 0, epoch: 7, pos: 10, kind: 1, key: "l", idleTimeoutMs: 1, life, changes: [["a", "1"]] },
      ],
      ["onAck", 1, 2, 3],
      ["onDiskAck", 1, 2, 3, -1],
      ["onRefuse", 1, 2, 3],
      ["onTouch", 1, 2, "k", Number.POSITIVE_INFINITY],
      ["onTransferBegin", 1, 2, 3],
      [
        "onTransferPart",
        1,
        2,
        [{ key: "k", idleTimeoutMs: 5, idleForMs: 6, ...endless, entries: [["a", "1"]] }],
      ],
      ["onTransferEnd", 1, 2],
      ["onTransferTaken", 1, 2, true],
      ["onTransferDropped", 1, 2],
      ["onRequest", { ...request, kind: 5, changes: changesRead, expected: null }],
      ["onRequest", { ...request, kind: 1, life, changes: changesRead, expected: null }],
      ["onRequest", { ...request, kind: 7, changes: [["gone", null]], expected: [...expected] }],
      ["onReply", 8, 1, [["a", "1"]], life],
      ["onReply", 9, 2, null, null],
      ["onCopyQuery", 12],
      ["onCopyOffer", 12, -1, -1, true],
      ["onMap", 77, [1, 2, 3]],
    ]);
  });

  test("a writer is used again for the next frame", () => {
    const writer = new FrameWriter();
    writer.ack(1, 2, 3);
    const first = Uint8Array.from(writer.take(1));
    assert.ok(writer.isEmpty);
    writer.ack(4, 5, 6);
    assert.deepEqual(read(writer.take(2)).at(-1), ["onAck", 4, 5, 6]);
    assert.deepEqual(read(first).at(-1), ["onAck", 1, 2, 3]);
  });

  test("a frame that is cut anywhere but between messages is refused", () => {
    const whole = fullFrame();
    const messages = read(whole).length - 1;
    let refused = 0;
    for (let length = 0; length < whole.length; length++) {
      try {
        read(whole.subarray(0, length));
      } catch (error) {
        assert.ok(error instanceof MessageError);
        refused++;
      }
    }
    assert.equal(refused, whole.length - messages);
  });

  test("a kind of message that this version does not know is refused, and what came before it counts", () => {
    const { sink, calls } = recorder();
    const writer = new FrameWriter();
    writer.ack(1, 2, 3);
    for (const type of [0, 15, 29, 99, 255]) {
      writer.ack(1, 2, 3);
      const frame = Buffer.concat([writer.take(1), Buffer.of(type), Buffer.alloc(40)]);
      assert.throws(() => readFrame(frame, sink, () => {}), { message: new RegExp(`type ${type}\\)`) });
    }
    assert.ok(calls.every(([name]) => name === "onAck"));
    assert.equal(calls.length, 6);
  });

  test("a message with a field more than this version knows is refused, whatever its kind", () => {
    const fields = {
      number: [0x3f, 0xf0, 0, 0, 0, 0, 0, 0],
      "number 0": new Array(8).fill(0),
      "number -1": [0xbf, 0xf0, 0, 0, 0, 0, 0, 0],
      never: [0x7f, 0xf0, 0, 0, 0, 0, 0, 0],
      u32: [0, 0, 0, 7],
      text: [0, 0, 0, 1, 107],
      "flag 0": [0],
    };
    for (const end of endsOfMessages()) {
      const frame = fullFrame();
      for (const [name, field] of Object.entries(fields)) {
        const longer = Buffer.concat([frame.subarray(0, end), Buffer.from(field), frame.subarray(end)]);
        assert.throws(() => read(longer), MessageError, `${name} at ${end}`);
      }
    }
  });

  test("damaged frames are refused or read, and nothing else happens (A42)", () => {
    const whole = fullFrame();
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, byte) => {
        const frame = Uint8Array.from(whole);
        frame[at] = byte;
        try {
          read(frame);
        } catch (error) {
          assert.ok(error instanceof MessageError, String(error));
        }
      }),
      { seed: 1, numRuns: 2_000 },
    );
  });
});
