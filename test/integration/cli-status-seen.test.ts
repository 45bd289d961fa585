/** What web servers think of app servers, in `flotilla status`: one that is down for them, and one that has just joined. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { runFlotilla, statusOf, until } from "../harness/process.ts";
import { get, workerSite } from "../harness/worker-site.ts";

test("a server that joins by reload starts slowly, one that goes away is down, and status tells both and why", async (t) => {
  const site = await workerSite(t, { workers: 2, moreClusters: "    slowStart: 1h" });
  const seen = async () => (await statusOf(site.folder)).find(({ name }) => name === "web-a")!.seen!;
  const told = async (): Promise<string> => (await runFlotilla(t, ["status"], { cwd: site.folder })).stdout;
  const [known] = await seen();
  assert.deepEqual([known!.name, known!.state, known!.share, known!.workers], ["plain-a", "up", 1, 2]);
  assert.doesNotMatch(await told(), /web-a: /);

  const joining = createServer((_request, response) => response.end("joined"));
  await new Promise<void>((resolve) => joining.listen(0, "127.0.0.1", resolve));
  t.after(() => joining.close());
  const { port } = joining.address() as AddressInfo;
  const file = readFileSync(site.config, "utf8");
  writeFileSync(
    site.config,
    file.replace(
      `" } }\n    slowStart`,
      `" }, plain-b: { http: "http://127.0.0.1:${port}" } }\n    slowStart`,
    ),
  );
  assert.equal((await runFlotilla(t, ["reload"], { cwd: site.folder })).code, 0);
  const [before, joined] = await seen();
  assert.deepEqual([before!.state, before!.share], ["up", 1]);
  assert.deepEqual([joined!.state, joined!.share, joined!.workers], ["slow-start", 0.1, 2]);
  assert.match(await told(), /^web-a: plain-b starts slowly for \d+ s: it gets 10% of its share$/m);

  await site.closeOrigin();
  await until("a visitor has found out", async () => {
    assert.equal((await get(site.port, "/", false)).status, 200);
    return (await seen()).some(({ name, state }) => name === "plain-a" && state === "down");
  });
  const gone = (await seen()).find(({ name }) => name === "plain-a")!;
  assert.match(gone.reason, /ECONNREFUSED/);
  const { stdout } = await runFlotilla(t, ["status", "--json"], { cwd: site.folder });
  const { servers } = JSON.parse(stdout) as { servers: { name: string; seen?: unknown[] }[] };
  assert.equal(servers.find(({ name }) => name === "web-a")!.seen!.length, 2);
});
