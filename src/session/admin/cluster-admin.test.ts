/** What operators see of a slot whose sessions are partly in memory, partly on disk alone: each once, the newest of it. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { ClusterStore } from "../cluster/cluster-store.ts";
import type { SessionNode } from "../cluster/node.ts";
import { Role } from "../cluster/slot.ts";
import { Entry } from "../entry.ts";
import { endless } from "../snapshot.ts";
import { SessionMemory } from "../table/session-memory.ts";
import { SlotSessions } from "../table/slot-sessions.ts";
import { ClusterAdmin } from "./cluster-admin.ts";
import type { LivingSession } from "./session-admin.ts";

const slot = 0;

function keyOf(n: number): string {
  return `AA${String(n).padStart(22, "0")}`;
}

function sessionOf(n: number, value: string): LivingSession {
  const entries = new Map([["v", Entry.of("v", value)]]);
  return { key: keyOf(n), entries, idleTimeoutMs: 1_000, idleForMs: 0, ...endless };
}

/** A process that serves one slot, as far as `ClusterAdmin` looks at it. */
class Site {
  readonly memory: SlotSessions = new SlotSessions(new SessionMemory());
  readonly disk = new Map<string, LivingSession>();
  /** Sessions that are over, which the disk does not know yet. */
  readonly over = new Set<string>();
  /** Ended where they are, without a look at them. */
  readonly endedOnDisk: string[] = [];
  readonly destroyed: string[] = [];
  awaited = "";
  busy = "";
  serves = true;
  hasMore = true;
  readonly admin: ClusterAdmin;
  readonly #asked: (() => void)[] = [];

  constructor() {
    const copy = { role: Role.owner, backup: null, sessions: this.memory, onDisk: this };
    const disk = {
      sessions: 3,
      bytes: 300,
      read: (_slot: number, key: string, done: (error: null, session: LivingSession | null) => void) =>
        this.#asked.push(() => done(null, this.disk.get(key) ?? null)),
      readAfter: (
        _slot: number,
        key: string,
        _bytes: number,
        done: (error: null, all: LivingSession[]) => void,
      ) => {
        // Two at a time.
        const all = [...this.disk.values()].filter((session) => session.key > key);
        all.sort((one, other) => (one.key < other.key ? -1 : 1));
        this.#asked.push(() => done(null, all.slice(0, 2)));
      },
    };
    const node = {
      owner: {
        mayShow: () => this.serves,
        isAwaited: (key: string) => key === this.awaited,
        endOnDisk: (_copy: object, key: string, done: (error: null) => void) => {
          this.endedOnDisk.push(key);
          done(null);
        },
      },
      remote: { isBusy: (key: string) => key === this.busy },
      context: {
        slots: [copy],
        clock: { now: () => 0 },
        options: { disk },
        disk: {
          hold: () => () => {},
          isCold: (_copy: object, key: string) =>
            this.hasMore && !this.memory.has(key) && !this.over.has(key),
        },
      },
    };
    const store = {
      destroy: ({ key }: { key: string }, done: (error: null) => void) => {
        this.destroyed.push(key);
        done(null);
      },
    };
    this.admin = new ClusterAdmin(node as unknown as SessionNode, store as unknown as ClusterStore);
  }

  /** The disk answers; something may have happened meanwhile. */
  answer(): void {
    for (let next = this.#asked.shift(); next !== undefined; next = this.#asked.shift()) next();
  }

  keep(n: number, value: string): void {
    this.memory.put(sessionOf(n, value), 0);
  }

  store(n: number, value: string): void {
    this.disk.set(keyOf(n), sessionOf(n, value));
  }

  /** All pages, as "number:value"; null: it was told to ask elsewhere. */
  list(bytesMax: number, meanwhile: () => void = () => {}): string[] | null {
    const found: string[] = [];
    for (let after = ""; ; ) {
      let page: readonly LivingSession[] | null = null;
      this.admin.page(slot, after, bytesMax, (error, sessions) => {
        page = error === null ? sessions : null;
      });
      meanwhile();
      this.answer();
      const told = page as readonly LivingSession[] | null;
      if (told === null) return null;
      if (told.length === 0) return found;
      after = told.at(-1)!.key;
      for (const { key, entries } of told)
        found.push(`${Number(key.slice(2))}:${JSON.parse(entries.get("v")!.text)}`);
    }
  }
}

suite("a slot with a disk", () => {
  for (const bytesMax of [1, 1_000_000])
    test(`all pages: memory and disk, in the order of keys, pages of ${bytesMax} bytes`, () => {
      const site = new Site();
      for (const n of [1, 4, 5, 7, 8, 9]) site.store(n, "old");
      // One that only memory has before, between and behind those on disk, and a newer state of one.
      for (const n of [0, 4, 6, 10]) site.keep(n, "new");
      for (const n of [7, 8, 9]) site.over.add(keyOf(n));
      assert.deepEqual(site.list(bytesMax), ["0:new", "1:old", "4:new", "5:old", "6:new", "10:new"]);
    });

  test("what ends, comes or is fetched while the disk is asked", () => {
    const site = new Site();
    for (const n of [1, 2]) site.store(n, "old");
    const told = site.list(1_000_000, () => {
      site.over.add(keyOf(1));
      site.keep(2, "new");
    });
    assert.deepEqual(told, ["2:new"]);
  });

  test("served by another one meanwhile: nothing is told", () => {
    const site = new Site();
    site.store(1, "old");
    const told = site.list(1, () => {
      site.serves = false;
    });
    assert.equal(told, null);
  });

  test("one session: from disk, newer in memory, over, or nowhere", () => {
    const site = new Site();
    for (const n of [1, 2, 3]) site.store(n, "old");
    site.keep(2, "new");
    site.over.add(keyOf(3));
    const found = [1, 2, 3, 4].map((n) => {
      let value = "not told";
      site.admin.find(slot, keyOf(n), (_error, session) => {
        value = session === null ? "none" : JSON.parse(session.entries.get("v")!.text);
      });
      site.answer();
      return value;
    });
    assert.deepEqual(found, ["old", "new", "none", "none"]);
  });

  test("an end of one that only the disk has reads nothing, unless others are at it", () => {
    const site = new Site();
    for (const n of [1, 2, 3, 4]) site.store(n, "old");
    site.keep(2, "new");
    site.busy = keyOf(3);
    site.awaited = keyOf(4);
    const ended: (string | undefined)[] = [];
    for (const n of [1, 2, 3, 4]) site.admin.end(slot, keyOf(n), (error) => ended.push(error?.code));
    assert.deepEqual(site.endedOnDisk, [keyOf(1)]);
    assert.deepEqual(site.destroyed, [2, 3, 4].map(keyOf));
    site.serves = false;
    site.admin.end(slot, keyOf(1), (error) => ended.push(error?.code));
    assert.deepEqual(ended, [undefined, undefined, undefined, undefined, "FLOTILLA_SESSION_ELSEWHERE"]);
  });

  test("counts tell memory and disk apart", () => {
    const site = new Site();
    site.keep(1, "new");
    const { owned, onDisk } = site.admin.counts();
    assert.deepEqual([owned.sessions, onDisk], [1, { sessions: 3, bytes: 300 }]);
  });
});
