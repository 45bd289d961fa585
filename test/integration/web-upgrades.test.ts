/** Upgrades (A30, A32): bytes in both directions after 101, never before; ends of either side; bounds. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Link } from "../../src/link/api.ts";
import { http as limits } from "../../src/support/limits.ts";
import { rawLinkApp } from "../harness/link-app.ts";
import { ok, RawClient, RawOrigin } from "../harness/raw.ts";
import { type WebSite, type WebSiteOptions, webSite } from "../harness/web-site.ts";

const upgrade =
  "GET /ws HTTP/1.1\r\nHost: a\r\nOrigin: https://a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const switching =
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

async function tunnel(
  t: TestContext,
  options: WebSiteOptions = {},
): Promise<{ client: RawClient; app: RawClient; web: WebSite }> {
  const origin = await RawOrigin.start(t, () => switching);
  const web = await webSite(t, [origin.port], options);
  const client = await RawClient.open(web.port);
  client.send(upgrade);
  assert.equal((await client.answer()).status, 101);
  const app = origin.connections[0]!;
  await app.read(/\r\n\r\n/);
  return { client, app, web };
}

test("A32 the request and its 101 pass with what WebSockets need", async (t) => {
  const origin = await RawOrigin.start(t, () => switching);
  const web = await webSite(t, [origin.port]);
  const client = await RawClient.open(web.port);
  client.send(upgrade);
  const answer = await client.answer();
  assert.equal(answer.status, 101);
  assert.equal(answer.field("upgrade"), "websocket");
  assert.equal(answer.field("connection"), "Upgrade");
  assert.equal(answer.field("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  assert.match(origin.received, /\r\nOrigin: https:\/\/a\r\n/);
  assert.match(origin.received, /\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n/);
  client.end();
  origin.connections[0]!.end();
  const { status, sentBytes } = await web.logged(0);
  assert.deepEqual([status, sentBytes], [101, 0]);
});

test("A32 bytes pass untouched both ways, also such that look like HTTP", async (t) => {
  const { client, app } = await tunnel(t);
  const frame = Buffer.from([0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
  client.send(frame);
  assert.equal(await app.readBytes(frame.length), frame.toString("latin1"));
  client.send(`GET / HTTP/1.1\r\n\r\n`);
  assert.equal(await app.readBytes(18), "GET / HTTP/1.1\r\n\r\n");
  app.send(`${ok("x")}\0\xff`);
  assert.equal(await client.readBytes(ok("x").length + 2), `${ok("x")}\0\xff`);
});

test("A32 bytes that come with the 101 arrive behind it", async (t) => {
  const origin = await RawOrigin.start(t, () => `${switching}early`);
  const web = await webSite(t, [origin.port]);
  const client = await RawClient.open(web.port);
  client.send(upgrade);
  assert.equal((await client.answer()).status, 101);
  assert.equal(await client.readBytes(5), "early");
});

test("A30 the client's early bytes are held until 101, bounded", async (t) => {
  const origin = await RawOrigin.start(t, () => null);
  const web = await webSite(t, [origin.port]);
  const client = await RawClient.open(web.port);
  client.send(upgrade);
  const early = "e".repeat(limits.pipelinedBytesMax * 5);
  client.send(early);
  await origin.arrived(/\r\n\r\n/);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.doesNotMatch(origin.received, /eee/);
  const app = origin.connections[0]!;
  app.send(switching);
  await app.read(/\r\n\r\n/);
  assert.ok((await app.readBytes(early.length)) === early);
});

test("A30 a pipelined request behind an upgrade that is not accepted is not tunnelled", async (t) => {
  const origin = await RawOrigin.start(t, () => ok("no"));
  const web = await webSite(t, [origin.port]);
  const client = await RawClient.open(web.port);
  client.send(`${upgrade}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`);
  const answer = await client.answer();
  assert.deepEqual([answer.status, answer.body, answer.field("connection")], [200, "no", "close"]);
  await client.ended();
  assert.doesNotMatch(origin.received, /smuggled/);
});

test("A30 a 101 that nobody asked for, or that says not to what, is a wrong answer", async (t) => {
  const origin = await RawOrigin.start(t, (_connection, head) =>
    head.startsWith("GET /ws") ? switching.replace("Upgrade: websocket\r\n", "") : switching,
  );
  const web = await webSite(t, [origin.port]);
  const client = await RawClient.open(web.port);
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.equal((await client.answer()).status, 502);
  client.send(upgrade);
  assert.equal((await client.answer()).status, 502);
});

test("A32 the app server ends its direction: the client reads it all and may go on sending", async (t) => {
  const { client, app, web } = await tunnel(t);
  app.send("last words");
  app.end();
  assert.equal(await client.read(), "last words");
  client.send("still here");
  assert.equal(await app.readBytes(10), "still here");
  client.end();
  await app.ended();
  await web.logged(0);
  assert.deepEqual(web.warnings, []);
});

test("A32 the client ends its direction: the app server reads it all and may go on sending", async (t) => {
  const { client, app, web } = await tunnel(t);
  client.send("last words");
  client.end();
  assert.equal(await app.read(), "last words");
  const long = "x".repeat(3_000_000);
  app.send(long);
  app.end();
  assert.ok((await client.read()) === long);
  await web.logged(0);
  assert.deepEqual(web.warnings, []);
});

test("A32 either side breaks off: so does the other", async (t) => {
  const first = await tunnel(t);
  first.client.socket.resetAndDestroy();
  await first.app.ended();
  const second = await tunnel(t);
  second.app.socket.resetAndDestroy();
  await second.client.ended();
});

test("A32 a flood that the app does not read stops at bounded buffers, and goes on when it reads", async (t) => {
  const { client, app } = await tunnel(t);
  app.socket.pause();
  const bytes = 24 * 1_048_576;
  client.send(Buffer.alloc(bytes, "f"));
  let before = -1;
  while (before !== client.socket.writableLength) {
    before = client.socket.writableLength;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  let got = 0;
  app.socket.removeAllListeners("data");
  app.socket.on("data", (data) => {
    got += data.length;
  });
  app.socket.resume();
  while (got < bytes) await new Promise((resolve) => setImmediate(resolve));
});

test("A32 a flood that the client does not read stops too, and the tunnel outlives it", async (t) => {
  const { client, app } = await tunnel(t, { timeouts: { writeSilenceTimeoutMs: 400 } });
  client.socket.pause();
  const bytes = 24 * 1_048_576;
  app.send(Buffer.alloc(bytes, "f"));
  let before = -1;
  while (before !== app.socket.writableLength) {
    before = app.socket.writableLength;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.ok(app.socket.writableLength > 0 || before === 0);
  let got = 0;
  client.socket.removeAllListeners("data");
  client.socket.on("data", (data) => {
    got += data.length;
  });
  client.socket.resume();
  while (got < bytes) await new Promise((resolve) => setImmediate(resolve));
  // The silence of a reader is no silence of the tunnel.
  await new Promise((resolve) => setTimeout(resolve, 700));
  assert.equal(client.closed, false);
  app.send("!");
  while (got < bytes + 1) await new Promise((resolve) => setImmediate(resolve));
});

test("A32 protocols other than WebSocket are passed on, those that hide requests are not", async (t) => {
  const origin = await RawOrigin.start(t, (_connection, head) =>
    /Upgrade: chat/i.test(head)
      ? "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: chat/2\r\n\r\n"
      : ok("no"),
  );
  const web = await webSite(t, [origin.port]);
  const client = await RawClient.open(web.port);
  client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c, chat/2, TLS/1.3\r\n\r\n");
  const answer = await client.answer();
  assert.deepEqual([answer.status, answer.field("upgrade")], [101, "chat/2"]);
  assert.match(origin.received, /\r\nUpgrade: chat\/2\r\n/);
});

test("A32 an upgrade that is answered like any other request leaves no stream on the link", async (t) => {
  const links: Link[] = [];
  const texts = ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno", ""];
  let asked = 0;
  const port = await rawLinkApp(
    t,
    (stream) => {
      stream.write(texts[asked++ % texts.length]!);
      stream.end();
    },
    (link) => void links.push(link),
  );
  const web = await webSite(t, [port], { link: true });
  for (const status of [200, 502, 200, 502]) {
    const client = await RawClient.open(web.port);
    client.send(upgrade);
    assert.equal((await client.answer()).status, status);
    await client.ended();
  }
  assert.equal(asked, 4);
  while (links[0]!.streamCount > 0) await new Promise((resolve) => setImmediate(resolve));
});
