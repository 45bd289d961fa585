import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { ClusterFile } from "../config/model.ts";
import { refuseOtherSite } from "./other-site.ts";
import { recordServer } from "./run-record.ts";

test("a folder in which another file's servers live is refused; another name of the same file is not", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "flotilla-site-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const fileAt = (name: string): ClusterFile =>
    ({ path: join(folder, name), dataFolder: join(folder, "data") }) as ClusterFile;
  for (const name of ["one.yaml", "other.yaml"]) writeFileSync(join(folder, name), "");
  symlinkSync("one.yaml", join(folder, "current.yaml"));
  refuseOtherSite(fileAt("other.yaml"));
  recordServer(fileAt("one.yaml"), "app-a");
  refuseOtherSite(fileAt("one.yaml"));
  refuseOtherSite(fileAt("current.yaml"));
  assert.throws(() => refuseOtherSite(fileAt("other.yaml")), {
    code: "FLOTILLA_DATA_FOLDER_SHARED",
    message: /data is used by the site of \/.*\/one\.yaml \(process \d+\): give each site its own `data:`/,
  });
  renameSync(join(folder, "one.yaml"), join(folder, "renamed.yaml"));
  refuseOtherSite(fileAt("renamed.yaml"));
});
