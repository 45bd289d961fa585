/** The process's side: order, grouping, times, and what becomes of changes when the disk or its thread fails. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Worker } from "node:worker_threads";
import { systemClock } from "../../support/clock.ts";
import type { Log } from "../../support/log.ts";
import { silentLog } from "../../support/silent-log.ts";
import type { DiskSession } from "../cluster/slot-disk.ts";
import { Entry } from "../entry.ts";
import { SessionDatabase } from "./session-database.ts";

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "flotilla-database-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** What it tells, and waits for it. */
class Watched {
  readonly durable: string[] = [];
  readonly troubles: (string | null)[] = [];
  losses = 0;
  readonly #waiting: { readonly isOver: () => boolean; readonly resolve: () => void }[] = [];

  onDurable(slot: number, epoch: number, pos: number): void {
    this.durable.push(`${slot}:${epoch}:${pos}`);
    this.#look();
  }

  onTrouble(reason: string | null): void {
    this.troubles.push(reason);
    this.#look();
  }

  onOpened(): void {
    this.#look();
  }

  onLost(): void {
    this.losses++;
  }

  until(isOver: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ isOver, resolve });
      this.#look();
    });
  }

  durableAt(place: string): Promise<void> {
    return this.until(() => this.durable.includes(place));
  }

  #look(): void {
    for (const { isOver, resolve } of this.#waiting) if (isOver()) resolve();
  }
}

async function open(
  folder: string,
  incarnation = "p1",
  log: Log = silentLog,
): Promise<{ disk: SessionDatabase; watched: Watched }> {
  const owner = "app-a of cluster app";
  const disk = new SessionDatabase({ folder, owner, incarnation, clock: systemClock, log });
  await disk.open();
  const watched = new Watched();
  disk.observe(watched);
  return { disk, watched };
}

function session(key: string, value: unknown, idleForMs = 0, idleTimeoutMs = 60_000): DiskSession {
  return {
    key,
    idleTimeoutMs,
    idleForMs,
    ageMs: 9_000,
    absoluteTimeoutMs: 9_000_000,
    entries: new Map([["a", Entry.of("a", value)]]),
  };
}

function read(disk: SessionDatabase, slot: number, key: string): Promise<DiskSession | null> {
  return new Promise((resolve, reject) => {
    disk.read(slot, key, (error, found) => (error === null ? resolve(found) : reject(error)));
  });
}

function readAll(disk: SessionDatabase, slot: number, key = ""): Promise<readonly DiskSession[]> {
  return new Promise((resolve, reject) => {
    disk.readAfter(slot, key, 1_000, (error, found) => (error === null ? resolve(found) : reject(error)));
  });
}

test("what is asked after a write shows it; the next process finds it, and its idle time has stood still", async (t) => {
  const folder = join(folderOf(t), "sessions", "app-a");
  const { disk, watched } = await open(folder);
  assert.equal(disk.found.size, 0);
  disk.adopt(4_095, 2, 0);
  disk.write(4_095, 2, 1, "k", session("k", { n: 1 }, 5_000));
  const found = await read(disk, 4_095, "k");
  assert.deepEqual(found?.entries.get("a")?.take(), { n: 1 });
  assert.ok(found.idleForMs >= 5_000 && found.idleForMs < 15_000);
  await watched.durableAt("4095:2:1");
  assert.equal(disk.pendingBytes, 0);
  disk.write(4_095, 2, 2, "k", null);
  assert.ok(disk.pendingBytes > 0);
  assert.equal(await read(disk, 4_095, "k"), null);
  disk.write(4_095, 2, 3, "m", session("m", "x".repeat(200_000), 7_000));
  disk.touch(4_095, "m", 60_000, 1_000);
  await disk.close();
  assert.equal(watched.durable.at(-1), "4095:2:3");

  const { disk: next } = await open(folder, "p2");
  assert.deepEqual([...next.found], [[4_095, { incarnation: "p1", epoch: 2, pos: 3, sessions: 1 }]]);
  assert.equal(next.sessions, 1);
  assert.ok(next.bytes > 200_000);
  const again = await read(next, 4_095, "m");
  assert.equal(again?.entries.get("a")?.take(), "x".repeat(200_000));
  assert.ok(again.idleForMs >= 1_000 && again.idleForMs < 7_000);
  assert.ok(again.ageMs >= 9_000 && again.ageMs < 19_000);
  assert.equal(again.absoluteTimeoutMs, 9_000_000);
  await next.close();
});

test("it knows the register whose copies it has; those of another one stay beside, all of them", async (t) => {
  const folder = join(folderOf(t), "app-a");
  for (const world of ["w1", "w2", "w3"]) {
    const { disk, watched } = await open(folder, world);
    if (world !== "w1") {
      assert.equal(disk.register, world === "w2" ? "w1" : "w2");
      disk.renew({ why: "of another register", isOnlyCopy: true });
      await watched.until(() => disk.isOpen);
      assert.equal(disk.found.size, 0);
      assert.equal(disk.register, "");
    }
    disk.register = world;
    disk.adopt(1, 1, 0);
    await watched.durableAt("1:1:0");
    await disk.close();
  }
  const files = readdirSync(folder).filter((name) => !name.endsWith("-wal") && !name.endsWith("-shm"));
  assert.deepEqual(files.sort(), ["sessions.db", "sessions.db.kept", "sessions.db.kept2"]);
});

test("all changes of a turn become durable together, in order, however many", async (t) => {
  const { disk, watched } = await open(folderOf(t));
  for (const slot of [1, 2]) disk.adopt(slot, 1, 0);
  for (let pos = 1; pos <= 3_000; pos++) {
    disk.write(pos % 2 === 0 ? 2 : 1, 1, pos, `k${pos}`, session(`k${pos}`, "y".repeat(1_000)));
    // The first turn has more than a batch.
    if (pos > 2_000 && pos % 100 === 0) await new Promise(setImmediate);
  }
  assert.ok(disk.pendingBytes > 3_000_000);
  await watched.durableAt("1:1:2999");
  await watched.durableAt("2:1:3000");
  assert.ok(watched.durable.length <= 6, "one word for each slot of each transaction");
  assert.ok(Number(watched.durable[0]?.split(":")[2]) >= 1_999, "a turn is one transaction");
  for (const slot of [1, 2]) {
    const places = watched.durable.filter((place) => place.startsWith(`${slot}:`));
    const positions = places.map((place) => Number(place.split(":")[2]));
    assert.deepEqual(
      positions,
      positions.toSorted((one, other) => one - other),
    );
  }
  await disk.close();
});

test("nothing is told of a copy that was begun anew or dropped since", async (t) => {
  const { disk, watched } = await open(folderOf(t));
  disk.adopt(1, 1, 5);
  disk.adopt(2, 1, 5);
  await new Promise(setImmediate);
  disk.drop(1);
  disk.beginCopy(2);
  disk.addToCopy(2, [session("a", 1), session("b", 2)]);
  disk.endCopy(2, 2, 0);
  await watched.durableAt("2:2:0");
  assert.deepEqual(watched.durable, ["2:2:0"]);
  assert.deepEqual(
    (await readAll(disk, 2)).map(({ key }) => key),
    ["a", "b"],
  );
  assert.deepEqual(await readAll(disk, 2, "b"), []);
  await disk.close();
});

test("a copy that is not wanted any more leaves the one before, and what has no copy is refused at once", async (t) => {
  const { disk, watched } = await open(folderOf(t));
  disk.adopt(1, 1, 5);
  disk.write(1, 1, 6, "a", session("a", 1));
  disk.beginCopy(1);
  disk.write(1, 2, 7, "b", session("b", 1));
  disk.cancelCopy(1);
  disk.adopt(1, 2, 6);
  await watched.durableAt("1:2:6");
  assert.deepEqual(
    (await readAll(disk, 1)).map(({ key }) => key),
    ["a"],
  );
  assert.throws(() => disk.addToCopy(1, []), /slot 1, of which it has no copy/);
  assert.throws(() => disk.endCopy(1, 2, 6), /slot 1/);
  disk.drop(1);
  assert.throws(() => disk.write(1, 2, 7, "a", null), /slot 1/);
  disk.cancelCopy(2);
  disk.touch(2, "a", 1, 1);
  await disk.close();
});

test("sessions that ended are told, and who is idle for longest", async (t) => {
  const { disk } = await open(folderOf(t));
  disk.adopt(1, 1, 0);
  disk.write(1, 1, 1, "old", session("old", 1, 2_000, 1_000));
  disk.write(1, 1, 2, "older", session("older", 1, 500_000, 480_000));
  disk.write(1, 1, 3, "new", session("new", 1, 0, 100_000));
  const keysOf = (ask: (done: (error: unknown, keys: readonly { key: string }[]) => void) => void) =>
    new Promise<string[]>((resolve) => ask((_, keys) => resolve(keys.map(({ key }) => key))));
  assert.deepEqual(await keysOf((done) => disk.expired([1, 2], 0, 10, done)), ["older", "old"]);
  assert.deepEqual(await keysOf((done) => disk.expired([1], 10_000, 10, done)), ["older"]);
  assert.deepEqual(await keysOf((done) => disk.longestIdle([1], 2, done)), ["older", "old"]);
  await disk.close();
});

test("a second process is told who has the file", async (t) => {
  const folder = folderOf(t);
  const { disk } = await open(folder);
  await assert.rejects(open(folder), {
    code: "FLOTILLA_SESSIONS_DISK",
    message: new RegExp(`sessions\\.db is in use by process ${process.pid}$`),
  });
  disk.adopt(1, 1, 0);
  await disk.close();
  const { disk: next } = await open(folder);
  assert.equal(next.found.size, 1);
  await next.close();
});

test("a folder that can't be used is told at the start", async (t) => {
  const path = join(folderOf(t), "file");
  writeFileSync(path, "");
  await assert.rejects(open(join(path, "app-a")), {
    code: "FLOTILLA_SESSIONS_DISK",
    message: /a part of its path is a file, not a folder: mend the folder/,
  });
});

test("a folder that was taken away is told once; put back, all that waited is written in order", async (t) => {
  const folder = join(folderOf(t), "app-a");
  const { disk, watched } = await open(folder);
  disk.adopt(1, 1, 0);
  await watched.durableAt("1:1:0");
  renameSync(folder, `${folder}.away`);
  disk.write(1, 1, 1, "a", session("a", 1));
  await watched.until(() => !disk.isWell);
  assert.match(watched.troubles[0] ?? "", /was removed or replaced: put it back/);
  disk.write(1, 1, 2, "b", session("b", 2));
  assert.equal(await read(disk, 1, "a"), null, "what is not synced only its writer knows");
  assert.deepEqual(watched.durable, ["1:1:0"]);
  assert.ok(disk.pendingBytes > 0);
  renameSync(`${folder}.away`, folder);
  await watched.durableAt("1:1:2");
  assert.deepEqual(watched.durable, ["1:1:0", "1:1:1", "1:1:2"]);
  assert.equal(watched.troubles.length, 2);
  assert.equal(watched.troubles[1], null);
  assert.equal(watched.losses, 1, "while it was away nothing on it counted");
  assert.equal(disk.isWell, true);
  await disk.close();
});

/** Threads that are started from now on. */
function threadsOf(t: TestContext): Worker[] {
  const threads: Worker[] = [];
  const remember = (worker: Worker): void => void threads.push(worker);
  process.on("worker", remember);
  t.after(() => process.off("worker", remember));
  return threads;
}

test("a database that was made anew is not thrown away when its thread dies later", async (t) => {
  const threads = threadsOf(t);
  const { disk, watched } = await open(folderOf(t));
  disk.renew({ why: "it is to be empty", isOnlyCopy: false });
  await watched.until(() => disk.isOpen);
  disk.adopt(1, 1, 0);
  disk.write(1, 1, 1, "a", session("a", 1));
  await watched.durableAt("1:1:1");
  await threads.at(-1)!.terminate();
  await watched.until(() => watched.troubles.at(-1) === null && disk.isWell && threads.length === 3);
  assert.equal((await read(disk, 1, "a"))?.key, "a");
  disk.write(1, 1, 2, "b", session("b", 1));
  await watched.durableAt("1:1:2");
  await disk.close();
});

test("its thread ends with it, also while it removes what is not wanted any more", async (t) => {
  const threads = threadsOf(t);
  const { disk, watched } = await open(folderOf(t));
  disk.adopt(1, 1, 0);
  for (let pos = 1; pos <= 2_000; pos++) disk.write(1, 1, pos, `k${pos}`, session(`k${pos}`, 1));
  await watched.durableAt("1:1:2000");
  disk.drop(1);
  await read(disk, 1, "k1");
  const ended = new Promise<number>((resolve) => threads[0]!.once("exit", resolve));
  await disk.close();
  assert.equal(await ended, 0);
});

test("who asks does not wait for what is removed meanwhile", async (t) => {
  const { disk, watched } = await open(folderOf(t));
  disk.adopt(1, 1, 0);
  disk.adopt(2, 1, 0);
  for (let pos = 1; pos <= 20_000; pos++) disk.write(1, 1, pos, `k${pos}`, session(`k${pos}`, 1));
  await watched.durableAt("1:1:20000");
  const full = disk.bytes;
  disk.drop(1);
  // Did each wait for the next step of 78, all would be gone.
  for (let asked = 0; asked < 80; asked++) await read(disk, 2, "a");
  disk.adopt(2, 1, 1);
  await watched.durableAt("2:1:1");
  assert.ok(disk.bytes > full / 2);
  await disk.close();
});

test("a session whose checksum is right and whose bytes no writer made is damage as any other", async (t) => {
  const folder = join(folderOf(t), "app-a");
  const { disk } = await open(folder);
  disk.adopt(1, 1, 0);
  const broken = new Map([["a", Entry.of("a", 1)]]);
  // Says of itself that it has two entries.
  Object.defineProperty(broken, "size", { value: 2 });
  disk.write(1, 1, 1, "a", { ...session("a", 1), entries: broken });
  await disk.close();
  const told: string[] = [];
  const log: Log = {
    ...silentLog,
    error: (fields: object, text?: string) => void told.push(`${JSON.stringify(fields)} ${text}`),
  };
  const { disk: next, watched } = await open(folder, "p2", log);
  await assert.rejects(read(next, 1, "a"), /it is damaged: a session can't be read: its data are cut off/);
  next.adopt(1, 2, 0);
  await watched.until(() => next.isLost);
  assert.match(
    told.join(),
    /^{"code":"FLOTILLA_SESSIONS_UNREAD"} sessions on disk are damaged: .*a session can't be read/,
  );
  await assert.rejects(readAll(next, 1), /is damaged; it is put aside/);
  assert.ok(existsSync(join(folder, "sessions.db.damaged")), "the next start puts it aside");
  next.renew({ why: "it is damaged", isOnlyCopy: false });
  await watched.until(() => next.isOpen);
  assert.equal(next.found.size, 0);
  assert.ok(existsSync(join(folder, "sessions.db.unread")));
  await next.close();
});

test("a thread that finds another file than the one in use writes nothing there", async (t) => {
  const folder = folderOf(t);
  const threads = threadsOf(t);
  const { disk, watched } = await open(folder);
  disk.adopt(1, 1, 0);
  disk.write(1, 1, 1, "a", session("a", 1));
  await watched.durableAt("1:1:1");
  for (const ending of ["", "-wal"]) rmSync(join(folder, `sessions.db${ending}`));
  await threads[0]!.terminate();
  await watched.until(() => disk.isLost);
  assert.match(disk.trouble ?? "", /is not the one that was in use: it is made anew/);
  // It would make a copy at this place that has no sessions.
  disk.adopt(1, 1, 2);
  await assert.rejects(read(disk, 1, "a"), { code: "FLOTILLA_SESSIONS_DISK" });
  assert.deepEqual([watched.durable.at(-1), disk.isLost], ["1:1:1", true]);
  disk.renew({ why: "it is to be empty", isOnlyCopy: false });
  await watched.until(() => disk.isOpen);
  disk.adopt(1, 2, 0);
  await watched.durableAt("1:2:0");
  assert.deepEqual([disk.isWell, disk.isLost], [true, false]);
  await disk.close();
  const { disk: next } = await open(folder, "p2");
  assert.equal(next.found.get(1)?.sessions, 0);
  await next.close();
});
