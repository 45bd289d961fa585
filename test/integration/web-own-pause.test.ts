/** A web server's process that stood still finds answers waiting unread: it judges nobody by them. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { statusOf, until } from "../harness/process.ts";
import { Visitors, workerSite } from "../harness/worker-site.ts";

/** Answers each request a little later. @returns its port. */
async function lateServer(t: TestContext): Promise<number> {
  const server = createServer((_request, response) => void setTimeout(() => response.end("late"), 20));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

test("a web server's process that was stopped for seconds puts no server down for it", async (t) => {
  const ports = await Promise.all([1, 2, 3].map(() => lateServer(t)));
  const servers = ports.map((port, at) => `late-${at}: { http: "http://127.0.0.1:${port}" }`);
  const site = await workerSite(t, {
    workers: 1,
    moreRoutes: "{ to: late }, ",
    moreClusters: `  late:\n    servers: { ${servers.join(", ")} }`,
  });
  const [web] = await statusOf(site.folder);
  const { pid } = web!.workers![0]!;
  const visitors = new Visitors(site.port, 30);
  for (let pause = 0; pause < 2; pause++) {
    const before = visitors.answered;
    await until("visitors are answered", () => visitors.answered > before + 200);
    process.kill(pid, "SIGSTOP");
    await sleep(1_500);
    process.kill(pid, "SIGCONT");
  }
  const before = visitors.answered;
  await until("visitors are answered again", () => visitors.answered > before + 200);
  await visitors.stop();
  assert.deepEqual(visitors.failures, []);
  assert.doesNotMatch(site.running.stderr, /is down|up again/);
});
