import assert from "node:assert/strict";
import fs, {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { ClusterFile } from "../config/model.ts";
import { livingRecords, recordServer, recordStarting, recordSupervisor } from "./run-record.ts";

function someFile(t: TestContext): { file: ClusterFile; folder: string } {
  const dataFolder = mkdtempSync(join(tmpdir(), "flotilla-record-"));
  t.after(() => rmSync(dataFolder, { recursive: true, force: true }));
  const file = { path: join(dataFolder, "flotilla.yaml"), dataFolder } as ClusterFile;
  return { file, folder: join(dataFolder, "run") };
}

test("a record is for its owner alone, and is found while the process lives", (t) => {
  const { file, folder } = someFile(t);
  recordServer(file, "app-a");
  const [record, ...more] = livingRecords(file);
  assert.deepEqual(more, []);
  assert.equal(record!.pid, process.pid);
  assert.deepEqual(record!.servers, ["app-a"]);
  assert.equal(record!.file, file.path);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  assert.equal(statSync(join(folder, "app-a.json")).mode & 0o777, 0o600);
});

test("a supervisor tells which servers are left", (t) => {
  const { file } = someFile(t);
  const left = recordSupervisor(file, 4711, ["app-a", "app-b"]);
  left(["app-b"]);
  const [record] = livingRecords(file);
  assert.deepEqual([record!.kind, record!.controlPort, record!.servers], ["supervisor", 4711, ["app-b"]]);
});

test("a record of a process that is gone, or whose number another one has now, is removed", (t) => {
  const { file, folder } = someFile(t);
  recordServer(file, "app-a");
  const path = join(folder, "app-a.json");
  const record = JSON.parse(readFileSync(path, "utf8"));
  for (const change of [{ startTime: "1" }, { pid: 2 ** 22 + 1 }, { boot: "another" }]) {
    writeFileSync(path, JSON.stringify({ ...record, ...change }));
    assert.deepEqual(livingRecords(file), []);
    assert.deepEqual(readdirSync(folder), []);
  }
});

test("where nothing can be removed, a dead process's record is not believed, and nothing fails", (t) => {
  const { file, folder } = someFile(t);
  recordServer(file, "app-a");
  const path = join(folder, "app-a.json");
  const record = JSON.parse(readFileSync(path, "utf8"));
  const takeBack = recordStarting(file);
  writeFileSync(path, JSON.stringify({ ...record, startTime: "1" }));
  const remove = t.mock.method(fs, "rmSync", () => {
    throw Object.assign(new Error("Read-only file system"), { code: "EROFS" });
  });
  syncBuiltinESMExports();
  try {
    assert.deepEqual(
      livingRecords(file).map(({ kind }) => kind),
      ["starting"],
    );
    takeBack();
    assert.equal(remove.mock.callCount(), 2);
  } finally {
    remove.mock.restore();
    syncBuiltinESMExports();
  }
});

test("what another machine wrote, and what is no record, is left alone", (t) => {
  const { file, folder } = someFile(t);
  recordServer(file, "app-a");
  const path = join(folder, "app-a.json");
  const record = JSON.parse(readFileSync(path, "utf8"));
  for (const text of [
    JSON.stringify({ ...record, host: "elsewhere" }),
    "",
    "[]",
    "{",
    '{"pid":"1"}',
    '{"pid":-1}',
  ]) {
    writeFileSync(path, text);
    assert.deepEqual(livingRecords(file), []);
    assert.equal(readFileSync(path, "utf8"), text);
  }
});

test("no folder, no records", (t) => {
  assert.deepEqual(livingRecords(someFile(t).file), []);
});

test("a record that can't be written leaves nothing half done behind", (t) => {
  const { file, folder } = someFile(t);
  mkdirSync(join(folder, "app-a.json"), { recursive: true });
  assert.throws(() => recordServer(file, "app-a"), /EISDIR|ENOTEMPTY|EEXIST/);
  assert.deepEqual(readdirSync(folder), ["app-a.json"]);
});
