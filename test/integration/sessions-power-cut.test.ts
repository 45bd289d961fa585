/** `durability: backup+disk`: all servers are killed at once, or stopped, and no session is lost, and none comes back that had ended. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CartSite, counts, slotsInAll, visit } from "../harness/cart-site.ts";
import { startFlotilla, type TestProcess, until } from "../harness/process.ts";

const durability = "backup+disk";

async function killApps(site: CartSite): Promise<number[]> {
  const apps = (await site.servers()).filter(({ cluster }) => cluster === "app").map(({ pid }) => pid!);
  for (const pid of apps) process.kill(pid, "SIGKILL");
  return apps;
}

async function upAgain(site: CartSite, killed: readonly number[]): Promise<void> {
  await until("others are up", async () =>
    (await site.servers()).every(({ state, pid }) => state === "up" && !killed.includes(pid!)),
  );
  await site.isWhole();
}

/** Each server tells what became of those that it looked after. */
function toldSlots({ output }: TestProcess): number {
  const told = [...output.matchAll(/(\d+) session slots (?:were without|were gone|are in use)/g)];
  return told.reduce((sum, [, slots]) => sum + Number(slots), 0);
}

for (const apps of [1, 2, 3])
  test(`${apps} app server${apps > 1 ? "s" : ""}: killed together they have every session afterwards`, async (t) => {
    const site = await CartSite.make(t, { apps, durability });
    const running = await site.start();
    const visitors = await visit(site, 30);
    const before = await counts(visitors);
    const leaver = visitors[0]!;
    const { cookie } = leaver;
    await leaver.ask("POST", "/logout");
    await upAgain(site, await killApps(site));
    assert.deepEqual(await counts(visitors.slice(1)), before.slice(1));
    leaver.cookie = cookie;
    assert.equal(await leaver.ask("GET"), 0, "a logout was undone");
    await until("it is told of every slot", () => toldSlots(running) >= slotsInAll);
    assert.doesNotMatch(running.output, /SESSIONS_LOST|SESSIONS_UNREAD|SESSIONS_DISK/);

    await t.test("stopped in order and started again too, without another file", async () => {
      const { code, stderr } = await site.stop();
      assert.equal(code, 0, stderr);
      assert.deepEqual(site.files(), []);
      for (const name of ["app-a", "app-b", "app-c"].slice(0, apps)) {
        const folder = join(site.folder, ".flotilla", "sessions", name);
        assert.equal(statSync(folder).mode & 0o777, 0o700);
        assert.equal(statSync(join(folder, "sessions.db")).mode & 0o777, 0o600);
        assert.equal(existsSync(join(folder, "sessions.db-wal")), false, "closed in order");
      }
      const again = await site.start();
      assert.deepEqual(await counts(visitors.slice(1)), before.slice(1));
      assert.doesNotMatch(again.output, /SESSIONS_LOST|SESSIONS_UNREAD|SESSIONS_DISK/);
    });
  });

test("two app servers stopped one after the other: the last one goes on alone, the first one waits for it", async (t) => {
  const site = await CartSite.make(t, { apps: 2, durability });
  await site.start();
  const visitors = await visit(site, 12);
  const before = await counts(visitors);
  const stopBoth = async (): Promise<void> => {
    for (const name of ["app-a", "app-b"]) assert.equal((await site.stop(name)).code, 0);
  };
  const startOne = (name: string): TestProcess => startFlotilla(t, ["start", name], { cwd: site.folder });
  await stopBoth();
  const last = startOne("app-b");
  await until("it has all slots", () => toldSlots(last) >= slotsInAll);
  await site.answers();
  assert.deepEqual(await counts(visitors), before);

  const first = startOne("app-a");
  await site.isWhole();
  await stopBoth();
  const firstAgain = startOne("app-a");
  await firstAgain.line(/app-a.*up at cluster port/);
  assert.equal(toldSlots(firstAgain), 0);
  const lastAgain = startOne("app-b");
  await site.isWhole();
  assert.deepEqual(await counts(visitors), before);
  for (const { output } of [last, first, firstAgain, lastAgain]) assert.doesNotMatch(output, /SESSIONS_LOST/);
});

test("the votes gone between stop and start: the databases stay beside, and with the votes back they count", async (t) => {
  const site = await CartSite.make(t, { apps: 2, durability });
  await site.start();
  const visitors = await visit(site, 6);
  const before = await counts(visitors);
  assert.equal((await site.stop()).code, 0);
  const votes = join(site.folder, ".flotilla", "register");
  const databases = ["app-a", "app-b"].map((name) =>
    join(site.folder, ".flotilla", "sessions", name, "sessions.db"),
  );
  renameSync(votes, `${votes}.away`);

  const running = await site.start();
  assert.deepEqual(await counts(visitors), [0, 0, 0, 0, 0, 0]);
  const told = running.output.match(/SESSIONS_UNREAD.*not used: .*made anew since.*put aside as .*\.kept/g);
  assert.equal(told?.length, 2, running.output);
  assert.equal((await site.stop()).code, 0);

  rmSync(votes, { recursive: true });
  renameSync(`${votes}.away`, votes);
  for (const database of databases) renameSync(`${database}.kept`, database);
  const again = await site.start();
  assert.deepEqual(await counts(visitors), before);
  assert.doesNotMatch(again.output, /SESSIONS_LOST|SESSIONS_UNREAD/);
});

test("under another durability an old database is put aside: nothing of it comes back", async (t) => {
  const site = await CartSite.make(t, { apps: 1, durability });
  await site.start();
  const visitors = await visit(site, 3);
  assert.equal((await site.stop()).code, 0);
  const file = join(site.folder, "flotilla.yaml");
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace(durability, "memory"));
  const running = await site.start();
  assert.match(
    running.output,
    /under `durability: backup\+disk` are not used: .*put aside as .*sessions\.db\.unread/,
  );
  assert.equal((await site.stop()).code, 0);
  writeFileSync(file, text);
  await site.start();
  assert.deepEqual(await counts(visitors), [0, 0, 0]);
});

test("a folder that can't be used ends the start, and says so", async (t) => {
  const site = await CartSite.make(t, { apps: 1, durability });
  const folder = join(site.folder, ".flotilla", "sessions");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "app-a"), "");
  const running = site.launch();
  await running.line(/sessions can't be kept on disk \(durability: backup\+disk\) in .*sessions\/app-a: /);
});
