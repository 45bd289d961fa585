/** An application's own keys of the session are known to the type checker in every framework: test/types, as tsc sees it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "..", "..", "..");

test("`interface SessionData` types the session of every framework", () => {
  const tsc = join(root, "node_modules", ".bin", "tsc");
  const { stdout, status } = spawnSync(tsc, ["-p", "test/types/tsconfig.json"], {
    cwd: root,
    encoding: "utf8",
  });
  assert.deepEqual([stdout, status], ["", 0]);
});
