/** `compress:`: what a client gets, how it comes, and that no encoder outlives its answer. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, constants } from "node:http2";
import { test } from "node:test";
import { brotliDecompressSync, createGunzip, gunzipSync, zstdDecompressSync } from "node:zlib";
import { http, compression as limits } from "../../src/support/limits.ts";
import { openCompressors } from "../../src/web-tier/compressor.ts";
import { ok, type RawAnswer, RawClient, RawOrigin } from "../harness/raw.ts";
import { tlsSettings } from "../harness/tls.ts";
import { type WebSite, webSite } from "../harness/web-site.ts";

const decoders = { gzip: gunzipSync, br: brotliDecompressSync, zstd: zstdDecompressSync } as const;
const html = "Content-Type: text/html\r\n";
const page = "<p>Hello, hello, hello.</p>\n".repeat(100);
const long = page.repeat(200);

async function get(web: WebSite, path: string, fields: string, method: string = "GET"): Promise<RawAnswer> {
  const client = await RawClient.open(web.port);
  client.send(`${method} ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
  const answer = await client.answer(method);
  client.destroy();
  return answer;
}

function plain(answer: RawAnswer): string {
  const coding = answer.field("content-encoding") as keyof typeof decoders | undefined;
  const body = Buffer.from(answer.body, "latin1");
  return (coding === undefined ? body : decoders[coding](body)).toString("latin1");
}

/** Ends when no encoder is left, or the test's own time is over. */
async function noneLeft(): Promise<void> {
  while (openCompressors() > 0) await new Promise((resolve) => setImmediate(resolve));
}

function chunked(body: string, size: number): string {
  let text = `HTTP/1.1 200 OK\r\n${html}Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n`;
  for (let at = 0; at < body.length; at += size) {
    const piece = body.slice(at, at + size);
    text += `${piece.length.toString(16)}\r\n${piece}\r\n`;
  }
  return `${text}0\r\nX-Sum: 1\r\n\r\n`;
}

test("short and long, with a length and in chunks, in each coding: the same page, smaller", async (t) => {
  const origin = await RawOrigin.start(t, (_connection, head) => {
    if (head.includes("/short ")) return ok(page, `${html}ETag: "x"\r\n`);
    if (head.includes("/long ")) return ok(long, html);
    return chunked(long, head.includes("/crumbs ") ? 100 : 10_000);
  });
  const web = await webSite(t, [origin.port], { compress: true });
  for (const coding of ["gzip", "br", "zstd"] as const) {
    for (const path of ["/short", "/long", "/chunks", "/crumbs"]) {
      const answer = await get(web, path, `Accept-Encoding: ${coding}\r\n`);
      assert.equal(answer.field("content-encoding"), coding);
      assert.equal(answer.field("vary"), "Accept-Encoding");
      assert.equal(plain(answer), path === "/short" ? page : long);
      assert.ok(answer.body.length < 0.2 * page.length * (path === "/short" ? 1 : 200), path);
      assert.equal(answer.framing, path === "/short" ? "length" : "chunked");
      assert.equal(answer.trailer, path === "/chunks" || path === "/crumbs" ? "X-Sum: 1\r\n" : "");
      if (path === "/short") assert.equal(answer.field("etag"), 'W/"x"');
    }
  }
  assert.ok(web.log.every(({ sentBytes, status }) => status === 200 && sentBytes < 0.2 * long.length));
  await noneLeft();
});

test("whoever does not take it gets it as it is, told that it varies", async (t) => {
  const origin = await RawOrigin.start(t, () => ok(page, `${html}ETag: "x"\r\n`));
  const web = await webSite(t, [origin.port], { compress: true });
  for (const fields of ["", "Accept-Encoding: identity\r\n", "Accept-Encoding: gzip;q=0\r\n"]) {
    const answer = await get(web, "/", fields);
    assert.equal(answer.body, page);
    assert.equal(answer.field("content-encoding"), undefined);
    assert.equal(answer.field("vary"), "Accept-Encoding");
    assert.equal(answer.field("etag"), '"x"');
  }
});

test("HEAD is told what GET would be", async (t) => {
  const origin = await RawOrigin.start(
    t,
    () => `HTTP/1.1 200 OK\r\n${html}ETag: "x"\r\nContent-Length: ${page.length}\r\n\r\n`,
  );
  const web = await webSite(t, [origin.port], { compress: true });
  const answer = await get(web, "/", "Accept-Encoding: gzip\r\n", "HEAD");
  assert.equal(answer.field("content-encoding"), "gzip");
  assert.equal(answer.field("content-length"), undefined);
  assert.equal(answer.field("etag"), 'W/"x"');
});

test("a route decides against the cluster, both ways", async (t) => {
  const origin = await RawOrigin.start(t, () => ok(page, html));
  const routes = [
    { path: "/not", to: "app", compress: false },
    { path: "/other", to: "app" },
  ];
  const on = await webSite(t, [origin.port], { compress: true, routes });
  assert.equal((await get(on, "/not", "Accept-Encoding: gzip\r\n")).body, page);
  assert.notEqual((await get(on, "/other", "Accept-Encoding: gzip\r\n")).body, page);
  const off = await webSite(t, [origin.port], { routes: [{ to: "app", compress: true }] });
  assert.notEqual((await get(off, "/", "Accept-Encoding: gzip\r\n")).body, page);
});

test("a page that comes in parts arrives in parts", async (t) => {
  const origin = await RawOrigin.start(t, (connection) => {
    connection.send(`HTTP/1.1 200 OK\r\n${html}Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n`);
    return null;
  });
  const web = await webSite(t, [origin.port], { compress: true });
  const client = await RawClient.open(web.port);
  client.send("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
  await client.read(/\r\n\r\n/);
  const gunzip = createGunzip();
  let text = "";
  gunzip.on("data", (bytes: Buffer) => {
    text += bytes;
  });
  const readUntil = async (expected: string): Promise<void> => {
    while (text !== expected) {
      const size = Number.parseInt(await client.read(/\r\n/), 16);
      const part = Buffer.from(await client.readBytes(size), "latin1");
      await new Promise((resolve) => gunzip.write(part, resolve));
      await client.readBytes(2);
    }
  };
  await readUntil("first");
  // The application pauses here: nothing more comes before the first part was seen.
  origin.connections[0]!.send("6\r\nsecond\r\n");
  await readUntil("firstsecond");
  client.socket.resetAndDestroy();
  await noneLeft();
});

test("a client that leaves in the middle frees the encoder, and the app server is told", async (t) => {
  const origin = await RawOrigin.start(t, (connection) => {
    connection.send(`HTTP/1.1 200 OK\r\n${html}Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n`);
    return null;
  });
  const web = await webSite(t, [origin.port], { compress: true });
  for (let times = 0; times < 20; times++) {
    const client = await RawClient.open(web.port);
    client.send("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: zstd\r\n\r\n");
    await client.read(/\r\n\r\n/);
    assert.equal(openCompressors(), 1);
    client.socket.resetAndDestroy();
    assert.equal((await web.logged(times)).ending, "CD");
    await origin.connections[times]!.ended();
    await noneLeft();
  }
});

test("an answer that breaks off in the middle is cut, not ended", async (t) => {
  const origin = await RawOrigin.start(t, (connection) => {
    connection.send(`HTTP/1.1 200 OK\r\n${html}Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n`);
    connection.end();
    return null;
  });
  const web = await webSite(t, [origin.port], { compress: true });
  const client = await RawClient.open(web.port);
  client.send("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: br\r\n\r\n");
  assert.doesNotMatch(await client.read(), /\r\n0\r\n\r\n$/);
  assert.equal((await web.logged(0)).ending, "PD");
  await noneLeft();
});

test("a client that does not read holds the app server, and no memory", async (t) => {
  // Does not compress, so that much of it has to be somewhere.
  const noise = Buffer.from(randomBytes(49_152).toString("base64"));
  let sent = 0;
  const origin = await RawOrigin.start(t, (connection) => {
    const { socket } = connection;
    socket.write(`HTTP/1.1 200 OK\r\n${html}Content-Length: ${65_536 * 400}\r\n\r\n`);
    const more = (): void => {
      while (sent < 400) {
        sent++;
        if (!socket.write(noise)) return;
      }
    };
    socket.on("drain", more);
    more();
    return null;
  });
  const web = await webSite(t, [origin.port], { compress: true });
  const client = await RawClient.open(web.port);
  client.socket.pause();
  client.send("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
  // It goes no further once all buffers on the way are full.
  for (let before = -1; sent !== before || sent < 10; ) {
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const kernelBytes = 16 * 1_048_576;
  assert.ok(sent * 65_536 < kernelBytes + http.answerBufferBytesMax, `${sent * 65_536} bytes sent`);
  client.socket.resume();
  while (sent < 400) await new Promise((resolve) => setTimeout(resolve, 50));
  client.destroy();
  await noneLeft();
});

test("beyond the bound of encoders answers are sent as they are", async (t) => {
  const origin = await RawOrigin.start(t, () => null);
  const web = await webSite(t, [origin.port], { compress: true });
  const count = limits.encodersMax + 5;
  const clients = await Promise.all(Array.from({ length: count }, () => RawClient.open(web.port)));
  for (const client of clients) client.send("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
  while (origin.requests < count) await new Promise((resolve) => setImmediate(resolve));
  for (const connection of origin.connections)
    connection.send(`HTTP/1.1 200 OK\r\n${html}Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n`);
  const heads = await Promise.all(clients.map((client) => client.read(/\r\n\r\n/)));
  assert.equal(heads.filter((head) => !head.includes("Content-Encoding")).length, 5);
  assert.equal(openCompressors(), limits.encodersMax);
  for (const connection of origin.connections) connection.send("4\r\nlast\r\n0\r\n\r\n");
  await Promise.all(clients.map((client) => client.read(/0\r\n\r\n$/)));
  for (const client of clients) client.destroy();
  await noneLeft();
});

test("HTTP/2: the same, stream by stream; one that is cancelled frees its encoder", async (t) => {
  const origin = await RawOrigin.start(t, (connection, head) => {
    if (head.startsWith("GET /short ")) return ok(page, html);
    if (head.startsWith("GET /long ")) return chunked(long, 10_000);
    connection.send(`HTTP/1.1 200 OK\r\n${html}Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n`);
    return null;
  });
  const web = await webSite(t, [origin.port], { compress: true, tls: tlsSettings("a") });
  const session = connect(`https://127.0.0.1:${web.port}`, { rejectUnauthorized: false });
  t.after(() => session.destroy());
  const ask = (path: string): ReturnType<typeof session.request> =>
    session.request({ ":path": path, ":authority": "a", "accept-encoding": "gzip" });
  const whole = async (path: string): Promise<string> => {
    const stream = ask(path);
    const [head] = await once(stream, "response");
    assert.deepEqual([head["content-encoding"], head.vary], ["gzip", "Accept-Encoding"]);
    const pieces: Buffer[] = [];
    for await (const piece of stream) pieces.push(piece as Buffer);
    return gunzipSync(Buffer.concat(pieces)).toString();
  };
  const paths = Array.from({ length: 20 }, (_none, at) => (at % 2 === 0 ? "/short" : "/long"));
  const bodies = await Promise.all(paths.map(whole));
  assert.deepEqual(
    bodies.map((body) => body.length),
    paths.map((path) => (path === "/short" ? page.length : long.length)),
  );
  await noneLeft();
  // Browsers cancel; a reset without an error means the same.
  for (let times = 0; times < 20; times++) {
    const endless = ask("/endless");
    await once(endless, "response");
    assert.equal(openCompressors(), 1);
    endless.close(times % 2 === 0 ? constants.NGHTTP2_CANCEL : constants.NGHTTP2_NO_ERROR);
    await noneLeft();
    assert.equal((await web.logged(paths.length + times)).ending, "CD");
  }
});
