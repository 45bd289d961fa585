/** Programs of `run:`, whose ends and whose supervisor's ends are violent. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { appServer, clusterFolder } from "../harness/cluster-folder.ts";
import { processesIn, runFlotilla, start, startFlotilla, until } from "../harness/process.ts";

const program = join(import.meta.dirname, "fixtures", "app-server.ts");

interface Row {
  name: string;
  state: string;
  pid: number | null;
  note?: string;
}

test("kill -9 of a server: it is started again, and its end is told", async (t) => {
  const { folder } = await clusterFolder(t);
  const running = startFlotilla(t, ["start", "--all"], { cwd: folder });
  await running.line(/app-a is up/);
  const { stdout } = await runFlotilla(t, ["status", "--json"], { cwd: folder });
  const { pid } = JSON.parse(stdout).servers[0] as Row;
  const seen = running.output.length;
  process.kill(pid!, "SIGKILL");
  await running.line(
    /app-a (was ended by SIGKILL|ended with code 137 \(signal 9\)); it is started again/,
    seen,
  );
  await running.line(/app-a is up/, seen);
});

test("kill -9 of the supervisor: nothing stays behind", async (t) => {
  const { folder } = await clusterFolder(t, { apps: 2, web: true });
  const running = startFlotilla(t, ["start", "--all"], { cwd: folder });
  await running.line(/app-a is up/);
  await running.line(/app-b is up/);
  running.signal("SIGKILL");
  await running.exit;
  await until("all are gone", () => processesIn(folder).length === 0);
});

test("kill -9 of the supervisor: one that ignores TERM is killed when the drain time is over", async (t) => {
  const { folder } = await clusterFolder(t, { run: "trap '' TERM; echo deaf; while :; do sleep 0.1; done" });
  const running = startFlotilla(t, ["start", "--all"], { cwd: folder });
  await running.line(/deaf/);
  running.signal("SIGKILL");
  await running.exit;
  assert.notDeepEqual(processesIn(folder), []);
  await until("all are gone", () => processesIn(folder).length === 0);
});

test("npm start: the program below npm ends with it, and never runs twice", async (t) => {
  const packageJson = JSON.stringify({ scripts: { start: `node ${program}` } });
  const files = { "package.json": packageJson };
  const { folder } = await clusterFolder(t, { run: "npm start", files });
  const running = startFlotilla(t, ["start", "app-a"], { cwd: folder });
  const npm = Number(/process (\d+)/.exec(await running.line(/app-a started/))![1]);
  await running.line(/app-a is up/);
  const seen = running.output.length;
  // The group's first process alone: what it started lives on until the watchdog sweeps it.
  process.kill(npm, "SIGKILL");
  await running.line(/app-a is up/, seen);
  running.signal("SIGTERM");
  assert.deepEqual(await running.exit, { code: 0, signal: null });
  assert.deepEqual(processesIn(folder), []);
});

test("a crash loop is told once, with the program's last words", async (t) => {
  const { folder } = await clusterFolder(t, { run: "echo no database; exit 3" });
  const running = startFlotilla(t, ["start", "app-a"], { cwd: folder });
  const line = JSON.parse(await running.line(/crashes in a loop/));
  assert.match(line.msg, /app-a crashes in a loop: 5 times in a row, at last it ended with code 3/);
  assert.deepEqual(line.lastOutput, ["no database"]);
  const seen = running.output.length;
  await running.line(/no database/, seen);
  const { stdout } = await runFlotilla(t, ["status", "--json"], { cwd: folder });
  const [row] = JSON.parse(stdout).servers as Row[];
  assert.equal(row!.state, "down");
  assert.match(row!.note!, /it ended with code 3, and is started again/);
  assert.equal(running.output.match(/crashes in a loop/g)!.length, 1);
  assert.doesNotMatch(running.output.slice(seen), /it is started again/);
});

test("a program of its own, by hand: no supervisor is needed", async (t) => {
  const { folder, config } = await clusterFolder(t, { run: null });
  const env = { FLOTILLA_SERVER: "app-a", FLOTILLA_CONFIG: config };
  const [command, ...args] = appServer.split(" ");
  assert.equal(command, "node");
  const byHand = start(t, process.execPath, args, { cwd: folder, env });
  await byHand.line(/app-a is up/);
  const { stdout } = await runFlotilla(t, ["status", "--json"], { cwd: folder });
  const [row] = JSON.parse(stdout).servers as Row[];
  assert.deepEqual([row!.state, row!.pid], ["up", byHand.pid]);
});
