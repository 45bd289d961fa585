/** Active checks with real processes: who does not pass gets no requests, by whatever way it is reached, and is back by itself. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { testSecret } from "../harness/cluster-folder.ts";
import { PlainServer } from "../harness/plain-server.ts";
import { freePorts, startFlotilla, type TestProcess, temporaryFolder, until } from "../harness/process.ts";
import { get } from "../harness/worker-site.ts";

interface CheckedSite {
  readonly port: number;
  readonly folder: string;
  readonly config: string;
  readonly running: TestProcess;
}

/** A web server with two workers in front of the cluster "app". @param app its lines in the file. */
async function checkedSite(t: TestContext, app: string): Promise<CheckedSite> {
  const [clusterPort, port] = (await freePorts(2)) as [number, number];
  const folder = temporaryFolder(t, {
    "flotilla.yaml": `secret: ${testSecret}
clusters:
  web:
    servers: { web-a: { address: 127.0.0.1, port: ${clusterPort} } }
    listen: [{ http: "127.0.0.1:${port}" }]
    workers: 2
    log: { access: off }
    timeouts: { drain: 1s }
    routes: [{ to: app }]
  app:
${app}`,
  });
  const running = startFlotilla(t, ["start", "web-a"], { cwd: folder });
  await running.line(/up at http/);
  return { port, folder, config: join(folder, "flotilla.yaml"), running };
}

function serversOf(...servers: readonly PlainServer[]): string {
  return `    servers: { ${servers.map(({ name, port }) => `${name}: { http: "http://127.0.0.1:${port}" }`).join(", ")} }\n`;
}

/** Who answers `count` requests, each on a connection of its own: both workers are asked. */
async function answerers(port: number, count = 24): Promise<string[]> {
  const names = new Set<string>();
  for (let asked = 0; asked < count; asked++) {
    const { status, body } = await get(port, "/");
    names.add(status === 200 ? body : String(status));
  }
  return [...names].sort();
}

/** All workers have heard what main said when this line was written. */
async function answeredBy(port: number, ...names: readonly string[]): Promise<void> {
  await until(`${names} answer`, async () => (await answerers(port)).join() === names.join());
}

const quick = "interval: 100ms, timeout: 100ms, rise: 2, fall: 3";

test("a server whose health page says 503 is left after `fall`, though its other pages work, and is back after `rise`", async (t) => {
  const a = await PlainServer.start(t, "plain-a");
  const b = await PlainServer.start(t, "plain-b");
  const site = await checkedSite(t, `${serversOf(a, b)}    check: { http: /healthz, ${quick} }\n`);
  await until("both are checked", () => a.checks.length > 1 && b.checks.length > 1);
  assert.deepEqual(await answerers(site.port), ["plain-a", "plain-b"]);
  assert.deepEqual(
    { ...a.checks[0] },
    { host: `127.0.0.1:${a.port}`, "user-agent": "flotilla-check", connection: "close" },
  );

  a.healthStatus = 503;
  await site.running.line(/plain-a is down: check GET \/healthz: it answered 503, 3 times in a row/);
  await answeredBy(site.port, "plain-b");
  const { requests } = a;
  assert.deepEqual(await answerers(site.port), ["plain-b"]);
  assert.equal(a.requests, requests);

  a.healthStatus = 204;
  await site.running.line(/plain-a is well again: check GET \/healthz passed 2 times in a row/);
  await answeredBy(site.port, "plain-a", "plain-b");
});
