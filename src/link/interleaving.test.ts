/** Many streams at once, cut and mixed at random: what one side's users do is what the other side's users see. */
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { test } from "node:test";
import fc from "fast-check";
import { handlerOf, MemoryPair } from "../../test/harness/link-pair.ts";
import * as limits from "../support/limits.ts";
import { type LinkStream, ResetCode, type StreamHandler, StreamKind, type StreamService } from "./api.ts";
import type { Stream } from "./stream.ts";

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

/** One turn of the event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
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

test("what a flush calls runs in the context of the link, not in that of the request that wrote last", async () => {
  const context = new AsyncLocalStorage<string>();
  const world = new World();
  world.open(true, false, 262_144);
  world.drain();
  const { opener, acceptor } = world.exchanges[0]!;
  opener.write(Buffer.alloc(300_000), "utf8");
  world.pair.settle();
  await turn(); // the flush that was planned by the write is over
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

test("what is written when a stream drains, in the same turn as what drained, arrives as it was", () => {
  const world = new World();
  world.open(true, false, 262_144);
  world.drain();
  const { opener, acceptor } = world.exchanges[0]!;
  const pieces = [1, 2, 3, 4].map((byte) => Buffer.alloc(65_536, byte));
  const writeNext = (): void => {
    for (let piece = pieces.shift(); piece !== undefined; piece = pieces.shift())
      if (!opener.stream!.write(piece)) return;
    opener.stream!.end();
  };
  opener.onDrain = writeNext;
  writeNext();
  world.drain();
  const expected = Buffer.concat([1, 2, 3, 4].map((byte) => Buffer.alloc(65_536, byte)));
  assert.ok(Buffer.concat(acceptor!.heard).equals(expected));
  assert.equal(acceptor!.heardEnd, "");
});

test("a stream's share of a turn is one slice, in however many writes; the rest waits behind others", () => {
  const world = new World();
  world.open(true, false, 262_144);
  world.drain();
  const { opener } = world.exchanges[0]!;
  for (let piece = 0; piece < 16; piece++) assert.equal(opener.stream!.write(Buffer.alloc(1_024)), true);
  assert.equal(opener.stream!.write(Buffer.alloc(1_024)), false);
  assert.equal(opener.stream!.pendingBytes, 1_024);
  world.pair.a.connection.sender.flush();
  assert.equal(opener.stream!.write(Buffer.alloc(1_024)), true);
});

test("text is counted in the bytes that it takes, not in characters", () => {
  const world = new World();
  world.open(false, false, 300);
  world.drain();
  const { opener, acceptor } = world.exchanges[0]!;
  acceptor!.write("\u20ac".repeat(200), "utf8");
  world.pair.settle();
  assert.equal(opener.held, 300);
  assert.equal(acceptor!.stream!.pendingBytes, 300);
  world.drain();
  assert.equal(Buffer.concat(opener.heard).toString(), "\u20ac".repeat(200));
});

test("more given back than was delivered gives no more credit than a window", () => {
  const world = new World();
  world.open(false, false, 1_000);
  world.drain();
  const { opener, acceptor } = world.exchanges[0]!;
  acceptor!.write(Buffer.alloc(600), "utf8");
  world.pair.settle();
  opener.stream!.consumed(1_000_000);
  world.pair.settle();
  assert.equal((acceptor!.stream as Stream).sendCredit, 1_000);
});

test("a full socket: small batches wait together, a trailer waits too, and all go on when it takes more", async () => {
  const world = new World();
  world.open(true, false, 262_144);
  for (let index = 0; index < 5; index++) world.open(true, false, 262_144);
  world.drain();
  const { a } = world.pair;
  const [first, ...others] = world.exchanges;
  for (const { opener } of others) opener.write(Buffer.alloc(262_144), "utf8");
  a.connection.sender.flush();
  first!.opener.end("sum\n1");
  const writes = a.transport.writes.length;
  for (let turns = 0; turns < 20; turns++) {
    world.open(true, true, 1_000);
    a.connection.sender.flush();
  }
  assert.equal(a.transport.writes.length, writes);
  await turn();
  while (a.transport.writes.length > 0) {
    while (world.pair.toB(Number.POSITIVE_INFINITY) > 0);
    await turn(); // nothing but the end of a write makes the rest leave
  }
  assert.equal(first!.acceptor!.heardEnd, "sum\n1");
  assert.ok(world.exchanges.every(({ acceptor }) => acceptor !== null));
  assert.ok(others.every(({ opener }) => opener.stream!.pendingBytes === 0));
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
  world.pair.b.connection.lost("");
  for (const { opener, acceptor } of world.exchanges) {
    assert.deepEqual([opener.heardReset, acceptor!.heardReset], [ResetCode.linkLost, ResetCode.linkLost]);
    assert.equal(opener.stream!.write("into the void"), true);
  }
  assert.deepEqual(world.pair.a.endings, ["the test ends it"]);
  assert.deepEqual(world.pair.b.endings, ["web-a closed the connection"]);
  assert.ok(world.pair.a.transport.closed && world.pair.b.transport.closed);
});
