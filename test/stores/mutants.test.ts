/** The suite for engines finds engines that break a rule: each of these does one thing wrong. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { onEmptyDatabase } from "../../src/session/conformance/engine-bench.ts";
import { dataRules } from "../../src/session/conformance/engine-data.ts";
import { noticeRules } from "../../src/session/conformance/engine-notices.ts";
import { rowRules } from "../../src/session/conformance/engine-rows.ts";
import { tableRules } from "../../src/session/conformance/engine-table.ts";
import { timeRules } from "../../src/session/conformance/engine-times.ts";
import type { SessionEngine } from "../../src/session/stores/engine.ts";
import { MemoryDatabase, MemoryEngine } from "../harness/memory-engine.ts";

type Mutate = (engine: MemoryEngine, database: MemoryDatabase) => Partial<SessionEngine>;

/** The text that the name of the first rule has which it breaks. */
const mutants: Readonly<Record<string, readonly [rule: string, mutate: Mutate]>> = {
  "insert() writes over what is there": [
    "insert(): what is there stays",
    (engine, { rows }) => ({
      insert: (key, write, life) => {
        rows.delete(key);
        return engine.insert(key, write, life);
      },
    }),
  ],
  "replace() does not look at the version": [
    "replace(): with another version",
    (engine, { rows }) => ({
      replace: (key, version, write) => engine.replace(key, rows.get(key)?.version ?? version, write),
    }),
  ],
  "replace() compares and then sets": [
    "replace(): of 50 at once",
    (engine, { rows }) => ({
      replace: async (key, version, write) => {
        const found = rows.get(key)?.version;
        if (found !== undefined && found !== version) return "changed";
        await new Promise((resolve) => setImmediate(resolve));
        return engine.replace(key, rows.get(key)?.version ?? version, write);
      },
    }),
  ],
  "replace() makes what is gone": [
    "replace(): never makes a row",
    (engine) => ({
      replace: async (key, version, write) => {
        const outcome = await engine.replace(key, version, write);
        if (outcome === "gone")
          await engine.insert(key, write, { ageMs: 0, absoluteTimeoutMs: Number.POSITIVE_INFINITY });
        return outcome;
      },
    }),
  ],
  "remove() does nothing": ["replace(): never makes a row", () => ({ remove: async () => {} })],
  "touch() does nothing": ["touch(): begins the idle time anew", () => ({ touch: async () => {} })],
  "touch() counts as a write": [
    "touch(): begins the idle time anew",
    (engine, { rows }) => ({
      touch: async (touches) => {
        await engine.touch(touches);
        for (const { key } of touches) if (rows.has(key)) rows.get(key)!.version++;
      },
    }),
  ],
  "keys do not differ by case": [
    "list(): living rows in the order",
    (engine) => ({
      insert: (key, write, life) => engine.insert(key.toLowerCase(), write, life),
      read: (key) => engine.read(key.toLowerCase()),
    }),
  ],
  "list() goes by a language's order": [
    "list(): living rows in the order",
    (engine) => ({
      list: async (after, rowsMax) => {
        const all = await engine.list("", 10_000);
        const rows = all.filter(({ key }) => key.localeCompare(after) > 0);
        return rows.sort((one, other) => one.key.localeCompare(other.key)).slice(0, rowsMax);
      },
    }),
  ],
  "count() goes by rows": [
    "what has ended is as what is not there",
    (_, { rows }) => ({ count: async () => rows.size }),
  ],
  "read() is a use": [
    "a row that nobody uses ends",
    (engine) => ({
      read: async (key) => {
        const row = await engine.read(key);
        if (row !== null) await engine.touch([{ key, idleTimeoutMs: row.idleTimeoutMs }]);
        return row;
      },
    }),
  ],
  "removeExpired() removes what lives": [
    "removeExpired(): from two processes",
    (engine, { rows }) => ({
      removeExpired: async (rowsMax) => {
        rows.delete([...rows.keys()].find((key) => key.startsWith("kl")) ?? "");
        return engine.removeExpired(rowsMax);
      },
    }),
  ],
  "data lose what is beyond the first plane": [
    "data come back",
    (engine) => ({
      insert: (key, write, life) =>
        engine.insert(key, { ...write, data: write.data.replaceAll(/[\u{10000}-\u{10ffff}]/gu, "?") }, life),
    }),
  ],
  "a writer is told of itself": [
    "the holder is told when another process",
    (engine) => ({
      replace: (key, version, write) => engine.replace(key, version, { ...write, writer: "somebody" }),
    }),
  ],
  "nobody is told of a removal": [
    "the holder is told when another process",
    (engine, { rows }) => ({
      remove: (key) => engine.remove(key, rows.get(key)?.holder ?? ""),
    }),
  ],
  "prove() does not wait for notices": [
    "the holder is told when another process",
    (engine) => ({
      listen: (holder, onChanged) => engine.listen(holder, (key) => void setTimeout(onChanged, 20, key)),
    }),
  ],
};

const rules = [...tableRules, ...rowRules, ...noticeRules, ...dataRules, ...timeRules];

function engineOf(database: MemoryDatabase, mutate: Mutate): SessionEngine {
  const engine = new MemoryEngine(database);
  const wrong = mutate(engine, database);
  return new Proxy(engine as SessionEngine, {
    get(target, name) {
      const value = Reflect.get(wrong, name) ?? Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

// Most of the rules wait.
describe("an engine that breaks a rule is found", { concurrency: true }, () => {
  for (const [what, [expected, mutate]] of Object.entries(mutants))
    test(what, async () => {
      const suite = {
        name: what,
        open: async () => {
          const database = new MemoryDatabase();
          return { connect: () => engineOf(database, mutate), end: async () => {} };
        },
      };
      for (const [rule, check] of rules) {
        const failure = await onEmptyDatabase(suite, check).then(
          () => null,
          (error: unknown) => error as Error,
        );
        if (failure === null) continue;
        assert.ok(rule.startsWith(expected), `${rule}: ${failure.stack}`);
        assert.match(failure.message, /\n {2}expected: .+\n {2}came: {5}/s);
        return;
      }
      assert.fail("no rule was broken");
    });
});
