/** `backup: true`: such a server gets what would be answered 503 otherwise, and nothing else. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { noNews, type ServerNews } from "../../src/health/server-news.ts";
import { SessionIds } from "../../src/session/id.ts";
import type { Upstream } from "../../src/web-tier/upstream.ts";
import { heldServers, until } from "../harness/held-servers.ts";
import { closedPort, exchange, ok, RawClient, RawOrigin } from "../harness/raw.ts";
import { secret, webSite } from "../harness/web-site.ts";

const get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const backup = { isBackup: true };

function order(upstream: Upstream, order: ServerNews["order"]): void {
  upstream.health.hear({ ...noNews(upstream.name), order });
}

async function named(t: TestContext, name: string): Promise<number> {
  return (await RawOrigin.start(t, () => ok(name))).port;
}

test("backups get nothing while one other server takes requests, and all of it while none does", async (t) => {
  const ports = [await named(t, "a"), await named(t, "b"), await named(t, "c"), await named(t, "d")];
  const web = await webSite(t, ports, { servers: [{}, {}, backup, backup] });
  const served = async (): Promise<string> => {
    const bodies = [];
    for (let count = 0; count < 4; count++) bodies.push((await exchange(web.port, get)).at(-1));
    return [...new Set(bodies)].sort().join("");
  };
  assert.equal(await served(), "ab");
  order(web.upstreams[0]!, "maint");
  assert.equal(await served(), "b");
  order(web.upstreams[1]!, "drain");
  assert.equal(await served(), "cd");
  order(web.upstreams[0]!, "ready");
  assert.equal(await served(), "a", "back at once");
});

test("the first request that finds the others down comes to the backup as well", async (t) => {
  const web = await webSite(t, [await closedPort(), await closedPort(), await named(t, "c")], {
    servers: [{}, {}, backup],
  });
  assert.match(await exchange(web.port, get), /\nc$/);
  assert.match(await exchange(web.port, get), /\nc$/);
});

test("who finds the others full waits for them; a backup gets who would not be served", async (t) => {
  const { web, seen, answer, has } = await heldServers(t, "link", 2, {
    servers: [
      { requestsMax: 1, waitingMax: 1 },
      { isBackup: true, requestsMax: 1 },
    ],
    timeouts: { queueTimeoutMs: 400 },
  });
  const clients: RawClient[] = [];
  const send = async (path: string): Promise<void> => {
    clients.push(await RawClient.open(web.port));
    clients.at(-1)!.send(get.replace("/", path));
  };
  await send("/first");
  await has(0, 1);
  await send("/waits");
  await until(() => web.upstreams[0]!.queue!.length === 1);
  await send("/more");
  await has(1, 1);
  assert.deepEqual(seen, [["GET /first"], ["GET /more"]]);
  answer(1, "more");
  assert.equal((await clients[2]!.answer()).body, "more");
  // Nor is it answered 503 when it has waited for long enough.
  await has(1, 2);
  assert.equal(seen[1]![1], "GET /waits");
  answer(1, "waited");
  assert.equal((await clients[1]!.answer()).body, "waited");
  answer(0, "first");
  assert.equal((await clients[0]!.answer()).body, "first");
});

test("a session that began at a backup stays there", async (t) => {
  const ports = [await named(t, "a"), await named(t, "b")];
  const web = await webSite(t, ports, { servers: [{}, backup] });
  const id = new SessionIds(secret, null, "app").create("b", "a", 7, 0);
  const mine = get.replace("Host: a\r\n", `Host: a\r\nCookie: sid=${id}\r\n`);
  assert.match(await exchange(web.port, mine), /\nb$/);
  assert.match(await exchange(web.port, get), /\na$/);
});
