/** Connections that serve many requests: kept alive, pipelined, half-closed, and those that ask without reading. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { http as limits } from "../../src/support/limits.ts";
import { exchange, ok, RawClient, RawOrigin } from "../harness/raw.ts";
import { webSite } from "../harness/web-site.ts";

const get = (path: string, fields = ""): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
const pathOf = (head: string): string => head.split(" ")[1]!;

test("one connection serves one request after the other, over one connection to the server", async (t) => {
  const origin = await RawOrigin.start(t, (_connection, head) => ok(pathOf(head)));
  const web = await webSite(t, [origin.port]);
  const client = await RawClient.open(web.port);
  for (let count = 0; count < 50; count++) {
    client.send(get(`/${count}`));
    assert.equal((await client.answer()).body, `/${count}`);
  }
  assert.equal(origin.connections.length, 1);
});

test("Connection: close is the last one; what follows is not read", async (t) => {
  const origin = await RawOrigin.start(t, () => ok("ok"));
  const web = await webSite(t, [origin.port]);
  const got = await exchange(web.port, get("/1", "Connection: close\r\n") + get("/2"));
  assert.equal(got.match(/HTTP\/1\.1 200/g)?.length, 1);
  assert.match(got, /\r\nConnection: close\r\n/);
  assert.equal(origin.requests, 1);
});

test("a server's Connection: close ends its own connection, not the client's", async (t) => {
  const origin = await RawOrigin.start(t, (connection) => {
    connection.send(ok("ok", "Connection: close\r\n"));
    connection.end();
    return null;
  });
  const web = await webSite(t, [origin.port]);
  const client = await RawClient.open(web.port);
  for (let count = 0; count < 3; count++) {
    client.send(get("/"));
    const answer = await client.answer();
    assert.equal(answer.body, "ok");
    assert.equal(answer.field("connection"), undefined);
  }
  assert.equal(origin.connections.length, 3);
});

test("a burst of 1,000 pipelined requests is answered in order", async (t) => {
  const origin = await RawOrigin.start(t, (_connection, head) => ok(pathOf(head)));
  const web = await webSite(t, [origin.port]);
  const client = await RawClient.open(web.port);
  let burst = "";
  for (let count = 0; count < 1_000; count++) burst += get(`/${count}`, `X: ${"y".repeat(count % 300)}\r\n`);
  client.send(burst);
  for (let count = 0; count < 1_000; count++) assert.equal((await client.answer()).body, `/${count}`);
  assert.equal(origin.connections.length, 1);
});

test("pipelined requests wait for a slow first one, in a bounded buffer", async (t) => {
  const origin = await RawOrigin.start(t, (_connection, head) =>
    head.startsWith("GET /slow") ? null : ok(pathOf(head)),
  );
  const web = await webSite(t, [origin.port]);
  const client = await RawClient.open(web.port);
  client.send(get("/slow"));
  await origin.arrived(/slow/);
  // More than is read ahead, and cut in the middle of heads.
  const count = 3_000;
  let burst = "";
  for (let at = 0; at < count; at++) burst += get(`/${at}`, `X: ${"y".repeat(1_000)}\r\n`);
  client.send(burst);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(origin.requests, 1);
  origin.connections[0]!.send(ok("slow"));
  assert.equal((await client.answer()).body, "slow");
  for (let at = 0; at < count; at++) assert.equal((await client.answer()).body, `/${at}`);
});

test("requests of both kinds of answers, ours and the servers', keep their order", async (t) => {
  const origin = await RawOrigin.start(t, (_connection, head) => ok(pathOf(head)));
  const web = await webSite(t, [origin.port], { routes: [{ path: "/app/*", to: "app" }] });
  const client = await RawClient.open(web.port);
  let burst = "";
  for (let at = 0; at < 200; at++) burst += get(at % 3 === 0 ? `/none/${at}` : `/app/${at}`);
  client.send(burst);
  for (let at = 0; at < 200; at++) {
    const answer = await client.answer();
    if (at % 3 === 0) assert.equal(answer.status, 404);
    else assert.equal(answer.body, `/app/${at}`);
  }
});

test("bodies between pipelined requests stay with their own", async (t) => {
  const origin = await RawOrigin.start(t, (_connection, head) => ok(pathOf(head)));
  const web = await webSite(t, [origin.port]);
  const client = await RawClient.open(web.port);
  let burst = "";
  for (let at = 0; at < 20; at++) {
    burst += `POST /${at} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc`;
    burst += `POST /${at}c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ndef\r\n0\r\n\r\n`;
  }
  client.send(burst);
  for (let at = 0; at < 20; at++) {
    assert.equal((await client.answer()).body, `/${at}`);
    assert.equal((await client.answer()).body, `/${at}c`);
  }
  assert.equal(origin.received.match(/\r\n\r\nabc/g)?.length, 20);
  assert.equal(origin.received.match(/\r\n\r\n3\r\ndef\r\n0\r\n\r\n/g)?.length, 20);
});

test("a client that ends after its requests gets all their answers, ours too", async (t) => {
  const origin = await RawOrigin.start(t, (connection, head) => {
    setImmediate(() => connection.send(ok(pathOf(head))));
    return null;
  });
  const web = await webSite(t, [origin.port], { routes: [{ path: "/app/*", to: "app" }] });
  const client = await RawClient.open(web.port);
  client.send(get("/app/1") + get("/none") + get("/none") + get("/app/2") + get("/none"));
  client.end();
  const got = await client.read();
  assert.deepEqual(
    got.match(/HTTP\/1\.1 \d+/g),
    [200, 404, 404, 200, 404].map((code) => `HTTP/1.1 ${code}`),
  );
});

test("a client that ends in the middle of a head is let go at once", async (t) => {
  const origin = await RawOrigin.start(t, () => ok("ok"));
  const web = await webSite(t, [origin.port]);
  const client = await RawClient.open(web.port);
  client.send(`${get("/1")}GET /2 HTT`);
  client.end();
  const got = await client.read();
  assert.equal(got.match(/HTTP\/1\.1 /g)?.length, 1);
  assert.equal(origin.requests, 1);
});

test("a client that ends in the middle of a body that was read ahead is let go at once", async (t) => {
  const origin = await RawOrigin.start(t, (connection, head) => {
    if (head.startsWith("GET")) setImmediate(() => connection.send(ok("1")));
    return null;
  });
  const web = await webSite(t, [origin.port]);
  for (const body of ["Content-Length: 9\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"]) {
    const client = await RawClient.open(web.port);
    client.send(`${get("/1")}POST /2 HTTP/1.1\r\nHost: a\r\n${body}`);
    client.end();
    const got = await client.read();
    assert.equal(got.match(/HTTP\/1\.1 /g)?.length, 1);
  }
});

test("who pipelines requests and reads no answers is not answered without bound", async (t) => {
  const body = "x".repeat(8_192);
  const origin = await RawOrigin.start(t, () => ok(body));
  const web = await webSite(t, [origin.port], { timeouts: { writeSilenceTimeoutMs: 300 } });
  const client = connect({ port: web.port, host: "127.0.0.1" });
  client.on("error", () => {});
  client.pause();
  // A gigabyte of answers.
  for (let at = 0; at < 131_072; at++) client.write(get("/"));
  await new Promise((resolve) => client.once("close", resolve));
  const answered = web.log.length * body.length;
  assert.ok(answered < 64 * 1_048_576, `${answered} bytes of answers were made`);
});

test("an empty line between requests is passed over", async (t) => {
  const origin = await RawOrigin.start(t, () => ok("ok"));
  const web = await webSite(t, [origin.port]);
  const client = await RawClient.open(web.port);
  client.send(`${get("/")}\r\n${get("/")}`);
  assert.equal((await client.answer()).body, "ok");
  assert.equal((await client.answer()).body, "ok");
});

test("what is read ahead ends with the connection's last answer", async (t) => {
  const origin = await RawOrigin.start(t, () => null);
  const web = await webSite(t, [origin.port]);
  const client = await RawClient.open(web.port);
  client.send(get("/", "Connection: close\r\n") + "x".repeat(limits.pipelinedBytesMax * 2));
  await origin.arrived(/\r\n\r\n/);
  origin.connections[0]!.send(ok("last"));
  assert.match(await client.read(), /last$/);
});
