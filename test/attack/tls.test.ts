/**
 * A46: what a stranger can do to TLS before a request is read. The process lives, nothing reaches an app server, and who
 * comes next is served.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { exchange, ok, RawClient, RawOrigin } from "../harness/raw.ts";
import { secureClient, tlsFile, tlsSettings } from "../harness/tls.ts";
import { type WebSite, type WebSiteOptions, webSite } from "../harness/web-site.ts";

const request = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";

async function site(t: TestContext, options: WebSiteOptions = {}): Promise<WebSite> {
  const origin = await RawOrigin.start(t, () => ok("served"));
  const tls = tlsSettings("a", "b");
  const web = await webSite(t, [origin.port], { ...options, tls });
  t.after(() => assert.equal(origin.requests, 1, "requests that reached the app server"));
  return web;
}

async function served(t: TestContext, { port }: WebSite): Promise<void> {
  const client = new RawClient(await secureClient(t, port, { servername: "a.example" }));
  client.send(request);
  assert.equal((await client.answer()).body, "served");
}

function extension(type: number, body: Buffer): Buffer {
  return Buffer.concat([u16(type), sized(body)]);
}

function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 255]);
}

function sized(body: Buffer): Buffer {
  return Buffer.concat([u16(body.length), body]);
}

/** A record with the hello of a TLS 1.2 client that asks for a host by these bytes (RFC 5246, 7.4.1.2; RFC 6066, 3). */
function hello(serverName: Buffer): Buffer {
  const names = sized(Buffer.concat([Buffer.from([0]), sized(serverName)]));
  const extensions = sized(
    Buffer.concat([
      extension(0, names),
      extension(10, sized(u16(0x0017))),
      extension(11, Buffer.from([1, 0])),
      extension(13, sized(u16(0x0403))),
    ]),
  );
  const body = Buffer.concat([
    u16(0x0303),
    Buffer.alloc(32, 1),
    Buffer.from([0]),
    sized(u16(0xc02b)),
    Buffer.from([1, 0]),
    extensions,
  ]);
  const message = Buffer.concat([Buffer.from([1, 0]), u16(body.length), body]);
  return Buffer.concat([Buffer.from([22, 3, 1]), sized(message)]);
}

const handshakeRecord = 0x16;
const alertRecord = 0x15;

test("A46 odd server names: an alert or the first certificate", async (t) => {
  const web = await site(t);
  const first: Record<string, [Buffer, number]> = {
    // Of names that no certificate has: the first one.
    "an address": [Buffer.from("192.0.2.1"), handshakeRecord],
    unknown: [Buffer.from("nobody.example"), handshakeRecord],
    "no letters": [Buffer.from([0xff, 0xfe, 0x80]), handshakeRecord],
    dots: [Buffer.from("....."), handshakeRecord],
    "a star": [Buffer.from("*.a.example"), handshakeRecord],
    empty: [Buffer.alloc(0), handshakeRecord],
    "of Object.prototype": [Buffer.from("__proto__"), handshakeRecord],
    // Not to be understood at all.
    "300 bytes": [Buffer.alloc(300, "a"), alertRecord],
    NUL: [Buffer.from("a.example\0.b.example"), alertRecord],
  };
  for (const [what, [name, record]] of Object.entries(first)) {
    const client = await RawClient.open(web.port);
    client.send(hello(name));
    assert.equal((await client.readBytes(1)).charCodeAt(0), record, what);
    client.destroy();
  }
  await served(t, web);
});

test("A46 no TLS on the port of TLS: HTTP is told so with 400, anything else is closed", async (t) => {
  const web = await site(t);
  for (const method of ["GET", "POST", "HEAD"])
    assert.match(
      await exchange(web.port, `${method} / HTTP/1.1\r\nHost: a.example\r\n\r\n`),
      /^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*This port speaks HTTPS/,
    );
  for (const bytes of [
    "SSH-2.0-OpenSSH_9.2\r\n",
    "\0".repeat(100),
    "\x16\x03\x01\xff\xff",
    "PRI * HTTP/2.0\r\n\r\n",
  ]) {
    const client = await RawClient.open(web.port);
    client.send(bytes);
    client.end();
    assert.doesNotMatch(await client.read(), /HTTP/);
  }
  await served(t, web);
});

test("A46 a client that is gone before it could be answered", async (t) => {
  const web = await site(t);
  for (const bytes of [request, hello(Buffer.from("a.example")), "\x16\x03\x01"])
    for (let times = 0; times < 20; times++) {
      const client = await RawClient.open(web.port);
      client.send(bytes);
      client.socket.resetAndDestroy();
    }
  await served(t, web);
});

test("A46 a handshake that stalls is closed in time, and half a one at once", async (t) => {
  const web = await site(t, { timeouts: { headTimeoutMs: 200 } });
  const whole = hello(Buffer.from("a.example"));
  const stalled = await Promise.all([0, 1, 5, 40, whole.length].map(() => RawClient.open(web.port)));
  for (const [at, client] of stalled.entries())
    client.send(whole.subarray(0, [0, 1, 5, 40, whole.length][at]));
  for (const client of stalled) await client.ended();
  await served(t, web);
});

test("A46 a flood of handshakes: connections are bounded, and who is within the bound is served", async (t) => {
  const web = await site(t, { limits: { connectionsMax: 50 } });
  const clients = await Promise.all(Array.from({ length: 200 }, () => RawClient.open(web.port)));
  const isOpen = ({ closed }: RawClient): boolean => !closed;
  // Those above the bound are closed; whichever they are.
  while (clients.filter(isOpen).length > 50)
    await Promise.race(clients.filter(isOpen).map((client) => client.ended()));
  assert.equal(clients.filter(isOpen).length, 50);
  for (const client of clients) client.end();
  await Promise.all(clients.map((client) => client.ended()));
  await served(t, web);
});

test("A46 a client that renegotiates is cut off", async (t) => {
  const web = await site(t);
  const client = await secureClient(t, web.port, { maxVersion: "TLSv1.2" });
  const closed = new Promise((resolve) => client.once("close", resolve));
  const failed = new Promise((resolve) => client.once("error", resolve));
  client.renegotiate({ rejectUnauthorized: false }, () => {});
  assert.match(String(await failed), /no renegotiation/);
  await closed;
  await served(t, web);
});

test("a client may end its direction and wait for its answer, over TLS too", async (t) => {
  const web = await site(t);
  const socket = await secureClient(t, web.port, { ca: [tlsFile("ca.pem")] });
  const client = new RawClient(socket);
  socket.end(request);
  assert.equal((await client.answer()).body, "served");
});
