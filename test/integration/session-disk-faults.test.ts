/** Disks that break under a session database: what is told, what is kept, and that it goes on when they are well again. */
import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { openDatabase } from "../harness/disk-writer.ts";
import { LoopDisk, whyNoLoopDisk } from "../harness/loop-disk.ts";
import { contentOf, WatchedDisk } from "../harness/watched-disk.ts";

test("a disk that reports errors is told once, with what to do; mended, it has all", {
  skip: whyNoLoopDisk() ?? false,
}, async (t) => {
  const broken = LoopDisk.for(t);
  const folder = join(broken.folder, "sessions");
  const watched = await WatchedDisk.open(folder);
  const { disk } = watched;
  watched.write(100);
  await watched.allDurable();
  broken.break();
  // More than fits into what is well of it.
  watched.write(8_000);
  await watched.until(() => !disk.isWell);
  assert.match(
    disk.trouble ?? "",
    /sessions can't be written: the disk reports errors: dmesg says which; replace the disk$/,
  );
  const { size } = await contentOf(disk, 1);
  assert.equal(size, watched.durable.at(-1), "reads go on, and show what is synced");
  broken.mend();
  await watched.allDurable();
  assert.equal(watched.told(/FLOTILLA_SESSIONS_DISK/), 1, watched.lines.join(""));
  assert.equal(watched.told(/are written to .* again/), 1, watched.lines.join(""));
  assert.equal((await contentOf(disk, 1)).size, watched.pos);
  await disk.close();
  const next = await openDatabase(folder, "p2");
  const { pos } = watched;
  assert.deepEqual(next.found.get(1), { incarnation: "p1", epoch: 1, pos, sessions: pos });
  await next.close();
});
