/** Reconnection: how often a dialer tries, and how often it speaks of it, under a clock of the test's own. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterEach, test } from "node:test";
import { FakeClock, LogRecorder, Notes } from "../../test/harness/link-pair.ts";
import * as limits from "../support/limits.ts";
import type { Link } from "./api.ts";
import { LinkDialer } from "./dialer.ts";
import { linkKeys } from "./keys.ts";
import { LinkListener } from "./listener.ts";

const keys = linkKeys(Buffer.alloc(32, 5), null);
const { reconnectMinMs, reconnectMaxMs } = limits.link;

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Dialing {
  readonly dialer: LinkDialer;
  readonly clock: FakeClock;
  readonly recorder: LogRecorder;
  readonly ups: Notes<Link>;
  readonly downs: Notes<string>;
}

/** @param chance what the dialer takes for a random number. */
function dialerTo(port: number, chance: number): Dialing {
  const clock = new FakeClock();
  const recorder = new LogRecorder();
  const ups = new Notes<Link>();
  const downs = new Notes<string>();
  const dialer = new LinkDialer({
    self: { name: "web-a", incarnation: "i" },
    expected: "app-a",
    address: "127.0.0.1",
    port,
    keys,
    services: new Map(),
    observer: {
      onUp: (link) => ups.add(link),
      onChange: () => {},
      onDown: (_link, reason) => downs.add(reason),
    },
    log: recorder.log,
    clock,
    random: () => chance,
  });
  closing.push(() => dialer.close());
  return { dialer, clock, recorder, ups, downs };
}

async function listenAt(port: number): Promise<LinkListener> {
  const listener = new LinkListener({
    self: { name: "app-a", incarnation: "j" },
    address: "127.0.0.1",
    port,
    keys,
    knows: () => true,
    services: new Map(),
    observer: { onUp: () => {}, onChange: () => {}, onDown: () => {} },
    log: new LogRecorder().log,
  });
  await listener.listen();
  closing.push(() => listener.close());
  return listener;
}

/** Accepts and hangs up at once, and notes each connection. */
async function hangingUp(): Promise<{ server: Server; port: number; calls: Notes<number> }> {
  const calls = new Notes<number>();
  const server = createServer((socket) => {
    socket.on("error", () => {}).destroy();
    calls.add(calls.all.length);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => server.close());
  return { server, port: (server.address() as AddressInfo).port, calls };
}

/** The dialer has failed once more and waits for its next try. */
async function waiting({ clock }: Dialing): Promise<number> {
  while (clock.nextDelayMs === null || clock.nextDelayMs >= limits.link.handshakeTimeoutMs) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  return clock.nextDelayMs;
}

test("it backs off exponentially up to two seconds, and says an unchanging failure once", async () => {
  const { port, calls } = await hangingUp();
  const dialing = dialerTo(port, 0.999_999);
  dialing.dialer.start();
  const delays: number[] = [];
  for (let round = 0; round < 9; round++) {
    await calls.at(round);
    const delayMs = await waiting(dialing);
    delays.push(Math.round(delayMs));
    dialing.clock.advance(delayMs);
  }
  assert.deepEqual(delays, [50, 100, 200, 400, 800, 1600, reconnectMaxMs, reconnectMaxMs, reconnectMaxMs]);
  const text = `app-a (127.0.0.1:${port}) closed the connection before the handshake was over`;
  assert.deepEqual(dialing.recorder.lines, [`no link to app-a: ${text}`]);
  assert.equal(dialing.dialer.lastError, text);
  assert.equal(dialing.dialer.link, null);
});

test("servers that start together: that the other one is not there yet is told only when it lasts", async () => {
  const listener = await listenAt(0);
  const { port } = listener;
  await listener.close();
  const dialing = dialerTo(port, 0.999_999);
  const { dialer, clock, recorder } = dialing;
  dialer.start();
  let sinceStartMs = 0;
  for (;;) {
    const delayMs = await waiting(dialing);
    const told = recorder.lines.length > 0;
    assert.equal(told, sinceStartMs >= limits.link.firstLinkQuietMs);
    if (told) break;
    clock.advance(delayMs);
    sinceStartMs += delayMs;
  }
  assert.match(dialer.lastError, /^nothing listens at app-a/);
  assert.match(
    recorder.lines.join(),
    /^no link to app-a: nothing listens at app-a [^,]*, or its address in the file is wrong$/,
  );
});

test("what it does not wait for: a wrong key, and a link that was there", async () => {
  const listener = new LinkListener({
    self: { name: "app-a", incarnation: "j" },
    address: "127.0.0.1",
    port: 0,
    keys: linkKeys(Buffer.alloc(32, 6), null),
    knows: () => true,
    services: new Map(),
    observer: { onUp: () => {}, onChange: () => {}, onDown: () => {} },
    log: new LogRecorder().log,
  });
  await listener.listen();
  closing.push(() => listener.close());
  const dialing = dialerTo(listener.port, 0.5);
  dialing.dialer.start();
  await waiting(dialing);
  assert.match(dialing.recorder.lines.join(), /^no link to app-a: .* uses another secret/);
});

test("the jitter is full: from nothing to the whole delay", async () => {
  const { port, calls } = await hangingUp();
  for (const [chance, most] of [
    [0, 0],
    [0.5, reconnectMinMs / 2],
  ] as const) {
    const dialing = dialerTo(port, chance);
    dialing.dialer.start();
    await calls.at(calls.all.length);
    assert.equal(await waiting(dialing), most);
    dialing.dialer.close();
  }
});

test("it comes back by itself after a loss, and says both", async () => {
  const first = await listenAt(0);
  const port = first.port;
  const dialing = dialerTo(port, 0.5);
  const { dialer, clock, recorder, ups, downs } = dialing;
  dialer.start();
  const link = await ups.at(0);
  assert.equal(dialer.link, link);
  assert.equal(dialer.lastError, "");
  clock.advance(reconnectMaxMs / 4);
  await first.close();
  assert.equal(await downs.at(0), "app-a closed the connection");
  assert.deepEqual([dialer.link, dialer.lastError], [null, "app-a closed the connection"]);
  await listenAt(port);
  clock.advance(await waiting(dialing));
  assert.notEqual(await ups.at(1), link);
  assert.deepEqual(recorder.lines, [
    `link to app-a (127.0.0.1:${port}) is up`,
    "lost the link to app-a: app-a closed the connection",
    `link to app-a (127.0.0.1:${port}) is up`,
  ]);
});

test("a closed dialer ends its link and dials no more", async () => {
  const { port } = await listenAt(0);
  const { dialer, clock, ups, downs } = dialerTo(port, 0.5);
  dialer.start();
  await ups.at(0);
  dialer.close();
  assert.equal(await downs.at(0), '"web-a" ended the link');
  assert.equal(dialer.link, null);
  assert.equal(clock.nextDelayMs, null);
});
