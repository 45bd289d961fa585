import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { type TestContext } from "node:test";
import type { ServerWords } from "../health/operator-words.ts";
import { WordsFile } from "./words-file.ts";

function file(t: TestContext): WordsFile {
  const folder = mkdtempSync(join(tmpdir(), "flotilla-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return new WordsFile(folder, "web-a");
}

const words = (name: string, atMs = 1): ServerWords => ({
  name,
  order: { value: "drain", atMs, id: "x" },
  weight: { value: "50%", atMs, id: "y" },
});

test("what was written is read again; of writes at the same moment the last is there in the end", async (t) => {
  const kept = file(t);
  assert.deepEqual(await kept.read(), []);
  let now: readonly ServerWords[] = [];
  const writes = Array.from({ length: 20 }, (_, index) => {
    now = [words("app-a", index)];
    return kept.write(() => now);
  });
  await Promise.all(writes);
  assert.deepEqual(await kept.read(), [words("app-a", 19)]);
  assert.deepEqual(readdirSync(dirname(kept.path)), ["web-a.json"]);
});

test("a file that is damaged, or not ours, is told and not believed in part", async (t) => {
  const kept = file(t);
  await kept.write(() => [words("app-a")]);
  for (const text of [
    "",
    "{",
    "null",
    "[]",
    '{"servers":7}',
    '{"servers":[null]}',
    '{"servers":[{"name":"app-a","order":"drain"}]}',
  ]) {
    writeFileSync(kept.path, text);
    await assert.rejects(kept.read(), { code: "FLOTILLA_ORDERS_UNREAD" }, text);
  }
});

test("a write that fails is told, and the next one is tried anew", async (t) => {
  const kept = file(t);
  await kept.write(() => []);
  rmSync(dirname(kept.path), { recursive: true });
  writeFileSync(dirname(kept.path), "a file where the folder was");
  await assert.rejects(kept.write(() => []));
  rmSync(dirname(kept.path));
  await kept.write(() => [words("app-b")]);
  assert.deepEqual(await kept.read(), [words("app-b")]);
});
