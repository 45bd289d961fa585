/** Sessions on disk with real processes that are killed, a thread that dies, and a disk that is full. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import {
  changedSlots,
  copiedSessions,
  copiedSlot,
  openDatabase,
  sessionOf,
  sessionsAt,
} from "../harness/disk-writer.ts";
import { start, temporaryFolder } from "../harness/process.ts";
import { SmallDisk, whyNoSmallDisk } from "../harness/small-disk.ts";
import { contentOf } from "../harness/watched-disk.ts";

const kills = 8;
const program = join(import.meta.dirname, "..", "harness", "disk-writer.ts");

function sorted(sessions: ReadonlyMap<string, string>): [string, string][] {
  return [...sessions].sort(([one], [other]) => (one < other ? -1 : 1));
}

test("a process that is killed at any moment leaves each copy as of one moment, with all that was told to be synced", async (t) => {
  const folder = join(temporaryFolder(t), "sessions");
  const synced = new Map<number, number>();
  for (let kill = 0; kill < kills; kill++) {
    const writer = start(t, process.execPath, [program, folder, `p${kill}`]);
    await writer.line(/^1 1 \d+$/);
    await sleep(Math.random() * 150);
    await writer.kill();
    // The last line may be cut.
    for (const line of writer.stdout.split("\n").slice(0, -1)) {
      const [slot, epoch, pos] = line.split(" ").map(Number);
      assert.ok(slot !== undefined && epoch !== undefined && pos !== undefined, line);
      synced.set(slot, slot === copiedSlot ? epoch : pos);
    }
    const disk = await openDatabase(folder, "reader");
    for (const slot of changedSlots) {
      const found = disk.found.get(slot)!;
      assert.ok(found.pos >= synced.get(slot)!, `${found.pos} of ${synced.get(slot)} in slot ${slot}`);
      const expected = sessionsAt(found.pos);
      assert.equal(found.sessions, expected.size);
      assert.deepEqual(sorted(await contentOf(disk, slot)), sorted(expected));
    }
    const copied = disk.found.get(copiedSlot);
    assert.ok((copied?.epoch ?? 0) >= (synced.get(copiedSlot) ?? 0));
    if (copied !== undefined) {
      const content = await contentOf(disk, copiedSlot);
      assert.equal(content.size, copiedSessions);
      assert.deepEqual([...new Set(content.values())], [`${copied.epoch}`]);
    }
    await disk.close();
  }
});

test("when the database's thread dies, the next one writes what was under way", async (t) => {
  const threads: Worker[] = [];
  const remember = (worker: Worker): void => void threads.push(worker);
  process.on("worker", remember);
  t.after(() => process.off("worker", remember));
  const disk = await openDatabase(join(temporaryFolder(t), "sessions"), "p1");
  const durable: number[] = [];
  const troubles: (string | null)[] = [];
  let told = (): void => {};
  disk.observe({
    onDurable: (_slot, _epoch, pos) => {
      durable.push(pos);
      told();
    },
    onOpened: () => {},
    onLost: () => {},
    onTrouble: (reason) => void troubles.push(reason),
  });
  disk.adopt(1, 1, 0);
  let pos = 0;
  const write = (): void => {
    pos++;
    disk.write(1, 1, pos, `key${pos % 50}`, sessionOf(`key${pos % 50}`, `${pos}`));
  };
  for (let death = 0; death < 3; death++) {
    for (let n = 0; n < 500; n++) write();
    disk.beginCopy(2);
    disk.addToCopy(2, [sessionOf("a", `${death}`)]);
    await new Promise(setImmediate);
    disk.endCopy(2, 1, 0);
    const read = new Promise((resolve) => disk.read(1, "key1", (error) => resolve(error)));
    const dying = threads.at(-1)!;
    await sleep(Math.random() * 10);
    void dying.terminate();
    await once(dying, "exit");
    write();
    assert.equal(disk.isWell, false);
    assert.equal(await read, null, "what was asked is answered by the next one, if not before");
    await new Promise<void>((resolve) => {
      told = () => durable.includes(pos) && disk.pendingBytes === 0 && resolve();
      told();
    });
    assert.equal(disk.isWell, true);
  }
  assert.equal(threads.length, 4);
  assert.equal(troubles.filter((reason) => reason === null).length, 3);
  const content = await contentOf(disk, 1);
  for (let n = pos - 49; n <= pos; n++) assert.equal(content.get(`key${n % 50}`), `${n}`);
  assert.deepEqual([...(await contentOf(disk, 2))], [["a", "2"]]);
  await disk.close();
});

const reason = whyNoSmallDisk();

test("a full disk is told once; what waits is written in order when it has room", {
  skip: reason ?? false,
}, async (t) => {
  const small = new SmallDisk(t, 16);
  const disk = await openDatabase(join(small.folder, "sessions"), "p1");
  const durable: number[] = [];
  const troubles: (string | null)[] = [];
  const waiting: (() => void)[] = [];
  const look = (): void => {
    for (const waits of waiting) waits();
  };
  const until = (isOver: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      waiting.push(() => isOver() && resolve());
      look();
    });
  disk.observe({
    onDurable: (_slot, _epoch, pos) => {
      durable.push(pos);
      look();
    },
    onOpened: () => {},
    onLost: () => {},
    onTrouble: (trouble) => {
      troubles.push(trouble);
      look();
    },
  });
  disk.adopt(1, 1, 0);
  let pos = 0;
  const write = (sessions: number): void => {
    for (let n = 0; n < sessions; n++) {
      pos++;
      disk.write(1, 1, pos, `key${pos}`, sessionOf(`key${pos}`, JSON.stringify("x".repeat(1_000))));
    }
  };
  write(100);
  await until(() => durable.includes(100));
  for (let round = 1; round <= 2; round++) {
    const before = pos;
    small.fill();
    write(1_000);
    await until(() => !disk.isWell);
    assert.match(troubles.at(-1) ?? "", /sessions can't be written: the disk is full: make room$/);
    write(10);
    const content = await contentOf(disk, 1);
    assert.equal(content.size, before, "reads go on, and show what is synced");
    assert.equal(durable.at(-1), before);
    small.makeRoom();
    await until(() => durable.includes(pos));
    assert.equal(disk.isWell, true);
    assert.equal(disk.pendingBytes, 0);
  }
  assert.equal(troubles.length, 4, `told once, and when it is over: ${troubles}`);
  assert.deepEqual(
    durable,
    durable.toSorted((one, other) => one - other),
  );
  await disk.close();
  const next = await openDatabase(join(small.folder, "sessions"), "p2");
  assert.deepEqual(next.found.get(1), { incarnation: "p1", epoch: 1, pos, sessions: pos });
  await next.close();
});
