/**
 * Files of several lengths from Flotilla and from nginx, one after the other, each with one worker: first that both give the same
 * answer, then the CPU time per request. Needs nginx, wrk and a built dist/. Half a minute. Prints a table:
 *   node bench/files.ts
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findPlace } from "../src/demo/free-ports.ts";
import { end } from "./contenders.ts";
import { cpuTimeUs } from "./cpu-time.ts";

const lengths: Readonly<Record<string, number>> = {
  "2 KiB": 2_048,
  "16 KiB": 16_384,
  "64 KiB": 65_536,
  "1 MiB": 1_048_576,
};
const rounds = 3;

const folder = mkdtempSync(join(tmpdir(), "flotilla-bench-files-"));
const taken = new Set<string>();
const free = async (): Promise<number> =>
  (await findPlace({ address: "127.0.0.1", port: 21_000 }, taken)).port;
const ports = { flotilla: await free(), nginx: await free(), link: await free() };

for (const length of Object.values(lengths))
  writeFileSync(join(folder, `${length}.bin`), Buffer.alloc(length, 97));
writeFileSync(
  join(folder, "flotilla.yaml"),
  `secret: ${"s".repeat(32)}
clusters:
  web:
    servers: { web-a: { address: 127.0.0.1, port: ${ports.link} } }
    listen: [{ http: "127.0.0.1:${ports.flotilla}" }]
    routes: [{ files: . }]
`,
);
writeFileSync(
  join(folder, "nginx.conf"),
  `${process.getuid?.() === 0 ? "user root;" : ""} worker_processes 1; daemon off; pid ${folder}/nginx.pid; error_log ${folder}/nginx.log;
events { worker_connections 1024; }
http {
  sendfile on; tcp_nopush on; keepalive_requests 10000000; access_log ${folder}/nginx.access.log combined;
  server { listen 127.0.0.1:${ports.nginx}; root ${folder}; }
}
`,
);

const servers: readonly { readonly name: string; readonly port: number; readonly child: ChildProcess }[] = [
  {
    name: "Flotilla",
    port: ports.flotilla,
    child: start(join(import.meta.dirname, "../bin/flotilla"), ["start", "web-a"]),
  },
  { name: "nginx", port: ports.nginx, child: start("nginx", ["-c", join(folder, "nginx.conf")]) },
];
try {
  for (const { port } of servers) await ready(port);
  console.log(
    `file      ${servers.map(({ name }) => `${name} us`.padStart(12)).join("")}   (CPU per request, median of ${rounds})`,
  );
  for (const [label, length] of Object.entries(lengths)) {
    const cells = [];
    for (const server of servers) {
      const body = await (await fetch(url(server.port, length))).text();
      if (body !== "a".repeat(length)) throw new Error(`${server.name} gave another ${label}`);
      const costs = Array.from({ length: rounds }, () => cost(server.port, server.child.pid!, length));
      cells.push(costs.sort((a, b) => a - b)[rounds >> 1]!);
    }
    console.log(`${label.padEnd(10)}${cells.map((cell) => cell.toFixed(1).padStart(12)).join("")}`);
  }
} finally {
  for (const { child } of servers) await end(child);
  rmSync(folder, { recursive: true, force: true });
}

function start(program: string, args: readonly string[]): ChildProcess {
  return spawn(program, args, { cwd: folder, stdio: "ignore" });
}

function url(port: number, length: number): string {
  return `http://127.0.0.1:${port}/${length}.bin`;
}

async function ready(port: number): Promise<void> {
  for (const until = performance.now() + 10_000; ; ) {
    const status = await fetch(url(port, 2_048)).then(
      ({ status }) => status,
      () => 0,
    );
    if (status === 200) return;
    if (performance.now() > until) throw new Error(`nothing answers on port ${port}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Microseconds of CPU time per request, of all processes of the server. */
function cost(port: number, pid: number, length: number): number {
  const before = cpuTimeUs([pid]);
  const told = execFileSync("wrk", ["-t1", "-c32", "-d1s", url(port, length)], { encoding: "utf8" });
  const requests = Number(/(\d+) requests in/.exec(told)?.[1]);
  if (/Non-2xx|Socket errors/.test(told)) throw new Error(told);
  return (cpuTimeUs([pid]) - before) / requests;
}
