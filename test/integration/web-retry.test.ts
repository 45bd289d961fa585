/** When an app server fails: one other server where that is safe, else a clear page; and when it is asked again (R11). */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { FakeClock } from "../harness/link-pair.ts";
import { closedPort, exchange, ok, RawClient, RawOrigin } from "../harness/raw.ts";
import { type WebSiteOptions, webSite } from "../harness/web-site.ts";

const get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const bodied = (method: string): string =>
  `${method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody`;

/** Round-robin begins with the first: a fresh site's first request goes there. */
async function pair(
  t: TestContext,
  first: (connection: RawClient) => string | null,
  options: WebSiteOptions = {},
): Promise<{ port: number; bad: RawOrigin; good: RawOrigin }> {
  const bad = await RawOrigin.start(t, first);
  const good = await RawOrigin.start(t, (_connection, head) =>
    head.startsWith("HEAD") ? ok("") : ok("good"),
  );
  const { port } = await webSite(t, [bad.port, good.port], options);
  return { port, bad, good };
}

const cut = (connection: RawClient): null => {
  connection.socket.resetAndDestroy();
  return null;
};
const close = (connection: RawClient): null => {
  connection.socket.destroy();
  return null;
};

for (const method of ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]) {
  test(`${method} moves to the other server when the first breaks off before an answer`, async (t) => {
    for (const fail of [cut, close]) {
      const { port, bad, good } = await pair(t, fail);
      const request = method === "PUT" ? bodied("PUT") : get.replace("GET", method);
      assert.match(await exchange(port, request), /^HTTP\/1\.1 200 OK/);
      assert.deepEqual([bad.requests, good.requests], [1, 1]);
      if (method === "PUT") assert.match(good.received, /\r\n\r\nbody$/);
    }
  });
}

for (const method of ["POST", "PATCH"]) {
  test(`${method} is never sent twice`, async (t) => {
    for (const fail of [cut, close]) {
      const { port, bad, good } = await pair(t, fail);
      assert.match(await exchange(port, bodied(method)), /^HTTP\/1\.1 502 Bad Gateway/);
      assert.deepEqual([bad.requests, good.requests], [1, 0]);
    }
  });
}

test("POST moves on when not one byte could be sent", async (t) => {
  const good = await RawOrigin.start(t, () => ok("good"));
  const web = await webSite(t, [await closedPort(), good.port]);
  assert.match(await exchange(web.port, bodied("POST")), /^HTTP\/1\.1 200 OK/);
  assert.match(good.received, /\r\n\r\nbody$/);
  assert.equal((await web.logged(0)).attempts, 2);
});

test("of which nothing was sent goes on until a server takes it, WebSockets included", async (t) => {
  const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n";
  const good = await RawOrigin.start(t, (_connection, head) =>
    head.startsWith("GET") ? switching : ok("good"),
  );
  const web = await webSite(t, [await closedPort(), await closedPort(), await closedPort(), good.port]);
  assert.match(await exchange(web.port, bodied("POST")), /^HTTP\/1\.1 200 OK/);
  assert.equal((await web.logged(0)).attempts, 4);
  const upgrading = await webSite(t, [await closedPort(), good.port]);
  const client = await RawClient.open(upgrading.port);
  client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n");
  assert.equal((await client.answer()).status, 101);
  client.socket.resetAndDestroy();
});

test("A49 also between servers that are down a request breaks no more than two", async (t) => {
  const breaking = [
    await RawOrigin.start(t, cut),
    await RawOrigin.start(t, cut),
    await RawOrigin.start(t, cut),
  ];
  const ports = breaking.map(({ port }) => port);
  const web = await webSite(t, [await closedPort(), ports[0]!, await closedPort(), ports[1]!, ports[2]!]);
  assert.match(await exchange(web.port, get), /^HTTP\/1\.1 502 /);
  assert.equal(
    breaking.reduce((sum, origin) => sum + origin.requests, 0),
    2,
  );
});

test("A49 a request that breaks its server reaches at most one other server", async (t) => {
  const origins = [];
  for (let count = 0; count < 4; count++) origins.push(await RawOrigin.start(t, cut));
  const web = await webSite(
    t,
    origins.map((origin) => origin.port),
  );
  assert.match(await exchange(web.port, get), /^HTTP\/1\.1 502 /);
  assert.equal(
    origins.reduce((sum, origin) => sum + origin.requests, 0),
    2,
  );
});

test("a body too long to be kept is not sent again", async (t) => {
  const bad = await RawOrigin.start(t, () => null);
  const good = await RawOrigin.start(t, () => ok("good"));
  const web = await webSite(t, [bad.port, good.port]);
  const client = await RawClient.open(web.port);
  client.send(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 200003\r\n\r\n${"x".repeat(200_000)}end`);
  await bad.arrived(/end$/);
  bad.connections[0]!.socket.resetAndDestroy();
  assert.equal((await client.answer()).status, 502);
  assert.equal(good.requests, 0);
});

test("an upload that is still coming goes on to the other server", async (t) => {
  const bad = await RawOrigin.start(t, () => null);
  const good = await RawOrigin.start(t, () => null);
  const web = await webSite(t, [bad.port, good.port]);
  const client = await RawClient.open(web.port);
  client.send("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
  await bad.arrived(/one/);
  bad.connections[0]!.socket.resetAndDestroy();
  await good.arrived(/one/);
  client.send("3\r\ntwo\r\n0\r\n\r\n");
  await good.arrived(/\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n$/);
  good.connections[0]!.send(ok("good"));
  assert.equal((await client.answer()).body, "good");
});

test("no retry once the answer has begun: the client sees that it broke off", async (t) => {
  const { port, good } = await pair(t, (connection) => {
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    connection.end();
    return null;
  });
  const got = await exchange(port, get);
  assert.match(got, /Content-Length: 10\r\n[\s\S]*\r\n\r\nhalf$/);
  assert.equal(good.requests, 0);
});

test("a kept connection that the server closed meanwhile: the only server is asked again on a new one", async (t) => {
  const origin = await RawOrigin.start(t, (connection, _head, count) => {
    if (count === 3) connection.socket.resetAndDestroy();
    return ok(`${count}`);
  });
  const web = await webSite(t, [origin.port]);
  const client = await RawClient.open(web.port);
  for (const body of ["1", "2", "4"]) {
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const answer = await client.answer();
    assert.deepEqual([answer.status, answer.body], [200, body]);
  }
  assert.equal(origin.connections.length, 2);
});

test("a fresh connection that breaks is no reason to ask the only server again", async (t) => {
  const origin = await RawOrigin.start(t, cut);
  const web = await webSite(t, [origin.port]);
  assert.match(await exchange(web.port, get), /^HTTP\/1\.1 502 /);
  assert.equal(origin.requests, 1);
});

test("connections that the server closes while they are idle are not used again", async (t) => {
  const origin = await RawOrigin.start(t, () => ok("ok"));
  const web = await webSite(t, [origin.port]);
  for (let count = 1; count <= 20; count++) {
    // POST: it would fail if it met a closed connection.
    assert.match(await exchange(web.port, bodied("POST")), /^HTTP\/1\.1 200 OK/);
    const { socket } = origin.connections.at(-1)!;
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.end();
    await closed;
  }
  assert.equal(origin.connections.length, 20);
});

test("nothing listens anywhere: 503 with Retry-After, and the operator reads why", async (t) => {
  const web = await webSite(t, [await closedPort(), await closedPort()]);
  const got = await exchange(web.port, get);
  assert.match(got, /^HTTP\/1\.1 503 Service Unavailable\r\n/);
  assert.match(got, /\r\nRetry-After: \d+\r\n/);
  assert.match(web.warnings.join("\n"), /ECONNREFUSED/);
  // From now on nobody waits for a connection attempt.
  assert.match(await exchange(web.port, get), /^HTTP\/1\.1 503 /);
  assert.equal((await web.logged(1)).attempts, 0);
  assert.match(web.warnings.join("\n"), /app-a \(.*ECONNREFUSED.*\), app-b \(.*ECONNREFUSED/);
});

test("no answer in time is 504, and the connection to the server is given up", async (t) => {
  const origin = await RawOrigin.start(t, () => null);
  const web = await webSite(t, [origin.port], { timeouts: { requestTimeoutMs: 200 } });
  assert.match(await exchange(web.port, get), /^HTTP\/1\.1 504 Gateway Timeout/);
  await origin.connections[0]!.ended();
});

test("pages tell a visitor nothing of the servers behind; HEAD gets the same head", async (t) => {
  const broken = await RawOrigin.start(t, cut);
  const web = await webSite(t, [broken.port]);
  const page = await exchange(web.port, get);
  assert.doesNotMatch(page, new RegExp(`app-a|127\\.0\\.0|${broken.port}|ECONN|reset|hang`));
  assert.match(page, /\r\nContent-Type: text\/html; charset=utf-8\r\n/);
  assert.match(page, /\r\nCache-Control: no-store\r\n/);
  const id = /\r\nX-Request-Id: (\S+)\r\n/.exec(page)![1]!;
  assert.ok(page.includes(`Request ${id}`));
  assert.equal((await web.logged(0)).requestId, id);
  const client = await RawClient.open(web.port);
  client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  const head = await client.answer("HEAD");
  assert.equal(head.status, 502);
  assert.equal(Number(head.field("content-length")), page.length - page.indexOf("\r\n\r\n") - 4);
  client.send("GET /again HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.equal((await client.answer()).status, 502);
});

test("R11 a server that can't be reached is asked by one request per recover time", async (t) => {
  const good = await RawOrigin.start(t, () => ok("good"));
  const clock = new FakeClock();
  const web = await webSite(t, [await closedPort(), good.port], { clock, timeouts: { recoverTimeMs: 300 } });
  const attempts = async (count: number): Promise<number> => {
    const first = web.log.length;
    for (let at = 0; at < count; at++) assert.match(await exchange(web.port, get), /^HTTP\/1\.1 200 OK/);
    await web.logged(first + count - 1);
    return web.log.slice(first).reduce((sum, entry) => sum + entry.attempts, 0);
  };
  assert.equal(await attempts(6), 7);
  clock.advance(299);
  assert.equal(await attempts(6), 6);
  clock.advance(1);
  assert.equal(await attempts(6), 7);
});

test("R11 a server that is back gets requests again", async (t) => {
  const back = new RawOrigin(() => ok("back"));
  const port = await back.listen();
  back.close();
  const clock = new FakeClock();
  const web = await webSite(t, [port], { clock, timeouts: { recoverTimeMs: 100 } });
  assert.match(await exchange(web.port, get), /^HTTP\/1\.1 503 /);
  const again = await RawOrigin.start(t, () => ok("back"), port);
  clock.advance(100);
  for (let count = 0; count < 5; count++) assert.match(await exchange(web.port, get), /back$/);
  assert.equal(again.requests, 5);
});
