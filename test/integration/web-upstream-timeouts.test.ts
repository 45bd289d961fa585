/** R8 to R12 towards plain HTTP servers: kept connections, their bounds, and the time that each thing may take. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { upstream as limits } from "../../src/support/limits.ts";
import { deafPort } from "../harness/deaf-port.ts";
import { FakeClock } from "../harness/link-pair.ts";
import { exchange, ok, RawClient, RawOrigin } from "../harness/raw.ts";
import { webSite } from "../harness/web-site.ts";

const get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const post = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody";

test("the defaults are those of the original", () => {
  const { connectTimeoutMs, idleTimeMs, recoverTimeMs, requestTimeoutMs, socketTimeoutMs } = limits;
  assert.deepEqual(
    [connectTimeoutMs, idleTimeMs, recoverTimeMs, requestTimeoutMs, socketTimeoutMs],
    [5_000, 5_000, 15_000, 665_000, 65_000],
  );
});

test("R8 one connection serves the requests of many clients, one after the other", async (t) => {
  const origin = await RawOrigin.start(t, () => ok("ok"));
  const web = await webSite(t, [origin.port]);
  for (let count = 0; count < 10; count++) assert.match(await exchange(web.port, get), /ok$/);
  assert.equal(origin.connections.length, 1);
});

test("R8 no more connections are kept than the file says", async (t) => {
  const origin = await RawOrigin.start(t, () => null);
  const web = await webSite(t, [origin.port], { plain: { idleConnectionsMax: 1 } });
  const clients = await Promise.all([1, 2, 3].map(() => RawClient.open(web.port)));
  for (const client of clients) client.send(get);
  await origin.arrived(/(GET[\s\S]*){3}/);
  for (const connection of origin.connections) connection.send(ok("ok"));
  for (const client of clients) assert.equal((await client.answer()).body, "ok");
  await Promise.any(origin.connections.map((connection) => connection.ended()));
  assert.equal(origin.connections.length, 3);
  await until(() => origin.connections.filter(({ closed }) => closed).length === 2);
});

test("no more connections than the file says: requests go to the other server, then wait in their order", async (t) => {
  const first = await RawOrigin.start(t, () => null);
  const second = await RawOrigin.start(t, () => null);
  const web = await webSite(t, [first.port, second.port], { plain: { connectionsMax: 1 } });
  const clients: RawClient[] = [];
  for (let count = 1; count <= 4; count++) {
    const client = await RawClient.open(web.port);
    client.send(`GET /${count} HTTP/1.1\r\nHost: a\r\n\r\n`);
    clients.push(client);
    await until(() => web.upstreams[0]!.inFlight + web.upstreams[1]!.inFlight === count);
  }
  await first.arrived(/GET \/1 /);
  await second.arrived(/GET \/2 /);
  assert.deepEqual([first.requests, second.requests], [1, 1]);
  first.connections[0]!.send(ok("one"));
  assert.equal((await clients[0]!.answer()).body, "one");
  await first.arrived(/GET \/3 /);
  second.connections[0]!.send(ok("two"));
  assert.equal((await clients[1]!.answer()).body, "two");
  await second.arrived(/GET \/4 /);
  first.connections[0]!.send(ok("three"));
  second.connections[0]!.send(ok("four"));
  assert.equal((await clients[2]!.answer()).body, "three");
  assert.equal((await clients[3]!.answer()).body, "four");
  assert.deepEqual([first.connections.length, second.connections.length], [1, 1]);
});

test("who waits has its place when a busy connection breaks, and its body with it", async (t) => {
  const origin = await RawOrigin.start(t, () => null);
  const web = await webSite(t, [origin.port], { plain: { connectionsMax: 1 } });
  const busy = await RawClient.open(web.port);
  busy.send(post);
  await origin.arrived(/body/);
  const waiting = await RawClient.open(web.port);
  waiting.send("POST /next HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
  await until(() => web.upstreams[0]!.inFlight === 2);
  origin.connections[0]!.socket.resetAndDestroy();
  assert.equal((await busy.answer()).status, 502);
  waiting.send("3\r\ntwo\r\n0\r\n\r\n");
  await origin.arrived(/POST \/next [\s\S]*one[\s\S]*two\r\n0\r\n\r\n$/);
  origin.connections[1]!.send(ok("next"));
  assert.equal((await waiting.answer()).body, "next");
});

test("who waits too long, and who finds the queue full, is told 503", async (t) => {
  const origin = await RawOrigin.start(t, () => null);
  const web = await webSite(t, [origin.port], {
    plain: { connectionsMax: 1 },
    server: { waitingMax: 1 },
    timeouts: { queueTimeoutMs: 300 },
  });
  const busy = await RawClient.open(web.port);
  busy.send(get);
  await origin.arrived(/GET/);
  const waiting = await RawClient.open(web.port);
  waiting.send(get);
  await until(() => web.upstreams[0]!.inFlight === 2);
  assert.match(await exchange(web.port, get), /^HTTP\/1\.1 503 /);
  assert.match(web.warnings.join("\n"), /app-a \(all 1 connections are busy\)/);
  assert.equal((await waiting.answer()).status, 503);
  assert.match(web.warnings.join("\n"), /no connection was free within 300 ms/);
  assert.equal(origin.requests, 1);
  origin.connections[0]!.send(ok("ok"));
  assert.equal((await busy.answer()).body, "ok");
});

test("who has waited long enough at one server does not wait at the next", async (t) => {
  const origins = [await RawOrigin.start(t, () => null), await RawOrigin.start(t, () => null)];
  const web = await webSite(
    t,
    origins.map(({ port }) => port),
    { plain: { connectionsMax: 1 }, timeouts: { queueTimeoutMs: 500 } },
  );
  const busy = [await RawClient.open(web.port), await RawClient.open(web.port)];
  for (const client of busy) client.send(get);
  for (const origin of origins) await origin.arrived(/GET/);
  assert.match(await exchange(web.port, get), /^HTTP\/1\.1 503 /);
  assert.equal((await web.logged(0)).attempts, 1);
  for (const origin of origins) origin.connections[0]!.send(ok("ok"));
  for (const client of busy) assert.equal((await client.answer()).body, "ok");
});

test("who waits for a server that goes down goes to the next", async (t) => {
  const first = new RawOrigin(() => null);
  const firstPort = await first.listen();
  const second = await RawOrigin.start(t, () => null);
  const web = await webSite(t, [firstPort, second.port], { plain: { connectionsMax: 1 } });
  const clients: RawClient[] = [];
  for (let count = 1; count <= 4; count++) {
    const client = await RawClient.open(web.port);
    client.send(`POST /${count} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody`);
    clients.push(client);
    await until(() => web.upstreams[0]!.inFlight + web.upstreams[1]!.inFlight === count);
  }
  await second.arrived(/POST \/2 /);
  first.close();
  assert.equal((await clients[0]!.answer()).status, 502);
  for (const path of [2, 4, 3]) {
    await second.arrived(new RegExp(`POST /${path} `));
    second.connections[0]!.send(ok(`${path}`));
    assert.equal((await clients[path - 1]!.answer()).body, `${path}`);
  }
});

test("who leaves the queue leaves no place behind", async (t) => {
  const origin = await RawOrigin.start(t, () => null);
  const web = await webSite(t, [origin.port], {
    plain: { connectionsMax: 1 },
    server: { waitingMax: 1 },
  });
  const busy = await RawClient.open(web.port);
  busy.send(get);
  await origin.arrived(/GET/);
  for (let count = 0; count < 3; count++) {
    const waiting = await RawClient.open(web.port);
    waiting.send(get);
    await until(() => web.upstreams[0]!.inFlight === 2);
    waiting.socket.resetAndDestroy();
    await until(() => web.upstreams[0]!.inFlight === 1);
  }
  origin.connections[0]!.send(ok("ok"));
  assert.equal((await busy.answer()).body, "ok");
  assert.equal(origin.requests, 1);
});

test("when the web server stops, who waits is told, and no connection is opened for them", async (t) => {
  const origin = await RawOrigin.start(t, () => null);
  const web = await webSite(t, [origin.port], { plain: { connectionsMax: 1 } });
  const clients = [await RawClient.open(web.port), await RawClient.open(web.port)];
  clients[0]!.send(get);
  await origin.arrived(/GET/);
  clients[1]!.send(get);
  await until(() => web.upstreams[0]!.inFlight === 2);
  web.upstreams[0]!.close();
  assert.equal((await clients[1]!.answer()).status, 503);
  await origin.connections[0]!.ended();
  assert.equal(origin.connections.length, 1);
  clients[0]!.socket.resetAndDestroy();
});

test("an upload that waits holds its client, not our memory", async (t) => {
  const origin = await RawOrigin.start(t, () => null);
  const web = await webSite(t, [origin.port], { plain: { connectionsMax: 1 } });
  const busy = await RawClient.open(web.port);
  busy.send(get);
  await origin.arrived(/GET/);
  const upload = await RawClient.open(web.port);
  const bytes = 8 * 1_048_576;
  upload.send(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes + 3}\r\n\r\n`);
  upload.send(Buffer.alloc(bytes, "x"));
  upload.send("end");
  await until(() => web.upstreams[0]!.inFlight === 2);
  await new Promise((resolve) => setTimeout(resolve, 100));
  // What the two kernel buffers take, and not all of it.
  assert.ok(upload.socket.writableLength > 0, "all of it was read");
  origin.connections[0]!.send(ok("ok"));
  await origin.arrived(/end$/);
  assert.ok(origin.received.length > bytes);
  origin.connections[0]!.send(ok("done"));
  assert.equal((await upload.answer()).body, "done");
});

test("R9 no connection within the connect timeout: 503 for the only server, and nobody waits for it after that", async (t) => {
  const deaf = await deafPort(t);
  const web = await webSite(t, [deaf.port], { timeouts: { connectTimeoutMs: 300, recoverTimeMs: 60_000 } });
  const begin = performance.now();
  assert.match(await exchange(web.port, get), /^HTTP\/1\.1 503 /);
  const tookMs = performance.now() - begin;
  assert.ok(tookMs >= 290 && tookMs < limits.connectTimeoutMs, `${tookMs} ms`);
  assert.match(web.warnings.join("\n"), /no connection within 300 ms/);
  for (let count = 0; count < 3; count++) assert.match(await exchange(web.port, get), /^HTTP\/1\.1 503 /);
  assert.equal((await web.logged(3)).attempts, 0);
});

test("R11 one request per recover time waits for a server that is not there; the others go elsewhere at once", async (t) => {
  const deaf = await deafPort(t);
  const good = await RawOrigin.start(t, () => ok("good"));
  const clock = new FakeClock();
  const web = await webSite(t, [deaf.port, good.port], {
    clock,
    timeouts: { connectTimeoutMs: 200, recoverTimeMs: 1_500 },
  });
  const slow = async (): Promise<number> => {
    const first = web.log.length;
    const answers = await Promise.all(Array.from({ length: 12 }, () => exchange(web.port, get)));
    for (const answer of answers) assert.match(answer, /good$/);
    await web.logged(first + 11);
    return web.log.slice(first).filter(({ attempts }) => attempts > 1).length;
  };
  assert.match(await exchange(web.port, post), /good$/);
  assert.equal(await slow(), 0);
  clock.advance(1_500);
  assert.equal(await slow(), 1);
  await deaf.wake();
  clock.advance(1_500);
  const answers = [];
  for (let count = 0; count < 8; count++) answers.push(await exchange(web.port, get));
  assert.equal(answers.filter((answer) => answer.endsWith("back")).length, 4);
});

test("R11 those that wait together for a connection end together, when the first of them has waited long enough", async (t) => {
  const deaf = await deafPort(t);
  const web = await webSite(t, [deaf.port], { timeouts: { connectTimeoutMs: 600, recoverTimeMs: 60_000 } });
  const first = exchange(web.port, get);
  await new Promise((resolve) => setTimeout(resolve, 300));
  const later = exchange(web.port, get);
  assert.match(await first, /^HTTP\/1\.1 503 /);
  assert.match(await later, /^HTTP\/1\.1 503 /);
  const [one, other] = [await web.logged(0), await web.logged(1)];
  assert.ok(Math.abs(one.durationMs - other.durationMs) > 150, "each waited on its own");
});

test("a slow connection holds up no client's upload for more than its share of memory", async (t) => {
  const deaf = await deafPort(t);
  const web = await webSite(t, [deaf.port], { timeouts: { connectTimeoutMs: 400 } });
  const client = await RawClient.open(web.port);
  client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 8388608\r\n\r\n");
  client.send(Buffer.alloc(8_388_608, "x"));
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.ok(client.socket.writableLength > 0, "all of it was read");
  assert.equal((await client.answer()).status, 503);
});

test("a request that can't be sent twice takes no connection that the server may be closing just now", async (t) => {
  const origin = await RawOrigin.start(t, (_connection, head) => ok(head.slice(0, 3)));
  const web = await webSite(t, [origin.port]);
  assert.match(await exchange(web.port, get), /GET$/);
  assert.match(await exchange(web.port, post), /POS$/);
  assert.equal(origin.connections.length, 1, "it was used just before");
  await new Promise((resolve) => setTimeout(resolve, limits.unsafeIdleMs + 300));
  assert.match(await exchange(web.port, post), /POS$/);
  assert.equal(origin.connections.length, 2);
  await new Promise((resolve) => setTimeout(resolve, limits.unsafeIdleMs + 300));
  assert.match(await exchange(web.port, get), /GET$/);
  assert.equal(origin.connections.length, 2);
});

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}
