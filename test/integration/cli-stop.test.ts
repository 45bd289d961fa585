/** `status` and `stop` from another shell. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { appServer, clusterFolder, testSecret } from "../harness/cluster-folder.ts";
import { processesIn, runFlotilla, start, startFlotilla, until } from "../harness/process.ts";

interface Row {
  name: string;
  state: string;
  pid: number | null;
  note?: string;
}

test("status: the promised fields; a stopped process is down within 2 s, with its number", async (t) => {
  const { folder } = await clusterFolder(t, { apps: 2 });
  const running = startFlotilla(t, ["start", "--all"], { cwd: folder });
  await running.line(/app-a is up/);
  await running.line(/app-b is up/);
  const status = async (): Promise<Row[]> =>
    JSON.parse((await runFlotilla(t, ["status", "--json"], { cwd: folder })).stdout).servers;
  const [first, second] = await status();
  assert.deepEqual(Object.keys(first!), [
    "name",
    "cluster",
    "letter",
    "state",
    "pid",
    "requests",
    "sessions",
  ]);
  assert.deepEqual([first!.state, second!.state], ["up", "up"]);

  process.kill(first!.pid!, "SIGSTOP");
  const startedAt = performance.now();
  const [frozen, other] = await status();
  assert.ok(performance.now() - startedAt < 2_000);
  assert.deepEqual([frozen!.state, frozen!.pid, other!.state], ["down", first!.pid, "up"]);
  assert.match(frozen!.note!, /process \d+ is stopped/);
  const text = (await runFlotilla(t, ["status"], { cwd: folder })).stdout;
  assert.match(text, /^SERVER {2}CLUSTER {2}LETTER {2}STATE +PID {2}REQUESTS {2}SESSIONS\n/);
  assert.match(text, /app-a is down: no answer: process \d+ is stopped/);

  // Stopping wakes it first: it drains like the others.
  assert.equal((await runFlotilla(t, ["stop"], { cwd: folder })).code, 0);
  assert.deepEqual(await running.exit, { code: 0, signal: null });
  assert.doesNotMatch(running.output, /is killed/);
  assert.deepEqual(processesIn(folder), []);
});

test("status: how to start is told also while a plain HTTP server is up", async (t) => {
  const { folder, config } = await clusterFolder(t);
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const plain = `  old:\n    servers: { old-a: { http: "${url}" } }\n`;
  writeFileSync(config, `${readFileSync(config, "utf8")}${plain}`);
  const { stdout } = await runFlotilla(t, ["status"], { cwd: folder });
  assert.match(stdout, /\n1 server of 2 not up\. Start those of this machine with: flotilla start --all\n$/);
});

test("stop ends all that runs, however it was started, and returns when it is gone", async (t) => {
  const { folder, config } = await clusterFolder(t, { apps: 3 });
  const options = { cwd: folder };
  const [, ...args] = appServer.split(" ");
  const env = { FLOTILLA_SERVER: "app-c", FLOTILLA_CONFIG: config };
  const supervised = startFlotilla(t, ["start", "app-a", "app-b"], options);
  const byHand = start(t, process.execPath, args, { cwd: folder, env });
  await supervised.line(/app-a is up/);
  await supervised.line(/app-b is up/);
  await byHand.line(/app-c is up/);
  const { code, stdout } = await runFlotilla(t, ["stop", "--json"], options);
  assert.equal(code, 0);
  assert.deepEqual(processesIn(folder), []);
  const answer = JSON.parse(stdout);
  const names = answer.stopped.map(({ name }: Row) => name).sort();
  assert.deepEqual(names, ["app-a", "app-b", "app-c", "supervisor"]);
  assert.deepEqual([answer.killed, answer.left], [[], []]);
  assert.deepEqual(readdirSync(join(folder, ".flotilla", "run")), []);

  const nothing = await runFlotilla(t, ["stop"], options);
  assert.deepEqual([nothing.code, nothing.stdout], [0, "No server of flotilla.yaml runs on this machine.\n"]);
});

test("stop NAME: its supervisor does not start it again, and the others stay", async (t) => {
  const { folder } = await clusterFolder(t, { apps: 2 });
  const running = startFlotilla(t, ["start", "--all"], { cwd: folder });
  await running.line(/app-a is up/);
  await running.line(/app-b is up/);
  const { code, stdout } = await runFlotilla(t, ["stop", "app-a"], { cwd: folder });
  assert.equal(code, 0);
  assert.match(stdout, /^app-a \(process \d+\) stopped\n$/);
  const { servers } = JSON.parse((await runFlotilla(t, ["status", "--json"], { cwd: folder })).stdout);
  assert.deepEqual(
    servers.map(({ state }: Row) => state),
    ["down", "up"],
  );
  // It may be started again by itself, beside the supervisor of the other.
  const again = startFlotilla(t, ["start", "app-a"], { cwd: folder });
  await again.line(/app-a is up/);
  // With its last server the supervisor ends too.
  await runFlotilla(t, ["stop", "app-b"], { cwd: folder });
  assert.deepEqual(await running.exit, { code: 0, signal: null });
});

test("another site with the same data folder and names: nothing of it is stopped, started or shown as ours", async (t) => {
  const { folder, config } = await clusterFolder(t);
  const other = await clusterFolder(t);
  const text = readFileSync(other.config, "utf8").replace(testSecret, "fedcba9876543210fedcba9876543210");
  writeFileSync(other.config, `data: ${join(folder, ".flotilla")}\n${text}`);
  const running = startFlotilla(t, ["start", "--all"], { cwd: folder });
  await running.line(/app-a is up/);
  const pids = processesIn(folder);
  for (const words of [["stop"], ["stop", "app-a"], ["stop", "--force"], ["start", "--all"], ["status"]]) {
    const { code, stdout, stderr } = await runFlotilla(t, words, { cwd: other.folder });
    assert.deepEqual([code, stdout], [1, ""], words.join(" "));
    assert.ok(stderr.includes(`is used by the site of ${config} (process `), stderr);
    assert.match(stderr, /give each site its own `data:`.*\[FLOTILLA_DATA_FOLDER_SHARED\]$/m);
  }
  assert.deepEqual(processesIn(folder), pids);
  assert.equal((await runFlotilla(t, ["stop"], { cwd: folder })).code, 0);
});

test("stop: a supervisor that is stopped itself is woken and ends", async (t) => {
  const { folder } = await clusterFolder(t);
  const running = startFlotilla(t, ["start", "--all"], { cwd: folder });
  await running.line(/app-a is up/);
  running.signal("SIGSTOP");
  assert.equal((await runFlotilla(t, ["stop"], { cwd: folder })).code, 0);
  await running.exit;
  assert.deepEqual(processesIn(folder), []);
});

test("stop: what ignores TERM is killed", async (t) => {
  const run = "trap '' TERM; echo deaf; while :; do sleep 0.1; done";
  const { folder } = await clusterFolder(t, { run });
  const running = startFlotilla(t, ["start", "--all"], { cwd: folder });
  await running.line(/deaf/);
  assert.equal((await runFlotilla(t, ["stop"], { cwd: folder })).code, 0);
  await running.line(/app-a did not end within \d+ s and is killed/);
  await until("all are gone", () => processesIn(folder).length === 0);
});

test("a key that does not fit: status says so, stop of one server fails in words, stop of all needs no key", async (t) => {
  const { folder, config } = await clusterFolder(t, { apps: 2, web: true });
  const running = startFlotilla(t, ["start", "--all"], { cwd: folder });
  await running.line(/app-a is up/);
  await running.line(/app-b is up/);
  await running.line(/up at http/);
  const text = readFileSync(config, "utf8").replace(testSecret, "another secret of at least 32 bytes");
  writeFileSync(config, text);
  const status = await runFlotilla(t, ["status"], { cwd: folder });
  assert.match(status.stdout, /app-a is down: .* uses another secret/);
  const one = await runFlotilla(t, ["stop", "app-a"], { cwd: folder });
  assert.equal(one.code, 1);
  assert.match(one.stderr, /uses another secret .* \[FLOTILLA_LINK_WRONG_KEY\]\n$/);
  const all = await runFlotilla(t, ["stop"], { cwd: folder });
  assert.equal(all.code, 0, all.stderr);
  assert.deepEqual(processesIn(folder), []);
});

test("stop ends web servers first, and a web server by itself", async (t) => {
  const { folder } = await clusterFolder(t, { web: true });
  const app = startFlotilla(t, ["start", "app-a"], { cwd: folder });
  await app.line(/app-a is up/);
  const web = startFlotilla(t, ["start", "web-a"], { cwd: folder });
  await web.line(/up at http/);
  const { stdout } = await runFlotilla(t, ["stop"], { cwd: folder });
  assert.match(stdout, /^web-a .* stopped\napp-a .* stopped\nsupervisor .* stopped\n$/);
  assert.deepEqual(await web.exit, { code: 0, signal: null });
  assert.deepEqual(await app.exit, { code: 0, signal: null });
});

test("stop: a supervisor without its record is found, and starts nothing again", async (t) => {
  const { folder } = await clusterFolder(t, { apps: 2, web: true });
  const running = startFlotilla(t, ["start", "--all"], { cwd: folder });
  await running.line(/app-a is up/);
  await running.line(/app-b is up/);
  await running.line(/up at http/);
  // As on a disk that was full.
  rmSync(join(folder, ".flotilla"), { recursive: true });
  const one = await runFlotilla(t, ["stop", "app-b"], { cwd: folder });
  assert.match(one.stdout, /^app-b \(process \d+\) stopped\n$/);
  const { code, stdout } = await runFlotilla(t, ["stop", "--json"], { cwd: folder });
  assert.equal(code, 0);
  const names = JSON.parse(stdout).stopped.map(({ name }: Row) => name);
  assert.deepEqual(names.sort(), ["app-a", "supervisor", "web-a"]);
  assert.deepEqual(await running.exit, { code: 0, signal: null });
  assert.doesNotMatch(running.output, /started again/);
  assert.deepEqual(processesIn(folder), []);
});

test("stop: a program that left its process group is asked by itself, at once", async (t) => {
  // Only the first run is a server; it is swept with its group unless it has left it when the shell ends.
  const run = `mkdir begun || exit 3; setsid -f sh -c 'touch free; exec ${appServer}'; until [ -e free ]; do sleep 0.1; done`;
  const { folder } = await clusterFolder(t, { run });
  const running = startFlotilla(t, ["start", "--all"], { cwd: folder });
  await running.line(/app-a is up/);
  const startedAt = performance.now();
  const { code, stdout } = await runFlotilla(t, ["stop", "--json"], { cwd: folder });
  assert.ok(performance.now() - startedAt < 4_000);
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse(stdout).killed, []);
  assert.deepEqual(processesIn(folder), []);
});
