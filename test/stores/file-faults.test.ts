/** The session file of one process and what befalls it: kill -9, a full disk, damage, a second process, a thread that dies. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import type { SessionEngine, SessionEngineError, SessionWrite } from "../../src/session/stores/engine.ts";
import { FileEngine } from "../../src/session/stores/file/file-engine.ts";
import type { FlotillaError } from "../../src/support/errors.ts";
import { failed } from "../harness/engine-rows.ts";
import { LogRecorder } from "../harness/link-pair.ts";
import { SmallDisk, whyNoSmallDisk } from "../harness/small-disk.ts";

const life = { ageMs: 0, absoluteTimeoutMs: Number.POSITIVE_INFINITY };
const fileName = "site-sessions.db";

function write(n: unknown, idleTimeoutMs = 60_000): SessionWrite {
  return { data: JSON.stringify({ n }), writer: "", holder: "", idleTimeoutMs };
}

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "flotilla-file-store-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function openIn(t: TestContext, folder: string): Promise<{ engine: FileEngine; log: LogRecorder }> {
  const log = new LogRecorder();
  const engine = new FileEngine(folder, log.log);
  t.after(() => engine.close());
  await engine.open();
  return { engine, log };
}

async function numberOf(engine: SessionEngine, key: string): Promise<unknown> {
  const row = await engine.read(key);
  return row === null ? null : (JSON.parse(row.data) as { n: unknown }).n;
}

/** Runs until it is killed. @returns what it had acknowledged: the last of each session, "removed" of those that it had ended. */
async function killedWriter(folder: string, ledger: string, livesMs: number): Promise<Map<string, string>> {
  const script = join(import.meta.dirname, "../harness/file-writer.ts");
  const output = openSync(ledger, "w");
  const writer = spawn(process.execPath, [script, folder], { stdio: ["ignore", output, "inherit"] });
  closeSync(output);
  const closed = once(writer, "close");
  while (readFileSync(ledger).length === 0 && writer.exitCode === null) await sleep(5);
  await sleep(livesMs);
  writer.kill("SIGKILL");
  assert.deepEqual(await closed, [null, "SIGKILL"]);
  const lines = readFileSync(ledger, "utf8").split("\n").slice(0, -1);
  return new Map(lines.map((line) => line.split(" ") as [string, string]));
}

test("kill -9 under load, three times: nothing that was acknowledged is lost, nothing that was ended comes back", async (t) => {
  const folder = folderOf(t);
  const all = new Map<string, string>();
  for (let round = 0; round < 3; round++) {
    const ledger = await killedWriter(folder, join(folderOf(t), "ledger"), 300 + round * 170);
    for (const [key, told] of ledger) all.set(key, told);
    const engine = new FileEngine(folder, new LogRecorder().log);
    await engine.open();
    for (const [key, told] of all) {
      const row = await engine.read(key);
      if (told === "removed") assert.equal(row, null, `${key} was ended`);
      else if (row !== null) {
        // What it did last may have been done and not told.
        const { number } = JSON.parse(row.data) as { number: number };
        assert.ok(number === Number(told) || number === Number(told) + 1, `${key}: ${told}, found ${number}`);
        assert.equal(row.version, number);
        all.set(key, String(number));
      } else all.set(key, mayHaveBeenEnded(key, told));
    }
    await engine.close();
  }
  assert.ok(all.size > 50, `${all.size} sessions are too few to prove anything`);
});

/** Its end may have been the last that the process did: of every other one, behind its last number. */
function mayHaveBeenEnded(key: string, told: string): string {
  const [, visitor, session] = /v(\d+)s(\d+)_/.exec(key)!;
  assert.ok(Number(session) % 2 === 1 && Number(told) === 9 + Number(visitor), `${key} ${told} is lost`);
  return "removed";
}

test("a second process is refused, and told which one has it", async (t) => {
  const folder = folderOf(t);
  const { engine } = await openIn(t, folder);
  await engine.insert("one", write(1), life);
  const second = `
    import { fileStore } from ${JSON.stringify(join(import.meta.dirname, "../../src/session/stores/file/index.ts"))};
    fileStore({ folder: ${JSON.stringify(folder)} }).open().catch((error) => console.log(error.code, error.message));`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", second], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let told = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    told += text;
  });
  await once(child, "close");
  const why = `${join(folder, fileName)} is in use by process ${process.pid}`;
  assert.equal(told, `FLOTILLA_SESSIONS_DISK sessions can't be kept in ${folder}: ${why}\n`);
  assert.equal(await numberOf(engine, "one"), 1);
  await engine.close();
  const { engine: next } = await openIn(t, folder);
  assert.equal(await numberOf(next, "one"), 1);
});

test("time goes on where it stood: what a process did not live is no idle time, its own time is", async (t) => {
  const folder = folderOf(t);
  const { engine } = await openIn(t, folder);
  await engine.insert("one", write(1, 400), { ageMs: 1_000, absoluteTimeoutMs: 60_000 });
  await sleep(200);
  await engine.close();
  await sleep(500);
  const { engine: next } = await openIn(t, folder);
  const row = await next.read("one");
  assert.ok(row !== null && row.idleForMs >= 195 && row.ageMs >= 1_195, JSON.stringify(row));
  await sleep(300);
  assert.equal(await next.read("one"), null);
});

test("a full disk: changes are refused with nothing written, reads go on, and with room all goes on", {
  skip: whyNoSmallDisk() ?? false,
}, async (t) => {
  const disk = new SmallDisk(t, 4);
  const { engine, log } = await openIn(t, join(disk.folder, "sessions"));
  await engine.insert("one", write(1), life);
  disk.fill();
  const refused: SessionEngineError[] = [];
  // What the log still has room for is taken.
  for (let version = 1; refused.length < 3; version++) {
    const data = JSON.stringify({ n: version + 1, pad: "x".repeat(50_000) });
    const replaced = engine.replace("one", version - refused.length, { ...write(0), data });
    await replaced.catch((error: SessionEngineError) => refused.push(error));
  }
  const before = await engine.read("one");
  assert.match(refused[0]!.message, /can't be written: the disk is full: make room$/);
  assert.deepEqual([...new Set(refused.map(({ outcome }) => outcome))], ["nothing"]);
  assert.match((await failed(engine.insert("two", write("x".repeat(50_000)), life))).message, /full/);
  assert.equal(await engine.read("two"), null);
  assert.equal(log.lines.filter((line) => line.includes("the disk is full")).length, 1, log.lines.join("\n"));
  disk.makeRoom();
  assert.equal(await engine.replace("one", before!.version, write("after")), "done");
  assert.equal(await numberOf(engine, "one"), "after");
  assert.match(log.lines.at(-1)!, /sessions are written to .* again/);
  await engine.close();
  const { engine: next } = await openIn(t, join(disk.folder, "sessions"));
  assert.equal(await numberOf(next, "one"), "after");
});

test("a damaged file is told of and put aside at the start, and an empty one is begun", async (t) => {
  const folder = folderOf(t);
  const { engine } = await openIn(t, folder);
  await engine.insert("one", write(1), life);
  await engine.close();
  writeFileSync(join(folder, fileName), "this is no database".repeat(1_000));
  const { engine: next, log } = await openIn(t, folder);
  assert.equal(await next.read("one"), null);
  assert.equal(await next.insert("one", write(2), life), true);
  assert.match(log.lines.join(), new RegExp(`${fileName}: .*it was put aside as .*${fileName}.unread`));
  assert.ok(existsSync(join(folder, `${fileName}.unread`)));
});

test("damage that is found in use: what can be read is answered, nothing is changed, the next start begins anew", async (t) => {
  const folder = folderOf(t);
  const { engine } = await openIn(t, folder);
  await engine.insert("one", write("of the first"), life);
  await engine.insert("two", write("of the second"), life);
  await engine.close();
  const path = join(folder, fileName);
  const bytes = readFileSync(path);
  const at = bytes.indexOf("of the first");
  assert.ok(at > 0);
  bytes[at] = "O".charCodeAt(0);
  writeFileSync(path, bytes);
  const { engine: next, log } = await openIn(t, folder);
  assert.equal(await numberOf(next, "two"), "of the second");
  const told = [await failed(next.read("one")), await failed(next.replace("two", 1, write(2)))];
  for (const { message, outcome } of [...told, await failed(next.read("none"))])
    assert.deepEqual([/is damaged/.test(message), outcome], [true, "nothing"], message);
  assert.equal(await numberOf(next, "two"), "of the second");
  assert.match(log.lines.join(), /sessions on disk are damaged: .* restart this process/);
  await next.close();
  const { engine: last } = await openIn(t, folder);
  assert.equal(await last.count(), 0);
  assert.ok(existsSync(`${path}.unread`));
});

test("a file that is removed in use: changes are refused, which would be lost with the process", async (t) => {
  const folder = folderOf(t);
  const { engine } = await openIn(t, folder);
  await engine.insert("one", write(1), life);
  for (const name of readdirSync(folder)) renameSync(join(folder, name), join(folder, `${name}.away`));
  assert.match(
    (await failed(engine.replace("one", 1, write(2)))).message,
    /was removed or replaced: put it back/,
  );
  assert.equal(await numberOf(engine, "one"), 1);
  for (const name of readdirSync(folder))
    renameSync(join(folder, name), join(folder, name.replace(".away", "")));
  assert.equal(await engine.replace("one", 1, write(3)), "done");
});

test("a thread that dies: what is under way ends, and the next operation has another one", async (t) => {
  const folder = folderOf(t);
  const threads: Worker[] = [];
  const note = (worker: Worker): number => threads.push(worker);
  process.on("worker", note);
  t.after(() => process.off("worker", note));
  const { engine } = await openIn(t, folder);
  await engine.insert("one", write(1), life);
  const underWay = [engine.replace("one", 1, write(2)), engine.read("one")];
  setImmediate(() => void threads[0]!.terminate());
  const outcomes = await Promise.allSettled(underWay);
  for (const [n, outcome] of outcomes.entries())
    if (outcome.status === "rejected") assert.equal(outcome.reason.outcome, ["unknown", "nothing"][n]);
  const number = await numberOf(engine, "one");
  assert.ok(number === 1 || number === 2);
  assert.equal(await engine.replace("one", Number(number), write(3)), "done");
  assert.equal(threads.length, 2);
});

test("a folder that can't be one is a mistake of the site", async (t) => {
  const folder = folderOf(t);
  writeFileSync(join(folder, "file"), "");
  const engine = new FileEngine(join(folder, "file", "sessions"), new LogRecorder().log);
  const error = await engine.open().catch((thrown: unknown) => thrown as FlotillaError);
  assert.equal((error as FlotillaError).code, "FLOTILLA_SESSIONS_DISK");
  assert.match((error as FlotillaError).message, /a part of its path is a file, not a folder/);
});

test("folders and files that can't be made: said at once, also where links lead to what is not there", async (t) => {
  const folder = folderOf(t);
  const away = join(folder, "away");
  mkdirSync(join(folder, "linked"));
  symlinkSync(away, join(folder, "link"));
  symlinkSync(away, join(folder, "linked", fileName));
  for (const place of ["/proc/flotilla/sessions", join(folder, "link"), join(folder, "linked")]) {
    const engine = new FileEngine(place, new LogRecorder().log);
    await assert.rejects(engine.open(), (error: Error) => {
      assert.equal(error.message, `sessions can't be kept in ${place}: it is not there: mend the folder`);
      return true;
    });
  }
  // With the disk in its place they are kept behind the link.
  writeFileSync(away, "");
  const { engine } = await openIn(t, join(folder, "linked"));
  assert.equal(await engine.insert("one", write(1), life), true);
});

test("close() twice, and operations afterwards", async (t) => {
  const { engine } = await openIn(t, folderOf(t));
  const inserted = engine.insert("one", write(1), life);
  await Promise.all([engine.close(), engine.close()]);
  assert.equal(await inserted, true);
  assert.equal((await failed(engine.read("one"))).outcome, "nothing");
});
