/** Two servers and a wire between them, on a clock of the test's own. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../../support/clock.ts";
import { replication as limits } from "../../support/limits.ts";
import type { Context } from "./context.ts";
import { Heartbeats } from "./heartbeats.ts";
import { Lease } from "./lease.ts";
import { type MessageSink, PeerState, readFrame } from "./messages.ts";
import { Peer } from "./peer.ts";
import type { Remote } from "./remote.ts";
import { protocolRules } from "./rules.ts";

/** Calls back in the order of time. */
class TestClock implements Clock {
  #nowMs = 0;
  #due: { atMs: number; callback: () => void }[] = [];

  now(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): { cancel(): void } {
    const entry = { atMs: this.#nowMs + delayMs, callback };
    this.#due.push(entry);
    return { cancel: () => (this.#due = this.#due.filter((other) => other !== entry)) };
  }

  pass(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (;;) {
      this.#due.sort((one, other) => one.atMs - other.atMs);
      const next = this.#due[0];
      if (next === undefined || next.atMs > endMs) break;
      this.#due.shift();
      this.#nowMs = next.atMs;
      next.callback();
    }
    this.#nowMs = endMs;
  }
}

interface Side {
  readonly heartbeats: Heartbeats;
  /** The other one, as this side sees it. */
  readonly peer: Peer;
  readonly registerLease: Lease;
  /** Of the other's promise. */
  readonly leftMs: () => number;
  /** The lease's end, at each time that operations which wait for it were told to go on. */
  readonly retried: number[];
  version: number;
  reads: number;
  sent: number;
}

function pairOf(clock: TestClock, oneWayMs: number) {
  const wire = { toA: true, toB: true };
  const sideOf = (self: string, other: string): Side => {
    const registerLease = new Lease();
    registerLease.extend(Number.POSITIVE_INFINITY);
    const peer = new Peer({ server: other, machine: other });
    const context = {
      ...{
        self: { server: self, incarnation: "1" },
        peers: new Map([[other, peer]]),
        clock,
        rules: protocolRules,
      },
      ...{ registerLease, isLeaving: false },
      get version() {
        return side.version;
      },
    };
    const retried: number[] = [];
    const remote = { retry: () => retried.push(peer.lease.until) } as unknown as Remote;
    const heartbeats = new Heartbeats(context as unknown as Context, remote, () => side.reads++);
    const leftMs = (): number => peer.lease.until - clock.now();
    const side: Side = { heartbeats, peer, registerLease, leftMs, retried, version: 1, reads: 0, sent: 0 };
    return side;
  };
  const [a, b] = [sideOf("a", "b"), sideOf("b", "a")];
  const connect = (from: Side, to: Side, server: string, isOpen: () => boolean): void => {
    const sink = {
      onBeat: (beat) => to.heartbeats.onBeat(to.peer, beat),
    } as MessageSink;
    from.peer.connection = {
      ...{ server, incarnation: "1", tellsDisks: false, send: () => {} },
      sendBeat(frame) {
        from.sent++;
        const copy = Uint8Array.from(frame);
        clock.after(oneWayMs, () => {
          if (isOpen()) readFrame(copy, sink, () => {});
        });
      },
    };
  };
  connect(a, b, "b", () => wire.toB);
  connect(b, a, "a", () => wire.toA);
  for (const side of [a, b]) {
    const tick = (): void => {
      side.heartbeats.tick();
      clock.after(limits.beatIntervalMs, tick);
    };
    side.heartbeats.send(side.peer);
    clock.after(limits.beatIntervalMs / 2, tick);
  }
  return { a, b, wire };
}

test("one exchange per interval gives both servers their leases", () => {
  const clock = new TestClock();
  const { a, b } = pairOf(clock, 1);
  clock.pass(10);
  assert.ok(a.leftMs() > 600 && b.leftMs() > 600, "at once, not at the next tick");
  const sent = a.sent + b.sent;
  clock.pass(10_000);
  assert.equal(a.sent + b.sent - sent, 200);
  // The one that begins hears the promise at once, the other with the next heartbeat.
  assert.ok(a.leftMs() > limits.leaseMs - 110 && b.leftMs() > limits.leaseMs - 210);
});

test("leases hold over a long way", () => {
  for (const oneWayMs of [40, 80, 120, 160, 220]) {
    const clock = new TestClock();
    const { a, b } = pairOf(clock, oneWayMs);
    clock.pass(2_000);
    for (let at = 0; at < 200; at++) {
      clock.pass(17);
      assert.ok(a.leftMs() > 0 && b.leftMs() > 0, `${oneWayMs} ms: ${a.leftMs()}, ${b.leftMs()}`);
    }
  }
});

test("an operation that waits for the lease goes on in the turn that brings it", () => {
  const clock = new TestClock();
  const { a, b } = pairOf(clock, 1);
  clock.pass(50);
  for (const { retried, peer } of [a, b]) assert.ok(retried.includes(peer.lease.until));
});

test("a server that hears nothing is soon promised nothing, though its own heartbeats come", () => {
  for (const deaf of ["a", "b"] as const) {
    const clock = new TestClock();
    const pair = pairOf(clock, 1);
    clock.pass(1_000);
    pair.wire[deaf === "a" ? "toA" : "toB"] = false;
    const cutAt = clock.now();
    clock.pass(3_000);
    const hearing = deaf === "a" ? pair.b : pair.a;
    const promisedAt = hearing.peer.promisedAt - cutAt;
    assert.ok(
      promisedAt >= 0 && promisedAt <= limits.heardWithinMs + limits.beatIntervalMs,
      `${deaf}: ${promisedAt}`,
    );
    assert.ok(pair[deaf].leftMs() < 0);
    // It is heard again: all is well.
    pair.wire.toA = pair.wire.toB = true;
    clock.pass(500);
    assert.ok(pair.a.leftMs() > 0 && pair.b.leftMs() > 0);
  }
});

test("nothing is promised to one that lost sight of the register, or is being replaced", () => {
  const clock = new TestClock();
  const { a, b } = pairOf(clock, 1);
  clock.pass(1_000);
  b.registerLease.until = clock.now() + limits.blindLeaseMs - 1;
  clock.pass(150);
  assert.equal(a.peer.state, PeerState.blind);
  const promisedAt = a.peer.promisedAt;
  clock.pass(1_000);
  assert.equal(a.peer.promisedAt, promisedAt);
  assert.ok(a.leftMs() > 0, "its own promises count on");
  assert.ok(clock.now() - b.peer.answeredAt < 300, "nor is the other silent");

  b.registerLease.until = Number.POSITIVE_INFINITY;
  clock.pass(500);
  assert.ok(b.leftMs() > 0);
  b.peer.isBeingReplaced = true;
  clock.pass(limits.leaseMs);
  assert.ok(a.leftMs() < 0 && b.leftMs() > 0);
});

test("a promise counts only for those who know what its giver has taken over", () => {
  const clock = new TestClock();
  const { a, b } = pairOf(clock, 1);
  clock.pass(1_000);
  b.peer.takenVersion = 2;
  clock.pass(1_000);
  assert.ok(a.leftMs() < 0);
  assert.ok(a.reads > 0, "it reads the register");
  a.version = 2;
  clock.pass(200);
  assert.ok(a.leftMs() > 0);
});
