/** `buffer: true`: an app server hears of a request when its body is whole, however slowly and however much comes. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { ok, RawClient, RawOrigin } from "../harness/raw.ts";
import { type WebSite, type WebSiteOptions, webSite } from "../harness/web-site.ts";

function buffered(
  t: TestContext,
  origins: readonly RawOrigin[],
  options: WebSiteOptions = {},
): Promise<WebSite> {
  return webSite(
    t,
    origins.map(({ port }) => port),
    { routes: [{ to: "app", buffer: true, bodyBytesMax: 100_000_000 }], ...options },
  );
}

const body = "0123456789".repeat(100_000);

test("nothing reaches the application before the body is whole; then it has a length", async (t) => {
  const origin = await RawOrigin.start(t, () => ok("done"));
  const web = await buffered(t, [origin]);
  const client = await RawClient.open(web.port);
  client.send("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  // Another request on the way shows that the first one was seen.
  const other = await RawClient.open(web.port);
  other.send("GET /y HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.equal((await other.answer()).body, "done");
  assert.doesNotMatch(origin.received, /POST/);
  client.send("2\r\nde\r\n0\r\n\r\n");
  assert.equal((await client.answer()).body, "done");
  assert.match(origin.received, /POST \/x HTTP\/1\.1\r\n[\s\S]*\r\nContent-Length: 5\r\n\r\nabcde$/);
  assert.doesNotMatch(origin.received, /Transfer-Encoding/i);
  other.destroy();
  client.destroy();
});

test("a long body waits on the disk, in a file that has no name, and arrives as it was", async (t) => {
  const origin = await RawOrigin.start(t, (connection, head) => {
    if (head.startsWith("POST"))
      void connection.read(/0123456789END/).then(() => connection.send(ok("done")));
    return null;
  });
  const web = await buffered(t, [origin]);
  const client = await RawClient.open(web.port);
  client.send(
    `POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length + 3}\r\n\r\n${body.slice(0, 500_000)}`,
  );
  const waited = performance.now() + 5_000;
  while (web.site.bodies.bytes < 400_000 && performance.now() < waited)
    await new Promise((resolve) => setImmediate(resolve));
  assert.ok(existsSync(web.site.bodies.path));
  assert.deepEqual(
    readdirSync(web.site.bodies.path).filter((name) => existsSync(name)),
    [],
  );
  client.send(`${body.slice(500_000)}END`);
  assert.equal((await client.answer()).body, "done");
  assert.ok(origin.received.endsWith(`\r\n\r\n${body}END`));
  assert.equal(web.site.bodies.bytes, 0);
  client.destroy();
});

test("who expects 100 gets it from us; a trailer goes on", async (t) => {
  const origin = await RawOrigin.start(t, () => ok("done"));
  const web = await buffered(t, [origin]);
  const client = await RawClient.open(web.port);
  client.send("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n");
  assert.equal(await client.read(/\r\n\r\n/), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n");
  assert.equal((await client.answer()).body, "done");
  assert.match(
    origin.received,
    /\r\nTransfer-Encoding: chunked\r\n[\s\S]*3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n$/,
  );
  assert.doesNotMatch(origin.received, /Expect/i);
  client.destroy();
});

test("a body of any length goes to another server when the first one is lost before it acted", async (t) => {
  const first = await RawOrigin.start(t, (connection) => {
    connection.destroy();
    return null;
  });
  const second = await RawOrigin.start(t, (connection) => {
    void connection.read(/END/).then(() => connection.send(ok("second")));
    return null;
  });
  const web = await buffered(t, [first, second]);
  const client = await RawClient.open(web.port);
  client.send(`PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length + 3}\r\n\r\n${body}END`);
  assert.equal((await client.answer()).body, "second");
  assert.ok(second.received.endsWith(`\r\n\r\n${body}END`));
  client.destroy();
});

test("an answer before the application has read the body: its connection is not used again", async (t) => {
  const origin = await RawOrigin.start(t, (connection, head) => {
    if (head.startsWith("POST")) connection.socket.pause();
    return ok("done");
  });
  const web = await buffered(t, [origin]);
  const client = await RawClient.open(web.port);
  client.send(`POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n${body.repeat(20)}`);
  assert.equal((await client.answer()).body, "done");
  client.send("GET /y HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.equal((await client.answer()).body, "done");
  assert.equal(origin.connections.length, 2);
  client.destroy();
});

test("too long is 413, no room on the disk is 503; a client that goes away leaves nothing", async (t) => {
  const origin = await RawOrigin.start(t, () => ok("done"));
  const web = await buffered(t, [origin], {
    routes: [{ to: "app", buffer: true, bodyBytesMax: 900_000 }],
    bodiesBytesMax: 300_000,
  });
  const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
  const chunked = "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  const full = await RawClient.open(web.port);
  full.send(chunked + chunk(body.slice(0, 600_000)));
  assert.equal((await full.answer()).status, 503);
  assert.match(web.warnings.join("\n"), /the body of POST \/x can't be kept: bodies take/);
  const gone = await RawClient.open(web.port);
  gone.send(chunked + chunk(body.slice(0, 200_000)));
  while (web.site.bodies.bytes === 0) await new Promise((resolve) => setImmediate(resolve));
  gone.destroy();
  const long = await RawClient.open(web.port);
  long.send(`POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 900001\r\n\r\n`);
  assert.equal((await long.answer()).status, 413);
  assert.equal(origin.requests, 0);
});
