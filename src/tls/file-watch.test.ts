/** Changed files are told once, when they have settled, however they were changed. */
import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { temporaryFolder } from "../../test/harness/process.ts";
import { FileWatch } from "./file-watch.ts";

function watch(t: TestContext): { folder: string; looks: (times: number) => Promise<number> } {
  const folder = temporaryFolder(t);
  for (const version of ["1", "2"]) {
    mkdirSync(join(folder, version));
    for (const name of ["cert", "key"]) writeFileSync(join(folder, version, name), version);
  }
  symlinkSync("1", join(folder, "live"));
  let told = 0;
  const paths = ["cert", "key"].map((name) => join(folder, "live", name));
  const watching = new FileWatch([{ paths, changed: () => told++ }], 60_000);
  t.after(() => watching.close());
  return {
    folder,
    async looks(times) {
      told = 0;
      for (let at = 0; at < times; at++) await watching.look();
      return told;
    },
  };
}

test("what does not change is not told", async (t) => {
  const { looks } = watch(t);
  assert.equal(await looks(3), 0);
});

test("written in place, renamed over, a link that turns: told once, at the second look", async (t) => {
  const { folder, looks } = watch(t);
  const changes = [
    () => writeFileSync(join(folder, "live", "key"), "in place"),
    () => {
      writeFileSync(join(folder, "new"), "new");
      renameSync(join(folder, "new"), join(folder, "live", "cert"));
    },
    () => {
      symlinkSync("2", join(folder, "next"));
      renameSync(join(folder, "next"), join(folder, "live"));
    },
  ];
  for (const change of changes) {
    change();
    assert.equal(await looks(1), 0);
    assert.equal(await looks(1), 1);
    assert.equal(await looks(3), 0);
  }
});

test("two files written one after the other are one change; so is one that goes and comes", async (t) => {
  const { folder, looks } = watch(t);
  writeFileSync(join(folder, "live", "cert"), "2nd");
  assert.equal(await looks(1), 0);
  writeFileSync(join(folder, "live", "key"), "2nd");
  assert.equal(await looks(1), 0);
  assert.equal(await looks(2), 1);
  rmSync(join(folder, "live", "key"));
  assert.equal(await looks(3), 1);
  writeFileSync(join(folder, "live", "key"), "back");
  assert.equal(await looks(3), 1);
});
