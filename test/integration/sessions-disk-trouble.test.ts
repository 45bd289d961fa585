/**
 * Two servers with `durability: backup+disk`, and what becomes of the disk of one of them: full or away before the start, reporting
 * errors, not permitted, removed or damaged while sessions are read and written. Nothing acknowledged is lost, and all goes on by itself.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { chmodSync, closeSync, mkdirSync, openSync, rmSync, statSync, symlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { CartSite, slotsInAll, type Visitor } from "../harness/cart-site.ts";
import { LoopDisk, whyNoLoopDisk } from "../harness/loop-disk.ts";
import { runFlotilla, type TestProcess, until } from "../harness/process.ts";
import { SmallDisk, whyNoSmallDisk } from "../harness/small-disk.ts";

const durability = "backup+disk";

function folderOf(site: CartSite, server: string): string {
  return join(site.folder, ".flotilla", "sessions", server);
}

/** The sessions of app-b are on a disk of their own. */
function putOn(site: CartSite, folder: string): void {
  mkdirSync(folderOf(site, ""), { recursive: true });
  mkdirSync(join(folder, "sessions"));
  symlinkSync(join(folder, "sessions"), folderOf(site, "app-b"));
}

/** What a visitor was told, and what may have been done besides. */
class Owed {
  readonly visitor: Visitor;
  acknowledged = 0;
  #unknown = 0;
  refused = 0;

  constructor(visitor: Visitor) {
    this.visitor = visitor;
  }

  async post(path = "/"): Promise<void> {
    const { status, body } = await this.visitor.try("POST", path);
    if (status === 200) this.#compare(Number(body), this.acknowledged + 1, 1);
    else {
      assert.ok(status >= 502 && status <= 504, `${status}: ${body}`);
      this.#unknown++;
      this.refused++;
    }
  }

  async look(): Promise<void> {
    const { status, body } = await this.visitor.try("GET");
    if (status === 200) this.#compare(Number(body), this.acknowledged, 0);
    else {
      assert.ok(status >= 502 && status <= 504, `${status}: ${body}`);
      this.refused++;
    }
  }

  /** A wrong answer is one that shows less than was acknowledged, or more than was asked for. */
  #compare(count: number, least: number, more: number): void {
    assert.ok(
      count >= least && count <= this.acknowledged + this.#unknown + more,
      `${count} of ${least} to ${least + this.#unknown}`,
    );
    this.#unknown -= count - this.acknowledged - more;
    this.acknowledged = count;
  }
}

/** Reads and writes until `isOver`. */
async function live(visitors: readonly Owed[], isOver: () => boolean | Promise<boolean>): Promise<void> {
  let ends = false;
  const tasks = Array.from({ length: 6 }, async (_, task) => {
    for (let turn = task; !ends; turn += 6) {
      const owed = visitors[turn % visitors.length]!;
      if (turn % 3 === 0) await owed.post();
      else await owed.look();
    }
  });
  try {
    await until("it is over, while visitors come and go", isOver);
  } finally {
    ends = true;
    await Promise.all(tasks);
  }
}

async function visitors(site: CartSite, count: number, path = "/"): Promise<Owed[]> {
  const all = Array.from({ length: count }, () => new Owed(site.visitor()));
  for (let from = 0; from < count; from += 6)
    await Promise.all(all.slice(from, from + 6).map((owed) => owed.post(path)));
  assert.ok(all.every(({ acknowledged }) => acknowledged === 1));
  return all;
}

async function lookAtAll(all: readonly Owed[]): Promise<void> {
  for (const owed of all) {
    owed.refused = 0;
    await owed.look();
    assert.equal(owed.refused, 0);
  }
}

async function statusText(t: TestContext, site: CartSite): Promise<string> {
  return (await runFlotilla(t, ["status"], { cwd: site.folder })).stdout;
}

async function hasEqualShares(site: CartSite): Promise<boolean> {
  const servers = (await site.servers()).filter(({ cluster }) => cluster === "app");
  return servers.every(({ slots, singleCopySlots }) => slots === slotsInAll / 2 && singleCopySlots === 0);
}

function told(running: TestProcess, pattern: RegExp): number {
  return running.output.split("\n").filter((line) => pattern.test(line)).length;
}

/** The disk of app-b is in trouble, told and shown; visitors go on; mended, it has all. */
async function strike(
  t: TestContext,
  site: CartSite,
  running: TestProcess,
  fault: { readonly strike: () => void; readonly mend: () => void; readonly reason: RegExp },
): Promise<void> {
  const all = await visitors(site, 24);
  const from = running.output.length;
  fault.strike();
  await live(all, () => /FLOTILLA_SESSIONS_DISK/.test(running.output.slice(from)));
  const line = await running.line(/FLOTILLA_SESSIONS_DISK/, from);
  assert.match(line, fault.reason);
  assert.match(line, /app-b/);
  const text = await statusText(t, site);
  const shown = text.split("\n").find((found) => /^app-b can't write its sessions to disk/.test(found));
  assert.match(shown ?? text, fault.reason);
  const refusedBefore = all.reduce((sum, { refused }) => sum + refused, 0);
  let turns = 0;
  await live(all, () => ++turns > 50);
  assert.equal(
    all.reduce((sum, { refused }) => sum + refused, 0),
    refusedBefore,
    "the other's disk is enough",
  );
  fault.mend();
  await live(all, () => /sessions are written to .*app-b again/.test(running.output.slice(from)));
  await live(all, () => hasEqualShares(site));
  assert.equal(running.output.slice(from).match(/FLOTILLA_SESSIONS_DISK/g)?.length, 1);
  await lookAtAll(all);
}

test("a disk that reports errors, and a folder without rights", {
  skip: whyNoLoopDisk() ?? false,
}, async (t) => {
  const site = await CartSite.make(t, { apps: 2, durability });
  const disk = LoopDisk.for(t);
  putOn(site, disk.folder);
  // Root too is asked for rights then.
  const running = await site.start(["setpriv", "--bounding-set=-dac_override,-dac_read_search"]);
  await t.test("EIO", () =>
    strike(t, site, running, {
      strike: () => disk.break(),
      mend: () => disk.mend(),
      reason: /app-b can't be written: the disk reports errors: dmesg says which; replace the disk/,
    }),
  );
  await t.test("EACCES", () =>
    strike(t, site, running, {
      strike: () => chmodSync(folderOf(site, "app-b"), 0),
      mend: () => chmodSync(folderOf(site, "app-b"), 0o700),
      reason: /app-b can't be written: this user has no permission: give it back to user 0/,
    }),
  );
});

test("a folder that is removed is made anew, with all from the other server", async (t) => {
  const site = await CartSite.make(t, { apps: 2, durability });
  const running = await site.start();
  const all = await visitors(site, 24);
  rmSync(folderOf(site, "app-b"), { recursive: true });
  await live(all, () => /sessions are written to .*app-b again/.test(running.output));
  await live(all, () => hasEqualShares(site));
  assert.equal(
    told(running, /app-b.*FLOTILLA_SESSIONS_DISK|FLOTILLA_SESSIONS_DISK.*app-b/),
    1,
    running.output,
  );
  assert.match(running.output, /sessions\.db was removed or replaced: put it back, or it is made anew/);
  await killBoth(site);
  await lookAtAll(all);
});

async function killBoth(site: CartSite): Promise<void> {
  const apps = (await site.servers()).filter(({ cluster }) => cluster === "app").map(({ pid }) => pid!);
  for (const pid of apps) process.kill(pid, "SIGKILL");
  await until("others are up", async () =>
    (await site.servers()).every(({ state, pid }) => state === "up" && !apps.includes(pid!)),
  );
  await site.isWhole();
}

test("a database that is overwritten while it is used: put aside, and all is there again from the other server", async (t) => {
  const site = await CartSite.make(t, { apps: 2, durability, sessions: ", memory: 16MiB" });
  const running = await site.start();
  const all = await visitors(site, 150, "/load");
  const path = join(folderOf(site, "app-b"), "sessions.db");
  await live(all, () => statSync(path).size > 25e6);
  const { size } = statSync(path);
  const file = openSync(path, "r+");
  for (let at = Math.floor(size / 4); at < (size * 3) / 4; at += 1_048_576)
    writeSync(file, randomBytes(1_048_576), 0, 1_048_576, at);
  closeSync(file);
  await live(all, () => /sessions on disk are damaged/.test(running.output));
  await live(all, () => /it was put aside as .*app-b.*sessions\.db\.unread/.test(running.output));
  await live(all, () => hasEqualShares(site));
  assert.equal(told(running, /sessions on disk are damaged/), 1);
  assert.doesNotMatch(running.output, /FLOTILLA_SESSIONS_LOST/);
  await lookAtAll(all);
  await killBoth(site);
  await lookAtAll(all);
});

interface StartFault {
  readonly title: string;
  /** What starts with it: the site for the first time, all of it again, or app-b alone. */
  readonly start: "first" | "all" | "one";
  readonly reason: RegExp;
  strike(disk: SmallDisk): void;
  mend(disk: SmallDisk): void;
}

const full = {
  reason: /app-b.*: the disk is full: make room/,
  strike: (disk: SmallDisk) => disk.fill(),
  mend: (disk: SmallDisk) => disk.makeRoom(),
};

const startFaults: readonly StartFault[] = [
  { title: "full at the first start", start: "first", ...full },
  { title: "full at a later start of all", start: "all", ...full },
  {
    title: "read-only at a later start",
    // All together would wait for the copies of app-b for half a minute.
    start: "one",
    reason: /app-b.*: its file system can only be read: dmesg says why; stop this server/,
    strike: (disk) => disk.allowWriting(false),
    mend: (disk) => disk.allowWriting(true),
  },
];

for (const { title, start, reason, strike, mend } of startFaults)
  test(`a disk that is ${title}`, { skip: whyNoSmallDisk() ?? false }, async (t) => {
    const site = await CartSite.make(t, { apps: 2, durability });
    const disk = new SmallDisk(t, 8);
    putOn(site, disk.folder);
    const all: Owed[] = [];
    if (start !== "first") {
      await site.start();
      all.push(...(await visitors(site, 24)));
      assert.equal((await site.stop(...(start === "one" ? ["app-b"] : []))).code, 0);
    }
    strike(disk);
    const running = start === "one" ? site.launch("app-b") : site.launch();
    await until("all servers are up", async () =>
      (await site.servers()).every(({ state }) => state === "up"),
    );
    await site.answers();
    all.push(...(await visitors(site, 6)));
    assert.match(await running.line(/FLOTILLA_SESSIONS_DISK/), reason);
    const text = await statusText(t, site);
    assert.match(text, /^app-b can't write its sessions to disk/m);
    assert.match(text, reason);
    await lookAtAll(all);
    mend(disk);
    await live(all, () => hasEqualShares(site));
    await lookAtAll(all);
    assert.equal(told(running, /FLOTILLA_SESSIONS_DISK/), 1, running.output);
    assert.doesNotMatch(running.output, /FLOTILLA_SESSIONS_LOST/);
  });
