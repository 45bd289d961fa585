/** What becomes of rows: made once, changed by who knows their version, listed in order. */
import { setTimeout as sleep } from "node:timers/promises";
import type { SessionEngine } from "../stores/engine.ts";
import { holds, same, settles, within } from "./check.ts";
import {
  checkRow,
  type EngineBench,
  type EngineRule,
  each,
  hourMs,
  insert,
  keyOf,
  newborn,
  rowOf,
  write,
} from "./engine-bench.ts";

const key = keyOf("one");

/** So many, every other one of the other process. */
function byTurns({ a, b }: EngineBench, count: number): [engine: SessionEngine, number: number][] {
  return Array.from({ length: count }, (_, number) => [number % 2 === 0 ? a : b, number]);
}

async function changeOnce(engine: SessionEngine, change: (n: number) => number): Promise<void> {
  for (;;) {
    const { version, data } = await rowOf(engine, key);
    const { n } = JSON.parse(data) as { n: number };
    if ((await engine.replace(key, version, write({ n: change(n) }))) === "done") return;
  }
}

export const rowRules: readonly EngineRule[] = [
  [
    "insert(): what is there stays as it is",
    async ({ a, b }) => {
      await insert(a, key, { user: "anna" });
      const second = await b.insert(key, write({ user: "bob" }, { holder: "app-b", idleTimeoutMs: 1 }), {
        ageMs: 1,
        absoluteTimeoutMs: 2,
      });
      same("insert() of a key that is there", second, false);
      await checkRow("after a second insert()", a, key, { data: { user: "anna" }, version: 1 });
    },
  ],
  [
    "insert(): of 20 at once exactly one is the first",
    async (bench) => {
      const outcomes = await each(byTurns(bench, 20), ([engine, n]) =>
        engine.insert(key, write({ n }), newborn),
      );
      const first = outcomes.indexOf(true);
      same("how many insert()s of one key said true", outcomes.filter(Boolean).length, 1);
      await checkRow("the winner's", bench.b, key, { data: { n: first }, version: 1 });
    },
  ],
  [
    "replace(): with another version: changed, and nothing was written",
    async ({ a, b }) => {
      await insert(a, key, { n: 1 });
      await a.replace(key, 1, write({ n: 2 }));
      for (const version of [1, 3, 0, 1_000_000])
        same(`replace() of version ${version}`, await b.replace(key, version, write({ n: 9 })), "changed");
      await checkRow("after them", a, key, { data: { n: 2 }, version: 2 });
    },
  ],
  [
    "replace(): never makes a row: gone",
    async ({ a, b }) => {
      same("replace() of what never was", await a.replace(key, 1, write({ n: 9 })), "gone");
      await insert(a, key, { n: 1 });
      await b.remove(key, "app-b");
      same("replace() of what was removed", await a.replace(key, 1, write({ n: 9 })), "gone");
      same("read() afterwards", await a.read(key), null);
      same("count() afterwards", await b.count(), 0);
    },
  ],
  [
    "replace(): of 50 at once exactly one is done",
    async (bench) => {
      await insert(bench.a, key, { n: -1 });
      const outcomes = await each(byTurns(bench, 50), ([engine, n]) =>
        engine.replace(key, 1, write({ n }, { writer: n % 2 === 0 ? "app-a" : "app-b" })),
      );
      const done = outcomes.indexOf("done");
      same(
        "how many of 50 replace()s of version 1 were done",
        outcomes.filter((o) => o === "done").length,
        1,
      );
      same(
        "how many were told that it had changed",
        outcomes.filter((outcome) => outcome === "changed").length,
        49,
      );
      await checkRow("the winner's", bench.b, key, { data: { n: done }, version: 2 });
    },
  ],
  [
    "replace(): of 2 processes x 25 that count up at once none is lost",
    async (bench) => {
      await insert(bench.a, key, { n: 0 });
      await each(byTurns(bench, 50), ([engine]) => changeOnce(engine, (n) => n + 1));
      await checkRow("after 50 increments", bench.b, key, { data: { n: 50 }, version: 51 });
    },
  ],
  [
    "remove(): it is gone for all; what is not there is no error; a new one begins anew",
    async ({ a, b }) => {
      await insert(a, key, { n: 1 });
      await insert(a, keyOf("other"), { n: 2 });
      await a.replace(key, 1, write({ n: 2 }));
      await b.remove(key, "app-b");
      await b.remove(key, "app-b");
      await a.remove(keyOf("never"), "app-a");
      for (const engine of [a, b]) same("read() after remove()", await engine.read(key), null);
      await checkRow("another one, after remove()", b, keyOf("other"), { data: { n: 2 }, version: 1 });
      await insert(b, key, { n: 3 });
      await checkRow("inserted again after remove()", a, key, { data: { n: 3 }, version: 1 });
    },
  ],
  [
    "remove(): against replace() at the same time: the row is gone whoever came first",
    async ({ a, b }) => {
      for (let round = 0; round < 20; round++) {
        const contested = keyOf(`race${round}`);
        await insert(a, contested, { n: 1 });
        const [outcome] = await Promise.all([
          a.replace(contested, 1, write({ n: 2 })),
          b.remove(contested, "app-b"),
        ]);
        holds("replace() against remove()", outcome !== "changed", '"done" or "gone"', outcome);
        same("read() after both", await a.read(contested), null);
      }
    },
  ],
  [
    "touch(): begins the idle time anew, and leaves data, version, holder and what is not there",
    async ({ a, b }) => {
      await insert(a, key, { n: 1 }, { holder: "app-a" });
      await sleep(120);
      await b.touch([
        { key: keyOf("never"), idleTimeoutMs: hourMs },
        { key, idleTimeoutMs: 2 * hourMs },
      ]);
      const row = await rowOf(a, key);
      within("idleForMs just after touch()", row.idleForMs, 0, Math.max(110, row.ageMs - 110));
      const expected = { data: { n: 1 }, version: 1, holder: "app-a", idleTimeoutMs: 2 * hourMs };
      await checkRow("after touch()", b, key, expected);
      same("read() of a key that was touched and never was", await a.read(keyOf("never")), null);
      await a.touch([]);
      same("replace() of version 1 after touches", await a.replace(key, 1, write({ n: 2 })), "done");
    },
  ],
  [
    "touch(): a thousand at once, half of which are not there",
    async ({ a, b }) => {
      const keys = Array.from({ length: 500 }, (_, number) => keyOf(number));
      await each(keys, (each) => insert(a, each, {}));
      const touches = [...keys, ...keys.map((each) => `x${each.slice(1)}`)];
      await b.touch(touches.map((each) => ({ key: each, idleTimeoutMs: 2 * hourMs })));
      same("count() afterwards", await a.count(), 500);
      for (const each of [keys[0]!, keys[250]!, keys[499]!])
        same(`idleTimeoutMs of ${each}`, (await rowOf(a, each)).idleTimeoutMs, 2 * hourMs);
    },
  ],
  [
    "touch(): of the same rows by two processes in opposite order, while they are changed: no deadlock",
    async ({ a, b }) => {
      const keys = Array.from({ length: 100 }, (_, number) => keyOf(number));
      await each(keys, (each) => insert(a, each, { n: 0 }));
      const touches = keys.map((each) => ({ key: each, idleTimeoutMs: 2 * hourMs }));
      const rounds = async (engine: SessionEngine, order: typeof touches): Promise<void> => {
        for (let round = 0; round < 10; round++) await engine.touch(order);
      };
      const outcomes = await Promise.all([
        rounds(a, touches),
        rounds(b, touches.toReversed()),
        each(keys.toReversed(), (each) => a.replace(each, 1, write({ n: 1 }))),
        each(keys.slice(0, 20), (each) => b.remove(each, "app-b")),
      ]);
      for (const outcome of outcomes[2]!.slice(0, 80)) same("replace() meanwhile", outcome, "done");
      same("count() afterwards", await a.count(), 80);
    },
  ],
  [
    "list(): living rows in the order of their keys' bytes, page by page; keys that differ in case alone are two",
    async ({ a, b }) => {
      const names = [..."aAbB09-_zZ"].map((first) => first.padEnd(23, "x"));
      const keys = names.flatMap((name) => [`${name}-`, `${name}A`, `${name}a`, `${name}_`]);
      await each(keys, (each) => insert(a, each, { key: each }));
      keys.sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
      for (const pageMax of [7, keys.length, 1_000]) {
        const found: string[] = [];
        for (let after = ""; ; ) {
          const page = await b.list(after, pageMax);
          within(`rows of one page with rowsMax ${pageMax}`, page.length, 0, pageMax);
          found.push(...page.map((row) => row.key));
          if (page.length < pageMax) break;
          after = page.at(-1)!.key;
        }
        same(`all keys by pages of ${pageMax}`, found, keys);
      }
      const behind = await a.list(`${"Z".padEnd(23, "x")}B`, 1);
      const next = keys.find((each) => each > `${"Z".padEnd(23, "x")}B`);
      same("the first one behind a key that is not there", behind[0]?.key, next);
      same("the list behind the last one", await a.list(keys.at(-1)!, 10), []);
      for (const each of [keys[0]!, keys[20]!])
        same(
          `read() of ${each}`,
          (await rowOf(b, each)).data,
          (await a.list("", 100)).find((r) => r.key === each)?.data,
        );
    },
  ],
  [
    "count(): living rows, in whichever process they were made",
    async (bench) => {
      same("count() of an empty table", await bench.a.count(), 0);
      await each(byTurns(bench, 100), ([engine, n]) => insert(engine, keyOf(n), {}));
      await bench.b.remove(keyOf(7), "app-b");
      for (const engine of [bench.a, bench.b]) same("count()", await engine.count(), 99);
    },
  ],
  [
    "close(): what is under way ends, one way or the other",
    async ({ suite, a, connect }) => {
      const engine = suite.isForOneProcess ? a : connect();
      if (engine !== a) await engine.open();
      const underWay = Array.from({ length: 30 }, (_, n) => engine.insert(keyOf(n), write({ n }), newborn));
      const ended = Promise.allSettled(underWay);
      await settles("close() with 30 insert()s under way", engine.close(), 10_000);
      const outcomes = await settles("30 insert()s under way at close()", ended, 10_000);
      const failures = outcomes.filter((outcome) => outcome.status === "rejected");
      for (const { reason } of failures)
        holds("what an operation is rejected with", reason instanceof Error, "an Error", reason);
    },
  ],
];
