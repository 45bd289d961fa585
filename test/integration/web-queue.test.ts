/**
 * `requests:` and `connections:`: no server gets more at once than the file says. What finds no room waits, in its order, for whichever
 * server has room first; not for longer, and not more of them, than the file says.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { noNews } from "../../src/health/server-news.ts";
import { heldServers, until } from "../harness/held-servers.ts";
import { ask, http2Session } from "../harness/http2.ts";
import { exchange, ok, RawClient, RawOrigin } from "../harness/raw.ts";
import { tlsSettings } from "../harness/tls.ts";
import { type WebSite, webSite } from "../harness/web-site.ts";

const get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/** Requests that wait. */
const waiting = (web: WebSite): number => web.upstreams[0]!.queue!.length;
const inFlight = (web: WebSite): number =>
  web.upstreams.reduce((sum, upstream) => sum + upstream.inFlight, 0);

async function send(web: WebSite, text: string): Promise<RawClient> {
  const client = await RawClient.open(web.port);
  client.send(text);
  return client;
}

for (const kind of ["link", "plain"] as const) {
  test(`${kind}: requests go to the other server, then wait in their order for whichever has room`, async (t) => {
    const { web, seen, answer, has } = await heldServers(t, kind, 2, { server: { requestsMax: 1 } });
    const clients: RawClient[] = [];
    for (let at = 1; at <= 5; at++) {
      clients.push(await send(web, `GET /${at} HTTP/1.1\r\nHost: a\r\n\r\n`));
      await until(() => inFlight(web) + waiting(web) === at);
    }
    assert.deepEqual([inFlight(web), waiting(web)], [2, 3]);
    // The second one is quick: nobody waits for the first.
    for (const [at, path] of [2, 3, 4, 5].entries()) {
      await has(1, at + 1);
      answer(1, `${path}`);
      assert.equal((await clients[path - 1]!.answer()).body, `${path}`);
    }
    assert.deepEqual(seen, [["GET /1"], ["GET /2", "GET /3", "GET /4", "GET /5"]]);
    answer(0, "1");
    assert.equal((await clients[0]!.answer()).body, "1");
    assert.equal((await web.logged(0)).queueMs, 0);
    assert.ok((await web.logged(1)).queueMs > 0, "the log tells how long it waited");
  });

  test(`${kind}: who waits too long, and who finds the queue full, is told 503`, async (t) => {
    const { web, seen, answer, has } = await heldServers(t, kind, 2, {
      server: { requestsMax: 1, waitingMax: 1 },
      timeouts: { queueTimeoutMs: 300 },
    });
    const busy = [await send(web, get), await send(web, get)];
    await has(0, 1);
    await has(1, 1);
    const waits = [await send(web, get), await send(web, get)];
    await until(() => waiting(web) === 2);
    const full = await exchange(web.port, get);
    assert.match(full, /^HTTP\/1\.1 503 /);
    assert.match(full, /\r\nRetry-After: \d+\r\n/);
    assert.match(full, /\r\nProxy-Status: flotilla; error=connection_limit_reached\r\n/);
    assert.match(
      web.warnings.join("\n"),
      /503 to 1 request\(s\): no server of app takes requests: app-a \(all /,
    );
    for (const client of waits) {
      const late = await client.answer();
      assert.deepEqual(
        [late.status, late.field("proxy-status")],
        [503, "flotilla; error=connection_limit_reached"],
      );
    }
    const [refused, late] = [await web.logged(0), await web.logged(1)];
    assert.deepEqual([refused.ending, late.ending, late.attempts], ["SC", "sQ", 0]);
    assert.ok(late.queueMs >= 290 && refused.queueMs === 0, `${late.queueMs} ms`);
    assert.deepEqual(seen, [["GET /"], ["GET /"]]);
    answer(0, "ok");
    answer(1, "ok");
    for (const client of busy) assert.equal((await client.answer()).body, "ok");
  });

  test(`${kind}: \`queue: 0\`: nobody waits`, async (t) => {
    const options = { server: { requestsMax: 1, waitingMax: 0 } };
    const { web, answer, has } = await heldServers(t, kind, 1, options);
    const busy = await send(web, get);
    await has(0, 1);
    assert.match(await exchange(web.port, get), /^HTTP\/1\.1 503 /);
    answer(0, "ok");
    assert.equal((await busy.answer()).body, "ok");
  });

  test(`${kind}: who leaves the queue leaves no place behind`, async (t) => {
    const options = { server: { requestsMax: 1, waitingMax: 1 } };
    const { web, seen, answer, has } = await heldServers(t, kind, 1, options);
    const busy = await send(web, get);
    await has(0, 1);
    for (let count = 0; count < 3; count++) {
      const client = await send(web, get);
      await until(() => waiting(web) === 1);
      client.socket.resetAndDestroy();
      await until(() => waiting(web) === 0);
      assert.equal((await web.logged(count)).ending, "CQ");
    }
    answer(0, "ok");
    assert.equal((await busy.answer()).body, "ok");
    assert.equal(seen[0]!.length, 1);
  });

  test(`${kind}: an upgraded connection has its place for as long as it lives`, async (t) => {
    const { web, has, answer } = await heldServers(t, kind, 1, { server: { requestsMax: 1 } });
    const fields = "Host: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n";
    const upgraded = await send(web, `GET /up HTTP/1.1\r\n${fields}\r\n`);
    assert.equal((await upgraded.answer()).status, 101);
    const next = await send(web, get);
    const other = await send(web, `GET /other HTTP/1.1\r\n${fields}\r\n`);
    await until(() => waiting(web) === 2);
    upgraded.socket.resetAndDestroy();
    await has(0, 2);
    answer(0, "next");
    assert.equal((await next.answer()).body, "next");
    assert.equal((await other.answer()).status, 101);
    other.socket.resetAndDestroy();
  });

  test(`${kind}: bodies wait with their requests, taken whole or as they come, over HTTP/2 too`, async (t) => {
    const { web, seen, has, answer } = await heldServers(t, kind, 1, {
      ...{ server: { requestsMax: 1 }, tls: tlsSettings("a") },
      routes: [{ path: "/whole", to: "app", buffer: true }, { to: "app" }],
    });
    const session = await http2Session(t, web.port);
    const post = (path: string, body: string | null) =>
      ask(session, { ":method": "POST", ":path": path }, body);
    const busy = ask(session, { ":path": "/" });
    await has(0, 1);
    const streams = [];
    for (const [path, body] of [
      ["/one", "one"],
      ["/whole", "whole"],
      ["/parts", null],
    ] as const) {
      streams.push(post(path, body));
      if (body === null) streams.at(-1)!.write("first ");
      await until(() => waiting(web) === streams.length);
    }
    answer(0, "busy");
    assert.equal((await busy.answer).body, "busy");
    for (const [at, stream] of streams.entries()) {
      if (at === 2) stream.end("second");
      await has(0, at + 2);
      answer(0, `${at}`);
      assert.equal((await stream.answer).body, `${at}`);
    }
    assert.deepEqual(seen[0], ["GET /", "POST /one one", "POST /whole whole", "POST /parts first second"]);
  });

  test(`${kind}: an upload that waits holds its client, not our memory`, async (t) => {
    const { web, seen, answer, has } = await heldServers(t, kind, 1, { server: { requestsMax: 1 } });
    const busy = await send(web, get);
    await has(0, 1);
    const bytes = 8 * 1_048_576;
    const upload = await send(web, `PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes + 3}\r\n\r\n`);
    upload.send(Buffer.alloc(bytes, "x"));
    upload.send("end");
    await until(() => waiting(web) === 1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    // What the two kernel buffers take, and not all of it.
    assert.ok(upload.socket.writableLength > 0, "all of it was read");
    answer(0, "ok");
    assert.equal((await busy.answer()).body, "ok");
    await has(0, 2);
    assert.equal(seen[0]![1], `PUT / ${"x".repeat(bytes)}end`);
    answer(0, "done");
    assert.equal((await upload.answer()).body, "done");
  });

  test(`${kind}: whoever waits goes to a server that comes back, without anybody's request coming to its end`, async (t) => {
    const { web, answer, has } = await heldServers(t, kind, 2, { server: { requestsMax: 1 } });
    const news = noNews("app-b");
    web.upstreams[1]!.health.hear({ ...news, order: "maint" });
    const busy = await send(web, get);
    await has(0, 1);
    const waits = await send(web, get);
    await until(() => waiting(web) === 1);
    web.upstreams[1]!.health.hear(news);
    await has(1, 1);
    answer(1, "back");
    assert.equal((await waits.answer()).body, "back");
    answer(0, "ok");
    assert.equal((await busy.answer()).body, "ok");
  });
}

test("who waits has its place when a busy connection breaks, and its body with it", async (t) => {
  const origin = await RawOrigin.start(t, () => null);
  const web = await webSite(t, [origin.port], { server: { requestsMax: 1 } });
  const busy = await send(web, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
  await origin.arrived(/body/);
  const waits = await send(
    web,
    "POST /next HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n",
  );
  await until(() => waiting(web) === 1);
  origin.connections[0]!.socket.resetAndDestroy();
  assert.equal((await busy.answer()).status, 502);
  waits.send("3\r\ntwo\r\n0\r\n\r\n");
  await origin.arrived(/POST \/next [\s\S]*one[\s\S]*two\r\n0\r\n\r\n$/);
  origin.connections[1]!.send(ok("next"));
  assert.equal((await waits.answer()).body, "next");
});

test("who waits while a server goes down goes to the next", async (t) => {
  const first = new RawOrigin(() => null);
  const firstPort = await first.listen();
  const second = await RawOrigin.start(t, () => null);
  const web = await webSite(t, [firstPort, second.port], { server: { requestsMax: 1 } });
  const clients: RawClient[] = [];
  for (let count = 1; count <= 4; count++) {
    clients.push(await send(web, `POST /${count} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody`));
    await until(() => inFlight(web) + waiting(web) === count);
  }
  await second.arrived(/POST \/2 /);
  first.close();
  assert.equal((await clients[0]!.answer()).status, 502);
  for (const path of [2, 3, 4]) {
    await second.arrived(new RegExp(`POST /${path} `));
    second.connections[0]!.send(ok(`${path}`));
    assert.equal((await clients[path - 1]!.answer()).body, `${path}`);
  }
});

test("a server that breaks a request has room at once: the request waits for the other one", async (t) => {
  const breaks = await RawOrigin.start(t, (connection) => {
    connection.socket.resetAndDestroy();
    return null;
  });
  const good = await RawOrigin.start(t, () => null);
  const web = await webSite(t, [good.port, breaks.port], { server: { requestsMax: 1 } });
  const busy = await send(web, get);
  await good.arrived(/GET/);
  const broken = await send(web, get);
  await until(() => waiting(web) === 1);
  good.connections[0]!.send(ok("first"));
  assert.equal((await busy.answer()).body, "first");
  await good.arrived(/GET[\s\S]*GET/);
  good.connections.at(-1)!.send(ok("second"));
  assert.equal((await broken.answer()).body, "second");
  assert.deepEqual([good.requests, breaks.requests], [2, 1]);
});
