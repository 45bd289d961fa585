/**
 * A23 with the distribution's slowhttptest, in its three modes, against real processes: other visitors' p99 at most
 * doubles. Two equal web servers run side by side and are asked at the same time, one of them under attack: what else
 * the machine does slows both. That the attack does not take the time from both is seen from their CPU time.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { cpuTimeUs } from "../../bench/cpu-time.ts";
import { percentile } from "../../src/demo/drill-statistics.ts";
import { testSecret } from "../harness/cluster-folder.ts";
import { freePorts } from "../harness/free-ports.ts";
import { type LoadResult, runLoad } from "../harness/load.ts";
import { start, startFlotilla, temporaryFolder, until } from "../harness/process.ts";

const program = "/usr/bin/slowhttptest";
const attackers = 200;
const rounds = 9;
const roundMs = 800;
const ratePerSecond = 250;
/** Below this a p99 is the machine's own noise: doubling it would say nothing about the attack. */
const noiseMs = 5;

const modes: Readonly<Record<string, readonly string[]>> = {
  "slow headers": ["-H", "-i", "1", "-x", "24"],
  "slow body": ["-B", "-i", "1", "-s", "8192", "-x", "10"],
  "slow read": ["-X", "-n", "1", "-k", "3", "-w", "10", "-y", "20", "-z", "32"],
};

interface WebServer {
  readonly port: number;
  /** Of the main process; the worker is its child. */
  readonly pid: number;
}

for (const [mode, options] of Object.entries(modes)) {
  test(`A23 ${mode}: the others' p99 at most doubles`, {
    skip: existsSync(program) ? false : "slowhttptest is not installed",
  }, async (t) => {
    const origin = await startOrigin(t);
    const attacked = await startWebServer(t, origin);
    const twin = await startWebServer(t, origin);
    const { port } = attacked;
    const attack = start(t, program, [
      ...["-c", String(attackers), "-r", "200", "-l", "120", "-u", `http://127.0.0.1:${port}/big`],
      ...options,
    ]);
    await until("the attack has its connections", () => connectionsTo(port) >= attackers * 0.9);
    // It begins with a burst of ordinary requests; what is asked here is what their slowness costs. Warms up, too.
    await until("its burst is over", async () => {
      const loads = await Promise.all([load(port), load(twin.port)]);
      return loads.every(({ failed }) => failed === 0);
    });
    const before = [cpuTimeUs([attacked.pid]), cpuTimeUs([twin.pid])] as const;
    const ratios: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const [attackedMs, twinMs] = (await Promise.all([visit(port), visit(twin.port)])).map(p99);
      t.diagnostic(`p99 ${attackedMs!.toFixed(2)} ms, its twin's ${twinMs!.toFixed(2)} ms`);
      ratios.push(Math.max(attackedMs!, noiseMs) / Math.max(twinMs!, noiseMs));
    }
    const cpu = (cpuTimeUs([attacked.pid]) - before[0]) / (cpuTimeUs([twin.pid]) - before[1]);
    assert.ok(connectionsTo(port) >= attackers * 0.9, "the attack went on to the end");
    await attack.kill();
    const median = ratios.sort((a, b) => a - b)[Math.floor(rounds / 2)]!;
    t.diagnostic(`p99 by the median round ${median.toFixed(2)}, CPU time ${cpu.toFixed(2)} times its twin's`);
    assert.ok(median <= 2, `p99 is ${median} times the twin's, by the median of ${rounds} rounds`);
    assert.ok(cpu <= 2, `the attack takes ${cpu} times the CPU time of the visitors alone`);
  });
}

/** Answers at once, with much for `/big`. @returns its port. */
async function startOrigin(t: TestContext): Promise<number> {
  const big = "x".repeat(300_000);
  const origin = createServer((request, response) => {
    request.resume().on("end", () => response.end(request.url === "/big" ? big : "ok"));
  });
  await new Promise<void>((resolve) => origin.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    origin.close();
    origin.closeAllConnections();
  });
  return (origin.address() as AddressInfo).port;
}

async function startWebServer(t: TestContext, originPort: number): Promise<WebServer> {
  const [clusterPort, port] = (await freePorts(2)) as [number, number];
  const folder = temporaryFolder(t, {
    "flotilla.yaml": `secret: ${testSecret}
clusters:
  web:
    servers: { web-a: { address: 127.0.0.1, port: ${clusterPort} } }
    listen: [{ http: "127.0.0.1:${port}" }]
    routes: [{ to: app }]
  app:
    servers: { plain-a: { http: "http://127.0.0.1:${originPort}" } }
`,
  });
  const server = startFlotilla(t, ["start", "web-a"], { cwd: folder });
  await server.line(/up at http/);
  return { port, pid: server.pid };
}

async function visit(port: number): Promise<readonly number[]> {
  const { latenciesMs, failed } = await load(port);
  assert.equal(failed, 0, "every visitor is served");
  return latenciesMs;
}

function load(port: number): Promise<LoadResult> {
  return runLoad({
    address: "127.0.0.1",
    port,
    connections: 8,
    request: Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ratePerSecond,
    durationMs: roundMs,
  });
}

function p99(latenciesMs: readonly number[]): number {
  return percentile(
    latenciesMs.toSorted((a, b) => a - b),
    0.99,
  );
}

/** Connections that the web server has accepted on this port; none while some wait to be accepted. */
function connectionsTo(port: number): number {
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  let established = 0;
  for (const line of readFileSync("/proc/net/tcp", "utf8").split("\n")) {
    const [, from = "", , state, queues = ""] = line.trim().split(/\s+/);
    if (!from.endsWith(local)) continue;
    if (state === "01") established++;
    if (state === "0A" && !queues.endsWith(":00000000")) return 0;
  }
  return established;
}
