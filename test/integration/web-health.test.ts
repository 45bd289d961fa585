/** `health:` and the end of a web server: who asks is told before anybody is turned away. */
import assert from "node:assert/strict";
import { Agent } from "node:http";
import { test } from "node:test";
import { freePorts } from "../harness/free-ports.ts";
import { statusOf, until } from "../harness/process.ts";
import { exchange, RawClient } from "../harness/raw.ts";
import { get, workerSite } from "../harness/worker-site.ts";

test("ready while a cluster of the routes has a server; alive all the same", async (t) => {
  const site = await workerSite(t, { timeouts: "drain: 5s, recover: 1h" });
  const ready = await get(site.healthPort, "/readyz");
  assert.deepEqual(ready, { status: 200, body: "ok\n", connection: "close" });
  await site.closeOrigin();
  // A plain server is known to be gone by the requests that it does not answer.
  await until("no worker has a server", async () => {
    await get(site.port, "/");
    return (await get(site.healthPort, "/readyz")).body === "no server takes requests of app\n";
  });
  assert.equal((await get(site.healthPort, "/livez")).status, 200);
});

test("it answers two questions, in short, and to a few at a time", async (t) => {
  const { healthPort, port } = await workerSite(t, { workers: 1 });
  assert.equal((await get(healthPort, "/")).status, 404);
  assert.equal((await get(healthPort, "/readyz?verbose")).status, 200);
  assert.equal((await get(port, "/readyz")).body, "fast");
  assert.match(
    await exchange(healthPort, "POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"),
    /^HTTP\/1\.1 405 /,
  );
  assert.match(await exchange(healthPort, "HEAD /livez HTTP/1.0\r\n\r\n"), /^HTTP\/1\.1 200 .*\r\n\r\n$/s);
  assert.match(
    await exchange(healthPort, `GET /livez HTTP/1.1\r\nHost: x\r\nX: ${"a".repeat(5_000)}\r\n\r\n`),
    /^HTTP\/1\.1 431 /,
  );
  // One that says nothing is closed.
  const silent = await RawClient.open(healthPort);
  await silent.read();
  assert.equal(silent.closed, true);
});

test("a worker that hangs is told by /livez, and the other one is ready", async (t) => {
  const site = await workerSite(t);
  const [web] = await statusOf(site.folder);
  const { pid } = web!.workers![0]!;
  process.kill(pid, "SIGSTOP");
  t.after(() => process.kill(pid, "SIGCONT"));
  await until("it is noticed", async () => {
    const { status, body } = await get(site.healthPort, "/livez");
    return status === 503 && body.startsWith(`worker process ${pid} has not answered for `);
  });
  assert.equal((await get(site.healthPort, "/readyz")).status, 200);
  process.kill(pid, "SIGCONT");
  await until("it is well", async () => (await get(site.healthPort, "/livez")).status === 200);
});

test("TERM: not ready at once, new connections for `drainDelay:`, then answers come to their end", async (t) => {
  const site = await workerSite(t, { timeouts: "drain: 10s, drainDelay: 1500ms" });
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const download = get(site.port, "/slow");
  await site.slowAsked;
  await get(site.port, "/", agent);
  site.running.signal("SIGTERM");
  await until(
    "it is not ready",
    async () => (await get(site.healthPort, "/readyz")).body === "it is stopping\n",
  );
  assert.equal((await get(site.port, "/")).status, 200);
  assert.equal((await get(site.healthPort, "/livez")).status, 200);
  await site.running.line(/stopping, for at most 10 s: 1 request under way/);
  await until("nothing listens", () =>
    get(site.port, "/").then(
      () => false,
      () => true,
    ),
  );
  site.answerSlow();
  assert.equal((await download).body, "first last");
  assert.deepEqual(await site.running.exit, { code: 0, signal: null });
});

test("TERM twice: the delay and what is open are cut", async (t) => {
  const site = await workerSite(t, { timeouts: "drain: 1m, drainDelay: 1m" });
  const download = get(site.port, "/slow");
  await site.slowAsked;
  site.running.signal("SIGTERM");
  await site.running.line(/takes requests for 60 s more/);
  site.running.signal("SIGINT");
  await assert.rejects(download);
  assert.deepEqual(await site.running.exit, { code: 0, signal: null });
});

test("one of two clusters is down: ready", async (t) => {
  const [gone] = await freePorts(1);
  const site = await workerSite(t, {
    timeouts: "drain: 5s, recover: 1h",
    moreRoutes: "{ path: /legacy, to: legacy }, ",
    moreClusters: `  legacy:\n    servers: { old-a: { http: "http://127.0.0.1:${gone}" } }\n`,
  });
  for (let asked = 0; asked < 8; asked++) assert.equal((await get(site.port, "/legacy")).status, 503);
  assert.equal((await get(site.healthPort, "/readyz")).status, 200);
});
