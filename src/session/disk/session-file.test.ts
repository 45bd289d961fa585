/** What is saved comes back, and what is not a file of ours, whole, is put aside and told. */
import assert from "node:assert/strict";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import type { RetainedCopy } from "../cluster/slot.ts";
import { Entry } from "../entry.ts";
import { MemoryStore } from "../memory-store.ts";
import { placeAlone } from "../place.ts";
import { endless } from "../snapshot.ts";
import { SessionMemory } from "../table/session-memory.ts";
import { SlotSessions } from "../table/slot-sessions.ts";
import { fromSaved, toSaved } from "../wiring/saved-copies.ts";
import type { SavedCopy, SavedKind, SavedSession } from "./saved-rows.ts";
import { SessionFile } from "./session-file.ts";

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "flotilla-disk-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

function fileIn(folder: string, server = "app-a", kind: SavedKind = "copies"): SessionFile {
  return new SessionFile(folder, "app", server, kind);
}

const text = fc.string({ unit: "grapheme", maxLength: 12 });
const sessions = fc.array(
  fc.record({
    key: fc.string({ minLength: 1 }),
    idleTimeoutMs: fc.double({ min: 1, max: 1e12, noNaN: true }),
    idleForMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
    absoluteTimeoutMs: fc.oneof(
      fc.double({ min: 1, max: 1e12, noNaN: true }),
      fc.constant(Number.POSITIVE_INFINITY),
    ),
    ageMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
    entries: fc.array(fc.tuple(text, text), { maxLength: 4 }),
  }),
  { maxLength: 6 },
);
const copies = fc.uniqueArray(
  fc.record({
    slot: fc.integer({ min: 0, max: 4_095 }),
    incarnation: text,
    epoch: fc.nat(),
    pos: fc.maxSafeNat(),
    sessions,
  }),
  { maxLength: 5, selector: ({ slot }) => slot },
);

type Plain = Omit<SavedCopy, "sessions"> & { sessions: object[] };

function plain(copies: readonly SavedCopy[]): Plain[] {
  return copies
    .map(({ sessions, ...place }) => ({
      ...place,
      sessions: [...sessions].map(({ entries, ...session }) => ({
        ...session,
        entries: [...entries].map(([name, entry]) => [name, entry.text]),
      })),
    }))
    .sort((one, other) => one.slot - other.slot);
}

test("what was saved comes back, and a second save replaces the first", async (t) => {
  const file = fileIn(folderOf(t));
  assert.equal(await file.read(), null);
  await fc.assert(
    fc.asyncProperty(copies, async (generated) => {
      const saved = generated.map((copy) => ({
        ...copy,
        sessions: copy.sessions.map((session) => ({
          ...session,
          entries: new Map(
            session.entries.map(([name, value]) => [name, new Entry(name, JSON.stringify(value))]),
          ),
        })),
      }));
      const count = await file.write(saved);
      const read = (await file.read())!;
      assert.deepEqual(plain(file.readAtOnce()!.copies), plain(read.copies));
      assert.equal(read.sessions, count);
      assert.deepEqual(plain(read.copies), plain(saved));
    }),
    { seed: 7, numRuns: 30 },
  );
  assert.equal(statSync(file.path).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(join(file.path, "..")), ["app-a.db"]);
  file.remove();
  assert.equal(file.exists, false);
});

const one: SavedCopy = {
  ...{ slot: 7, incarnation: "x", epoch: 3, pos: 12 },
  sessions: [
    {
      ...{ ...endless, key: "k", idleTimeoutMs: 1_000, idleForMs: 5 },
      entries: new Map([["a", new Entry("a", "1")]]),
    },
  ],
};

/** @returns what is said of it. */
function refused(file: SessionFile): string {
  let told = "";
  assert.throws(
    () => file.readAtOnce(),
    (error: Error & { code: string }) => {
      told = error.message;
      return error.code === "FLOTILLA_SESSIONS_UNREAD";
    },
  );
  assert.ok(existsSync(`${file.path}.unread`));
  assert.equal(file.readAtOnce(), null, "the next start is not held up by it");
  return told;
}

test("a file that is not ours, of another version, or damaged is put aside, with why", async (t) => {
  const file = fileIn(folderOf(t));
  const alter = async (change: (database: DatabaseSync) => void): Promise<string> => {
    await file.write([one]);
    const database = new DatabaseSync(file.path);
    change(database);
    database.close();
    return refused(file);
  };
  assert.match(
    await alter((database) => database.exec("PRAGMA user_version = 3")),
    /by newer Flotilla \(format 3,/,
  );
  assert.match(
    await alter((database) => database.exec("PRAGMA user_version = 0")),
    /by older Flotilla \(format 0,/,
  );
  assert.match(await alter((database) => database.exec("PRAGMA application_id = 5")), /of another program/);
  assert.match(await alter((database) => database.exec("DROP TABLE sessions")), /no such table/);
  assert.match(await alter((database) => database.exec("UPDATE sessions SET data = '[]'")), /it is damaged/);
  assert.match(await alter((database) => database.exec("UPDATE copies SET epoch = 4")), /it is damaged/);
  assert.match(await alter((database) => database.exec("UPDATE sessions SET data = '[\"a'")), /JSON/);

  await fileIn(join(file.path, "..", ".."), "app-a", "memory").write([one]);
  assert.match(refused(file), /under another `durability:`/);
  await new SessionFile(join(file.path, "..", ".."), "shop", "app-a", "copies").write([one]);
  assert.match(refused(file), /it is of app-a of cluster shop/);

  await file.write([one]);
  truncateSync(file.path, 5_000);
  refused(file);
  writeFileSync(file.path, "no database at all, but long enough to be looked at as one");
  assert.match(refused(file), /not a database/);
  writeFileSync(file.path, "");
  refused(file);
});

test("reading and writing many sessions lets others have their turn", async (t) => {
  const folder = folderOf(t);
  const file = fileIn(folder);
  const session = one.sessions[Symbol.iterator]().next().value as SavedSession;
  const sessions = Array.from({ length: 20_000 }, (_, index) => ({ ...session, key: `k${index}` }));
  let [turns, isOver] = [0, false];
  const count = (): void => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  await file.write([{ ...one, sessions }]);
  assert.ok(turns >= 5, `${turns} while it was written`);
  turns = 0;
  const read = await file.read();
  assert.ok(turns >= 5, `${turns} while it was read`);
  turns = 0;
  const slots = Array.from({ length: 4_000 }, (_, slot) => ({
    ...read!.copies[0]!,
    slot,
    sessions: sessions.slice(0, 50),
  }));
  assert.equal((await fromSaved(slots, 0, new SessionMemory())).size, 4_000);
  assert.ok(turns >= 2, `${turns} while they were made sessions`);
  isOver = true;
});

test("what a process that was killed had begun to write is removed by the next one", async (t) => {
  const file = fileIn(folderOf(t));
  await file.write([one]);
  writeFileSync(`${file.path}.next`, "half of it");
  file.removeUnfinished();
  assert.deepEqual(readdirSync(join(file.path, "..")), ["app-a.db"]);
});

test("it says which register its copies count by, and what was put aside before stays", async (t) => {
  const file = fileIn(folderOf(t));
  for (const aside of ["unread", "unread2"]) {
    await file.write([one], "made by app-a");
    assert.equal(file.readAtOnce()!.register, "made by app-a");
    assert.match(file.putAside(), new RegExp(`put aside as .*app-a\\.db\\.${aside},`));
    assert.equal(file.exists, false);
    assert.ok(existsSync(`${file.path}.${aside}`));
  }
});

test("no bit that turns is taken for a session", async (t) => {
  const file = fileIn(folderOf(t));
  await file.write([one]);
  const whole = readFileSync(file.path);
  const before = plain(file.readAtOnce()!.copies);
  for (let at = 0; at < whole.length; at += 13) {
    const bytes = Buffer.from(whole);
    bytes[at]! ^= 0x10;
    writeFileSync(file.path, bytes);
    try {
      assert.deepEqual(plain(file.readAtOnce()!.copies), before, `byte ${at}`);
    } catch (error) {
      assert.equal((error as { code?: string }).code, "FLOTILLA_SESSIONS_UNREAD", String(error));
    }
  }
});

test("why it can't be written is told before, and what was there stays", async (t) => {
  const folder = folderOf(t);
  const file = fileIn(folder);
  assert.equal(file.whyNot(1_000), null);
  assert.match(file.whyNot(1e15)!, /MB free, .* MB are needed/);
  const inTheWay = fileIn(join(folder, "sessions", "file"));
  writeFileSync(join(folder, "sessions", "file"), "");
  assert.match(inTheWay.whyNot(1)!, /a part of its path is a file/);
  await file.write([one]);
  const broken = { ...one, sessions: brokenSessions() };
  await assert.rejects(file.write([broken]), /no more/);
  assert.deepEqual(plain(file.readAtOnce()!.copies), plain([one]));
  assert.deepEqual(readdirSync(join(folder, "sessions")), ["app-a.db", "file"]);
});

function* brokenSessions(): Iterable<SavedSession> {
  yield* one.sessions;
  throw new Error("no more");
}

test("a write that is tried again has all that the first one had", async (t) => {
  const entries = new Map([["a", Entry.of("a", 1)]]);
  const sessions = new SlotSessions(new SessionMemory());
  const session = { ...endless, key: "k", entries, idleTimeoutMs: 1_000, idleForMs: 0 };
  sessions.put(session, 0);
  const copy: RetainedCopy = { incarnation: "x", epoch: 3, pos: 12, sessions };
  const { store } = placeAlone(null);
  assert.ok(store instanceof MemoryStore);
  store.restore(session);
  const file = fileIn(folderOf(t));
  for (const copies of [toSaved(new Map([[7, copy]]), 0), [{ ...one, sessions: store.freeze() }]]) {
    await assert.rejects(file.write([...copies, { ...one, slot: 8, sessions: brokenSessions() }]), /no more/);
    assert.equal(await file.write(copies), 1);
    assert.equal([...file.readAtOnce()!.copies[0]!.sessions].length, 1);
  }
});
