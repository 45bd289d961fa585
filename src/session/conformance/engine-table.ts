/** A table that each process makes or finds, and in which rows are read as they were written. */
import { holds, rejected, same, within } from "./check.ts";
import {
  checkRow,
  contentOf,
  type EngineRule,
  each,
  hourMs,
  insert,
  keyOf,
  rowOf,
  write,
} from "./engine-bench.ts";

const key = keyOf("one");

export const tableRules: readonly EngineRule[] = [
  [
    "open(): several processes at once make one table, and those that come later find what is there",
    async ({ suite, a, connect }) => {
      await insert(a, key, { n: 1 });
      if (suite.isForOneProcess) {
        const error = await rejected("open() of a second process", connect().open());
        holds("open() of a second process", error instanceof Error, "an Error that says who has it", error);
        return;
      }
      await each(Array(6), () => connect().open());
      const late = connect();
      await late.open();
      await late.open();
      await checkRow("after open() of seven others", late, key, { data: { n: 1 }, version: 1 });
    },
  ],
  [
    "open(): six processes that find nothing at all",
    async ({ suite }) => {
      if (suite.isForOneProcess) return;
      const database = await suite.open();
      const engines = Array.from({ length: 6 }, () => database.connect());
      try {
        await each(engines, (engine) => engine.open());
        await insert(engines[0]!, key, { n: 1 });
        await checkRow("written by the first, read by the last", engines[5]!, key, {
          ...{ data: { n: 1 }, version: 1 },
        });
      } finally {
        await each(engines, (engine) => engine.close());
        await database.end();
      }
    },
  ],
  [
    "read(): null for what is not there",
    async ({ a }) => same("read() of an empty table", await a.read(key), null),
  ],
  [
    "insert(): a row of version 1 that every process reads as it was written",
    async ({ a, b }) => {
      const life = { ageMs: 0, absoluteTimeoutMs: 12 * hourMs };
      const written = write({ user: "anna" }, { holder: "app-b", idleTimeoutMs: 2 * hourMs });
      same("insert() of a new key", await a.insert(key, written, life), true);
      const expected = { data: { user: "anna" }, version: 1, holder: "app-b", idleTimeoutMs: 2 * hourMs };
      for (const engine of [a, b])
        await checkRow("after insert()", engine, key, { ...expected, absoluteTimeoutMs: 12 * hourMs });
    },
  ],
  [
    "replace(): with the version that is there: done, and one version more",
    async ({ a, b }) => {
      await insert(a, key, { n: 1 });
      const changed = write({ m: 2 }, { holder: "app-b", idleTimeoutMs: 2 * hourMs });
      same("replace() of version 1", await b.replace(key, 1, changed), "done");
      const expected = { data: { m: 2 }, holder: "app-b", idleTimeoutMs: 2 * hourMs };
      await checkRow("after replace()", a, key, { ...expected, version: 2 });
      same("replace() of version 2", await a.replace(key, 2, changed), "done");
      await checkRow("after the same data were written again", b, key, { ...expected, version: 3 });
    },
  ],
  [
    "list(): the same of a row as read(), and its key",
    async ({ a, b }) => {
      await a.insert(key, write({ user: "anna" }, { holder: "app-a" }), {
        ageMs: 5_000,
        absoluteTimeoutMs: hourMs,
      });
      await a.replace(key, 1, write({ user: "bob" }, { holder: "app-b", idleTimeoutMs: 2 * hourMs }));
      const rows = await b.list("", 10);
      same("how many rows", rows.length, 1);
      const row = rows[0]!;
      same("the row's key", row.key, key);
      same("the row", contentOf(row), contentOf(await rowOf(a, key)));
      within("its ageMs", row.ageMs, 5_000, 60_000);
      within("its idleForMs", row.idleForMs, 0, row.ageMs - 4_900);
    },
  ],
];
