/** Bodies of requests on their way to the app server: framing, Expect, limits, answers that come before their end. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { http as limits } from "../../src/support/limits.ts";
import { ok, RawClient, RawOrigin } from "../harness/raw.ts";
import { type WebSite, type WebSiteOptions, webSite } from "../harness/web-site.ts";

type Answer = (connection: RawClient, head: string) => string | null;

async function site(
  t: TestContext,
  answer: Answer,
  options: WebSiteOptions = {},
): Promise<{ origin: RawOrigin; web: WebSite; client: RawClient }> {
  const origin = await RawOrigin.start(t, answer);
  const web = await webSite(t, [origin.port], options);
  return { origin, web, client: await RawClient.open(web.port) };
}

const later: Answer = () => null;
const get = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";

/** Sends an upload's head. */
function post(client: RawClient, framing: string): void {
  client.send(`POST /up HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n`);
}

test("a body with a length keeps it, however it comes", async (t) => {
  const { origin, client } = await site(t, later);
  post(client, "Content-Length: 300000");
  for (let at = 0; at < 300; at++) {
    client.send("0123456789".repeat(100));
    if (at % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await origin.arrived(/\r\nContent-Length: 300000\r\n[\s\S]*9$/);
  const whole = (): boolean => origin.received.length - origin.received.indexOf("\r\n\r\n") - 4 === 300_000;
  while (!whole()) await new Promise((resolve) => setImmediate(resolve));
  origin.connections[0]!.send(ok("got it"));
  assert.equal((await client.answer()).body, "got it");
});

test("a chunked body is chunked anew: no extensions, trailers go on", async (t) => {
  const { origin, client } = await site(t, later);
  post(client, "Transfer-Encoding: chunked\r\nTrailer: X-Sum");
  client.send("3;name=value\r\nabc\r\n");
  await origin.arrived(/\r\n\r\n3\r\nabc\r\n$/);
  client.send('0003;"\r\ndef\r\n0\r\nX-Sum: 1f\r\nContent-Length: 5\r\nX_Y: 1\r\n\r\n');
  await origin.arrived(/\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\nX-Sum: 1f\r\n\r\n$/);
  origin.connections[0]!.send(ok("ok"));
  assert.equal((await client.answer()).body, "ok");
  assert.doesNotMatch(origin.received, /Content-Length|X_Y|Trailer/);
});

test("Expect: 100-continue is answered, and the body goes its way", async (t) => {
  const { origin, client } = await site(t, later);
  for (let count = 1; count <= 2; count++) {
    post(client, "Content-Length: 4\r\nExpect: 100-continue");
    assert.equal(await client.read(/\r\n\r\n/), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("body");
    await origin.arrived(new RegExp(`(\r\n\r\nbody[^]*){${count}}$`));
    origin.connections[0]!.send(ok("ok"));
    assert.equal((await client.answer()).body, "ok");
  }
  assert.doesNotMatch(origin.received, /Expect/i);
  assert.equal(origin.connections.length, 1);
});

test("Expect of an HTTP/1.0 client is ignored", async (t) => {
  const { client } = await site(t, () => ok("ok"));
  client.send("POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nbody");
  assert.match(await client.read(), /^HTTP\/1\.1 200 OK\r\n/);
});

test("a body above the limit is refused: by its length, before 100, or when it grows", async (t) => {
  const options = { limits: { bodyBytesMax: 1_000 } };
  const { origin, client } = await site(t, later, options);
  post(client, "Content-Length: 1001\r\nExpect: 100-continue");
  const refused = await client.answer();
  assert.equal(refused.status, 413);
  // It may send the body or not: nobody could say where the next request begins.
  assert.equal(refused.field("connection"), "close");
  assert.equal(origin.received, "");

  const other = await site(t, later, options);
  post(other.client, "Transfer-Encoding: chunked");
  other.client.send(`3e8\r\n${"x".repeat(1_000)}\r\n`);
  await other.origin.arrived(/x\r\n$/);
  other.client.send("1\r\ny\r\n");
  assert.equal((await other.client.answer()).status, 413);
  await other.client.ended();
  await other.origin.connections[0]!.ended();
  assert.doesNotMatch(other.origin.received, /y\r\n$/);
});

test("an early answer, a short rest: the rest is dropped and the connection goes on", async (t) => {
  const { origin, client } = await site(t, (_connection, head) =>
    head.startsWith("POST") ? ok("early") : ok("next"),
  );
  post(client, "Content-Length: 100000");
  const early = await client.answer();
  assert.equal(early.body, "early");
  assert.equal(early.field("connection"), undefined);
  client.send("GET /smuggled HTTP/1.1\r\n".repeat(4_000).padEnd(100_000, "x") + get);
  assert.equal((await client.answer()).body, "next");
  assert.doesNotMatch(origin.received, /smuggled/);
});

test("an early answer, a long rest: the answer arrives whole, then the connection closes", async (t) => {
  const body = "x".repeat(500_000);
  for (const framing of [`Content-Length: ${64 * 1_048_576}`, "Transfer-Encoding: chunked"]) {
    const { client } = await site(t, () => ok(body));
    post(client, framing);
    // The client reads while it sends, as those that find out about an early answer do.
    const piece = Buffer.alloc(65_536, "y");
    const send = (): void => {
      if (client.closed || client.socket.destroyed) return;
      if (framing.startsWith("T")) client.send("10000\r\n");
      client.send(piece);
      if (framing.startsWith("T")) client.send("\r\n");
      if (client.socket.writableLength < 1_048_576) setImmediate(send);
      else client.socket.once("drain", send);
    };
    send();
    const answer = await client.answer();
    assert.equal(answer.field("connection"), "close");
    assert.ok(answer.body === body);
    await client.ended();
  }
});

test("an early answer to an upload that the app does not read leaves the connection in order", async (t) => {
  const { origin, client } = await site(t, (connection, head) => {
    if (head.startsWith("POST")) connection.socket.pause();
    return head.startsWith("POST") ? null : ok("next");
  });
  const length = limits.drainBytesMax + 8_000_000;
  post(client, `Content-Length: ${length}`);
  client.send(Buffer.alloc(length - 1_000, "z"));
  // The web server stops reading when the kernel's buffers are full: then the answer comes.
  let before = -1;
  while (before !== client.socket.bytesWritten - client.socket.writableLength || before < 0) {
    before = client.socket.bytesWritten - client.socket.writableLength;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  origin.connections[0]!.send(ok("no, thank you"));
  assert.equal((await client.answer()).body, "no, thank you");
});

test("a client that breaks off its upload is told to the app server", async (t) => {
  for (const leave of [
    (client: RawClient) => client.end(),
    (client: RawClient) => client.socket.resetAndDestroy(),
  ]) {
    const { origin, web, client } = await site(t, later);
    post(client, "Content-Length: 1000");
    client.send("some");
    await origin.arrived(/some$/);
    leave(client);
    await origin.connections[0]!.ended();
    assert.equal((await web.logged(0)).status, 0);
  }
});

test("a body that breaks the rules on its way is answered 400, and never ends for the app server", async (t) => {
  const { origin, client } = await site(t, later);
  post(client, "Transfer-Encoding: chunked");
  client.send("3\r\nabc\r\n");
  await origin.arrived(/abc\r\n$/);
  client.send(`3\r\nabcX0\r\n\r\n${get}`);
  assert.equal((await client.answer()).status, 400);
  await client.ended();
  await origin.connections[0]!.ended();
  assert.doesNotMatch(origin.received, /0\r\n\r\n|next/);
});

test("a server that dies during an upload", async (t) => {
  const { origin, client } = await site(t, later);
  post(client, "Content-Length: 1000");
  client.send("some");
  await origin.arrived(/some$/);
  origin.connections[0]!.socket.resetAndDestroy();
  const answer = await client.answer();
  assert.equal(answer.status, 502);
  client.send("x".repeat(996) + get);
  await origin.arrived(/GET \/next/);
});
