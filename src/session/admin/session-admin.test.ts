/** What operators do with the sessions of a server that keeps them alone; those on two servers: test/integration/cli-sessions.test.ts. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { silentLog } from "../../support/log.ts";
import { Entry } from "../entry.ts";
import { idOfKey, SessionIds, slotCount, slotOfKey, type VerifiedId } from "../id.ts";
import { MemoryStore } from "../memory-store.ts";
import { endless } from "../snapshot.ts";
import { MemoryAdmin } from "./memory-admin.ts";
import type { LivingSession } from "./session-admin.ts";
import { SlotSet } from "./slot-set.ts";

const idleTimeoutMs = 1_000;

function setUp(sessionsMax = 100): { store: MemoryStore; admin: MemoryAdmin; pass: (ms: number) => void } {
  let now = 0;
  const store = new MemoryStore({
    ids: new SessionIds(Buffer.alloc(32, "key"), null, "app"),
    ...{ letter: "a", processIndex: 0, random: Math.random, log: silentLog, sessionsMax },
    clock: { now: () => now, after: () => ({ cancel: () => {} }) },
  });
  const pass = (ms: number): void => {
    now += ms;
  };
  return { store, admin: new MemoryAdmin(store, "app-a"), pass };
}

function make(store: MemoryStore, value: unknown): VerifiedId {
  const id = store.newId();
  store.create(id, new Map([["n", Entry.of("n", value)]]), idleTimeoutMs, endless, assert.ifError);
  return id;
}

function all(admin: MemoryAdmin, bytesMax: number): LivingSession[] {
  const found: LivingSession[] = [];
  for (let slot = 0; slot < slotCount; slot++) {
    for (let after = ""; ; ) {
      let page: readonly LivingSession[] = [];
      admin.page(slot, after, bytesMax, (_error, sessions) => {
        page = sessions;
      });
      if (page.length === 0) break;
      after = page.at(-1)!.key;
      found.push(...page);
    }
  }
  return found;
}

function nOf(admin: MemoryAdmin, key: string): string | null {
  let text: string | null = null;
  admin.find(slotOfKey(key), key, (_error, session) => {
    text = session?.entries.get("n")?.text ?? null;
  });
  return text;
}

suite("sessions of a server that keeps them alone", () => {
  test("all are listed once, whatever a page holds; to look at them is no use of them", () => {
    const { store, admin, pass } = setUp();
    const ids = Array.from({ length: 50 }, (_, n) => make(store, n));
    // Two of them in one slot.
    const twin = idOfKey(`${ids[0]!.key.slice(0, 2)}${"-".repeat(22)}`);
    store.create(twin, new Map(), idleTimeoutMs, endless, assert.ifError);
    const keys = [...ids, twin].map(({ key }) => key).sort();
    for (const bytesMax of [1, 1_000_000]) {
      const found = all(admin, bytesMax);
      assert.deepEqual(found.map(({ key }) => key).sort(), keys);
    }
    pass(idleTimeoutMs - 1);
    assert.equal(all(admin, 1).length, 51);
    pass(1);
    assert.equal(all(admin, 1).length, 0);
  });

  test("one that ended in the middle of a walk is not listed any more", () => {
    const { store, admin } = setUp();
    const { key, slot } = make(store, 1);
    admin.end(slot, key, assert.ifError);
    admin.page(slot, "", 1, (_error, sessions) => assert.deepEqual(sessions, []));
    assert.equal(store.count, 0);
  });

  test("put in the place of one, nothing of that is left", () => {
    const { store, admin } = setUp();
    const { key, slot } = make(store, 1);
    const other = new Map([["m", Entry.of("m", 2)]]);
    admin.put(slot, { key, entries: other, idleTimeoutMs, idleForMs: 999, ...endless }, assert.ifError);
    assert.equal(nOf(admin, key), null);
    assert.equal(store.count, 1);
    const { bytes } = store;
    admin.put(slot, { key, entries: other, idleTimeoutMs, idleForMs: 0, ...endless }, assert.ifError);
    assert.equal(store.bytes, bytes);
  });

  test("where all places are taken none is put, so that no visitor's has to go", () => {
    const { store, admin } = setUp(2);
    const ids = [make(store, 1), make(store, 2)];
    const key = "A".repeat(24);
    admin.put(0, { key, entries: new Map(), idleTimeoutMs, idleForMs: 0, ...endless }, (error) =>
      assert.equal(error?.code, "FLOTILLA_SESSION_FULL"),
    );
    assert.deepEqual(
      ids.map((id) => nOf(admin, id.key)),
      ["1", "2"],
    );
  });
});

test("a set of slots: as text and back, one out of another", () => {
  const some = SlotSet.none();
  for (const slot of [0, 7, 8, 4_095]) some.add(slot);
  const back = SlotSet.read(some.text)!;
  assert.equal(back.size, 4);
  assert.deepEqual([back.next(0), back.next(1), back.next(9)], [0, 7, 4_095]);
  const rest = SlotSet.all();
  rest.subtract(back);
  assert.deepEqual([rest.size, rest.has(7), rest.next(0)], [slotCount - 4, false, 1]);
  back.remove(4_095);
  assert.equal(back.next(9), -1);
  for (const text of ["", "AA", 7, null, `${some.text}AAAA`]) assert.equal(SlotSet.read(text), null);
});
