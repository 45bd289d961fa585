/** Files are kept open within bounds, are closed once, and are never closed while somebody reads. */
import assert from "node:assert/strict";
import { mkdtempSync, readSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { type CachedFile, FileCache } from "./file-cache.ts";
import { Folder, type NoFile } from "./open-file.ts";

const path = realpathSync(mkdtempSync(join(tmpdir(), "flotilla-cache-")));
const folder = new Folder(path, false);
const names = ["/a", "/b", "/c", "/d", "/e"];
test.before(() => {
  for (const name of names) writeFileSync(path + name, name);
});
test.after(() => rmSync(path, { recursive: true }));

function get(cache: FileCache, name: string): Promise<{ file: CachedFile | null; why: NoFile | null }> {
  return new Promise((resolve) => {
    cache.get(folder, name, (file, why) => resolve({ file, why }));
  });
}

function textOf(file: CachedFile): string {
  const bytes = Buffer.alloc(10);
  return bytes.toString("latin1", 0, readSync(file.fd, bytes, 0, 10, 0));
}

test("however they come and go, everybody reads the file that was asked for", async () => {
  const cache = new FileCache({ cachedMax: 2, openMax: 100, recheckMs: 0 });
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const visitor = async (at: number): Promise<void> => {
    for (let count = 0; count < 60; count++) {
      const name = names[(at * 7 + count * 3) % names.length]!;
      const { file } = await get(cache, name);
      await turn();
      assert.equal(textOf(file!), name);
      cache.done(file!);
    }
  };
  await Promise.all(Array.from({ length: 12 }, (_none, at) => visitor(at)));
  assert.ok(cache.size <= 2, `${cache.size}`);
  cache.close();
  assert.equal(cache.size, 0);
});

test("more files than may be open are refused, and there is room again", async () => {
  const cache = new FileCache({ cachedMax: 10, openMax: 2, recheckMs: 1_000 });
  const first = await get(cache, "/a");
  const second = await get(cache, "/b");
  assert.equal((await get(cache, "/c")).why, "failed");
  cache.done(first.file!);
  const third = await get(cache, "/c");
  assert.equal(textOf(third.file!), "/c");
  cache.close();
  assert.equal(cache.size, 2, "in use");
  cache.done(second.file!);
  cache.done(third.file!);
  assert.equal(cache.size, 0);
});

test("a file that another one has replaced stays what it was for who has it", async () => {
  const cache = new FileCache({ cachedMax: 10, openMax: 10, recheckMs: 0 });
  const before = (await get(cache, "/a")).file!;
  writeFileSync(`${path}/new`, "new");
  renameSync(`${path}/new`, `${path}/a`);
  const after = (await get(cache, "/a")).file!;
  assert.deepEqual([textOf(before), textOf(after)], ["/a", "new"]);
  cache.done(before);
  cache.done(after);
  assert.equal((await get(cache, "/nothing")).why, "none");
  assert.equal((await get(cache, "/")).why, "folder");
  cache.close();
  assert.equal(cache.size, 0);
});
