import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Clock, seededRandom, type Timer } from "../support/clock.ts";
import type { Log } from "../support/log.ts";
import { Entry, type SessionChanges, type SessionEntries } from "./entry.ts";
import { SessionIds, type VerifiedId } from "./id.ts";
import { MemoryStore, type MemoryStoreOptions } from "./memory-store.ts";
import { endless } from "./snapshot.ts";

/** Time that moves only when told. */
class HandClock implements Clock {
  time = 0;
  timers: { at: number; callback: () => void }[] = [];

  now(): number {
    return this.time;
  }

  after(delayMs: number, callback: () => void): Timer {
    const timer = { at: this.time + delayMs, callback };
    this.timers.push(timer);
    return { cancel: () => void this.timers.splice(this.timers.indexOf(timer), 1) };
  }

  pass(ms: number): void {
    const end = this.time + ms;
    for (;;) {
      const next = this.timers.toSorted((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > end) break;
      this.timers.splice(this.timers.indexOf(next), 1);
      this.time = next.at;
      next.callback();
    }
    this.time = end;
  }
}

function setUp(options: Partial<MemoryStoreOptions> = {}) {
  const clock = new HandClock();
  const told: string[] = [];
  const log = { warn: (_fields: object, text: string) => told.push(text) } as unknown as Log;
  const ids = new SessionIds(Buffer.alloc(32), null, "app");
  const random = seededRandom(1);
  const store = new MemoryStore({ ids, letter: "c", processIndex: 2, clock, random, log, ...options });
  const create = (idleTimeoutMs = 1_000, data: Record<string, unknown> = {}): VerifiedId => {
    const id = store.newId();
    store.create(id, changes(data), idleTimeoutMs, endless, (error) => assert.equal(error, null));
    return id;
  };
  return { clock, store, told, create };
}

function changes(data: Record<string, unknown>): SessionChanges {
  return new Map(
    Object.entries(data).map(([key, value]) => [key, value === undefined ? null : Entry.of(key, value)]),
  );
}

function read(store: MemoryStore, id: VerifiedId): Record<string, unknown> | null {
  let found: SessionEntries | null = null;
  store.load(id, (error, entries) => {
    assert.equal(error, null);
    found = entries;
  });
  return found === null
    ? null
    : Object.fromEntries([...(found as SessionEntries)].map(([k, e]) => [k, e.take()]));
}

function update(store: MemoryStore, id: VerifiedId, data: Record<string, unknown>): string {
  let code = "";
  store.update(id, changes(data), 1_000, (error) => {
    code = error?.code ?? "";
  });
  return code;
}

describe("the memory store", () => {
  test("ends at its absolute age, however it is used, and not before; a saved one is as old as it was", () => {
    const { clock, store } = setUp();
    const [id, taken, endlessId] = [store.newId(), store.newId(), store.newId()];
    const life = { ageMs: 0, absoluteTimeoutMs: 5_000 };
    store.create(id, changes({ a: 1 }), 1_000, life, () => {});
    store.create(endlessId, changes({ a: 1 }), 1_000, endless, () => {});
    const entries = new Map([["a", Entry.of("a", 1)]]);
    store.restore({
      ...{
        key: taken.key,
        entries,
        idleTimeoutMs: 1_000,
        idleForMs: 0,
        absoluteTimeoutMs: 5_000,
        ageMs: 3_000,
      },
    });
    for (let age = 0; age < 10_000; age += 500) {
      const left = [id, taken, endlessId].map((each) => read(store, each) !== null);
      assert.deepEqual(left, [age < 5_000, age < 2_000, true], `${age} ms`);
      store.update(id, changes({ a: age }), 1_000, () => {});
      clock.pass(500);
    }
  });

  test("refuses an idle timeout that is no time, changes nothing, and keeps nothing longer than ten years", () => {
    const { clock, store, create } = setUp();
    const id = create(1_000, { a: 1 });
    for (const timeoutMs of [Number.NaN, 0, -1, Number.NEGATIVE_INFINITY, "7" as unknown as number]) {
      const told: unknown[] = [];
      const done = (error: { code: string } | null): number => told.push(error?.code);
      const other = store.newId();
      store.create(other, changes({ a: 1 }), timeoutMs, endless, done);
      store.update(id, changes({ a: 2 }), timeoutMs, done);
      store.compareAndSet(id, changes({ a: 2 }), new Map([["a", "1"]]), timeoutMs, done);
      store.touch(id, timeoutMs);
      assert.deepEqual(told, Array(3).fill("FLOTILLA_SESSION_COOKIE"));
      assert.equal(read(store, other), null);
    }
    assert.deepEqual(read(store, id), { a: 1 });
    clock.pass(1_000);
    assert.equal(read(store, id), null, "still of one second");
    const long = create(Number.POSITIVE_INFINITY);
    assert.equal([...store.freeze()].find(({ key }) => key === long.key)!.idleTimeoutMs, 315_360_000_000);
  });

  test("names its server in its ids", () => {
    const { store } = setUp();
    const id = store.newId();
    assert.deepEqual([id.owner, id.backup, id.processIndex], ["c", "-", 2]);
    assert.equal(store.count, 0, "nothing is kept before it is created");
  });

  test("changes the named keys only", () => {
    const { store, create } = setUp();
    const id = create(1_000, { a: 1, b: 2, c: 3 });
    assert.equal(update(store, id, { b: 20, c: undefined, d: 4 }), "");
    assert.deepEqual(read(store, id), { a: 1, b: 20, d: 4 });
  });

  test("A41: destroyed stays destroyed, whoever saves or touches it later", () => {
    const { store, create } = setUp();
    const id = create();
    store.destroy(id, (error) => assert.equal(error, null));
    assert.equal(update(store, id, { a: 1 }), "FLOTILLA_SESSION_GONE");
    store.touch(id, 1_000);
    assert.equal(read(store, id), null);
    assert.deepEqual([store.count, store.bytes], [0, 0]);
    store.destroy(id, (error) => assert.equal(error, null, "twice is no error"));
  });

  test("expires exactly at a look-up, and a use begins the time anew", () => {
    const { clock, store, create } = setUp();
    const id = create(1_000);
    clock.pass(999);
    assert.ok(read(store, id));
    clock.pass(999);
    store.touch(id, 1_000);
    clock.pass(999);
    assert.ok(read(store, id));
    clock.pass(1_000);
    assert.equal(read(store, id), null);
  });

  test("frees the expired without a look-up, and rests when it is empty", () => {
    const { clock, store, create } = setUp();
    for (let i = 0; i < 100; i++) create(10_000);
    const long = create(1_000_000);
    clock.pass(12_500);
    assert.equal(store.count, 1);
    assert.ok(read(store, long));
    clock.pass(2_000_000);
    assert.deepEqual([store.count, store.bytes, clock.timers.length], [0, 0, 0]);
  });

  test("is bounded in sessions: the longest idle one makes room, told once a minute", () => {
    const { clock, store, told, create } = setUp({ sessionsMax: 3 });
    const [first, second, third] = [create(60_000), create(600_000), create(60_000)];
    clock.pass(10);
    read(store, first!);
    read(store, third!);
    clock.pass(10);
    create();
    assert.equal(read(store, second!), null);
    assert.ok(read(store, first!) && read(store, third!));
    for (let i = 0; i < 10; i++) create(1_000_000);
    assert.equal(store.count, 3);
    assert.equal(told.length, 1);
    clock.pass(60_000);
    create();
    assert.equal(told.length, 2);
    assert.match(told[1]!, /^sessions are full \(3, \d+ bytes\): 1[01] of the longest idle made room/);
  });

  test("is bounded in bytes, and counts every byte once", () => {
    const { store, create } = setUp({ memoryBytesMax: 50_000 });
    const made = Array.from({ length: 20 }, () => create(1_000, { data: "x".repeat(9_000) }));
    assert.ok(store.bytes <= 50_000 && store.count === 5, `${store.bytes} bytes, ${store.count} sessions`);
    update(store, made.at(-1)!, { data: "" });
    for (const id of made) store.destroy(id, () => {});
    assert.deepEqual([store.count, store.bytes], [0, 0]);
  });

  test("keeps values ready for the sessions in use, the text alone for the others", () => {
    const { store, create } = setUp({ awakeSessionsMax: 4 });
    const id = create(1_000, { cart: [1] });
    const load = (): SessionEntries => {
      let found: SessionEntries | null = null;
      store.load(id, (_error, entries) => {
        found = entries;
      });
      return found!;
    };
    const entry = load().get("cart")!;
    const value = entry.take();
    assert.ok(entry.holds(value));
    entry.giveBack(value);
    assert.equal(load().get("cart")!.take(), value);
    entry.giveBack(value);
    for (let i = 0; i < 6; i++) read(store, create(1_000, { cart: [i] }));
    assert.notEqual(load().get("cart")!.take(), value);
  });
});
