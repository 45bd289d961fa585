/** Browsers over TLS: the same connection on another socket; what speaks no TLS is let go (A46). */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { exchange, ok, RawClient, RawOrigin } from "../harness/raw.ts";
import { tlsSettings } from "../harness/tls.ts";
import { type WebSite, type WebSiteOptions, webSite } from "../harness/web-site.ts";

const tls = tlsSettings("a");
const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

async function site(
  t: TestContext,
  answer: (connection: RawClient, head: string) => string | null,
  options: WebSiteOptions = {},
): Promise<{ web: WebSite; origin: RawOrigin }> {
  const origin = await RawOrigin.start(t, answer);
  return { web: await webSite(t, [origin.port], { ...options, tls }), origin };
}

async function open(t: TestContext, port: number): Promise<TLSSocket> {
  const socket = connect({
    port,
    host: "127.0.0.1",
    rejectUnauthorized: false,
    ALPNProtocols: ["http/1.1"],
  });
  t.after(() => void socket.destroy());
  await once(socket, "secureConnect");
  return socket;
}

test("requests over TLS: kept alive, pipelined, told to the app server", async (t) => {
  const { web, origin } = await site(t, (_connection, head) => ok(head.split(" ")[1]!));
  const socket = await open(t, web.port);
  assert.equal(socket.alpnProtocol, "http/1.1");
  const client = new RawClient(socket);
  for (let at = 0; at < 3; at++) {
    client.send(get(`/${at}`));
    assert.equal((await client.answer()).body, `/${at}`);
  }
  client.send(Array.from({ length: 200 }, (_none, at) => get(`/${at}`)).join(""));
  for (let at = 0; at < 200; at++) assert.equal((await client.answer()).body, `/${at}`);
  assert.match(origin.received, /\r\nX-Forwarded-Proto: https\r\n/);
});

test("a long download and upload, a reader that stalls in between", async (t) => {
  const bytes = 4 * 1_048_576;
  const { web, origin } = await site(t, (_connection, head) =>
    head.startsWith("GET") ? ok("x".repeat(bytes)) : null,
  );
  const down = await open(t, web.port);
  down.write(get("/"));
  let got = 0;
  await new Promise<void>((resolve) => {
    down.on("data", (data: Buffer) => {
      got += data.length;
      if (got > bytes) resolve();
      if (got % 7 !== 0) return;
      down.pause();
      setTimeout(() => down.resume(), 2);
    });
  });
  const up = new RawClient(await open(t, web.port));
  up.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes}\r\n\r\n`);
  up.send(Buffer.alloc(bytes - 3, "y"));
  up.send("end");
  await origin.arrived(/end$/);
  origin.connections.at(-1)!.send(ok("got it"));
  assert.equal((await up.answer()).body, "got it");
});

test("a reader over TLS that takes nothing is cut off", async (t) => {
  const { web } = await site(t, () => ok("x".repeat(32 * 1_048_576)), {
    timeouts: { writeSilenceTimeoutMs: 300 },
  });
  const socket = await open(t, web.port);
  socket.pause();
  socket.write(get("/"));
  const entry = await web.logged(0);
  assert.ok(entry.sentBytes < 32 * 1_048_576);
});

test("an answer that ends behind our last word arrives whole", async (t) => {
  const { web } = await site(t, () => ok("z".repeat(1_048_576)));
  const client = new RawClient(await open(t, web.port));
  client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  assert.equal((await client.answer()).body.length, 1_048_576);
  await client.ended();
});

test("an answer that breaks off, HTTP/1.0 too", async (t) => {
  const { web, origin } = await site(
    t,
    () => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
  );
  for (const version of ["1.0", "1.1"]) {
    const client = new RawClient(await open(t, web.port));
    client.send(`GET / HTTP/${version}\r\nHost: a\r\n\r\n`);
    await client.read(/abc/);
    origin.connections.at(-1)!.end();
    assert.doesNotMatch(await client.read(), /0\r\n\r\n/);
  }
});

test("A46 TLS on the plain port", async (t) => {
  const origin = await RawOrigin.start(t, () => ok("ok"));
  const plain = await webSite(t, [origin.port]);
  assert.match(await exchange(plain.port, Buffer.from("1603010200010001fc0303", "hex")), /^HTTP\/1\.1 400 /);
});

test("an orderly stop closes idle TLS connections", async (t) => {
  const { web } = await site(t, () => ok("ok"));
  const client = new RawClient(await open(t, web.port));
  client.send(get("/"));
  assert.equal((await client.answer()).body, "ok");
  const drained = web.drain();
  await client.ended();
  client.end();
  await drained;
});

test("connections in the middle of their handshake count: one more than allowed is closed", async (t) => {
  const { web } = await site(t, () => ok("here"), { limits: { connectionsMax: 2 } });
  const silent = [await RawClient.open(web.port), await RawClient.open(web.port)];
  const third = await RawClient.open(web.port);
  await third.ended();
  assert.equal(silent[0]!.closed, false);
  for (const client of silent) client.end();
  for (const client of silent) await client.ended();
  const client = new RawClient(await open(t, web.port));
  client.send(get("/"));
  assert.equal((await client.answer()).body, "here");
});
