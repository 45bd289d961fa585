/** What is written is there after a restart, as of one moment; what is not ours, or damaged, is put aside. */
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import type { DiskSession } from "../cluster/slot-disk.ts";
import { Entry } from "../entry.ts";
import { readEntries } from "../entry-bytes.ts";
import { endless } from "../snapshot.ts";
import { ChangeBatch } from "./change-batch.ts";
import { CopiesDatabase } from "./copies-database.ts";
import { copiesForm } from "./copies-form.ts";
import { DatabaseFile } from "./database-file.ts";

const incarnation = "p1";

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "flotilla-database-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

interface Open {
  readonly database: CopiesDatabase;
  readonly aside: string | null;
  readonly file: DatabaseFile;
}

function open(folder: string, process: string = incarnation): Open {
  const file = new DatabaseFile(folder, "app-a of cluster app", copiesForm);
  return { ...CopiesDatabase.open(file, process), file };
}

let batches = 0;

function apply(database: CopiesDatabase, change: (batch: ChangeBatch) => void, runningMs = 0): void {
  const batch = new ChangeBatch(++batches);
  change(batch);
  database.apply(batch.bytes, `${incarnation}/${batch.number}`, runningMs, "");
}

function session(key: string, text: string, idleTimeoutMs = 1_000): DiskSession {
  return { ...endless, key, idleTimeoutMs, idleForMs: 0, entries: new Map([["a", new Entry("a", text)]]) };
}

function texts(database: CopiesDatabase, slot: number): string[] {
  const found: string[] = [];
  for (let after = ""; ; ) {
    const part = database.readAfter(slot, after, 1);
    const last = part.at(-1);
    if (last === undefined) return found;
    for (const { key, data } of part) found.push(`${key}=${readEntries(Buffer.from(data)).get("a")?.text}`);
    after = last.key;
  }
}

test("what was written is found after a restart, with its place and its number of sessions", (t) => {
  const folder = join(folderOf(t), "app-a");
  const { database } = open(folder);
  apply(
    database,
    (batch) => {
      batch.adopt(7, 3, 10);
      batch.put(7, 3, 11, session("b", "1"), 5);
      batch.put(7, 3, 12, session("a", '"ü"'), 6);
      batch.put(7, 3, 13, session("b", "2"), 7);
      batch.remove(7, 3, 14, "nobody");
      batch.adopt(8, 1, 0);
    },
    1_234,
  );
  database.close();
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  assert.deepEqual(
    readdirSync(folder).map((name) => [name, statSync(join(folder, name)).mode & 0o777]),
    [["sessions.db", 0o600]],
  );

  const again = open(folder, "p2").database;
  assert.equal(again.runningMs, 1_234);
  assert.equal(again.batch, `p1/${batches}`);
  assert.deepEqual(
    [...again.whole],
    [
      [7, { incarnation: "p1", epoch: 3, pos: 14, sessions: 2 }],
      [8, { incarnation: "p1", epoch: 1, pos: 0, sessions: 0 }],
    ],
  );
  assert.deepEqual(texts(again, 7), ['a="ü"', "b=2"]);
  assert.equal(again.read(7, "b")?.usedAt, 7);
  assert.equal(again.read(7, "c"), null);
  assert.equal(again.read(9, "b"), null);
  assert.equal(again.size.sessions, 2);
  again.close();
});

test("a new copy takes the place of the one before when it is whole, and not before", (t) => {
  const folder = folderOf(t);
  let { database } = open(folder);
  apply(database, (batch) => {
    batch.adopt(1, 1, 0);
    for (let i = 0; i < 1_000; i++) batch.put(1, 1, i, session(`old${i}`, "1"), 0);
  });
  apply(database, (batch) => {
    batch.begin(1);
    batch.add(1, session("x", "1"), 0);
    batch.put(1, 2, 5, session("y", "1"), 0);
    batch.add(1, session("z", "1"), 0);
  });
  database.close();
  ({ database } = open(folder, "p2"));
  assert.deepEqual(database.whole.get(1), { incarnation: "p1", epoch: 1, pos: 999, sessions: 1_000 });
  assert.equal(texts(database, 1).length, 1_000);
  apply(database, (batch) => {
    batch.begin(1);
    batch.add(1, session("x", "1"), 0);
    batch.put(1, 2, 5, session("y", "1"), 0);
    batch.remove(1, 2, 6, "x");
    batch.end(1, 2, 6);
  });
  assert.deepEqual(database.whole.get(1), { incarnation: "p2", epoch: 2, pos: 6, sessions: 1 });
  assert.deepEqual(texts(database, 1), ["y=1"]);
  const full = database.size.bytes;
  let steps = 0;
  for (; database.tidy(); steps++) assert.ok(steps < 10, "in bounded steps");
  assert.ok(steps >= 3);
  assert.ok(database.size.bytes < full / 2, "their room is free");
  apply(database, (batch) => batch.drop(1));
  assert.equal(database.whole.size, 0);
  assert.equal(database.size.sessions, 0);
  database.close();
});

test("changes that can't be applied leave nothing behind, and those after them are applied", (t) => {
  const { database } = open(folderOf(t));
  apply(database, (batch) => batch.adopt(1, 1, 0));
  assert.throws(
    () =>
      apply(database, (batch) => {
        batch.put(1, 1, 1, session("a", "1"), 0);
        batch.begin(1);
        batch.drop(1);
        batch.put(1, 1, 2, session("b", "1"), 0);
      }),
    /there is no copy of slot 1/,
  );
  assert.deepEqual(texts(database, 1), []);
  assert.equal(database.size.sessions, 0);
  apply(database, (batch) => batch.put(1, 1, 1, session("a", "1"), 0));
  assert.deepEqual(database.whole.get(1), { incarnation: "p1", epoch: 1, pos: 1, sessions: 1 });
  database.close();
});

test("what was dropped by changes that can't be applied stays, and is read", (t) => {
  const folder = folderOf(t);
  const { database } = open(folder);
  apply(database, (batch) => {
    batch.adopt(1, 1, 0);
    batch.put(1, 1, 1, session("a", "1"), 0);
    batch.put(1, 1, 2, session("b", "1"), 1);
  });
  const fail = (): void =>
    assert.throws(() =>
      apply(database, (batch) => {
        batch.drop(1);
        batch.put(2, 1, 1, session("c", "1"), 0);
      }),
    );
  fail();
  assert.equal(database.tidy(), false);
  fail();
  assert.deepEqual(texts(database, 1), ["a=1", "b=1"]);
  fail();
  assert.deepEqual(database.longestIdle([1], 1), [{ slot: 1, key: "a" }]);
  database.close();
  const { database: again } = open(folder, "p2");
  assert.deepEqual(texts(again, 1), ["a=1", "b=1"]);
  again.close();
});

test("sessions end by their last use, also where that was never written to the index", (t) => {
  const { database } = open(folderOf(t));
  apply(database, (batch) => {
    batch.adopt(1, 1, 0);
    batch.adopt(2, 1, 0);
    batch.put(1, 1, 1, session("used", "1", 100), 0);
    batch.put(1, 1, 2, session("idle", "1", 100), 0);
    batch.put(1, 1, 3, session("forever", "1", Number.POSITIVE_INFINITY), 0);
    batch.put(2, 1, 1, session("other", "1", 100), 50);
    batch.put(2, 1, 2, session("shorter", "1", 1_000), 0);
    batch.touch(1, "used", 100, 60);
    batch.touch(1, "nobody", 100, 60);
    batch.touch(2, "shorter", 10, 60);
  });
  assert.deepEqual(database.expired([1, 2, 3], 99, 10), [{ slot: 2, key: "shorter" }]);
  assert.deepEqual(database.expired([1, 2], 100, 10), [
    { slot: 1, key: "idle" },
    { slot: 2, key: "shorter" },
  ]);
  assert.deepEqual(database.expired([1, 2], 160, 10).length, 4);
  assert.deepEqual(database.expired([1, 2], 160, 2).length, 2);
  assert.deepEqual(database.longestIdle([1, 2], 3), [
    { slot: 1, key: "idle" },
    { slot: 1, key: "forever" },
    { slot: 2, key: "other" },
  ]);
  database.close();
});

test("a session ends at its absolute age, however it is used", (t) => {
  const { database } = open(folderOf(t));
  apply(database, (batch) => {
    batch.adopt(1, 1, 0);
    batch.put(1, 1, 1, { ...session("a", "1", 100), absoluteTimeoutMs: 300, ageMs: 100 }, 0);
    batch.touch(1, "a", 100, 190);
  });
  assert.deepEqual(database.expired([1], 199, 10), []);
  assert.deepEqual(database.expired([1], 200, 10), [{ slot: 1, key: "a" }]);
  assert.deepEqual([database.read(1, "a")?.createdAt, database.read(1, "a")?.absoluteTimeoutMs], [-100, 300]);
  database.close();
});

test("uses are revised in bounded numbers, and the first to end are found all the same", (t) => {
  const { database } = open(folderOf(t));
  apply(database, (batch) => {
    batch.adopt(1, 1, 0);
    for (let i = 0; i < 3_000; i++) batch.put(1, 1, i, session(`k${i}`, "1", 100), i / 3_000);
    for (let i = 0; i < 2_999; i++) batch.touch(1, `k${i}`, 100, 200);
  });
  let found: { key: string }[] = [];
  for (let i = 0; i < 4 && found[0]?.key !== "k2999"; i++) found = database.longestIdle([1], 1);
  assert.deepEqual(found, [{ slot: 1, key: "k2999" }]);
  database.close();
});

const keys = fc.constantFrom("a", "b", "c", "d");
const change = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant("put" as const), key: keys, text: fc.json() }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("remove" as const), key: keys }) },
  fc.record({ type: fc.constantFrom("begin" as const, "end" as const) }),
);

test("after a cut anywhere in the log a copy is as it was at the end of some transaction", (t) => {
  const root = folderOf(t);
  let run = 0;
  fc.assert(
    fc.property(
      fc.array(fc.array(change, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 8 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (transactions, cut) => {
        const folder = join(root, `${++run}`);
        const { database } = open(folder);
        /** What may be found, by place. */
        const states = new Map<number, string>();
        let pos = 0;
        const model = { whole: new Map<string, string>(), coming: null as Map<string, string> | null };
        let wholePos = 0;
        apply(database, (batch) => batch.adopt(1, 1, 0));
        states.set(0, "");
        for (const changes of transactions) {
          apply(database, (batch) => {
            for (const { type, ...rest } of changes) {
              const target = model.coming ?? model.whole;
              if (type === "put") {
                const { key, text } = rest as { key: string; text: string };
                target.set(key, text);
                batch.put(1, 1, ++pos, session(key, text), 0);
              } else if (type === "remove") {
                const { key } = rest as { key: string };
                target.delete(key);
                batch.remove(1, 1, ++pos, key);
              } else if (type === "begin") {
                model.coming = new Map();
                batch.begin(1);
              } else if (model.coming !== null) {
                model.whole = model.coming;
                model.coming = null;
                batch.end(1, 1, ++pos);
              }
              if (model.coming === null) wholePos = pos;
            }
          });
          states.set(
            wholePos,
            [...model.whole]
              .sort()
              .map(([key, text]) => `${key}=${text}`)
              .join(),
          );
        }
        // As a power cut leaves it: the file, and so much of the log.
        const after = join(root, `${run}-after`);
        open(after).database.close();
        for (const ending of ["", "-wal"])
          copyFileSync(join(folder, `sessions.db${ending}`), join(after, `sessions.db${ending}`));
        const log = join(after, "sessions.db-wal");
        const keep = Math.floor(statSync(log).size * cut);
        truncateSync(log, keep);
        database.close();
        const { database: again, aside } = open(after, "p2");
        // Before its first transaction was synced a file has nothing in it.
        assert.equal(aside, null);
        const found = again.whole.get(1);
        if (found !== undefined) {
          const state = texts(again, 1).join();
          assert.equal(state, states.get(found.pos) ?? state, `at ${found.pos}`);
          assert.ok(states.has(found.pos), `nothing ended at ${found.pos}`);
          assert.equal(found.sessions, state === "" ? 0 : texts(again, 1).length);
        }
        again.close();
        for (const path of [folder, after]) rmSync(path, { recursive: true });
      },
    ),
    { seed: 11, numRuns: 60 },
  );
});

test("a file that is not ours, of another version, damaged or cut off is put aside, with why", (t) => {
  const folder = folderOf(t);
  const path = join(folder, "sessions.db");
  const alter = (change: (database: DatabaseSync) => void): string => {
    rmSync(folder, { recursive: true });
    const { database } = open(folder);
    apply(database, (batch) => {
      batch.adopt(1, 1, 0);
      for (let i = 0; i < 100; i++) batch.put(1, 1, i, session(`k${i}`, '"value"'), 0);
    });
    database.close();
    const altered = new DatabaseSync(path);
    change(altered);
    altered.close();
    return refused();
  };
  const refused = (): string => {
    const { aside, database } = open(folder);
    assert.equal(database.whole.size, 0);
    database.close();
    const { database: again, aside: nothing } = open(folder);
    assert.equal(nothing, null, "the next start is not held up by it");
    again.close();
    assert.match(
      aside ?? "",
      /it was put aside as .*sessions\.db\.unread, and the server starts without them/,
    );
    return aside ?? "";
  };
  const sql = (statement: string) => (database: DatabaseSync) => database.exec(statement);
  assert.match(alter(sql("PRAGMA application_id = 5")), /of another program.*starts without them$/);
  const ofOtherVersion = alter(sql("PRAGMA user_version = 4"));
  assert.match(ofOtherVersion, /by newer Flotilla \(format 4, this one reads 3\)/);
  assert.match(
    ofOtherVersion,
    /stop this server, rename .* to .*\/sessions\.db \(.*and start the Flotilla that wrote it$/,
  );
  assert.match(alter(sql("DROP INDEX sessions_by_due")), /its tables are others/);
  assert.match(alter(sql("UPDATE copies SET pos = 7")), /the copy of slot 1/);
  assert.match(alter(sql("UPDATE state SET owner = 'app-b of cluster app'")), /it is of app-b/);
  assert.match(
    alter(() => truncateSync(path, 8_192)),
    /cut off|malformed/,
  );
  assert.match(
    alter(() => truncateSync(path, 5_000)),
    /cut off|malformed/,
  );
  rmSync(folder, { recursive: true });
  // As Docker makes it of a mounted file that is not there.
  mkdirSync(path, { recursive: true });
  assert.match(refused(), /it is no file/);
});

test("a session of which a bit has turned is not shown, and the next start puts the file aside", (t) => {
  const folder = folderOf(t);
  const { database } = open(folder);
  apply(database, (batch) => {
    batch.adopt(1, 1, 0);
    batch.put(1, 1, 1, session("a", '"value"'), 0);
  });
  database.close();
  const altered = new DatabaseSync(join(folder, "sessions.db"));
  altered.exec(`UPDATE sessions SET data = CAST(replace(CAST(data AS TEXT), 'value', 'valve') AS BLOB)`);
  altered.close();
  const { database: again, file, aside } = open(folder);
  assert.equal(aside, null);
  assert.throws(() => again.read(1, "a"), /it is damaged: a session is not what was written/);
  assert.throws(() => again.readAfter(1, "", 100), /it is damaged/);
  file.markDamaged("a session is not what was written");
  again.close();
  const last = open(folder);
  assert.match(last.aside ?? "", /a session is not what was written; it was put aside/);
  last.database.close();
});

test("times of a session that are not what was written are noticed, also after a use", (t) => {
  const folder = folderOf(t);
  const { database } = open(folder);
  const columns = ["idle_timeout_ms", "used_at", "absolute_timeout_ms", "created_at"];
  apply(database, (batch) => {
    batch.adopt(1, 1, 0);
    for (const key of columns) {
      const lasting = {
        ...session(key, '"value"', Number.POSITIVE_INFINITY),
        absoluteTimeoutMs: 7_000,
        ageMs: 0.5,
      };
      batch.put(1, 1, 1, lasting, 5);
      batch.touch(1, key, 9_000, 6.25);
    }
    batch.put(1, 1, 2, session("well", '"value"'), 0);
    batch.touch(1, "well", -0, -0);
  });
  const well = database.read(1, "used_at");
  assert.deepEqual([well?.idleTimeoutMs, well?.usedAt, well?.createdAt], [9_000, 6.25, 4.5]);
  database.close();
  const altered = new DatabaseSync(join(folder, "sessions.db"));
  for (const column of columns)
    altered.exec(`UPDATE sessions SET ${column} = ${column} + 1 WHERE key = '${column}'`);
  altered.close();
  const { database: again } = open(folder);
  assert.equal(again.read(1, "well")?.usedAt, 0);
  for (const key of columns)
    assert.throws(() => again.read(1, key), /a session is not what was written/, key);
  apply(again, (batch) => {
    for (const key of columns) batch.touch(1, key, 9_000, 8);
  });
  for (const key of columns)
    assert.throws(() => again.read(1, key), /a session is not what was written/, key);
  again.close();
});

test("the log stays bounded", (t) => {
  const folder = folderOf(t);
  const { database } = open(folder);
  const text = JSON.stringify("x".repeat(1_000));
  apply(database, (batch) => batch.adopt(1, 1, 0));
  for (let round = 0; round < 60; round++) {
    apply(database, (batch) => {
      for (let i = 0; i < 300; i++) batch.put(1, 1, i, session(`${round % 7}-${i}`, text), 0);
    });
    database.tidy();
  }
  assert.ok(statSync(join(folder, "sessions.db-wal")).size < 32e6);
  database.close();
});
