/** What ends a connection: silence in each phase, a client that leaves, too many connections, an orderly stop. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ok, RawClient, RawOrigin } from "../harness/raw.ts";
import { webSite } from "../harness/web-site.ts";

const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const short = {
  headTimeoutMs: 200,
  bodySilenceTimeoutMs: 200,
  keepAliveTimeoutMs: 200,
  requestTimeoutMs: 2_000,
  writeSilenceTimeoutMs: 300,
};

test("a head that stops is answered 408, also behind an answered request", async (t) => {
  const origin = await RawOrigin.start(t, () => ok("ok"));
  const web = await webSite(t, [origin.port], { timeouts: { ...short, keepAliveTimeoutMs: 60_000 } });
  for (const before of ["", get]) {
    const client = await RawClient.open(web.port);
    client.send(`${before}GET / HTTP/1.1\r\nHost: `);
    if (before !== "") assert.equal((await client.answer()).body, "ok");
    const answer = await client.answer();
    assert.equal(answer.status, 408);
    assert.equal(answer.field("connection"), "close");
    await client.ended();
  }
});

test("a connection that says nothing is closed without a word", async (t) => {
  const origin = await RawOrigin.start(t, () => ok("ok"));
  const web = await webSite(t, [origin.port], { timeouts: short });
  const silent = await RawClient.open(web.port);
  assert.equal(await silent.read(), "");
  const kept = await RawClient.open(web.port);
  kept.send(get);
  assert.equal((await kept.answer()).body, "ok");
  assert.equal(await kept.read(), "");
});

test("a body that stops is answered 408 and closes, however short its rest is", async (t) => {
  const origin = await RawOrigin.start(t, () => null);
  const web = await webSite(t, [origin.port], { timeouts: short });
  const client = await RawClient.open(web.port);
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345");
  const answer = await client.answer();
  assert.equal(answer.status, 408);
  assert.equal(answer.field("connection"), "close");
  await client.ended();
  await origin.connections[0]!.ended();
});

test("the silence of a body ends with each byte of it", async (t) => {
  const origin = await RawOrigin.start(t, () => null);
  const web = await webSite(t, [origin.port], { timeouts: short });
  const client = await RawClient.open(web.port);
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
  for (let at = 0; at < 10; at++) {
    await new Promise((resolve) => setTimeout(resolve, 60));
    client.send("x");
  }
  await origin.arrived(/x{10}$/);
  origin.connections[0]!.send(ok("ok"));
  assert.equal((await client.answer()).body, "ok");
});

test("time in which the server stood still is no silence of its clients", async (t) => {
  const origin = await RawOrigin.start(t, () => null);
  const web = await webSite(t, [origin.port], { timeouts: short });
  const client = await RawClient.open(web.port);
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
  await origin.arrived(/\r\n\r\n$/);
  for (let at = 0; at < 2; at++) {
    client.send("12345");
    // Longer than every deadline: the bytes wait in the kernel's buffer meanwhile.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
    await origin.arrived(/5$/);
  }
  origin.connections[0]!.send(ok("ok"));
  assert.equal((await client.answer()).body, "ok");
});

test("R14 an app that takes its time with the upload has longer than a client", async (t) => {
  const origin = await RawOrigin.start(t, (connection) => {
    connection.socket.pause();
    return null;
  });
  const web = await webSite(t, [origin.port], { timeouts: short });
  const client = await RawClient.open(web.port);
  const bytes = 16 * 1_048_576;
  client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes}\r\n\r\n`);
  client.send(Buffer.alloc(bytes, "x"));
  await new Promise((resolve) => setTimeout(resolve, 700));
  assert.equal(client.text, "");
  const app = origin.connections[0]!;
  app.socket.removeAllListeners("data");
  let got = 0;
  app.socket.on("data", (data) => {
    got += data.length;
  });
  app.socket.resume();
  while (got < bytes - 65_536) await new Promise((resolve) => setImmediate(resolve));
  app.send(ok("at last"));
  assert.equal((await client.answer()).body, "at last");
});

test("R14 an app that answers in pieces has the socket timeout for each", async (t) => {
  const origin = await RawOrigin.start(t, () => null);
  const web = await webSite(t, [origin.port], { timeouts: { ...short, socketTimeoutMs: 300 } });
  const client = await RawClient.open(web.port);
  client.send(get);
  await origin.arrived(/\r\n\r\n$/);
  const app = origin.connections[0]!;
  app.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (let at = 0; at < 8; at++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    app.send("1\r\nx\r\n");
  }
  await client.read(/(1\r\nx\r\n){8}/);
  // Then silence: the answer breaks off, which the missing last chunk tells.
  assert.equal(await client.read(), "");
  await app.ended();
  assert.match(web.warnings.join("\n"), /no answer in time/);
});

test("R14 an app that stops reading an upload is given up", async (t) => {
  const origin = await RawOrigin.start(t, (connection) => {
    connection.socket.pause();
    return null;
  });
  const web = await webSite(t, [origin.port], { timeouts: { ...short, socketTimeoutMs: 300 } });
  const client = await RawClient.open(web.port);
  const bytes = 16 * 1_048_576;
  client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes}\r\n\r\n`);
  client.send(Buffer.alloc(bytes, "x"));
  assert.equal((await client.answer()).status, 504);
});

test("R14 who thinks before the answer has the request timeout, R12; event streams may be silent", async (t) => {
  const origin = await RawOrigin.start(t, () => null);
  const web = await webSite(t, [origin.port], { timeouts: { ...short, socketTimeoutMs: 200 } });
  const client = await RawClient.open(web.port);
  client.send(get);
  await origin.arrived(/\r\n\r\n$/);
  const app = origin.connections[0]!;
  await new Promise((resolve) => setTimeout(resolve, 700));
  app.send("HTTP/1.1 200 OK\r\ncontent-type: Text/Event-Stream; charset=utf-8\r\n\r\ndata: 1\n\n");
  await client.read(/data: 1\n\n/);
  await new Promise((resolve) => setTimeout(resolve, 700));
  app.send("data: 2\n\n");
  await client.read(/data: 2\n\n/);
  app.end();
  assert.match(await client.read(), /\r\n0\r\n\r\n$/);
});

test("a client that reads nothing is cut off, its app server was free long before", async (t) => {
  const body = "x".repeat(200_000);
  const origin = await RawOrigin.start(t, () => ok(body));
  const web = await webSite(t, [origin.port], { timeouts: short });
  const client = await RawClient.open(web.port);
  client.socket.pause();
  // Until the kernel's buffers are full; then an answer waits in ours.
  for (let at = 0; at < 200; at++) client.send(get);
  let before = -1;
  while (before !== web.log.length) {
    before = web.log.length;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.ok(before < 200, "the kernel took it all");
  assert.equal(web.upstreams[0]!.inFlight, 0);
  await until(() => web.site.wheel.size <= 1);
  client.socket.resume();
  await client.ended();
  assert.ok(web.log.length < 200);
});

test("a client that reads slowly, but reads, is served to the end", async (t) => {
  const bytes = 8 * 1_048_576;
  const origin = await RawOrigin.start(t, () => ok("y".repeat(bytes)));
  const web = await webSite(t, [origin.port], { timeouts: { ...short, writeSilenceTimeoutMs: 2_000 } });
  const client = await RawClient.open(web.port);
  client.socket.removeAllListeners("data");
  let got = 0;
  client.socket.on("data", (data) => {
    got += data.length;
    client.socket.pause();
    setTimeout(() => client.socket.resume(), 10);
  });
  client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  await new Promise((resolve) => client.socket.once("end", resolve));
  assert.ok(got > bytes, `${got} bytes`);
});

test("a client that leaves during the answer ends the app server's work", async (t) => {
  const origin = await RawOrigin.start(t, () => "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\nfirst");
  const web = await webSite(t, [origin.port]);
  const client = await RawClient.open(web.port);
  client.send(get);
  await client.read(/first/);
  client.socket.resetAndDestroy();
  await origin.connections[0]!.ended();
  const entry = await web.logged(0);
  assert.deepEqual([entry.status, entry.sentBytes], [200, 5]);
});

test("a client that leaves before the answer ends the app server's work", async (t) => {
  const origin = await RawOrigin.start(t, () => null);
  const web = await webSite(t, [origin.port]);
  const client = await RawClient.open(web.port);
  client.send(get);
  await origin.arrived(/\r\n\r\n/);
  client.socket.resetAndDestroy();
  await origin.connections[0]!.ended();
  assert.equal((await web.logged(0)).status, 0);
});

test("printf | nc: a client that ends its direction behind the request gets its answer", async (t) => {
  const origin = await RawOrigin.start(t, (connection) => {
    setTimeout(() => connection.send(ok("for you")), 20);
    return null;
  });
  const web = await webSite(t, [origin.port]);
  const client = await RawClient.open(web.port);
  client.send(get);
  client.end();
  assert.match(await client.read(), /for you$/);
});

test("one connection too many is closed, the others go on", async (t) => {
  const origin = await RawOrigin.start(t, () => ok("ok"));
  const web = await webSite(t, [origin.port], { limits: { connectionsMax: 3 } });
  const clients = [];
  for (let at = 0; at < 3; at++) {
    const client = await RawClient.open(web.port);
    client.send(get);
    assert.equal((await client.answer()).body, "ok");
    clients.push(client);
  }
  const fourth = await RawClient.open(web.port);
  await fourth.ended();
  clients[0]!.destroy();
  clients[1]!.send(get);
  assert.equal((await clients[1]!.answer()).body, "ok");
  const fifth = await RawClient.open(web.port);
  fifth.send(get);
  assert.equal((await fifth.answer()).body, "ok");
});

test("idle connections to the app server close in time (R10), and the next request opens one", async (t) => {
  const origin = await RawOrigin.start(t, () => ok("ok"));
  const web = await webSite(t, [origin.port], { timeouts: { upstreamIdleTimeMs: 100 } });
  const client = await RawClient.open(web.port);
  client.send(get);
  await client.answer();
  await origin.connections[0]!.ended();
  client.send(get);
  assert.equal((await client.answer()).body, "ok");
  assert.equal(origin.connections.length, 2);
});

test("an orderly stop: idle connections close, answers come to their end and say that they are the last", async (t) => {
  const origin = await RawOrigin.start(t, () => null);
  const web = await webSite(t, [origin.port]);
  const idle = await RawClient.open(web.port);
  const waiting = await RawClient.open(web.port);
  waiting.send(get);
  await origin.arrived(/\r\n\r\n/);
  const begun = await RawClient.open(web.port);
  begun.send(get);
  await origin.arrived(/\r\n\r\n[\s\S]*\r\n\r\n/);
  const [first, second] = origin.connections;
  second!.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nbeg");
  await begun.read(/beg/);

  let drained = false;
  const end = web.drain().then(() => {
    drained = true;
  });
  assert.equal(await idle.read(), "");
  idle.end();
  first!.send(ok("waited"));
  const answer = await waiting.answer();
  assert.deepEqual([answer.body, answer.field("connection")], ["waited", "close"]);
  await waiting.ended();
  waiting.end();
  assert.equal(drained, false);
  // Its head had promised a next request; the connection ends all the same.
  second!.send("gun");
  assert.equal(await begun.read(), "gun");
  begun.end();
  await end;
  await assert.rejects(RawClient.open(web.port), /ECONNREFUSED/);
});

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 20));
}
