/** A changed file, put in force while visitors are there: nobody is cut off, and a wrong one changes nothing. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { Agent, createServer, request } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { testSecret } from "../harness/cluster-folder.ts";
import { freePorts } from "../harness/free-ports.ts";
import { runFlotilla, startFlotilla, type TestProcess, temporaryFolder } from "../harness/process.ts";
import { get, Visitors, workerSite } from "../harness/worker-site.ts";

const textOf = (path: string): string => readFileSync(path, "utf8");

function reload(t: TestContext, folder: string) {
  return runFlotilla(t, ["reload", "-c", join(folder, "flotilla.yaml")], { cwd: folder });
}

/** SIGHUP, and what the log says then. */
async function hangUp(running: TestProcess): Promise<void> {
  const told = running.line(/works by the changed file/, running.output.length);
  running.signal("SIGHUP");
  await told;
}

test("50 reloads under load: no request is lost, and the file is in force when the command returns", async (t) => {
  const site = await workerSite(t);
  const good = textOf(site.config);
  const routed = (round: number): string =>
    good.replace("routes: [", `routes: [{ path: /round, respond: { body: "${round}" } }, `);
  const visitors = new Visitors(site.port, 16);
  t.after(() => visitors.stop());
  for (let round = 0; round < 49; round++) {
    writeFileSync(site.config, routed(round));
    await hangUp(site.running);
    assert.equal((await get(site.port, "/round")).body, String(round));
  }
  writeFileSync(site.config, routed(49));
  const { code, stdout, stderr } = await reload(t, site.folder);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.equal(stdout, "web-a goes on by flotilla.yaml\n");
  for (let ask = 0; ask < 8; ask++) assert.equal((await get(site.port, "/round")).body, "49");
  await visitors.stop();
  assert.deepEqual(visitors.failures, []);
  assert.ok(visitors.answered > 1_000, `${visitors.answered} requests`);
});

test("1,000 WebSockets go on through reloads", async (t) => {
  const sockets = new Set<Socket>();
  const origin = createServer();
  origin.on("upgrade", (_request, socket: Socket) => {
    sockets.add(socket);
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    socket.on("data", (bytes) => socket.write(bytes));
    socket.on("error", () => {});
  });
  await once(origin.listen(0, "127.0.0.1"), "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    origin.close();
  });
  const site = await siteOf(t, origin.address() as AddressInfo, "connections: 2000");
  const tunnels = await Promise.all(Array.from({ length: 1_000 }, () => openTunnel(site.port)));
  t.after(() => {
    for (const tunnel of tunnels) tunnel.destroy();
  });
  for (let round = 0; round < 3; round++) {
    writeFileSync(
      site.config,
      site.text.replace("routes:", `timeouts: { head: ${round + 5}s }\n    routes:`),
    );
    await hangUp(site.running);
  }
  assert.deepEqual(
    await Promise.all(tunnels.map((tunnel, at) => echoOf(tunnel, `hello ${at}`))),
    tunnels.map((_, at) => `hello ${at}`),
  );
  assert.equal(sockets.size, 1_000);
});

test("a kept connection meets the new routes; unchanged servers keep theirs; removed ports close", async (t) => {
  const ports = new Set<number>();
  const origin = createServer((asked, answer) => {
    ports.add(asked.socket.remotePort!);
    answer.end(asked.url);
  });
  await once(origin.listen(0, "127.0.0.1"), "listening");
  t.after(() => origin.close());
  const site = await siteOf(t, origin.address() as AddressInfo);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  assert.equal((await ask(site.port, "/old", agent)).body, "/old");
  const [more] = await freePorts(1);
  writeFileSync(
    site.config,
    site.text
      .replace('"127.0.0.1:', `"127.0.0.1:${more}" }, { http: "127.0.0.1:`)
      .replace("routes: [", "routes: [{ path: /new, respond: { status: 201, body: new } }, "),
  );
  assert.equal((await reload(t, site.folder)).code, 0);
  const kept = await ask(site.port, "/new", agent);
  assert.deepEqual([kept.status, kept.reused], [201, true]);
  assert.equal((await ask(more!, "/old", agent)).body, "/old");
  assert.equal(ports.size, 1, "one connection to the origin served before and after");

  writeFileSync(site.config, site.text);
  assert.equal((await reload(t, site.folder)).code, 0);
  await assert.rejects(get(more!, "/old"), /ECONNREFUSED/);
  assert.equal((await ask(site.port, "/new", agent)).body, "/new");
});

test("a wrong file changes nothing, and the command says why", async (t) => {
  const site = await workerSite(t);
  const good = textOf(site.config);
  const cases: readonly (readonly [text: string, reason: RegExp])[] = [
    [good.replace("to: app", "to: nowhere"), /flotilla\.yaml:\d+:\d+: .*nowhere/],
    [good.replace(testSecret, testSecret.toUpperCase()), /FLOTILLA_LINK|secret/],
    [good.replace("access.log", "flotilla.yaml/access.log"), /access log/],
    [good.replace('http: "127.0.0.1:', 'http: "203.0.113.1:'), /203\.0\.113\.1/],
  ];
  for (const [text, reason] of cases) {
    writeFileSync(site.config, text);
    const { code, stderr, stdout } = await reload(t, site.folder);
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, reason);
    assert.equal((await get(site.port, "/")).body, "fast");
  }
  const told = site.running.line(/SIGHUP: .*nowhere/);
  writeFileSync(site.config, cases[0]![0]);
  site.running.signal("SIGHUP");
  await told;
  writeFileSync(site.config, good);
  assert.equal((await reload(t, site.folder)).code, 0);
});

test("a server that runs on and is in the file no more is told, and how to stop it", async (t) => {
  const site = await workerSite(t, { workers: 1 });
  const text = textOf(site.config);
  const [clusterPort, port] = await freePorts(2);
  const other = `
  other:
    servers: { web-b: { address: 127.0.0.1, port: ${clusterPort} } }
    listen: [{ http: "127.0.0.1:${port}" }]
    routes: [{ respond: 204 }]
`;
  writeFileSync(site.config, text + other);
  await startFlotilla(t, ["start", "web-b"], { cwd: site.folder }).line(/up at http/);
  writeFileSync(site.config, text);
  const { code, stdout, stderr } = await reload(t, site.folder);
  assert.deepEqual([code, stdout], [0, "web-a goes on by flotilla.yaml\n"]);
  assert.match(
    stderr,
    /^note: web-b runs on this machine, and flotilla\.yaml names it no more: .*flotilla stop web-b/,
  );
});

test("a worker that dies after a reload begins with the changed file", async (t) => {
  const site = await workerSite(t, { workers: 1 });
  writeFileSync(site.config, textOf(site.config).replace("to: app", 'respond: { body: "changed" }'));
  await hangUp(site.running);
  const { stdout } = await runFlotilla(t, ["status", "--json"], { cwd: site.folder });
  const { servers } = JSON.parse(stdout) as { servers: { workers?: { pid: number }[] }[] };
  // The file on the disk is another again.
  writeFileSync(site.config, textOf(site.config).replace("changed", "not in force"));
  process.kill(servers[0]!.workers![0]!.pid, "SIGKILL");
  await site.running.line(/it is started again/);
  assert.equal((await get(site.port, "/")).body, "changed");
});

interface Site {
  readonly port: number;
  readonly folder: string;
  readonly config: string;
  readonly text: string;
  readonly running: TestProcess;
}

async function siteOf(t: TestContext, origin: AddressInfo, limits = ""): Promise<Site> {
  const [clusterPort, port] = await freePorts(2);
  const text = `secret: ${testSecret}
clusters:
  web:
    servers: { web-a: { address: 127.0.0.1, port: ${clusterPort} } }
    listen: [{ http: "127.0.0.1:${port}" }]
    log: { access: off }
    routes: [{ to: plain }]
  plain:
    servers: { plain-a: { http: "http://127.0.0.1:${origin.port}"${limits === "" ? "" : `, ${limits}`} } }
`;
  const folder = temporaryFolder(t, { "flotilla.yaml": text });
  const running = startFlotilla(t, ["start", "web-a"], { cwd: folder });
  await running.line(/up at http/);
  return { port: port!, folder, config: join(folder, "flotilla.yaml"), text, running };
}

function openTunnel(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("closed")));
    socket.write("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    let head = "";
    const onData = (bytes: Buffer): void => {
      head += bytes.toString("latin1");
      if (!head.endsWith("\r\n\r\n")) return;
      socket.off("data", onData);
      if (head.startsWith("HTTP/1.1 101 ")) resolve(socket);
      else reject(new Error(head));
    };
    socket.on("data", onData);
  });
}

function echoOf(socket: Socket, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    if (socket.destroyed) return void reject(new Error("dropped"));
    socket.once("close", () => reject(new Error("dropped")));
    socket.once("data", (bytes: Buffer) => resolve(bytes.toString()));
    socket.write(text);
  });
}

function ask(
  port: number,
  path: string,
  agent: Agent,
): Promise<{ status: number; body: string; reused: boolean }> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port, path, agent }, (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      answer.on("end", () => resolve({ status: answer.statusCode!, body, reused: asked.reusedSocket }));
    });
    asked.on("error", reject);
    asked.end();
  });
}
