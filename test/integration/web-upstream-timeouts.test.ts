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
  // Every other one, and the one that found it out of turn.
  const back = answers.filter((answer) => answer.endsWith("back")).length;
  assert.ok(back === 4 || back === 5, `${back}`);
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
