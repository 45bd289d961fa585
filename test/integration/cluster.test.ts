/** A whole cluster as its operator has it: one file, `start --all`, visitors, a dead server, `stop`. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { clusterFolder } from "../harness/cluster-folder.ts";
import { processesIn, runFlotilla, startFlotilla, type TestProcess, until } from "../harness/process.ts";

const run = `exec node ${join(import.meta.dirname, "fixtures", "app.ts")}`;

/** A site whose web server has found both app servers; `get` says which of them answered. */
async function twoAppServers(
  t: TestContext,
): Promise<{ folder: string; running: TestProcess; get: () => Promise<string> }> {
  const { folder, httpPort } = await clusterFolder(t, { web: true, apps: 2, run });
  const running = startFlotilla(t, ["start", "--all"], { cwd: folder });
  for (const name of ["app-a", "app-b"]) await running.line(new RegExp(`link to ${name} .* is up`));
  await running.line(/up at http/);
  const get = async (): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${httpPort}/`);
    assert.equal(response.status, 200);
    return (await response.text()).trim();
  };
  return { folder, running, get };
}

test("visitors are served by all app servers, and by those that are left", async (t) => {
  const { folder, running, get } = await twoAppServers(t);
  const first = new Set([await get(), await get(), await get(), await get()]);
  assert.deepEqual([...first].sort(), ["app-a", "app-b"]);

  const status = await runFlotilla(t, ["status", "--json"], { cwd: folder });
  const rows: { name: string; pid: number; requests: number }[] = JSON.parse(status.stdout).servers;
  assert.equal(rows[0]!.requests, 4);
  const seen = running.output.length;
  process.kill(rows.find(({ name }) => name === "app-b")!.pid, "SIGKILL");
  for (let i = 0; i < 10; i++) await get();
  await running.line(/app-b was ended by SIGKILL; it is started again/, seen);
  await until("app-b serves again", async () => (await get()) === "app-b");
});

test("a frozen server's requests move to the other one; the last one is waited for", async (t) => {
  const { folder, get } = await twoAppServers(t);
  await get();
  const status = await runFlotilla(t, ["status", "--json"], { cwd: folder });
  const rows: { name: string; pid: number }[] = JSON.parse(status.stdout).servers;
  const freeze = (name: string): (() => void) => {
    const { pid } = rows.find((row) => row.name === name)!;
    process.kill(pid, "SIGSTOP");
    t.after(() => process.kill(pid, "SIGCONT"));
    return () => process.kill(pid, "SIGCONT");
  };

  const thawB = freeze("app-b");
  // Half of these are sent to app-b, before anybody can know.
  assert.deepEqual(new Set(await Promise.all([get(), get(), get(), get()])), new Set(["app-a"]));
  // Now it is known: nobody waits.
  for (let i = 0; i < 4; i++) assert.equal(await get(), "app-a");

  const thawA = freeze("app-a");
  const waiting = get();
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  thawA();
  assert.equal(await waiting, "app-a");
  thawB();
  await until("app-b is used again", async () => (await get()) === "app-b");
});

test("stop lets open requests end, through both tiers", async (t) => {
  const { folder, httpPort } = await clusterFolder(t, { web: true, run });
  const running = startFlotilla(t, ["start", "--all"], { cwd: folder });
  await running.line(/link to app-a .* is up/);
  await running.line(/up at http/);
  const slow = fetch(`http://127.0.0.1:${httpPort}/slow`);
  await running.line(/slow request begun/);
  const { code } = await runFlotilla(t, ["stop"], { cwd: folder });
  assert.equal(code, 0);
  assert.equal(await (await slow).text(), "app-a\n");
  assert.deepEqual(await running.exit, { code: 0, signal: null });
  assert.deepEqual(processesIn(folder), []);
});
