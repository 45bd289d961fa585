import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { withoutPreload, withPreload } from "./preload-option.ts";

test("the preload is added to what NODE_OPTIONS has, and taken out again", () => {
  const ours = withPreload(undefined);
  const file = /^"--require=(.*)"$/.exec(ours)![1]!;
  assert.match(file, /preload\.cts$/);
  assert.equal(withPreload(" --no-warnings "), `--no-warnings ${ours}`);
  assert.equal(withoutPreload(`--no-warnings ${ours}`, file), "--no-warnings");
  assert.equal(withoutPreload(ours, file), "");
});

test("Node finds a file in a folder with blanks and quotes", (t) => {
  const parent = mkdtempSync(join(tmpdir(), "flotilla-test-"));
  t.after(() => rmSync(parent, { recursive: true }));
  const folder = join(parent, 'a "b" \\c');
  mkdirSync(folder);
  const file = join(folder, "p.cjs");
  writeFileSync(file, "process.stdout.write('loaded')");
  const [before, after] = withPreload(undefined).split(/--require=.*(?=")/);
  const word = `${before}--require=${file.replace(/["\\]/g, "\\$&")}${after}`;
  const env = { ...process.env, NODE_OPTIONS: word };
  assert.equal(execFileSync(process.execPath, ["-e", "0"], { env, encoding: "utf8" }), "loaded");
  assert.equal(withoutPreload(`--no-warnings ${word}`, file), "--no-warnings");
});
