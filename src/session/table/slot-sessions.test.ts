/** A table against a plain map: what is awake, asleep, changing, dropped. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Entry, noEntries, type SessionEntries } from "../entry.ts";
import { endless, type SessionSnapshot } from "../snapshot.ts";
import { KeptSession } from "./kept-session.ts";
import { LongestIdle } from "./longest-idle.ts";
import { SessionMemory } from "./session-memory.ts";
import { SlotSessions } from "./slot-sessions.ts";

const small = { awakeSessionsMax: 4, segmentBytes: 4_096 };

function entriesOf(n: number, length = 10): SessionEntries {
  return new Map([["n", Entry.of("n", `${n}`.padEnd(length, "x"))]]);
}

function snapshot(key: string, entries: SessionEntries): SessionSnapshot {
  return { ...endless, key, entries, idleTimeoutMs: 1_000, idleForMs: 0 };
}

/** As an owner alone would. */
function write(
  table: SlotSessions,
  key: string,
  entries: SessionEntries,
  now: number,
  timeoutMs = 1_000,
): void {
  let session = table.get(key);
  if (session === undefined) {
    session = new KeptSession(key, timeoutMs);
    table.set(session);
  }
  session.tip = entries;
  table.setEntries(session, entries);
  table.use(session, now, timeoutMs);
}

function textsOf(entries: SessionEntries | null | undefined): string {
  return [...(entries ?? noEntries)].map(([key, { text }]) => key + text).join();
}

describe("the sessions of a slot", () => {
  test("agree with a plain map, awake or asleep", () => {
    const step = fc.record({
      what: fc.constantFrom("write", "write", "read", "delete", "touch", "put", "mark", "untouch", "drop"),
      table: fc.nat(1),
      key: fc.nat(30).map((n) => `key-${n}`),
      length: fc.oneof(fc.nat(100), fc.constant(1_500)),
    });
    interface Expected {
      entries: SessionEntries;
      at: number;
      isTouched: boolean;
    }
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150, size: "max" }), (steps) => {
        const memory = new SessionMemory(small);
        const tables = [new SlotSessions(memory), new SlotSessions(memory)];
        const models: Map<string, Expected>[] = [new Map(), new Map()];
        steps.forEach(({ what, table: which, key, length }, now) => {
          const [table, model] = [tables[which]!, models[which]!];
          const known = model.get(key);
          const entries = entriesOf(now, length);
          if (what === "write") {
            write(table, key, entries, now);
            model.set(key, { isTouched: false, ...known, entries, at: now });
          } else if (what === "put") {
            table.put(snapshot(key, entries), now - 5);
            model.set(key, { entries, at: now - 5, isTouched: false });
          } else if (what === "read") {
            const session = table.get(key);
            assert.equal(textsOf(session?.entries), textsOf(known?.entries));
            assert.deepEqual([session?.lastUsedAt, session?.isTouched], [known?.at, known?.isTouched]);
          } else if (what === "delete") {
            table.delete(key);
            model.delete(key);
          } else if (what === "touch") {
            table.touch(key, now, 1_000);
            if (known !== undefined) known.at = now;
          } else if (what === "mark" && known !== undefined) {
            table.get(key)!.isTouched = true;
            known.isTouched = true;
          } else if (what === "untouch") {
            assert.equal(table.untouch(key), known?.isTouched ? 1_000 : null);
            if (known !== undefined) known.isTouched = false;
          } else if (what === "drop" && now % 7 === 0) {
            table.clear();
            model.clear();
          }
          if (now % 3 === 0) memory.tidy();
          assert.equal(table.has(key), model.has(key));
          assert.equal(table.size, model.size);
        });
        for (const [which, table] of tables.entries()) {
          const model = models[which]!;
          const values = [...table.values()];
          assert.deepEqual(values.map(({ key }) => key).sort(), [...model.keys()].sort());
          for (const { key, entries } of values)
            assert.equal(textsOf(entries), textsOf(model.get(key)!.entries));
          assert.equal(
            table.bytes,
            values.reduce((sum, { bytes }) => sum + bytes, 0),
          );
          const now = steps.length;
          assert.deepEqual(
            table.unusedSince(now - 20).sort(),
            [...model]
              .filter(([, { at }]) => at <= now - 20)
              .map(([key]) => key)
              .sort(),
          );
          assert.deepEqual(table.expired(now + 990, 0, 1_000).sort(), table.unusedSince(now - 10).sort());
          for (const key of model.keys()) table.delete(key);
          assert.deepEqual([table.size, table.bytes], [0, 0]);
        }
        memory.tidy();
        assert.equal(memory.records.liveBytes, 0);
      }),
      { seed: 66, numRuns: 300 },
    );
  });

  test("one with a change under way stays the object that it is", () => {
    const memory = new SessionMemory(small);
    const table = new SlotSessions(memory);
    const created = new KeptSession("created", 1_000);
    table.set(created);
    write(table, "changed", entriesOf(1), 0);
    const changed = table.get("changed")!;
    changed.tip = entriesOf(2);
    const ended = ((): KeptSession => {
      write(table, "ended", entriesOf(1), 0);
      return table.get("ended")!;
    })();
    ended.tip = null;
    for (let n = 0; n < 100; n++) write(table, `other-${n}`, entriesOf(n), 1);
    assert.deepEqual(
      [created, changed, ended].map((session) => table.get(session.key) === session && table.isOf(session)),
      [true, true, true],
    );
    assert.deepEqual(table.unusedSince(0), ["changed"]);
    changed.tip = changed.entries;
    for (let n = 0; n < 100; n++) table.get(`other-${n}`);
    assert.equal(table.isOf(changed), false);
    assert.equal(textsOf(table.get("changed")!.entries), textsOf(entriesOf(1)));
  });

  test("a bulk copy wakes nobody, and those in use stay awake", () => {
    const memory = new SessionMemory({ ...small, awakeSessionsMax: 20 });
    const table = new SlotSessions(memory);
    write(table, "used", entriesOf(0), 0);
    const used = table.get("used")!;
    for (let n = 0; n < 1_000; n++) table.put(snapshot(`copied-${n}`, entriesOf(n)), 0);
    assert.ok(table.isOf(used));
    assert.equal([...table.values()].length, 1_001);
    assert.ok(table.isOf(used), "nor does reading all of it");
  });

  test("what is dropped is given back in portions", () => {
    const memory = new SessionMemory();
    const tables = Array.from({ length: 50 }, () => new SlotSessions(memory));
    for (let n = 0; n < 20_000; n++) tables[n % 50]!.put(snapshot(`k${n}`, entriesOf(n, 500)), 0);
    const full = memory.records.allocatedBytes;
    for (const [index, table] of tables.entries()) if (index % 10 !== 0) table.clear();
    let turns = 0;
    while (memory.records.liveBytes > full / 9 && turns < 100) {
      memory.tidy();
      turns++;
    }
    assert.ok(turns > 2 && turns < 10, `${turns} turns`);
    assert.ok(memory.records.allocatedBytes < full / 3, `${memory.records.allocatedBytes} of ${full}`);
    for (let n = 0; n < 20_000; n += 10)
      assert.equal(
        textsOf(tables[n % 50]!.get(`k${n}`)?.entries),
        (n % 50) % 10 === 0 ? textsOf(entriesOf(n, 500)) : "",
      );
  });
});

describe("the longest idle", () => {
  test("are exactly those, over all tables, where they can all be compared", () => {
    const memory = new SessionMemory(small);
    const tables = Array.from({ length: 7 }, () => new SlotSessions(memory));
    for (let n = 0; n < 200; n++) write(tables[n % 7]!, `k${n}`, entriesOf(n), (n * 37) % 200);
    const taken: number[] = [];
    const longestIdle = new LongestIdle();
    longestIdle.take(tables, 25, (index, key) => {
      taken.push(tables[index]!.get(key)!.lastUsedAt);
      tables[index]!.delete(key);
    });
    assert.deepEqual(
      taken.sort((a, b) => a - b),
      Array.from({ length: 25 }, (_, at) => at),
    );
    longestIdle.take(tables, 1_000, (index, key) => tables[index]!.delete(key));
    assert.equal(
      tables.reduce((sum, { size }) => sum + size, 0),
      0,
    );
    longestIdle.take([], 1, () => assert.fail());
  });

  test("of very many are among the oldest of those that were compared, others each time", () => {
    const memory = new SessionMemory();
    const tables = Array.from({ length: 100 }, () => new SlotSessions(memory));
    for (let n = 0; n < 50_000; n++) tables[n % 100]!.put(snapshot(`k${n}`, noEntries), n);
    const longestIdle = new LongestIdle();
    const ended = new Set<string>();
    for (let i = 0; i < 5; i++)
      longestIdle.take(tables, 100, (index, key) => {
        ended.add(key);
        tables[index]!.delete(key);
      });
    assert.equal(ended.size, 500);
    assert.ok([...ended].every((key) => Number(key.slice(1)) < 1_000));
  });
});
