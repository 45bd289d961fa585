/** A voter's file on a real disk: whole or not at all, one writer at a time, one lock for all processes. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { promisify } from "node:util";
import { register as limits } from "../../support/limits.ts";
import { VoterFile } from "./voter-file.ts";

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "flotilla-voter-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function read(file: VoterFile): Promise<Buffer | null> {
  return promisify(file.read.bind(file))();
}

function write(file: VoterFile, bytes: Buffer): Promise<void> {
  return promisify(file.write.bind(file))(bytes) as Promise<unknown> as Promise<void>;
}

function lock(file: VoterFile): Promise<() => void> {
  return promisify(file.lock.bind(file))();
}

test("what was written is read, by another process's object too", async (t) => {
  const folder = folderOf(t);
  const [one, other] = [new VoterFile(folder, "app", "10.0.0.1"), new VoterFile(folder, "app", "10.0.0.1")];
  assert.equal(await read(one), null);
  for (const text of ["first", "second, which is longer", "3"]) {
    await write(one, Buffer.from(text));
    assert.equal(String(await read(one)), text);
    assert.equal(String(await read(other)), text);
  }
  assert.deepEqual(readdirSync(join(folder, "register")), ["app%4010.0.0.1.vote"]);
  assert.equal(statSync(one.path).mode & 0o777, 0o600);
});

test("the rest of a write that was killed is nothing", async (t) => {
  const file = new VoterFile(folderOf(t), "app", "fe80::1%eth0");
  await write(file, Buffer.from("whole"));
  writeFileSync(`${file.path}.next`, "a longer rest than what will be wri");
  assert.equal(String(await read(file)), "whole");
  await write(file, Buffer.from("next"));
  assert.equal(String(await read(file)), "next");
  assert.equal(existsSync(`${file.path}.next`), false);
});

test("one holds the lock, the other waits or gives up in time", async (t) => {
  const folder = folderOf(t);
  const [one, other] = [new VoterFile(folder, "app", "a"), new VoterFile(folder, "app", "a")];
  const elsewhere = new VoterFile(folder, "app", "b");
  const unlock = await lock(one);
  (await lock(elsewhere))();
  await assert.rejects(lock(other), { code: "FLOTILLA_REGISTER_UNREACHABLE" });
  const waiting = lock(other);
  unlock();
  (await waiting)();
});

test("failures name the file", async (t) => {
  const folder = folderOf(t);
  const file = new VoterFile(folder, "app", "a");
  rmSync(join(folder, "register"), { recursive: true });
  await assert.rejects(
    write(file, Buffer.from("x")),
    /cannot write the voter's file .*app%40a\.vote: ENOENT/,
  );
});

test("trouble is told seldom, with what to do; its end is found out by itself, and told", async (t) => {
  const folder = folderOf(t);
  const told: string[] = [];
  let now = 0;
  let probe: (() => void) | null = null;
  const clock = {
    now: () => now,
    after(_delayMs: number, callback: () => void) {
      probe = callback;
      return { cancel: () => {} };
    },
  };
  let mended = Promise.withResolvers<string>();
  const observer = {
    onProblem: (message: string) => told.push(message),
    onMended: (message: string) => mended.resolve(message),
  };
  const file = new VoterFile(folder, "app", "a", observer, clock);
  const votes = join(folder, "register");
  await write(file, Buffer.from("x"));
  for (const times of [1, 2]) {
    rmSync(votes, { recursive: true });
    await assert.rejects(write(file, Buffer.from("x")));
    now += limits.complaintIntervalMs - 1;
    await assert.rejects(write(file, Buffer.from("x")));
    assert.equal(told.length, times * 2 - 1);
    now += 1;
    await assert.rejects(write(file, Buffer.from("x")));
    assert.equal(told.length, times * 2, "it lasts, and is told again");
    assert.match(told.at(-1)!, /cannot write .*app%40a\.vote: ENOENT.*; .*mkdir -m 700 -p .*register/);
    assert.equal(file.problem, told.at(-1));
    mkdirSync(votes);
    // Nobody asks for a vote.
    probe!();
    assert.match(await mended.promise, /app%40a\.vote can be written again/);
    assert.equal(file.problem, null);
    assert.deepEqual(readdirSync(votes), []);
    mended = Promise.withResolvers();
    now += limits.complaintIntervalMs;
  }
});
