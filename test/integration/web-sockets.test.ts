/** Ports that a service manager has opened, ports below 1024 without root, and what the service manager is told. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { delimiter, join } from "node:path";
import { type TestContext, test } from "node:test";
import { start, statusOf, type TestProcess, until } from "../harness/process.ts";
import { get, type WorkerSitePorts, workerSite } from "../harness/worker-site.ts";

const cli = join(import.meta.dirname, "..", "..", "src", "cli", "main.ts");

/** As systemd begins a service: open sockets are descriptors 3 and 4, and the process number is told. */
async function startWithSockets(t: TestContext, words: string, ports: WorkerSitePorts): Promise<TestProcess> {
  const sockets = [await listening(ports.port), await listening(0)];
  const script = `LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web:other exec "$0" "$1" start ${words}`;
  const running = start(t, "/bin/sh", ["-c", script, process.execPath, cli], {
    cwd: ports.folder,
    descriptors: sockets.map(descriptorOf),
  });
  for (const socket of sockets) socket.close();
  return running;
}

function listening(port: number): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer().listen(port, "127.0.0.1", () => resolve(server));
  });
}

function descriptorOf(server: Server): number {
  return (server as unknown as { _handle: { fd: number } })._handle.fd;
}

test("sockets of a service manager are taken by their address; what comes before the start is answered", async (t) => {
  let early: Promise<unknown> = Promise.resolve();
  const site = await workerSite(t, {
    start: async (ports) => {
      const running = await startWithSockets(t, "web-a", ports);
      early = get(ports.port, "/");
      return running;
    },
  });
  assert.deepEqual(await early, { status: 200, body: "fast", connection: "close" });
  assert.match(
    site.running.output,
    /the service manager's socket other \(127\.0\.0\.1:\d+\) fits no address under listen:/,
  );
});

test("a supervisor hands them to its web servers", async (t) => {
  const site = await workerSite(t, { start: (ports) => startWithSockets(t, "--all", ports) });
  assert.equal((await get(site.port, "/")).status, 200);
  const [web] = await statusOf(site.folder);
  process.kill(web!.pid!, "SIGKILL");
  // Nobody of ours holds the socket now, but the supervisor: visitors wait, and are answered.
  assert.equal((await get(site.port, "/")).status, 200);
});

test("the service manager is told when requests are taken, and when no more", async (t) => {
  const site = await workerSite(t, {
    workers: 1,
    start: ({ folder }) => {
      const script = '#!/bin/sh\necho "$NOTIFY_SOCKET $*" >>"$NOTIFIED"\n';
      writeFileSync(join(folder, "systemd-notify"), script, { mode: 0o755 });
      return Promise.resolve(
        start(t, process.execPath, [cli, "start", "web-a"], {
          cwd: folder,
          env: {
            PATH: `${folder}${delimiter}${process.env.PATH}`,
            NOTIFY_SOCKET: "@notify",
            NOTIFIED: join(folder, "notified"),
          },
        }),
      );
    },
  });
  const notified = join(site.folder, "notified");
  const told = (): string => (existsSync(notified) ? readFileSync(notified, "utf8") : "");
  await until("it is told", () => told().includes("READY=1"));
  assert.equal(told(), `@notify MAINPID=${site.running.pid} READY=1\n`);
  site.running.signal("SIGTERM");
  await site.running.exit;
  assert.match(told(), /\n@notify STOPPING=1\n$/);
});

test("a port below 1024 needs one right, CAP_NET_BIND_SERVICE, and no other", {
  skip: process.getuid?.() !== 0 && "needs root, to give up its other rights",
}, async (t) => {
  const port = await freeLowPort();
  const startWith = (rights: string, folder: string): TestProcess => {
    const only = ["--bounding-set", rights, "--inh-caps", rights];
    return start(t, "setpriv", [...only, process.execPath, cli, "start", "web-a"], { cwd: folder });
  };
  const site = await workerSite(t, {
    port,
    start: ({ folder }) => Promise.resolve(startWith("-all,+net_bind_service", folder)),
  });
  assert.equal((await get(site.port, "/")).status, 200);
  assert.match(readFileSync(`/proc/${site.running.pid}/status`, "utf8"), /^CapEff:\t0000000000000400$/m);
  site.running.signal("SIGTERM");
  await site.running.exit;
  const refused = startWith("-all", site.folder);
  assert.equal((await refused.exit).code, 1);
  assert.match(refused.stderr, /may not be opened by this user: .* \[FLOTILLA_NO_PERMISSION\]/);
});

async function freeLowPort(): Promise<number> {
  for (let port = 1_023; port > 512; port--) {
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
  throw new Error("no port below 1024 is free");
}
