import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { globSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { longFirst, runAlone, testFiles } from "./test-files.ts";

const root = join(import.meta.dirname, "..");

test("every test file is run once, and those of folders that take long start first", () => {
  const files = testFiles(root);
  const all = globSync("{src,test,bench,tools}/**/*.test.ts", { cwd: root });
  assert.deepEqual([...files].sort(), all.sort());
  for (const file of runAlone) assert.ok(files.includes(file), `${file} is no test file`);
  let from = 0;
  for (const beginning of longFirst) {
    const group = files.filter((file) => file.startsWith(beginning) && files.indexOf(file) >= from);
    assert.notEqual(group.length, 0, `no test file begins with ${beginning}`);
    assert.deepEqual(files.slice(from, from + group.length), group);
    from += group.length;
  }
});

test("files start in the order that is given, and one that fails is told by the exit code", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "flotilla-order-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const write = (name: string, body: string): string => {
    const path = join(folder, `${name}.test.mjs`);
    writeFileSync(path, `import { test } from "node:test"; test("${name}", () => { ${body} });`);
    return path;
  };
  const run = (...files: string[]) =>
    spawnSync(process.execPath, [join(root, "tools", "run-tests.mjs"), ...files], {
      encoding: "utf8",
      // Within a test the runner would leave them out.
      env: { ...process.env, NODE_TEST_CONTEXT: undefined },
    });
  const good = ["c", "a", "b"].map((name) => write(name, ""));
  const { status, stdout } = run(...good);
  assert.equal(status, 0, stdout);
  assert.deepEqual(stdout.match(/(?<=✔ )[abc]/g), ["c", "a", "b"]);
  assert.equal(run(...good, write("d", "throw new Error('no')")).status, 1);
  assert.equal(run(write("e", "").replace("e.test", "nowhere.test")).status, 1);
});
