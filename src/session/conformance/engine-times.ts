/** When rows end: by the database's clock, and whether or not anybody has removed them. */
import { setTimeout as sleep } from "node:timers/promises";
import { endsAfterMs, type SessionEngine } from "../stores/engine.ts";
import { Ending, now, same, within } from "./check.ts";
import {
  checkRow,
  type EngineBench,
  type EngineRule,
  hourMs,
  insert,
  keyOf,
  newborn,
  rowOf,
  write,
} from "./engine-bench.ts";

const key = keyOf("one");
/** Short enough to wait for, long enough that most looks fall before its end. */
const shortMs = 400;
const short = { idleTimeoutMs: shortMs };
const shortEndsMs = endsAfterMs(shortMs);

function isThere(engine: SessionEngine, which: string = key): () => Promise<boolean> {
  return async () => (await engine.read(which)) !== null;
}

/** Rows that have ended, still in the table where the database keeps them, and living ones. */
async function endedAndLiving({ a, b }: EngineBench, ended: number, living: number): Promise<void> {
  const endings = Array.from({ length: ended }, (_, n) =>
    insert(a, keyOf(`e${n}`), {}, { idleTimeoutMs: 50 }),
  );
  await Promise.all(endings);
  for (let n = 0; n < living; n++) await insert(b, keyOf(`l${n}`), {});
  await sleep(100);
}

export const timeRules: readonly EngineRule[] = [
  [
    "a row that nobody uses ends endsAfterMs(idleTimeoutMs) after its last use, for every process; reading is no use",
    async ({ a, b }) => {
      const ending = new Ending("a row of 400 ms");
      await ending.begin(shortEndsMs, () => insert(a, key, {}, short));
      await ending.watch(isThere(b));
      same("read() of the process that wrote it", await a.read(key), null);
    },
  ],
  [
    "a touch begins the idle time anew; a later one with a shorter timeout does not shorten it",
    async ({ a, b }) => {
      await insert(a, key, {}, { idleTimeoutMs: 200 });
      const ending = new Ending("a row that was touched with 400 ms");
      const touch = (idleTimeoutMs: number): Promise<void> =>
        ending.begin(shortEndsMs, () => b.touch([{ key, idleTimeoutMs }]));
      await touch(shortMs);
      await sleep(shortMs / 2);
      if (await ending.look(isThere(a))) await touch(100);
      await ending.watch(isThere(b));
    },
  ],
  [
    "a replace begins the idle time anew, with the timeout that it says",
    async ({ a, b }) => {
      await insert(a, key, {});
      const ending = new Ending("a row that was replaced with 400 ms");
      await ending.begin(shortEndsMs, async () =>
        same("replace()", await b.replace(key, 1, write({}, short)), "done"),
      );
      await ending.watch(isThere(a));
    },
  ],
  [
    "a row ends at its absolute age, however it is used; it may begin at an age",
    async ({ a, b }) => {
      const ending = new Ending("a row that begins 10,000 ms old and ends at 10,400");
      const life = { ageMs: 10_000, absoluteTimeoutMs: 10_000 + shortMs };
      await ending.begin(shortMs, async () => same("insert()", await a.insert(key, write({}), life), true));
      let version = 1;
      await ending.watch(async () => {
        await a.touch([{ key, idleTimeoutMs: hourMs }]);
        if ((await b.replace(key, version, write({ version }))) === "done") version++;
        return (await b.read(key)) !== null;
      });
      same("replace() afterwards", await a.replace(key, version, write({})), "gone");
    },
  ],
  [
    "ageMs and idleForMs grow with the time; reading leaves them, a touch ends the idle time, neither makes it younger",
    async ({ a, b }) => {
      const from = now();
      await a.insert(key, write({}), { ageMs: 60_000, absoluteTimeoutMs: hourMs });
      const since = now();
      await sleep(150);
      await b.read(key);
      const asked = now();
      const row = await rowOf(b, key);
      within("ageMs", row.ageMs, 60_000 + asked - since - 25, 60_000 + now() - from + 25);
      within("idleForMs", row.idleForMs, asked - since - 25, now() - from + 25);
      await a.touch([{ key, idleTimeoutMs: hourMs }]);
      const touched = await rowOf(b, key);
      within("ageMs after a touch", touched.ageMs, row.ageMs, 60_000 + now() - from + 25);
      await a.replace(key, 1, write({}));
      const replaced = await rowOf(b, key);
      within("ageMs after a replace", replaced.ageMs, touched.ageMs, 60_000 + now() - from + 25);
      same("absoluteTimeoutMs after a replace", replaced.absoluteTimeoutMs, hourMs);
    },
  ],
  [
    "the longest times that there are: idle for ten years, and no absolute end",
    async ({ a, b }) => {
      const idleTimeoutMs = 315_360_000_000;
      await insert(a, key, {}, { idleTimeoutMs });
      await b.touch([{ key, idleTimeoutMs }]);
      same("replace()", await b.replace(key, 1, write({}, { idleTimeoutMs })), "done");
      await checkRow("with the longest times", a, key, { data: {}, version: 2, idleTimeoutMs });
    },
  ],
  [
    "what has ended is as what is not there, before anybody removes it",
    async (bench) => {
      const { a, b } = bench;
      await endedAndLiving(bench, 3, 1);
      const [first, second, third] = [keyOf("e0"), keyOf("e1"), keyOf("e2")];
      same("read()", await a.read(first), null);
      same("replace()", await b.replace(first, 1, write({ n: 1 })), "gone");
      await b.touch([{ key: first, idleTimeoutMs: hourMs }]);
      same("read() after a touch of what has ended", await a.read(first), null);
      same(
        "keys in list()",
        (await a.list("", 10)).map((row) => row.key),
        [keyOf("l0")],
      );
      same("count()", await b.count(), 1);
      await a.remove(second, "app-a");
      same("insert() over what has ended", await b.insert(third, write({ n: 2 }), newborn), true);
      await checkRow("inserted over what had ended", a, third, { data: { n: 2 }, version: 1 });
      within("its ageMs", (await rowOf(a, third)).ageMs, 0, 60_000);
    },
  ],
  [
    "insert() over what has ended: of 20 at once exactly one is the first",
    async (bench) => {
      await endedAndLiving(bench, 1, 0);
      const inserts = Array.from({ length: 20 }, (_, n) =>
        (n % 2 === 0 ? bench.a : bench.b).insert(keyOf("e0"), write({ n }), newborn),
      );
      const outcomes = await Promise.all(inserts);
      same("how many said true", outcomes.filter(Boolean).length, 1);
      await checkRow("the winner's", bench.a, keyOf("e0"), {
        data: { n: outcomes.indexOf(true) },
        version: 1,
      });
    },
  ],
  [
    "removeExpired(): from two processes at once, at most so many each time, nothing that lives, and none twice",
    async (bench) => {
      await endedAndLiving(bench, 40, 5);
      let removed = 0;
      const removeAll = async (engine: SessionEngine): Promise<void> => {
        for (;;) {
          const rows = await engine.removeExpired(7);
          within("what removeExpired(7) says that it removed", rows, 0, 7);
          removed += rows;
          if (rows === 0) return;
        }
      };
      await Promise.all([removeAll(bench.a), removeAll(bench.b)]);
      // A database that removes them by itself has nothing left to do.
      within("what all of them removed, of 40 that had ended", removed, 0, 40);
      same("what removeExpired() finds afterwards", await bench.a.removeExpired(1_000), 0);
      same("count() afterwards", await bench.b.count(), 5);
      for (let n = 0; n < 5; n++)
        await checkRow("a living one", bench.a, keyOf(`l${n}`), { data: {}, version: 1 });
    },
  ],
  [
    "removeExpired(): against touch() and insert() of the same rows: what was saved in time stays",
    async ({ a, b }) => {
      const keys = Array.from({ length: 20 }, (_, n) => keyOf(n));
      await Promise.all(keys.map((each) => insert(a, each, {}, { idleTimeoutMs: 60 })));
      const until = now() + 250;
      const removing = (async () => {
        while (now() < until) await a.removeExpired(5);
      })();
      const revived = await Promise.all(
        keys.map(async (each) => {
          await b.touch([{ key: each, idleTimeoutMs: hourMs }]);
          return (await b.read(each)) !== null || b.insert(each, write({}), newborn);
        }),
      );
      await removing;
      same(
        "each was touched in time or could be inserted again",
        revived,
        keys.map(() => true),
      );
      same("count() afterwards", await b.count(), keys.length);
    },
  ],
];
