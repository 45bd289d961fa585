/** The same behaviours over a real link: an application behind its cluster port, Node's own request and response. */
import assert from "node:assert/strict";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { type TestContext, test } from "node:test";
import { type LinkApp, linkApp } from "../harness/link-app.ts";
import { RawClient } from "../harness/raw.ts";
import { type WebSite, type WebSiteOptions, webSite } from "../harness/web-site.ts";

const get = (path: string, fields = ""): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;

async function site(
  t: TestContext,
  handler: RequestListener,
  options: WebSiteOptions = {},
): Promise<{ web: WebSite; client: RawClient; app: LinkApp }> {
  const app = await linkApp(t, "app-a", handler);
  const web = await webSite(t, [app.port], { ...options, link: true });
  return { web, client: await RawClient.open(web.port), app };
}

/** Resolves with the first call of a handler. */
function firstCall(): { handler: RequestListener; called: Promise<[IncomingMessage, ServerResponse]> } {
  let handler!: RequestListener;
  const called = new Promise<[IncomingMessage, ServerResponse]>((resolve) => {
    handler = (req, res) => resolve([req, res]);
  });
  return { handler, called };
}

test("a burst of 1,000 pipelined requests is answered in order, a slow first one too", async (t) => {
  const { client } = await site(t, (req, res) => {
    if (req.url === "/0") setTimeout(() => res.end("/0"), 50);
    else res.end(req.url);
  });
  client.send(Array.from({ length: 1_000 }, (_none, at) => get(`/${at}`)).join(""));
  for (let at = 0; at < 1_000; at++) assert.equal((await client.answer()).body, `/${at}`);
});

test("lengths, chunks, HEAD, 204, 304 and HTTP/1.0", async (t) => {
  const { client, web } = await site(t, (req, res) => {
    if (req.url === "/204" || req.url === "/304") res.writeHead(Number(req.url.slice(1))).end();
    else if (req.url === "/chunks") {
      res.write("one,");
      setImmediate(() => res.end("two"));
    } else res.end("whole");
  });
  for (let count = 0; count < 2; count++) {
    client.send(get("/"));
    assert.deepEqual(await framed(client), ["length", "whole"]);
    client.send(get("/chunks"));
    assert.deepEqual(await framed(client), ["chunked", "one,two"]);
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal((await client.answer("HEAD")).status, 200);
    for (const status of [204, 304]) {
      client.send(get(`/${status}`));
      assert.equal((await client.answer()).status, status);
    }
  }
  const old = await RawClient.open(web.port);
  old.send("GET /chunks HTTP/1.0\r\n\r\n");
  assert.deepEqual(await framed(old), ["close", "one,two"]);
});

async function framed(client: RawClient): Promise<[string, string]> {
  const { framing, body } = await client.answer();
  return [framing, body];
}

test("trailers both ways, early hints, informational answers", async (t) => {
  const { client } = await site(t, (req, res) => {
    req.resume().on("end", () => {
      res.writeEarlyHints({ link: "</a.css>; rel=preload" });
      res.writeHead(200, { Trailer: "X-Sum" });
      res.write(`got ${req.trailers["x-in"]}`);
      res.addTrailers({ "X-Sum": "1f" });
      res.end();
    });
  });
  client.send(
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-In: 7\r\n\r\n",
  );
  const hints = await client.answer();
  assert.deepEqual([hints.status, hints.field("link")], [103, "</a.css>; rel=preload"]);
  const answer = await client.answer();
  assert.deepEqual([answer.body, answer.trailer], ["got 7", "X-Sum: 1f\r\n"]);
});

test("Expect: the application says 100, or refuses without", async (t) => {
  const { client, app, web } = await site(t, (req, res) => {
    req.resume().on("end", () => res.end("took it"));
  });
  const post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
  client.send(post);
  assert.equal((await client.answer()).status, 100);
  client.send("body");
  assert.equal((await client.answer()).body, "took it");

  app.server.on("checkContinue", (_req, res: ServerResponse) => res.writeHead(413).end("too much"));
  const other = await RawClient.open(web.port);
  other.send(post);
  const answer = await other.answer();
  assert.deepEqual([answer.status, answer.body], [413, "too much"]);
  // Whether the body follows is the client's choice: what comes next could be either.
  assert.equal(answer.field("connection"), "close");
  await other.ended();
});

test("an answer that comes before the upload is finished", async (t) => {
  const { client, web } = await site(t, (req, res) => {
    if (req.method === "POST") res.end("early");
    else res.end("next");
  });
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
  assert.equal((await client.answer()).body, "early");
  client.send("x".repeat(100_000) + get("/"));
  assert.equal((await client.answer()).body, "next");

  const long = await RawClient.open(web.port);
  long.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n${"x".repeat(2_000_000)}`);
  const answer = await long.answer();
  assert.deepEqual([answer.body, answer.field("connection")], ["early", "close"]);
  await long.ended();
});

test("128 MiB both ways, and a reader that stalls stops the application", async (t) => {
  const bytes = 128 * 1_048_576;
  const piece = Buffer.alloc(65_536, "p");
  let written = 0;
  const { web } = await site(t, (req, res) => {
    if (req.method === "PUT") {
      let got = 0;
      req.on("data", (data: Buffer) => {
        got += data.length;
      });
      req.on("end", () => res.end(`${got}`));
      return;
    }
    res.setHeader("Content-Length", bytes);
    const write = (): void => {
      while (written < bytes) {
        written += piece.length;
        if (!res.write(piece)) return void res.once("drain", write);
      }
      res.end();
    };
    write();
  });
  const up = await RawClient.open(web.port);
  up.send(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes}\r\n\r\n`);
  for (let left = bytes; left > 0; left -= piece.length) {
    if (!up.socket.write(piece)) await new Promise((resolve) => up.socket.once("drain", resolve));
  }
  assert.equal((await up.answer()).body, `${bytes}`);

  const down = await RawClient.open(web.port);
  down.socket.removeAllListeners("data");
  down.socket.pause();
  down.send(get("/"));
  for (let before = -1; before !== written || written === 0; ) {
    before = written;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.ok(written < bytes / 2, `${written} bytes were taken from the application`);
  let got = 0;
  await new Promise<void>((resolve) => {
    down.socket.on("data", (data) => {
      got += data.length;
      if (got >= bytes) resolve();
    });
    down.socket.resume();
  });
});

test("events arrive one by one", async (t) => {
  const { handler, called } = firstCall();
  const { client } = await site(t, handler);
  client.send(get("/"));
  const [, res] = await called;
  res.writeHead(200, { "Content-Type": "text/event-stream" });
  res.flushHeaders();
  assert.match(await client.read(/\r\n\r\n/), /text\/event-stream/);
  for (let at = 0; at < 10; at++) {
    res.write(`data: ${at}\n\n`);
    assert.match(await client.read(/\n\n\r\n/), new RegExp(`data: ${at}`));
  }
});

test("an upgrade: bytes both ways, half-closed by either side", async (t) => {
  const { client, app, web } = await site(t, (_req, res) => res.end("no"));
  app.server.on("upgrade", (_req, socket, head: Buffer) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    socket.write(head);
    socket.on("data", (data: Buffer) => socket.write(data));
    socket.on("end", () => socket.end("bye"));
  });
  client.send(`${get("/", "Connection: Upgrade\r\nUpgrade: echo\r\n")}early`);
  assert.equal((await client.answer()).status, 101);
  assert.equal(await client.readBytes(5), "early");
  client.send("later");
  assert.equal(await client.readBytes(5), "later");
  client.end();
  assert.equal(await client.read(), "bye");
  assert.equal((await web.logged(0)).status, 101);
});

test("a client that leaves ends the request for the application", async (t) => {
  const { handler, called } = firstCall();
  const { client } = await site(t, handler);
  client.send(get("/"));
  const [req, res] = await called;
  const closed = new Promise((resolve) => res.once("close", resolve));
  client.socket.resetAndDestroy();
  await closed;
  assert.equal(req.destroyed || res.destroyed, true);
});

test("an application that breaks off before its answer: 502, not asked again when alone", async (t) => {
  let calls = 0;
  const { client, web } = await site(t, (req) => {
    calls++;
    req.socket.destroy();
  });
  client.send(get("/"));
  assert.equal((await client.answer()).status, 502);
  assert.equal(calls, 1);
  assert.equal((await web.logged(0)).status, 502);
});

for (const [method, answer] of [
  ["GET", "good"],
  ["POST", "502"],
] as const) {
  test(`a link that breaks during ${method}: ${answer}`, async (t) => {
    const { handler, called } = firstCall();
    const broken = await linkApp(t, "app-a", handler);
    const good = await linkApp(t, "app-b", (_req, res) => res.end("good"));
    const web = await webSite(t, [broken.port, good.port], { link: true });
    const client = await RawClient.open(web.port);
    client.send(`${method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`);
    await called;
    await broken.close();
    const { status, body } = await client.answer();
    assert.equal(status === 200 ? body : `${status}`, answer);
  });
}

test("no link: 503 at once, and the operator reads why", async (t) => {
  const { client, app, web } = await site(t, (_req, res) => res.end("ok"));
  client.send(get("/"));
  assert.equal((await client.answer()).body, "ok");
  await app.close();
  await new Promise((resolve) => setImmediate(resolve));
  client.send(get("/"));
  assert.equal((await client.answer()).status, 503);
  assert.match(web.warnings.join("\n"), /503 to 1 request\(s\): no server of app takes requests: app-a \(/);
});
