/** Two ends of a link in memory: what one side's user does is what the other side's user sees. */
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { test } from "node:test";
import fc from "fast-check";
import { FakeClock, handlerOf, MemoryPair } from "../../test/harness/link-pair.ts";
import * as limits from "../support/limits.ts";
import { type LinkStream, ResetCode, type StreamHandler, StreamKind, type StreamService } from "./api.ts";
import { ownVersions } from "./hello.ts";
import type { Stream } from "./stream.ts";
import { streamIdMask } from "./wire.ts";

/** What one end of a stream has sent and heard, and its handler. */
class Peer implements StreamHandler {
  stream: LinkStream | null = null;
  readonly sent: Buffer[] = [];
  readonly heard: Buffer[] = [];
  held = 0;
  heldMost = 0;
  sentEnd: string | null = null;
  heardEnd: string | null = null;
  /** Code of a reset by the other side, or 0; or by ourselves. */
  heardReset = 0;
  sentReset = 0;
  drains = 0;
  mayWrite = true;

  onData(_stream: LinkStream, bytes: Buffer): void {
    assert.ok(bytes.length > 0 && this.#open(), "nothing follows the end");
    this.heard.push(Buffer.from(bytes));
    this.held += bytes.length;
    this.heldMost = Math.max(this.heldMost, this.held);
  }

  onEnd(_stream: LinkStream, trailer: string): void {
    assert.ok(this.#open());
    this.heardEnd = trailer;
  }

  onReset(_stream: LinkStream, code: ResetCode): void {
    assert.ok(this.heardReset === 0 && this.sentReset === 0);
    this.heardReset = code;
  }

  onDrain(stream: LinkStream): void {
    assert.equal(stream.pendingBytes, 0);
    assert.equal(this.mayWrite, false);
    this.mayWrite = true;
    this.drains++;
  }

  #open(): boolean {
    return this.heardEnd === null && this.heardReset === 0 && this.sentReset === 0;
  }

  write(data: Buffer | string, encoding: "latin1" | "utf8"): void {
    const stream = this.stream!;
    if (stream.closed) return;
    const before = stream.pendingBytes;
    const bytes = typeof data === "string" ? Buffer.from(data, encoding) : Buffer.from(data);
    this.sent.push(bytes);
    const result = stream.write(data, encoding);
    if (typeof data !== "string") data.fill(0xcc); // the caller may reuse it
    assert.equal(result, stream.pendingBytes === 0);
    assert.ok(stream.pendingBytes <= before + bytes.length);
    if (!result) this.mayWrite = false;
  }

  end(trailer: string): void {
    if (this.stream!.closed) return;
    this.sentEnd = trailer;
    this.stream!.end(trailer);
  }

  reset(): void {
    if (this.heardReset !== 0 || this.sentReset !== 0 || (this.stream as Stream).over) return;
    this.sentReset = ResetCode.cancel;
    this.stream!.reset(ResetCode.cancel, "enough");
  }

  giveBack(bytes: number): void {
    const count = Math.min(bytes, this.held);
    this.held -= count;
    this.stream!.consumed(count);
  }
}

interface Exchange {
  readonly opener: Peer;
  acceptor: Peer | null;
  readonly window: number;
}

/** Opens streams between two ends and remembers both ends of each. */
class World {
  readonly pair: MemoryPair;
  readonly exchanges: Exchange[] = [];
  /** By meta. */
  readonly #byMeta: Map<string, Exchange> = new Map();

  constructor() {
    const service: StreamService = {
      onStream: (stream, meta, ended) => {
        const acceptor = new Peer();
        acceptor.stream = stream;
        if (ended) acceptor.heardEnd = "";
        this.#byMeta.get(meta)!.acceptor = acceptor;
        return acceptor;
      },
    };
    const services = new Map([[StreamKind.http, service]]);
    this.pair = new MemoryPair({ services }, { services });
    this.pair.settle();
  }

  open(byA: boolean, ended: boolean, window: number): void {
    const connection = (byA ? this.pair.a : this.pair.b).connection;
    const opener = new Peer();
    const meta = `stream ${this.exchanges.length} \u00e9`;
    const exchange: Exchange = { opener, acceptor: null, window };
    this.exchanges.push(exchange);
    this.#byMeta.set(meta, exchange);
    opener.stream = connection.open(StreamKind.http, meta, ended, opener, window);
    if (ended) opener.sentEnd = "";
    assert.notEqual(opener.stream, null);
  }

  /** Lets every reader take everything until nothing moves. */
  drain(): void {
    for (let again = true; again; ) {
      this.pair.settle();
      again = false;
      for (const { opener, acceptor } of this.exchanges) {
        for (const peer of [opener, acceptor]) {
          if (peer === null || peer.held === 0) continue;
          peer.giveBack(peer.held);
          again = true;
        }
      }
    }
  }
}

type Step =
  | { do: "open"; byA: boolean; ended: boolean; window: number }
  | { do: "write"; at: number; byOpener: boolean; size: number; as: "bytes" | "latin1" | "utf8" }
  | { do: "end"; at: number; byOpener: boolean; trailer: string }
  | { do: "reset"; at: number; byOpener: boolean }
  | { do: "consume"; at: number; byOpener: boolean; size: number }
  | { do: "flush"; a: boolean }
  | { do: "carry"; toA: boolean; size: number };

const size = fc.oneof(fc.nat(40), fc.nat(5_000), fc.integer({ min: 15_000, max: 120_000 }));
const at = fc.nat(1_000);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("open" as const),
      byA: fc.boolean(),
      ended: fc.boolean(),
      window: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.constant(262_144)),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("write" as const),
      at,
      byOpener: fc.boolean(),
      size,
      as: fc.constantFrom("bytes" as const, "latin1" as const, "utf8" as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("end" as const),
      at,
      byOpener: fc.boolean(),
      trailer: fc.constantFrom("", "", "sum\n1\u00e9"),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reset" as const), at, byOpener: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("consume" as const), at, byOpener: fc.boolean(), size }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("flush" as const), a: fc.boolean() }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("carry" as const), toA: fc.boolean(), size }) },
);

/** Bytes that no other place of any stream repeats soon. */
function content(world: World, length: number, as: "bytes" | "latin1" | "utf8"): Buffer | string {
  const start = world.exchanges.length * 7 + length;
  if (as === "bytes") return Buffer.from(Uint8Array.from({ length }, (_, index) => start + index * 31));
  if (as === "latin1")
    return String.fromCharCode(
      ...Array.from({ length: Math.min(length, 20_000) }, (_, index) => (start + index) & 0xff),
    );
  return "a\u00e9\u20ac\u{1f600}".repeat(Math.ceil(length / 10)).slice(0, length);
}

function run(world: World, steps: readonly Step[]): void {
  const { pair } = world;
  for (const todo of steps) {
    switch (todo.do) {
      case "open":
        world.open(todo.byA, todo.ended, todo.window);
        continue;
      case "flush":
        (todo.a ? pair.a : pair.b).connection.sender.flush();
        continue;
      case "carry":
        if (todo.toA) pair.toA(todo.size + 1);
        else pair.toB(todo.size + 1);
        continue;
      default:
    }
    const exchange = world.exchanges[todo.at % Math.max(1, world.exchanges.length)];
    const peer = todo.byOpener ? exchange?.opener : exchange?.acceptor;
    if (peer === undefined || peer === null) continue;
    if (todo.do === "write" && peer.mayWrite)
      peer.write(content(world, todo.size, todo.as), todo.as === "latin1" ? "latin1" : "utf8");
    else if (todo.do === "end") peer.end(todo.trailer);
    else if (todo.do === "reset") peer.reset();
    else if (todo.do === "consume") peer.giveBack(todo.size);
  }
}

/** What `from` sent is what `to` heard; all of it, unless the stream was reset. */
function compare(from: Peer, to: Peer, window: number): void {
  const sent = Buffer.concat(from.sent);
  const heard = Buffer.concat(to.heard);
  const whole = from.sentReset + to.sentReset + from.heardReset + to.heardReset === 0;
  assert.ok(to.heldMost <= window, `${to.heldMost} bytes held at once, window ${window}`);
  assert.ok(sent.subarray(0, heard.length).equals(heard), "what came is what was sent");
  if (!whole) return;
  assert.equal(heard.length, sent.length);
  assert.equal(to.heardEnd, from.sentEnd);
  assert.equal(from.stream!.pendingBytes, 0);
}

test("random interleavings of many streams: both ends agree byte by byte", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 150 }), (steps) => {
      const world = new World();
      run(world, steps);
      world.drain();
      assert.deepEqual([world.pair.a.endings, world.pair.b.endings], [[], []]);
      for (const { opener, acceptor, window } of world.exchanges) {
        assert.ok(acceptor !== null);
        compare(opener, acceptor, limits.link.windowBytes);
        compare(acceptor, opener, window);
      }
      // Streams that both sides ended, or one reset, are forgotten by both.
      const open = world.exchanges.filter(({ opener, acceptor }) => {
        const reset = opener.sentReset + acceptor!.sentReset > 0;
        return !reset && (opener.sentEnd === null || acceptor!.sentEnd === null);
      });
      assert.equal(world.pair.a.connection.streamCount, open.length);
      assert.equal(world.pair.b.connection.streamCount, open.length);
    }),
    { seed: 3, numRuns: 400 },
  );
});

test("after many bodies all credit is back", () => {
  const world = new World();
  world.open(true, false, 10_000);
  world.drain();
  const { opener, acceptor } = world.exchanges[0]!;
  for (let round = 0; round < 50; round++) {
    opener.write(Buffer.alloc(1 + round * 1_111, round), "utf8");
    acceptor!.write(Buffer.alloc(1 + round * 333, round), "utf8");
    world.drain();
  }
  for (const peer of [opener, acceptor!]) {
    const own = peer.stream as Stream;
    const other = (peer === opener ? acceptor! : opener).stream as Stream;
    assert.equal(own.sendCredit, other.receiveCredit);
    assert.equal(own.sendCredit + other.returnedBytes, other.windowBytes);
    assert.ok(other.returnedBytes * 2 < other.windowBytes);
  }
});

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

test("one write per turn, whatever was said in it", () => {
  const world = new World();
  for (let index = 0; index < 50; index++) {
    world.open(true, false, 1_000);
    world.exchanges[index]!.opener.write(`body ${index}`, "utf8");
    world.exchanges[index]!.opener.end("");
  }
  world.pair.a.connection.sender.flush();
  assert.equal(world.pair.a.transport.writes.length, 1);
});

test("a stream whose reader stands still leaves the others their speed", () => {
  const world = new World();
  world.open(true, false, 262_144);
  world.open(true, false, 262_144);
  world.drain();
  const [stalled, lively] = [world.exchanges[0]!, world.exchanges[1]!];
  stalled.opener.write(Buffer.alloc(1_000_000, 1), "utf8");
  let written = 0;
  for (let round = 0; round < 100; round++) {
    if (lively.opener.mayWrite) {
      lively.opener.write(Buffer.alloc(65_536, 2), "utf8");
      written += 65_536;
    }
    world.pair.settle();
    lively.acceptor!.giveBack(lively.acceptor!.held);
  }
  assert.equal(written, 6_553_600);
  world.pair.settle();
  assert.equal(Buffer.concat(lively.acceptor!.heard).length, written);
  assert.equal(stalled.acceptor!.held, limits.link.windowBytes);
  assert.equal(stalled.opener.stream!.pendingBytes, 1_000_000 - limits.link.windowBytes);
});

test("streams that wait take turns of one slice; a new stream overtakes them", () => {
  const world = new World();
  for (let index = 0; index < 8; index++) world.open(true, false, 262_144);
  world.drain();
  const peers = world.exchanges.map((exchange) => exchange.opener);
  // The socket takes nothing until it is full, so that all have to wait.
  for (let fill = 0; fill < 5; fill++) {
    world.open(true, false, 262_144);
    world.exchanges.at(-1)!.opener.write(Buffer.alloc(262_144), "utf8");
  }
  world.pair.a.connection.sender.flush();
  for (const peer of peers) peer.write(Buffer.alloc(250_000, 9), "utf8");
  world.open(true, true, 1_000);
  const latest = world.exchanges.at(-1)!;
  world.pair.a.connection.sender.flush();
  const waiting = (): number[] => peers.map((peer) => peer.stream!.pendingBytes);
  const held = world.pair.a.transport.waitingBytes;
  assert.ok(Math.abs(held - limits.link.socketBytesMax) <= 131_072, `${held} bytes in the socket`);
  while (world.pair.a.transport.writes.length > 0 && latest.acceptor === null) {
    world.pair.toB(Number.POSITIVE_INFINITY);
    world.pair.a.connection.sender.flush();
    const left = waiting();
    assert.ok(Math.max(...left) - Math.min(...left) <= 2 * limits.link.sliceBytesMax, `unfair: ${left}`);
  }
  assert.notEqual(latest.acceptor, null);
  assert.ok(Math.max(...waiting()) > 0, "the new stream did not wait for the bodies");
  world.drain();
  assert.ok(waiting().every((bytes) => bytes === 0));
});

test("cancel from either side drops what waits, and late frames are no fault", () => {
  for (const byOpener of [true, false]) {
    const world = new World();
    world.open(true, false, 262_144);
    world.drain();
    const { opener, acceptor } = world.exchanges[0]!;
    opener.write(Buffer.alloc(500_000), "utf8");
    acceptor!.write(Buffer.alloc(500_000), "utf8");
    world.pair.a.connection.sender.flush();
    world.pair.b.connection.sender.flush();
    (byOpener ? opener : acceptor!).reset();
    assert.equal((byOpener ? opener : acceptor!).stream!.pendingBytes, 0);
    world.drain();
    assert.equal((byOpener ? acceptor! : opener).heardReset, ResetCode.cancel);
    assert.deepEqual([world.pair.a.endings, world.pair.b.endings], [[], []]);
    assert.equal(world.pair.a.connection.streamCount + world.pair.b.connection.streamCount, 0);
  }
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

test("what a flush calls runs in the context of the link, not in that of the request that wrote last", async () => {
  const context = new AsyncLocalStorage<string>();
  const world = new World();
  world.open(true, false, 262_144);
  world.drain();
  const { opener, acceptor } = world.exchanges[0]!;
  opener.write(Buffer.alloc(300_000), "utf8");
  world.pair.settle();
  const seen = new Promise((resolve) => {
    opener.onDrain = () => resolve(context.getStore());
  });
  context.run("someone's request", () => {
    acceptor!.giveBack(acceptor!.held);
    world.pair.b.connection.sender.flush();
    world.pair.toA(Number.POSITIVE_INFINITY);
  });
  assert.equal(await seen, undefined);
});

test("goAway: the peer opens no more, what is open goes on", () => {
  const world = new World();
  world.open(true, false, 1_000);
  world.drain();
  world.pair.b.connection.goAway();
  world.pair.settle();
  assert.equal(world.pair.a.connection.usable, false);
  assert.equal(world.pair.a.changes, 1);
  assert.equal(world.pair.a.connection.open(StreamKind.http, "", true, handlerOf()), null);
  assert.equal(world.pair.b.connection.usable, true);
  const { opener, acceptor } = world.exchanges[0]!;
  opener.write("still here", "utf8");
  world.drain();
  assert.equal(Buffer.concat(acceptor!.heard).toString(), "still here");
});

test("the end of the link ends its streams with linkLost, once", () => {
  const world = new World();
  world.open(true, false, 1_000);
  world.open(false, false, 1_000);
  world.drain();
  world.pair.a.connection.destroy("the test ends it");
  world.pair.b.connection.lost("it closed the connection");
  for (const { opener, acceptor } of world.exchanges) {
    assert.deepEqual([opener.heardReset, acceptor!.heardReset], [ResetCode.linkLost, ResetCode.linkLost]);
    assert.equal(opener.stream!.write("into the void"), true);
  }
  assert.deepEqual(world.pair.a.endings, ["the test ends it"]);
  assert.deepEqual(world.pair.b.endings, ["web-a: it closed the connection"]);
  assert.ok(world.pair.a.transport.closed && world.pair.b.transport.closed);
});

test("stream ids wrap, and step over those still open", () => {
  const lastStreamId = streamIdMask - 5;
  const service: StreamService = {
    onStream(stream) {
      stream.end();
      return handlerOf();
    },
  };
  const pair = new MemoryPair(
    { lastStreamId },
    { lastStreamId, services: new Map([[StreamKind.http, service]]) },
  );
  pair.settle();
  const ids: number[] = [];
  const long = pair.a.connection.open(StreamKind.http, "", false, handlerOf())!;
  for (let index = 0; index < 6; index++) {
    ids.push(pair.a.connection.open(StreamKind.http, "", true, handlerOf())!.id);
    pair.settle();
  }
  assert.equal(long.id, streamIdMask - 2);
  assert.deepEqual(ids, [streamIdMask, 1, 3, 5, 7, 9]);
  assert.equal(pair.a.connection.streamCount, 1);
  assert.deepEqual([pair.a.endings, pair.b.endings], [[], []]);
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
  for (let ms = 0; ms < 2_000; ms += 50) {
    both(50);
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

test("the text of a peer reaches a log without control characters", () => {
  const pair = new MemoryPair();
  pair.settle();
  const text = Buffer.from("line\n\u001b[31mred");
  pair.a.connection.receive(Buffer.concat([Buffer.from([2, 0, 0, text.length, 0, 0, 0, 0]), text]));
  assert.deepEqual(pair.a.endings, ["app-a ended the link: line??[31mred"]);
});
