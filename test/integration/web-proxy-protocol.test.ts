/** `proxyProtocol: true`: a trusted balancer's word on who the client is, before TLS and before HTTP; nobody else's (A17). */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { connect } from "node:tls";
import { exchange, ok, RawClient, RawOrigin } from "../harness/raw.ts";
import { tlsSettings } from "../harness/tls.ts";
import { type WebSite, type WebSiteOptions, webSite } from "../harness/web-site.ts";

const line = "PROXY TCP4 192.0.2.7 192.0.2.1 40112 443\r\n";
const get = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\nConnection: close\r\n\r\n";

async function site(
  t: TestContext,
  options: WebSiteOptions = {},
): Promise<{ web: WebSite; origin: RawOrigin }> {
  const origin = await RawOrigin.start(t, () => ok("body"));
  const web = await webSite(t, [origin.port], { trusted: ["127.0.0.1"], proxyProtocol: true, ...options });
  return { web, origin };
}

test("the client that the balancer names is the client: for the app server, in the log, and for trust", async (t) => {
  const { web, origin } = await site(t);
  assert.match(await exchange(web.port, line + get), /body$/);
  assert.match(origin.received, /\r\nX-Forwarded-For: 192\.0\.2\.7\r\n/);
  const { clientAddress, clientPort } = await web.logged(0);
  assert.deepEqual([clientAddress, clientPort], ["192.0.2.7", 40_112]);
});

test("a client behind the balancer that is trusted itself may forward", async (t) => {
  const { web, origin } = await site(t, { trusted: ["127.0.0.1", "192.0.2.0/24"] });
  await exchange(web.port, line + get);
  assert.match(origin.received, /\r\nX-Forwarded-For: 6\.6\.6\.6, 192\.0\.2\.7\r\n/);
});

test("byte by byte, and what follows with it in one piece", async (t) => {
  const { web } = await site(t);
  const client = await RawClient.open(web.port);
  for (const byte of line) {
    client.send(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  client.send(get);
  assert.equal((await client.answer()).body, "body");
  assert.equal((await web.logged(0)).clientAddress, "192.0.2.7");
});

test("version 2, over TLS, with HTTP/1.1 behind it", async (t) => {
  const { web, origin } = await site(t, { tls: tlsSettings("a") });
  const head = Buffer.from("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", "latin1");
  const ends = Buffer.from([192, 0, 2, 7, 192, 0, 2, 1, 0x9c, 0xb0, 1, 0xbb]);
  const raw = await RawClient.open(web.port);
  raw.socket.removeAllListeners("data");
  raw.socket.write(Buffer.concat([head, ends]));
  const socket = connect({ socket: raw.socket, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] });
  await once(socket, "secureConnect");
  const client = new RawClient(socket);
  client.send(get);
  assert.equal((await client.answer()).body, "body");
  assert.match(origin.received, /\r\nX-Forwarded-For: 192\.0\.2\.7\r\n[\s\S]*X-Forwarded-Proto: https\r\n/);
  assert.match((await web.logged(0)).tls, /^TLSv1\./);
  client.destroy();
});

test("a health check of the balancer speaks for itself", async (t) => {
  const { web } = await site(t);
  await exchange(web.port, `PROXY UNKNOWN\r\n${get}`);
  assert.equal((await web.logged(0)).clientAddress, "127.0.0.1");
  // One that only connects costs nothing and says nothing.
  const silent = await RawClient.open(web.port);
  silent.end();
  await silent.ended();
  assert.deepEqual(web.warnings, []);
});

test("A17 from a network that is not trusted: closed, whatever it says; told once", async (t) => {
  const { web, origin } = await site(t, { trusted: ["10.0.0.0/8"] });
  for (const text of [line + get, get, line + get]) assert.equal(await exchange(web.port, text), "");
  assert.equal(origin.received, "");
  assert.deepEqual(web.warnings, [
    "a connection from 127.0.0.1 was closed: proxyProtocol: is on, and its address is not in trust:",
  ]);
});

test("A17 without a header, or with a wrong one: closed, and nothing reaches an app server", async (t) => {
  const { web, origin } = await site(t);
  for (const text of [get, "PROXY TCP4 1.2.3.4\r\n", `PROXY TCP4 ${"1".repeat(200)}`, "PROX\r\n"])
    assert.equal(await exchange(web.port, text), "");
  assert.equal(origin.received, "");
  assert.match(web.warnings.join("\n"), /was closed: it does not begin with a PROXY header$/);
});

test("A23 a header that does not come in time", async (t) => {
  const { web } = await site(t, { timeouts: { headTimeoutMs: 50 } });
  const client = await RawClient.open(web.port);
  client.send("PROXY TCP4 192");
  await client.ended();
  assert.match(web.warnings.join(), /did not come in time/);
});

test("where it is off, its line is no request", async (t) => {
  const { web, origin } = await site(t, { proxyProtocol: false });
  assert.match(await exchange(web.port, line + get), /^HTTP\/1\.1 (400|501) /);
  assert.equal(origin.received, "");
});
