import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { removeUnfinished, unfinishedName } from "./unfinished.ts";

test("of files of that name alone, those of processes that have ended go", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "flotilla-unfinished-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const { pid: dead } = spawnSync(process.execPath, ["-e", ""]);
  const to = join(folder, "all.gz");
  const stays = [
    ...["all.gz", `.all.gz.${process.ppid}`, `.all.gz.${dead}.old`, `.all.gz.0${dead}`, `.all.gz.`],
    ...[`.other.gz.${dead}`, `all.gz.${dead}`, ".all.gz.-1", ".all.gz.99999999999"],
  ];
  for (const name of [...stays, `.all.gz.${dead}`]) writeFileSync(join(folder, name), "");
  // As a process of this number left it.
  writeFileSync(unfinishedName(to), "");
  await removeUnfinished(to);
  assert.deepEqual(readdirSync(folder).sort(), stays.sort());

  mkdirSync(join(folder, `.all.gz.${dead}`));
  symlinkSync("all.gz", unfinishedName(to));
  await removeUnfinished(to);
  assert.equal(readdirSync(folder).length, stays.length + 2);
  await removeUnfinished(join(folder, "absent", "all.gz"));
});
