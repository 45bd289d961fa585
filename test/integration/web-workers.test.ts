/** Workers of one web server: they share its ports, die and are replaced, and no visitor notices. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { clusterStatus } from "../../src/admin/cluster-status.ts";
import { loadOrThrow } from "../../src/config/load.ts";
import { http } from "../../src/support/limits.ts";
import { processState } from "../../src/support/processes.ts";
import { freePorts } from "../harness/free-ports.ts";
import { runFlotilla, start, startFlotilla, statusOf, until } from "../harness/process.ts";
import { get, Visitors, type WorkerSite, workerSite } from "../harness/worker-site.ts";

async function workersOf(site: WorkerSite) {
  const [web] = await statusOf(site.folder);
  return web!;
}

async function pidsOf(site: WorkerSite): Promise<number[]> {
  return (await workersOf(site)).workers!.map(({ pid }) => pid);
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    // A descriptor that was closed meanwhile.
    return "";
  }
}

const accessLine = /^127\.0\.0\.1 - - \[[^\]]+\] "GET \/ HTTP\/1\.1" 200 4 "-" "-"$/;

const isGone = (pid: number): boolean => processState(pid) === null;

test("workers share the port, are one server in status, and their access lines are whole", async (t) => {
  const site = await workerSite(t, { workers: 3 });
  const visitors = new Visitors(site.port, 24);
  await until("all workers have answered", async () =>
    (await workersOf(site)).workers!.every(({ requests }) => requests > 20),
  );
  await visitors.stop();
  const { pid, state, requests, workers } = await workersOf(site);
  assert.deepEqual([pid, state, workers!.length], [site.running.pid, "up", 3]);
  assert.equal(requests, visitors.answered);
  assert.equal(
    requests,
    workers!.reduce((sum, worker) => sum + worker.requests, 0),
  );
  site.running.signal("SIGTERM");
  await site.running.exit;
  const lines = readFileSync(site.accessLog, "latin1").split("\n");
  assert.equal(lines.pop(), "");
  assert.equal(lines.length, visitors.answered);
  for (const line of lines) assert.match(line, accessLine);
});

test("a worker holds several handles of the one socket: it accepts one connection with each in a turn", async (t) => {
  const site = await workerSite(t, { workers: 1 });
  const local = `:${site.port.toString(16).toUpperCase().padStart(4, "0")}`;
  const sockets = readFileSync("/proc/net/tcp", "latin1").split("\n");
  const inodes = sockets
    .map((line) => line.trim().split(/\s+/))
    .filter(([, from = "", , state]) => from.endsWith(local) && state === "0A")
    .map((fields) => fields[9]);
  assert.equal(inodes.length, 1, "it has one queue");
  const folder = `/proc/${(await pidsOf(site))[0]}/fd`;
  const handles = readdirSync(folder).filter((fd) => linkOf(join(folder, fd)) === `socket:[${inodes[0]}]`);
  assert.equal(handles.length, http.acceptsPerTurn);
});

test("a worker that dies is started again; nobody is refused a connection meanwhile", async (t) => {
  const site = await workerSite(t, { workers: 1 });
  const [victim] = await pidsOf(site);
  process.kill(victim!, "SIGKILL");
  // Nobody accepts now: these wait in the socket's queue.
  const answers = await Promise.all(Array.from({ length: 8 }, () => get(site.port, "/")));
  for (const { status } of answers) assert.equal(status, 200);
  await site.running.line(/worker 1 was ended by SIGKILL; it is started again/);
  assert.notEqual((await pidsOf(site))[0], victim);
});

test("upgrade: new processes, the same port, no request is lost", async (t) => {
  const site = await workerSite(t);
  const before = await pidsOf(site);
  const visitors = new Visitors(site.port, 16);
  for (let round = 0; round < 3; round++) {
    const answered = visitors.answered;
    const { code, stdout, stderr } = await runFlotilla(t, ["upgrade", "web-a"], { cwd: site.folder });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^web-a \(process \d+\) goes on with 2 new workers\n$/);
    await until("the new workers are asked", () => visitors.answered > answered + 50);
  }
  await visitors.stop();
  assert.deepEqual(visitors.failures, []);
  const web = await workersOf(site);
  assert.equal(web.pid, site.running.pid);
  assert.equal(web.requests, visitors.answered);
  await until("the first ones are gone", () => before.every(isGone));
});

test("upgrade: the program that is on the disk now, when its path leads to another one", async (t) => {
  const main = pathToFileURL(join(import.meta.dirname, "..", "..", "src", "cli", "main.ts")).href;
  const program = (word: string) => `console.error("program ${word}");
process.exit(await (await import(${JSON.stringify(main)})).main(process.argv.slice(2)));
`;
  let current = "";
  const lead = (to: string): void => {
    rmSync(current, { force: true });
    symlinkSync(to, current);
  };
  const site = await workerSite(t, {
    start: ({ folder }) => {
      current = join(folder, "current.mjs");
      writeFileSync(join(folder, "one.mjs"), program("one"));
      writeFileSync(join(folder, "two.mjs"), program("two"));
      writeFileSync(join(folder, "broken.mjs"), "process.exit(7);\n");
      lead("one.mjs");
      return Promise.resolve(start(t, process.execPath, [current, "start", "web-a"], { cwd: folder }));
    },
  });
  lead("broken.mjs");
  const refused = await runFlotilla(t, ["upgrade"], { cwd: site.folder });
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /a worker ended with code 7 before it took requests; the old workers go on/);
  lead("two.mjs");
  const { code, stderr } = await runFlotilla(t, ["upgrade"], { cwd: site.folder });
  assert.equal(code, 0, stderr);
  assert.deepEqual(
    site.running.stderr.match(/^program .*$/gm),
    // The main process and its two workers, then the new ones.
    ["program one", "program one", "program one", "program two", "program two"],
  );
});

test("upgrade: a port that the file names no more is closed, a new one is open", async (t) => {
  const site = await workerSite(t);
  const [port] = await freePorts(1);
  const file = readFileSync(site.config, "utf8").replace(`:${site.port}"`, `:${port}"`);
  writeFileSync(site.config, file);
  const { code, stderr } = await runFlotilla(t, ["upgrade"], { cwd: site.folder });
  assert.equal(code, 0, stderr);
  assert.equal((await get(port!, "/")).status, 200);
  await until("the old port is closed", () =>
    get(site.port, "/").then(
      () => false,
      ({ code: reason }) => reason === "ECONNREFUSED",
    ),
  );
});

test("access lines of several workers on standard output are whole", async (t) => {
  const site = await workerSite(t, { access: "-" });
  const visitors = new Visitors(site.port, 16);
  await until("many are answered", () => visitors.answered > 1_000);
  await visitors.stop();
  site.running.signal("SIGTERM");
  await site.running.exit;
  const lines = site.running.stdout.split("\n").slice(0, -1);
  assert.equal(lines.length, visitors.answered);
  for (const line of lines) assert.match(line, accessLine);
});

test("upgrade: a download goes on in the old process", async (t) => {
  const site = await workerSite(t, { workers: 1 });
  const [old] = await pidsOf(site);
  const download = get(site.port, "/slow");
  await site.slowAsked;
  const { code } = await runFlotilla(t, ["upgrade"], { cwd: site.folder });
  assert.equal(code, 0);
  assert.equal((await get(site.port, "/")).status, 200);
  assert.equal(isGone(old!), false);
  site.answerSlow();
  assert.deepEqual(await download, { status: 200, body: "first last", connection: "close" });
  await until("the old one is gone", () => isGone(old!));
});

test("upgrade: what can't begin changes nothing, and says why", async (t) => {
  const site = await workerSite(t);
  const before = await pidsOf(site);
  const good = readFileSync(site.config, "utf8");
  const other = `${site.folder}/other.yaml`;
  // The command itself reads a good file, the new workers do not.
  writeFileSync(other, good);
  writeFileSync(site.config, "clusters: wrong\n");
  const { code, stderr } = await runFlotilla(t, ["upgrade", "web-a", "-c", other], { cwd: site.folder });
  assert.equal(code, 1);
  assert.match(stderr, /web-a says: not upgraded: .*flotilla\.yaml:1:.*; the old workers go on/s);
  const workers = async () => (await clusterStatus(loadOrThrow(other), 1_000))[0]!.workers!;
  assert.deepEqual(
    (await workers()).map(({ pid }) => pid),
    before,
  );
  // A worker that dies meanwhile begins with the file that is in force.
  process.kill(before[0]!, "SIGKILL");
  await until("another one works in its place", async () =>
    (await workers()).every(({ pid, state }) => pid !== before[0] && state === "up"),
  );
});

test("upgrade: only web servers, and only those that run", async (t) => {
  const site = await workerSite(t, { workers: 1 });
  const plain = await runFlotilla(t, ["upgrade", "plain-a"], { cwd: site.folder });
  assert.match(plain.stderr, /plain-a: only web servers are upgraded in place/);
  site.running.signal("SIGTERM");
  await site.running.exit;
  const stopped = await runFlotilla(t, ["upgrade"], { cwd: site.folder });
  assert.deepEqual([plain.code, stopped.code], [1, 1]);
  assert.match(stopped.stderr, /no web server of flotilla\.yaml runs on this machine/);
});

test("without their main process workers end, and the port is free", async (t) => {
  const site = await workerSite(t);
  const workers = await pidsOf(site);
  await site.running.kill();
  await until("they are gone", () => workers.every(isGone));
  const again = startFlotilla(t, ["start", "web-a"], { cwd: site.folder });
  await again.line(/up at http/);
});
