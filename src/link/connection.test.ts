/** Two ends of a link in memory: what one side's user does is what the other side's user sees. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FakeClock, handlerOf, MemoryPair } from "../../test/harness/link-pair.ts";
import * as limits from "../support/limits.ts";
import { ResetCode, StreamKind, type StreamService } from "./api.ts";
import { ownVersions } from "./hello.ts";
import { FrameType } from "./wire.ts";

test("a small request and answer are one frame each way, and no credit frames", () => {
  const service: StreamService = {
    onStream(stream) {
      stream.write("HTTP/1.1 200 OK\r\n\r\n", "latin1");
      stream.write(Buffer.from("hello"));
      stream.end();
      return handlerOf();
    },
  };
  const pair = new MemoryPair({}, { services: new Map([[StreamKind.http, service]]) });
  pair.settle();
  const [before, beforeAnswer] = [pair.a.transport.bytesWritten, pair.b.transport.bytesWritten];
  let answer = "";
  const stream = pair.a.connection.open(
    StreamKind.http,
    "GET",
    false,
    handlerOf({
      onData: (from, bytes) => {
        answer += bytes.toString();
        from.consumed(bytes.length);
      },
      onEnd: () => {
        answer += ".";
      },
    }),
  )!;
  stream.end();
  pair.settle();
  assert.equal(answer, "HTTP/1.1 200 OK\r\n\r\nhello.");
  assert.equal(pair.a.transport.bytesWritten - before, 8 + 5 + 3);
  assert.equal(pair.b.transport.bytesWritten - beforeAnswer, 8 + 24);
  assert.equal(pair.a.connection.streamCount + pair.b.connection.streamCount, 0);
});

test("a handler that throws loses its own stream and no other", () => {
  let served = 0;
  const service: StreamService = {
    onStream(stream, meta) {
      if (meta === "bad") throw new Error("broken on purpose");
      served++;
      stream.end();
      return handlerOf();
    },
  };
  const pair = new MemoryPair({}, { services: new Map([[StreamKind.http, service]]) });
  pair.settle();
  const resets: string[] = [];
  const open = (meta: string): void => {
    pair.a.connection.open(
      StreamKind.http,
      meta,
      true,
      handlerOf({ onReset: (_s, code, text) => void resets.push(`${code} ${text}`) }),
    );
  };
  open("good");
  open("bad");
  open("good");
  pair.settle();
  assert.equal(served, 2);
  assert.deepEqual(resets, [`${ResetCode.internal} the handler of the stream failed`]);
  assert.deepEqual([pair.a.endings, pair.b.endings], [[], []]);
});

test("a kind that nobody serves is refused, and so is one stream too many", () => {
  const pair = new MemoryPair();
  pair.settle();
  const resets: string[] = [];
  pair.a.connection.open(
    StreamKind.admin,
    "",
    true,
    handlerOf({ onReset: (_s, code, text) => void resets.push(`${code} ${text}`) }),
  );
  pair.settle();
  assert.deepEqual(resets, [`${ResetCode.refused} streams of kind 2 are not served here`]);
  for (let index = 0; index < limits.link.streamsMax; index++) {
    assert.notEqual(pair.a.connection.open(StreamKind.http, "", false, handlerOf()), null);
  }
  assert.equal(pair.a.connection.open(StreamKind.http, "", false, handlerOf()), null);
});

test("metadata fills what the socket may hold, then no stream can be opened; it is bounded", () => {
  const pair = new MemoryPair();
  pair.settle();
  const meta = "m".repeat(60_000);
  let opened = 0;
  while (pair.a.connection.open(StreamKind.http, meta, true, handlerOf()) !== null) opened++;
  assert.equal(opened, Math.ceil((limits.link.socketBytesMax + limits.link.controlBytesMax) / 60_013));
  assert.throws(() => pair.a.connection.open(StreamKind.http, `${meta}m`, true, handlerOf()), RangeError);
  pair.settle();
  assert.notEqual(pair.a.connection.open(StreamKind.http, meta, true, handlerOf()), null);
});

test("a peer that asks and does not read is given up", () => {
  const pair = new MemoryPair();
  pair.settle();
  const ping = Buffer.alloc(16 * 1_000);
  for (let frame = 0; frame < 1_000; frame++) ping.set([8, 0, 0, 8], frame * 16);
  for (let chunk = 0; chunk < 1_000 && pair.b.endings.length === 0; chunk++) pair.b.connection.receive(ping);
  assert.deepEqual(pair.b.endings, ["web-a asks and does not read what we answer"]);
  assert.ok(pair.b.transport.waitingBytes < 4 * 1_048_576);
});

test("the previous version alone is spoken too; its resets carry no text", () => {
  const versions = { lowest: 1, highest: 1 };
  const pair = new MemoryPair({ versions });
  pair.settle();
  assert.deepEqual([pair.a.connection.peer.version, pair.b.connection.peer.version], [1, 1]);
  const resets: string[] = [];
  pair.a.connection.open(
    StreamKind.http,
    "",
    true,
    handlerOf({ onReset: (_s, code, text) => void resets.push(`${code}:${text}`) }),
  );
  pair.settle();
  assert.deepEqual(resets, [`${ResetCode.refused}:`]);
  pair.a.connection.open(StreamKind.http, "", true, handlerOf());
  pair.a.connection.receive(Buffer.from([7, 0, 0, 3, 0, 0, 0, 3, 0, 1, 65]));
  assert.deepEqual(pair.a.endings, ["app-a broke the cluster protocol: RESET with code 1 and text"]);
});

test("versions that have none in common refuse each other, and say which side to upgrade", () => {
  const newer = { lowest: ownVersions.highest + 1, highest: ownVersions.highest + 2 };
  const pair = new MemoryPair({ versions: newer });
  pair.settle();
  const text =
    '"app-a" speaks versions 1 to 2 of the cluster protocol, "web-a" versions 3 to 4: upgrade "app-a" (releases one protocol version apart work together)';
  assert.deepEqual(pair.b.endings, [`refused: ${text}`]);
  assert.deepEqual(pair.a.endings, [`app-a refused the link: ${text}`]);
});

test("who is not expected or not known is refused; both sides hold the reason", () => {
  const cases: readonly [MemoryPair, string][] = [
    [
      new MemoryPair({ expected: "app-b" }),
      '"web-a" dialed "app-b" and reached "app-a": give both the same flotilla.yaml, and each server the address that is its own',
    ],
    [
      new MemoryPair({ self: { name: "app-a", incarnation: "x" } }),
      'both ends are called "app-a": every server has a name of its own, and one process runs it',
    ],
    [
      new MemoryPair({}, { knows: () => false }),
      '"app-a" finds no server "web-a" in its file: give both the same flotilla.yaml',
    ],
  ];
  for (const [pair, text] of cases) {
    pair.settle();
    assert.equal(pair.a.ups + pair.b.ups, 0);
    assert.deepEqual(pair.b.endings, [`refused: ${text}`]);
    assert.match(pair.a.endings[0]!, / refused the link: /);
    assert.ok(pair.a.endings[0]!.endsWith(text));
  }
});

test("frames that break the rules end the link, and both sides say why", () => {
  const open = (id: number): number[] => [3, 0, 0, 5, 0, 0, 0, id, 1, 0, 0, 4, 0];
  const cases: readonly [readonly number[], string][] = [
    [[99, 0, 0, 0, 0, 0, 0, 0], "a frame of unknown type 99"],
    [[4, 0, 0, 1, 0, 0, 0, 1, 65], "DATA on stream 1, which was never open"],
    [[4, 0, 0, 1, 0, 0, 0, 2, 65], "DATA on stream 2, which was never open"],
    [[5, 0, 0, 0, 0, 0, 0, 1], "TRAILER on stream 1, which was never open"],
    [[6, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 1], "CREDIT on stream 1, which was never open"],
    [[7, 0, 0, 2, 0, 0, 0, 1, 0, 1], "RESET on stream 1, which was never open"],
    [open(2), "OPEN with stream id 2 after 2147483647"],
    [[...open(3), ...open(3)], "OPEN with stream id 3 after 3"],
    [[...open(3), ...open(1)], "OPEN with stream id 1 after 3"],
    [[3, 0, 0, 5, 0, 0, 0, 1, 1, 0, 0, 0, 0], "OPEN with a window of 0 bytes"],
    [[...open(1), 4, 1, 0, 0, 0, 0, 0, 1, 4, 1, 0, 0, 0, 0, 0, 1], "DATA on stream 1 after its end"],
    [[...open(1), 6, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0], "CREDIT of 0 bytes on stream 1"],
    [[...open(1), 6, 0, 0, 4, 0, 0, 0, 1, 0x7f, 255, 255, 255], "CREDIT of 2147483647 bytes on stream 1"],
    [[...open(1), 7, 0, 0, 2, 0, 0, 0, 1, 0, 6], "RESET with code 6"],
    [[1, 0, 0, 17, 0, 0, 0, 0, ...Array.from({ length: 17 }, () => 0)], "a second HELLO"],
  ];
  for (const [bytes, text] of cases) {
    const service: StreamService = { onStream: () => handlerOf() };
    const pair = new MemoryPair({}, { services: new Map([[StreamKind.http, service]]) });
    pair.settle();
    pair.b.connection.receive(Buffer.from(bytes));
    assert.deepEqual(pair.b.endings, [`web-a broke the cluster protocol: ${text}`]);
    pair.settle();
    assert.deepEqual(pair.a.endings, [`app-a ended the link: "web-a" broke the cluster protocol: ${text}`]);
  }
});

test("more than the credit ends the link", () => {
  const service: StreamService = { onStream: () => handlerOf() };
  const pair = new MemoryPair({}, { services: new Map([[StreamKind.http, service]]) });
  pair.settle();
  pair.b.connection.receive(Buffer.from([3, 0, 0, 5, 0, 0, 0, 1, 1, 0, 0, 4, 0]));
  const data = Buffer.concat([Buffer.from([4, 0, 0x80, 0, 0, 0, 0, 1]), Buffer.alloc(0x8000)]);
  for (let frame = 0; frame < limits.link.windowBytes / 0x8000; frame++) pair.b.connection.receive(data);
  assert.deepEqual(pair.b.endings, []);
  pair.b.connection.receive(data);
  assert.deepEqual(pair.b.endings, ["web-a broke the cluster protocol: more DATA than credit on stream 1"]);
});

test("anything before a hello, and a hello that is none, ends the link", () => {
  for (const bytes of [
    [10, 0, 0, 0, 0, 0, 0, 0],
    [4, 0, 0, 1, 0, 0, 0, 1, 65],
    [1, 0, 0, 17, 0, 0, 0, 0, ...Array.from({ length: 17 }, () => 65)],
  ]) {
    const pair = new MemoryPair();
    pair.b.connection.receive(Buffer.from(bytes));
    assert.match(
      pair.b.endings[0]!,
      /^memory:0 broke the cluster protocol: (no proper HELLO as its first frame|DATA before the hello)$/,
    );
    assert.equal(pair.b.ups, 0);
  }
});

test("pings tell the round trip; silence is noticed, ends with the next byte, and at last ends the link", () => {
  const [clockA, clockB] = [new FakeClock(), new FakeClock()];
  const pair = new MemoryPair({ clock: clockA }, { clock: clockB });
  pair.settle();
  const both = (ms: number): void => {
    clockA.advance(ms);
    clockB.advance(ms);
  };
  pair.a.connection.sender.flush();
  both(3);
  pair.settle();
  // In steps that meet every look at the clock.
  for (let ms = 0; ms < 2_000; ms += 25) {
    both(25);
    pair.settle();
  }
  assert.ok(pair.a.connection.roundTripMs >= 0 && pair.a.connection.roundTripMs <= 3);
  assert.equal(pair.a.connection.silent, false);
  clockA.advance(1_200);
  assert.equal(pair.a.connection.silent, true);
  assert.equal(pair.a.connection.usable, true);
  assert.equal(pair.a.changes, 1);
  pair.settle();
  assert.equal(pair.a.connection.silent, false);
  assert.equal(pair.a.changes, 2);
  clockA.advance(limits.link.deadAfterMs + 200);
  assert.deepEqual(pair.a.endings, ["app-a sent nothing for 10 s"]);
});

test("a peer that is heard is pinged for the round trip only", () => {
  const clock = new FakeClock();
  const pair = new MemoryPair({ clock });
  pair.settle();
  let pings = 0;
  const { control } = pair.a.connection.sender;
  pair.a.connection.sender.control = function (this: unknown, type, ...rest): void {
    if (type === FrameType.ping) pings++;
    control.call(pair.a.connection.sender, type, ...rest);
  };
  const pass = (isHeard: boolean): number => {
    pings = 0;
    for (let ms = 0; ms < 3_000; ms += 125) {
      clock.advance(125);
      if (isHeard)
        pair.a.connection.receive(Buffer.from([FrameType.pong, 0, 0, 8, 0, 0, 0, 0, ...Array(8).fill(0)]));
    }
    return pings;
  };
  assert.equal(pass(true), 3_000 / limits.link.roundTripIntervalMs);
  assert.equal(pass(false), 3_000 / limits.link.pingIntervalMs);
});

test("after a pause of our own nobody is judged by it", () => {
  const clock = new FakeClock();
  const pair = new MemoryPair({ clock });
  pair.settle();
  clock.advance(250);
  clock.pause(60_000);
  assert.deepEqual([pair.a.connection.silent, pair.a.endings], [false, []]);
  clock.advance(1_200);
  assert.equal(pair.a.connection.silent, true);
});

test("patience doubles after a false alarm, up to four times, and comes down when there is none", () => {
  const { silentAfterMs, patienceCalmMs } = limits.link;
  const clock = new FakeClock();
  const pair = new MemoryPair({ clock });
  pair.settle();
  const { connection } = pair.a;
  const isSilentAfter = (ms: number): boolean => {
    for (let passed = 0; passed < ms; passed += 25) clock.advance(25);
    return connection.silent;
  };
  const heard = (): void => connection.receive(Buffer.from([FrameType.pong, 0, 0, 8, ...Array(12).fill(0)]));
  for (const times of [1, 2, 4]) {
    assert.equal(connection.silentAfterMs, times * silentAfterMs);
    heard();
    assert.equal(isSilentAfter(times * silentAfterMs - 50), false);
    assert.equal(isSilentAfter(150), true);
    heard();
  }
  // Silent for longer than any patience: that was no false alarm.
  assert.equal(isSilentAfter(9_000), true);
  heard();
  assert.equal(connection.silentAfterMs, 4 * silentAfterMs);
  const calm = (ms: number): void => {
    for (let passed = 0; passed < ms; passed += 500) {
      clock.advance(500);
      heard();
    }
  };
  calm(patienceCalmMs);
  assert.equal(connection.silentAfterMs, 2 * silentAfterMs);
  calm(patienceCalmMs);
  assert.equal(connection.silentAfterMs, silentAfterMs);
});

test("the text of a peer reaches a log without control characters", () => {
  const pair = new MemoryPair();
  pair.settle();
  const text = Buffer.from("line\n\u001b[31mred");
  pair.a.connection.receive(Buffer.concat([Buffer.from([2, 0, 0, text.length, 0, 0, 0, 0]), text]));
  assert.deepEqual(pair.a.endings, ["app-a ended the link: line??[31mred"]);
});

test("random frames after a good hello: a violation at most, and every stream's user hears the end", () => {
  const frame = fc
    .tuple(
      fc.integer({ min: 1, max: 11 }),
      fc.constantFrom(0, 0, 0, 1, 2),
      fc.constantFrom(0, 1, 1, 2, 3, 3, 5, 7, 8),
      fc.oneof(
        fc.uint8Array({ maxLength: 12 }),
        fc.constant(Uint8Array.of(1, 0, 0, 4, 0)),
        fc.constant(Uint8Array.of(0, 0, 0, 9)),
      ),
    )
    .map(([type, flags, id, payload]) =>
      Buffer.from([type, flags, 0, payload.length, 0, 0, 0, id, ...payload]),
    );
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 40 }), fc.integer({ min: 1, max: 64 }), (frames, size) => {
      let opened = 0;
      let lost = 0;
      const handler = handlerOf({ onReset: (_stream, code) => void (code === ResetCode.linkLost && lost++) });
      const service: StreamService = {
        onStream(stream) {
          opened++;
          stream.write("an answer");
          return handler;
        },
      };
      const services = new Map([[StreamKind.http, service]]);
      const pair = new MemoryPair({}, { services });
      pair.settle();
      pair.b.connection.open(StreamKind.http, "", false, handler);
      opened++;
      const bytes = Buffer.concat(frames);
      for (let at = 0; at < bytes.length; at += size)
        pair.b.connection.receive(bytes.subarray(at, at + size));
      assert.ok(pair.b.endings.length <= 1);
      const left = pair.b.connection.streamCount;
      assert.ok(left <= opened);
      if (pair.b.endings.length === 0) pair.b.connection.destroy("over");
      else assert.equal(left, 0);
      assert.ok(lost <= opened && lost >= left);
      assert.equal(pair.b.connection.streamCount, 0);
    }),
    { seed: 4, numRuns: 1_000 },
  );
});
