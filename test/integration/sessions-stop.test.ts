/** Stops that somebody does not wait for, and stops that nobody can take anything from: what is kept, and what is said. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { supervise as limits } from "../../src/support/limits.ts";
import { CartSite, counts, visit } from "../harness/cart-site.ts";
import { processesIn, runFlotilla, type TestProcess, until } from "../harness/process.ts";

/** Beyond the time in which it would be taken for an echo of the one before; nothing else tells that this is over. */
async function interruptAgain(running: TestProcess): Promise<void> {
  await sleep(limits.signalEchoMs);
  running.signal("SIGINT");
}

test("^C while requests hang, and again: they are cut, and every session is there at the next start", async (t) => {
  const site = await CartSite.make(t, { apps: 2, drain: "60s" });
  let running = await site.start();
  const visitors = await visit(site, 6);
  const hanging = visitors.slice(0, 2).map((visitor) => visitor.ask("GET", "/hang"));
  const cut = Promise.all(hanging.map((request) => assert.rejects(request)));
  await until("both hang", () => running.output.match(/a request hangs/g)?.length === 2);
  running.signal("SIGINT");
  // As npm and shells do, which pass on what the terminal has sent to all of them.
  running.signal("SIGINT");
  await running.line(/SIGINT: stopping web-a, app-a and app-b.*again cuts requests, sessions are kept/);
  await running.line(/SIGTERM: stopping, for at most 30 s: 2 requests under way/);
  const secondAt = performance.now();
  await interruptAgain(running);
  await cut;
  assert.deepEqual(await running.exit, { code: 0, signal: null });
  assert.ok(performance.now() - secondAt < 10_000, "a drain time was waited for");
  assert.doesNotMatch(running.output, /is killed|FLOTILLA_SESSIONS_NOT_SAVED/);
  assert.deepEqual(processesIn(site.folder), []);

  running = await site.start();
  assert.deepEqual(await counts(visitors), [1, 2, 3, 1, 2, 3]);

  await t.test(
    "a third ^C, where they can't be saved: all ends at once, and tells what is lost",
    async () => {
      for (const server of ["app-a", "app-b"])
        mkdirSync(join(site.folder, ".flotilla", "sessions", `${server}.db`, "in-the-way"), {
          recursive: true,
        });
      running.signal("SIGINT");
      await running.line(/FLOTILLA_SESSIONS_NOT_SAVED.*can't be saved/);
      await interruptAgain(running);
      await running.line(/SIGINT again: cutting requests/);
      await interruptAgain(running);
      assert.deepEqual(await running.exit, { code: 130, signal: null });
      assert.match(
        running.output,
        /FLOTILLA_SESSIONS_NOT_SAVED.*6 sessions that no other server has are lost|app-[ab] is killed: .* are lost/,
      );
      assert.deepEqual(processesIn(site.folder), []);
      const left = readdirSync(join(site.folder, ".flotilla", "sessions"));
      assert.deepEqual(
        left.filter((name) => name.endsWith(".next")),
        [],
      );
    },
  );
});

test("a disk that syncs for longer than a question waits: who can't answer meanwhile is not killed, nothing is lost", async (t) => {
  const site = await CartSite.make(t, { apps: 2, drain: "1s", syncMs: 3_000 });
  let running = await site.start();
  const visitors = await visit(site, 6);
  running.signal("SIGTERM");
  assert.deepEqual(await running.exit, { code: 0, signal: null });
  assert.match(running.output, /the disk is slow/);
  assert.doesNotMatch(running.output, /is killed/);

  running = await site.start();
  assert.deepEqual(await counts(visitors), [1, 2, 3, 1, 2, 3]);
});

test("voters that can't write: status names the folder and promises no minute, a stop says what is true, the end is told", async (t) => {
  const site = await CartSite.make(t, { apps: 3, drain: "4s" });
  const running = await site.start();
  await visit(site, 6);
  const votes = join(site.folder, ".flotilla", "register");
  renameSync(votes, `${votes}.away`);
  writeFileSync(votes, "");
  const apps = async () => (await site.servers()).filter(({ cluster }) => cluster === "app");
  await until("all three tell it", async () =>
    (await apps()).every(({ voterProblem }) => voterProblem !== undefined),
  );
  const [appA] = await apps();
  // Its next start finds no folder for its votes.
  process.kill(appA!.pid!, "SIGKILL");
  await until("its slots are missed", async () => (await apps())[0]!.pid !== appA!.pid);
  const { stdout } = await runFlotilla(t, ["status"], { cwd: site.folder });
  for (const name of ["app-b", "app-c"])
    assert.match(
      stdout,
      new RegExp(`^${name} cannot .* the voter's file .*/register/.*this machine has no vote.*see to`, "m"),
    );
  assert.match(stdout, /^app-b .* (not )?seen, no vote$/m);
  assert.match(
    stdout,
    /served by nobody: nobody can take them over while [01] of the register's 3 voters can vote/,
  );
  assert.doesNotMatch(stdout, /minute/);

  assert.equal((await site.stop("app-b")).code, 0);
  const told = await running.line(/could not be handed over/);
  assert.match(told, /and nobody can take them over now \(.+\): what no other server has is saved to disk/);

  rmSync(votes);
  renameSync(`${votes}.away`, votes);
  await running.line(/voter's file .* can be written again/);
  await until("no trouble is left", async () =>
    (await apps()).every(({ voterProblem }) => voterProblem === undefined),
  );
});
