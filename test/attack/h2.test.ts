/** Rows A25 to A28 of the attack list: floods in HTTP/2, frame by frame, beside a visitor who is served all the while. */
import assert from "node:assert/strict";
import type { ClientHttp2Session } from "node:http2";
import { type TestContext, test } from "node:test";
import { http2 as limits } from "../../src/support/limits.ts";
import {
  ErrorCode,
  Flag,
  FrameType,
  frame,
  get,
  hpack,
  hpackInteger,
  http2Session,
  RawHttp2,
  requestFields,
  setting,
  uint32,
} from "../harness/http2.ts";
import { ok, RawOrigin } from "../harness/raw.ts";
import { tlsSettings } from "../harness/tls.ts";
import { type WebSite, type WebSiteOptions, webSite } from "../harness/web-site.ts";

const big = 1_048_576;

interface Site {
  readonly web: WebSite;
  readonly origin: RawOrigin;
  /** An honest one. */
  readonly visitor: ClientHttp2Session;
}

/** "/hang" is not answered, "/big" is long. */
async function site(t: TestContext, options: WebSiteOptions = {}): Promise<Site> {
  const origin = await RawOrigin.start(t, (_connection, head) =>
    head.includes(" /hang ") ? null : ok(head.includes(" /big ") ? "x".repeat(big) : "ok"),
  );
  const web = await webSite(t, [origin.port], { tls: tlsSettings("a"), ...options });
  return { web, origin, visitor: await http2Session(t, web.port) };
}

async function visitorIsServed({ visitor }: Site): Promise<void> {
  assert.equal((await get(visitor, "/")).body, "ok");
}

function head(stream: number, path: string): Buffer {
  return frame(FrameType.headers, Flag.endHeaders | Flag.endStream, stream, hpack(requestFields(path)));
}

function reset(stream: number): Buffer {
  return frame(FrameType.rstStream, 0, stream, uint32(ErrorCode.cancel));
}

/** One turn of the event loop: what was sent arrives in a packet of its own, most likely. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test("A25 rapid reset: 10,000 requests, each given up at once", async (t) => {
  const here = await site(t);
  const client = await RawHttp2.open(t, here.web.port);
  for (let at = 0; at < 10_000; at++) client.send(head(2 * at + 1, "/hang"), reset(2 * at + 1));
  await client.ended();
  await visitorIsServed(here);
  // The visitor's, and those that had begun before the limit was reached.
  assert.ok(here.origin.requests <= 1 + limits.resetsBurst, `${here.origin.requests} requests`);
});

test("A25 requests given up one by one: so many at once, then GOAWAY", async (t) => {
  const here = await site(t);
  const client = await RawHttp2.open(t, here.web.port);
  for (let at = 0; at < 2 * limits.resetsBurst && !client.closed; at++) {
    client.send(head(2 * at + 1, "/hang"));
    await turn();
    client.send(reset(2 * at + 1));
    await turn();
  }
  assert.equal(await client.goawayCode(), ErrorCode.calm);
  assert.deepEqual(here.web.warnings, [
    "127.0.0.1 gave up requests too often on an HTTP/2 connection: closed",
  ]);
  await visitorIsServed(here);
  assert.ok(here.origin.requests <= 2 + limits.resetsBurst + limits.resetsPerSecond);
});

const resetsMade: readonly (readonly [string, (stream: number) => Buffer])[] = [
  ["WINDOW_UPDATE of 0", (stream) => frame(FrameType.windowUpdate, 0, stream, uint32(0))],
  ["WINDOW_UPDATE above 2^31 - 1", (stream) => frame(FrameType.windowUpdate, 0, stream, uint32(0x7fffffff))],
  ["DATA behind the end", (stream) => frame(FrameType.data, 0, stream, "x")],
  ["a second head", (stream) => head(stream, "/hang")],
  [
    "PRIORITY on itself",
    (stream) => frame(FrameType.priority, 0, stream, Buffer.concat([uint32(stream), Buffer.from([1])])),
  ],
  ["PRIORITY of a wrong length", (stream) => frame(FrameType.priority, 0, stream, "abc")],
];

for (const [name, wrong] of resetsMade) {
  test(`A25 made-you-reset: ${name}`, async (t) => {
    const here = await site(t);
    const client = await RawHttp2.open(t, here.web.port);
    for (let at = 0; at < 1_000 && !client.closed; at++) {
      client.send(head(2 * at + 1, "/hang"), wrong(2 * at + 1));
      if (at % 20 === 0) await turn();
    }
    await client.ended();
    await visitorIsServed(here);
    assert.ok(here.origin.requests <= 1 + limits.resetsBurst, `${here.origin.requests} requests`);
  });
}

test("A25 no more requests at a time than agreed: the others are refused, and may be tried again", async (t) => {
  const here = await site(t, { limits: { streamsMax: 10 } });
  const client = await RawHttp2.open(t, here.web.port);
  for (let at = 0; at < 15; at++) client.send(head(2 * at + 1, "/hang"));
  for (let at = 10; at < 15; at++) assert.equal(await client.resetCode(2 * at + 1), ErrorCode.refusedStream);
  await visitorIsServed(here);
  assert.equal(here.origin.requests, 11);
});

test("A26 a header that never ends: GOAWAY, and no memory", async (t) => {
  for (const piece of ["", hpack([["x", "y".repeat(8_000)]])]) {
    const here = await site(t);
    const client = await RawHttp2.open(t, here.web.port);
    const before = process.memoryUsage().rss;
    client.send(frame(FrameType.headers, Flag.endStream, 1, hpack(requestFields("/"))));
    for (let at = 0; at < 12; at++) client.send(frame(FrameType.continuation, 0, 1, piece));
    assert.ok((await client.goawayCode()) > 0);
    await client.ended();
    assert.ok(process.memoryUsage().rss - before < 64 * 1_048_576);
    await visitorIsServed(here);
    assert.equal(here.origin.requests, 1);
  }
});

test("A26 a header that stops in the middle, and a connection that says nothing, end in time", async (t) => {
  const here = await site(t, { timeouts: { headTimeoutMs: 300, keepAliveTimeoutMs: 300 } });
  const silent = await RawHttp2.open(t, here.web.port);
  const client = await RawHttp2.open(t, here.web.port);
  client.send(frame(FrameType.headers, Flag.endStream, 1, hpack(requestFields("/"))));
  await client.ended();
  await silent.ended();
  assert.equal(here.origin.requests, 0);
});

test("A27 HPACK: thousands of references to one long field", async (t) => {
  const here = await site(t);
  const client = await RawHttp2.open(t, here.web.port);
  const entry = [Buffer.from([0x40]), hpackInteger(1, 7, 0), Buffer.from("x"), hpackInteger(3_900, 7, 0)];
  const planted = Buffer.concat([hpack(requestFields("/")), ...entry, Buffer.alloc(3_900, "y")]);
  client.send(frame(FrameType.headers, Flag.endHeaders | Flag.endStream, 1, planted));
  await client.next(FrameType.headers, 1);
  // 62: the newest entry of the table. 16,000 times 3.9 KB.
  const bomb = Buffer.concat([hpack(requestFields("/")), Buffer.alloc(16_000, 0x80 | 62)]);
  const before = process.memoryUsage().rss;
  for (let stream = 3; stream < 100; stream += 2)
    client.send(frame(FrameType.headers, Flag.endHeaders | Flag.endStream, stream, bomb));
  for (let stream = 3; stream < 100; stream += 2)
    assert.equal(await client.resetCode(stream), ErrorCode.calm);
  assert.ok(process.memoryUsage().rss - before < 64 * 1_048_576);
  await visitorIsServed(here);
  assert.equal(here.origin.requests, 2);
});

test("A27 cookies in pieces: they are one field, up to a bound", async (t) => {
  const here = await site(t);
  const crumbs = (count: number): Buffer =>
    hpack(
      requestFields(
        "/",
        Array.from({ length: count }, () => ["cookie", "a=1"] as const),
      ),
    );
  const client = await RawHttp2.open(t, here.web.port);
  client.send(frame(FrameType.headers, Flag.endHeaders | Flag.endStream, 1, crumbs(200)));
  await client.next(FrameType.headers, 1);
  assert.match(here.origin.received, /\r\ncookie: a=1(; a=1){199}\r\n/);
  client.send(frame(FrameType.headers, Flag.endHeaders | Flag.endStream, 3, crumbs(1_000)));
  assert.equal(await client.resetCode(3), ErrorCode.calm);
  await visitorIsServed(here);
  assert.equal(here.origin.requests, 2);
});

test("A27 heads above the limits are answered 431, and none reaches the origin", async (t) => {
  const here = await site(t);
  const many = Array.from({ length: 101 }, (_none, at) => [`x${at}`, "y"] as const);
  for (const [at, more] of [many, [["x", "y".repeat(17_000)] as const]].entries()) {
    const client = await RawHttp2.open(t, here.web.port);
    const all = hpack(requestFields("/", more));
    client.send(
      frame(FrameType.headers, Flag.endStream, 1, all.subarray(0, 10_000)),
      frame(FrameType.continuation, Flag.endHeaders, 1, all.subarray(10_000)),
    );
    assert.equal((await here.web.logged(at)).status, 431);
  }
  assert.equal(here.origin.requests, 0);
});

test("A27 a hundred long answers that are not read: little is asked for, and they end in time", async (t) => {
  const here = await site(t, { timeouts: { writeSilenceTimeoutMs: 500 } });
  const client = await RawHttp2.open(t, here.web.port, setting(4, 0));
  for (let at = 0; at < 100; at++) client.send(head(2 * at + 1, "/big"));
  await visitorIsServed(here);
  // The visitor's line is one of them.
  for (let at = 0; at <= 100; at++) {
    const entry = await here.web.logged(at);
    assert.ok(entry.sentBytes <= 3 * limits.answerBufferBytesMax, `${entry.sentBytes} bytes`);
  }
  for (let at = 0; at < 100; at++) assert.equal(await client.resetCode(2 * at + 1), ErrorCode.internal);
  assert.equal(client.closed, false);
});

test("A27 an early answer that is not read, to an upload that never ends: it is reset, and the window opens in vain", async (t) => {
  const here = await site(t, { timeouts: { writeSilenceTimeoutMs: 100 }, limits: { bodyBytesMax: 1 } });
  const client = await RawHttp2.open(t, here.web.port, setting(4, 0));
  const fields = [...requestFields("/"), ["content-length", "1000"]] as const;
  client.send(frame(FrameType.headers, Flag.endHeaders, 1, hpack(fields)));
  assert.equal(await client.resetCode(1), ErrorCode.internal);
  client.send(frame(FrameType.settings, 0, 0, setting(4, 65_535)));
  client.send(frame(FrameType.windowUpdate, 0, 1, uint32(65_535)));
  await visitorIsServed(here);
  assert.equal(client.closed, false);
  assert.equal(here.origin.requests, 1);
});

const controls: readonly (readonly [string, Buffer])[] = [
  ["PING", frame(FrameType.ping, 0, 0, Buffer.alloc(8))],
  ["SETTINGS", frame(FrameType.settings, 0, 0, setting(4, 65_535))],
  ["empty SETTINGS", frame(FrameType.settings, 0, 0)],
];

for (const [name, control] of controls) {
  test(`A28 10,000 ${name}`, async (t) => {
    const here = await site(t);
    const client = await RawHttp2.open(t, here.web.port);
    const before = process.memoryUsage().rss;
    for (let at = 0; at < 10_000; at++) client.send(control);
    await client.ended();
    assert.ok(process.memoryUsage().rss - before < 64 * 1_048_576);
    await visitorIsServed(here);
  });

  test(`A28 ${name} one by one: so many at once, then GOAWAY`, async (t) => {
    const here = await site(t);
    const client = await RawHttp2.open(t, here.web.port);
    for (let at = 0; at < limits.controlsBurst + 20 && !client.closed; at++) {
      client.send(control);
      await turn();
    }
    assert.equal(await client.goawayCode(), ErrorCode.calm);
    await visitorIsServed(here);
  });
}

test("A28 windows that overflow, settings that can't be", async (t) => {
  const here = await site(t);
  const wrong: readonly (readonly [Buffer, number])[] = [
    [frame(FrameType.windowUpdate, 0, 0, uint32(0x7fffffff)), ErrorCode.flowControl],
    [frame(FrameType.settings, 0, 0, setting(4, 0x80000000)), ErrorCode.flowControl],
    [frame(FrameType.settings, 0, 0, setting(5, 1)), ErrorCode.protocol],
    [frame(FrameType.settings, 0, 0, Buffer.concat(Array(100).fill(setting(4, 1)))), ErrorCode.calm],
    [frame(FrameType.settings, 0, 1), ErrorCode.protocol],
    [frame(FrameType.ping, 0, 0, "short"), ErrorCode.frameSize],
    [frame(FrameType.data, 0, 1, Buffer.alloc(16_385)), ErrorCode.frameSize],
    [frame(FrameType.headers, Flag.endHeaders, 1, Buffer.alloc(100, 0xff)), ErrorCode.compression],
    [frame(FrameType.headers, Flag.endHeaders, 2, hpack(requestFields("/"))), ErrorCode.protocol],
    [Buffer.alloc(1_000, "GET / HTTP/1.1\r\n"), ErrorCode.frameSize],
  ];
  for (const [bytes, code] of wrong) {
    const client = await RawHttp2.open(t, here.web.port);
    client.send(bytes);
    assert.equal(await client.goawayCode(), code);
    await client.ended();
  }
  await visitorIsServed(here);
  assert.equal(here.origin.requests, 1);
});

test("A28 frames that do nothing, without an end", async (t) => {
  const here = await site(t);
  const idle: readonly Buffer[] = [
    frame(FrameType.priority, 0, 1, Buffer.from([0, 0, 0, 0, 0])),
    frame(0xee, 0, 0),
    frame(FrameType.data, 0, 1),
  ];
  for (const bytes of idle) {
    const client = await RawHttp2.open(t, here.web.port);
    client.send(frame(FrameType.headers, Flag.endHeaders, 1, hpack(requestFields("/hang"))));
    const many = Buffer.concat(Array(1_000).fill(bytes));
    for (let at = 0; at < 100 && !client.closed; at++) {
      client.send(many);
      await turn();
    }
    await client.ended();
  }
  await visitorIsServed(here);
});
