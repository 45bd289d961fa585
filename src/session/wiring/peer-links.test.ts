/** Both sides of the connections between app servers, over real links on loopback. */
import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { FakeClock, LogRecorder, Notes } from "../../../test/harness/link-pair.ts";
import {
  type Link,
  type ResetCode,
  type StreamHandler,
  StreamKind,
  type StreamService,
} from "../../link/api.ts";
import { dialOnce } from "../../link/dialer.ts";
import { ownVersions } from "../../link/hello.ts";
import { linkKeys } from "../../link/keys.ts";
import { LinkListener } from "../../link/listener.ts";
import { replication as limits } from "../../support/limits.ts";
import { silentLog } from "../../support/log.ts";
import { PeerAcceptor, PeerDialer, type PeerDialOptions } from "./peer-links.ts";
import type { PairEvents, StreamPair } from "./stream-pair.ts";

const keys = linkKeys(Buffer.alloc(32, 5), null);

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** What one side is told. A frame with a "!" is malformed. */
class Side implements PairEvents {
  readonly ups: Notes<StreamPair> = new Notes();
  readonly frames: Notes<string> = new Notes();
  readonly ends: Notes<string> = new Notes();

  onUp(pair: StreamPair): void {
    this.ups.add(pair);
  }

  onFrame(pair: StreamPair, frame: Uint8Array): boolean {
    this.frames.add(`${pair.server} ${Buffer.from(frame)}`);
    return !frame.includes(0x21);
  }

  onDown(pair: StreamPair, reason: string): void {
    this.ends.add(`${pair.server}#${pair.incarnation} down: ${reason}`);
  }

  onFailed(pair: StreamPair, reason: string): void {
    this.ends.add(`${pair.server}#${pair.incarnation} failed: ${reason}`);
  }
}

/** "app-m" as a process that may be dialed by those whose names sort before. */
async function accepting(
  incarnation = "1",
  port = 0,
  wrap: (service: StreamService) => StreamService = (service) => service,
): Promise<{ side: Side; acceptor: PeerAcceptor; port: number; stop: () => Promise<void> }> {
  const side = new Side();
  const acceptor = new PeerAcceptor((name) => name < "app-m", side);
  const listener = new LinkListener({
    self: { name: "app-m", incarnation },
    ...{ address: "127.0.0.1", port, keys, knows: () => true, log: silentLog },
    services: new Map([[StreamKind.session, wrap(acceptor)]]),
  });
  await listener.listen();
  closing.push(() => listener.close());
  return { side, acceptor, port: listener.port, stop: () => listener.close() };
}

const dialing = (name: string, port: number) => ({
  self: { name, incarnation: "7" },
  ...{ expected: "app-m", address: "127.0.0.1", port, keys, services: new Map(), log: silentLog },
});

function dialer(
  port: number,
  name = "app-a",
  release: Partial<PeerDialOptions> = {},
): { side: Side; clock: FakeClock } {
  const side = new Side();
  const clock = new FakeClock();
  const peer = new PeerDialer({ ...dialing(name, port), ...release }, clock, side);
  closing.push(() => peer.close());
  peer.start();
  return { side, clock };
}

/** A link of a peer that does not behave. */
async function strangerTo(port: number, name: string): Promise<Link> {
  const link = await dialOnce({ ...dialing(name, port), timeoutMs: 10_000 });
  closing.push(() => link.destroy("the test is over"));
  return link;
}

/** Opens a stream of which the end is noted. */
function open(link: Link, meta: string): { ends: Notes<ResetCode>; write: (bytes: Buffer) => void } {
  const ends = new Notes<ResetCode>();
  const stream = link.open(StreamKind.session, meta, false, {
    onData: (own, bytes) => own.consumed(bytes.length),
    onEnd: () => {},
    onReset: (_stream, code) => ends.add(code),
    onDrain: () => {},
  })!;
  return { ends, write: (bytes) => void stream.write(bytes) };
}

describe("connections between app servers", () => {
  test("a pair comes up on both sides, and carries frames and heartbeats both ways", async () => {
    const { side: there, acceptor, port } = await accepting();
    const { side: here } = dialer(port);
    const ours = await here.ups.at(0);
    const theirs = await there.ups.at(0);
    assert.deepEqual(
      [ours.server, ours.incarnation, theirs.server, theirs.incarnation],
      ["app-m", "1", "app-a", "7"],
    );
    ours.send(Buffer.from("one"));
    assert.equal(await there.frames.at(0), "app-a one");
    ours.sendBeat(Buffer.from("beat"));
    assert.equal(await there.frames.at(1), "app-a beat");
    theirs.send(Buffer.from("two"));
    assert.equal(await here.frames.at(0), "app-m two");
    assert.equal(acceptor.linksOf("app-a").length, 2);
    assert.notEqual(acceptor.linksOf("app-a")[0], acceptor.linksOf("app-a")[1]);
  });

  test("releases with a version in common keep sessions together, by the version of the older one", async () => {
    const { side: there, port } = await accepting();
    const { lowest, highest } = ownVersions;
    const older = { lowest, highest: highest - 1 };
    const newer = { lowest: highest, highest: highest + 1 };
    for (const [turn, versions] of [older, newer].entries()) {
      const name = `app-${"ab"[turn]}`;
      const { side: here } = dialer(port, name, { versions });
      const ours = await here.ups.at(0);
      const theirs = await there.ups.at(turn);
      ours.send(Buffer.from("one"));
      assert.equal(await there.frames.at(turn), `${name} one`);
      theirs.send(Buffer.from("two"));
      assert.equal(await here.frames.at(0), "app-m two");
    }
  });

  test("releases without one exchange nothing, and it is said which to upgrade", async () => {
    const { side: there, port } = await accepting();
    const { highest } = ownVersions;
    const recorder = new LogRecorder();
    const later = { lowest: highest + 1, highest: highest + 2 };
    const { side: here } = dialer(port, "app-a", { log: recorder.log, versions: later });
    assert.match(await recorder.line(/no link to app-m/), /upgrade "app-m"/);
    assert.deepEqual([here.ups.all, there.ups.all], [[], []]);
  });

  test("one that may not dial is refused, and tries again only after a while", async () => {
    const { side: there, port } = await accepting();
    const { side: here, clock } = dialer(port, "app-z");
    await here.ends.at(0);
    assert.deepEqual(there.ups.all, []);
    clock.advance(limits.reopenAfterMs - 1);
    assert.equal(here.ends.all.length, 1);
    clock.advance(1);
    await here.ends.at(1);
    assert.deepEqual([here.ups.all, there.ups.all], [[], []]);
  });

  test("a server has one pair at a time: the next complete one ends the one before", async () => {
    const { side: there, port } = await accepting();
    const link = await strangerTo(port, "app-b");
    const streams = ["frames 1", "beats 1", "frames 2", "beats 2"].map((meta) => open(link, meta));
    const first = await there.ups.at(0);
    await there.ups.at(1);
    assert.equal(await there.ends.at(0), "app-b#7 down: another one was begun");
    assert.ok(first.isOver);
    await Promise.all(streams.slice(0, 2).map(({ ends }) => ends.at(0)));
    assert.deepEqual(
      streams.slice(2).map(({ ends }) => ends.all.length),
      [0, 0],
    );
  });

  test("the process that takes another's place is another pair", async () => {
    const first = await accepting("1");
    const { side: here } = dialer(first.port);
    await here.ups.at(0);
    await first.stop();
    assert.match(await here.ends.at(0), /^app-m#1 down: /);
    await accepting("2", first.port);
    assert.equal((await here.ups.at(1)).incarnation, "2");
  });

  test("what a peer says in an earlier connection is dropped when that is over", async () => {
    const { side: there, port } = await accepting();
    const { side: here, clock } = dialer(port);
    const ours = await here.ups.at(0);
    const theirs = await there.ups.at(0);
    ours.send(Buffer.from("late"));
    theirs.close("the test says so");
    await here.ends.at(0);
    clock.advance(limits.reopenAfterMs);
    await here.ups.at(1);
    ours.send(Buffer.from("later"));
    (await here.ups.at(1)).send(Buffer.from("new"));
    assert.equal(await there.frames.at(0), "app-a new");
  });

  test("a peer that takes nothing is given up at the bound, and connected again", async () => {
    let takes = false;
    const wrap = (service: StreamService): StreamService => ({
      onStream(stream, meta, ended) {
        const handler = service.onStream(stream, meta, ended) as StreamHandler | null;
        if (handler === null) return null;
        return {
          onData: (own, bytes) => {
            if (takes) handler.onData(own, bytes);
          },
          onEnd: (own, trailer) => handler.onEnd(own, trailer),
          onReset: (own, code, message) => handler.onReset(own, code, message),
          onDrain: (own) => handler.onDrain(own),
        };
      },
    });
    const { side: there, port } = await accepting("1", 0, wrap);
    const { side: here, clock } = dialer(port);
    const ours = await here.ups.at(0);
    const beat = Buffer.alloc(32_768);
    let sent = 0;
    while (!ours.isOver && sent < 100) {
      ours.sendBeat(beat);
      sent++;
    }
    assert.ok(sent * beat.length > limits.unsentBeatBytesMax && sent < 100);
    assert.match(await here.ends.at(0), /down: it does not take what it is sent/);
    assert.match(await there.ends.at(0), /down: it does not take what it is sent/);
    takes = true;
    clock.advance(limits.reopenAfterMs);
    (await here.ups.at(1)).send(Buffer.from("again"));
    assert.equal(await there.frames.at(0), "app-a again");
  });

  test("garbage ends the connection that it came on, and no other (A42)", async () => {
    const { side: there, port } = await accepting();
    const { side: here, clock } = dialer(port, "app-a");
    const { side: other } = dialer(port, "app-b");
    const ours = await here.ups.at(0);
    const others = await other.ups.at(0);
    await there.ups.at(1);
    ours.send(Buffer.from("!"));
    assert.match(await there.ends.at(0), /^app-a#7 down: it sent what can't be read/);
    await here.ends.at(0);
    others.send(Buffer.from("well"));
    assert.equal(await there.frames.at(1), "app-b well");
    assert.ok(!others.isOver);
    clock.advance(limits.reopenAfterMs);
    await here.ups.at(1);
  });

  test("streams that make no pair come to nothing (A42)", async () => {
    const { side: there, port } = await accepting();
    const link = await strangerTo(port, "app-a");
    for (const meta of ["", "frames", "letters 1", "frames1"]) await open(link, meta).ends.at(0);
    assert.deepEqual(there.ends.all, []);
    const half = open(link, "frames 1");
    const another = open(link, "beats 2");
    await half.ends.at(0);
    assert.match(await there.ends.at(0), /^app-a#7 failed: another one was begun/);
    another.write(Buffer.from("ffffffffff", "hex"));
    await another.ends.at(0);
    assert.match(await there.ends.at(1), /^app-a#7 failed: it sent what can't be read/);
    assert.deepEqual(there.ups.all, []);
    const { side: here } = dialer(port, "app-b");
    await here.ups.at(0);
  });
});
