/** An app server's answers about its sessions: bounded, in turns, and to nobody's harm whatever is asked. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { JsonText } from "../admin/service.ts";
import type { Server } from "../config/model.ts";
import { MemoryAdmin } from "../session/admin/memory-admin.ts";
import type { OutcomesAnswer, PageAnswer, ShowAnswer } from "../session/admin/questions.ts";
import { elsewhere, type SessionAdmin } from "../session/admin/session-admin.ts";
import { SlotSet } from "../session/admin/slot-set.ts";
import { Entry } from "../session/entry.ts";
import { SessionIds, slotCount, slotOfKey } from "../session/id.ts";
import { MemoryStore } from "../session/memory-store.ts";
import { endless } from "../session/snapshot.ts";
import { systemClock } from "../support/clock.ts";
import { sessionAdmin as limits } from "../support/limits.ts";
import { silentLog } from "../support/log.ts";
import { sessionAnswers } from "./session-questions.ts";

const server = { name: "app-a", letter: "a", processIndex: 2 } as Server;

class Site {
  readonly keys: string[] = [];
  readonly admin: MemoryAdmin;
  readonly #store: MemoryStore;
  readonly #answers: ReturnType<typeof sessionAnswers>;

  /** @param change of what it offers. */
  constructor(
    count: number,
    text: string,
    change: (admin: SessionAdmin) => SessionAdmin | null = (admin) => admin,
  ) {
    const ids = new SessionIds(Buffer.alloc(32, "key"), null, "app");
    this.#store = new MemoryStore({
      ...{ ids, letter: "a", processIndex: 2, clock: systemClock, random: Math.random, log: silentLog },
    });
    for (let n = 0; n < count; n++) {
      const id = this.#store.newId();
      const entries = new Map([
        ["n", Entry.of("n", n % 2)],
        ["text", Entry.of("text", text)],
      ]);
      this.#store.create(id, entries, 60_000, endless, assert.ifError);
      this.keys.push(id.key);
    }
    this.admin = new MemoryAdmin(this.#store, "app-a");
    this.#answers = sessionAnswers(server, () => change(this.admin));
  }

  get count(): number {
    return this.#store.count;
  }

  async ask<T>(ask: string, content: unknown): Promise<{ readonly answer: T; readonly length: number }> {
    const given = await this.#answers[ask]!({ ask, content });
    const text = given instanceof JsonText ? given.text : JSON.stringify(given);
    return { answer: JSON.parse(text) as T, length: text.length };
  }
}

const firstPage = { slots: SlotSet.all().text, after: "", where: null, isForKeys: false };

suite("pages", () => {
  test("each has about as much as it may; together they have all, once", async () => {
    const site = new Site(3_000, "x".repeat(1_000));
    const keys: string[] = [];
    const slots = SlotSet.all();
    for (let question = firstPage; ; ) {
      const { answer, length } = await site.ask<PageAnswer>("sessions-page", question);
      assert.ok(length < limits.pageBytes + 10_000, `${length} bytes`);
      keys.push(...answer.sessions.map((session) => (session as { key: string }).key));
      slots.subtract(SlotSet.read(answer.finished)!);
      if (answer.next === null) break;
      assert.equal(slotOfKey(answer.next.after), answer.next.slot);
      question = { ...question, slots: slots.text, after: answer.next.after };
    }
    assert.deepEqual(keys.sort(), site.keys.sort());
    assert.equal(slots.size, 0);
  });

  test("others have their turn in between, however slow it is", async (t) => {
    let turns = 0;
    const others = (): void => {
      turns++;
      turn = setImmediate(others);
    };
    let turn = setImmediate(others);
    t.after(() => clearImmediate(turn));
    const site = new Site(5, "x", (admin) =>
      Object.assign(Object.create(admin) as SessionAdmin, {
        page(_slot: number, _after: string, _bytes: number, done: (error: null, all: unknown[]) => void) {
          const until = performance.now() + limits.turnMs;
          while (performance.now() < until);
          done(null, []);
        },
      }),
    );
    const slots = SlotSet.none();
    for (let slot = 0; slot < 20; slot++) slots.add(slot);
    await site.ask<PageAnswer>("sessions-page", { ...firstPage, slots: slots.text });
    assert.ok(turns >= 19, `${turns} turns`);
  });

  test("with a condition, keys alone; the letter and the process are told with whole ones", async () => {
    const site = new Site(20, "x");
    const where = { name: "n", text: "1" };
    const { answer } = await site.ask<PageAnswer>("sessions-page", { ...firstPage, where, isForKeys: true });
    assert.deepEqual([...answer.sessions].sort(), site.keys.filter((_, n) => n % 2 === 1).sort());
    const whole = await site.ask<PageAnswer>("sessions-page", firstPage);
    assert.equal((whole.answer.sessions[0] as { owner: string }).owner, "a2");
  });

  test("slots that are served elsewhere, or move away meanwhile, are not finished", async () => {
    const site = new Site(5, "x", (admin) =>
      Object.assign(Object.create(admin) as SessionAdmin, {
        page: (
          slot: number,
          _after: string,
          _bytes: number,
          done: (error: unknown, all: unknown[]) => void,
        ) => (slot < slotCount / 2 ? done(elsewhere(), []) : done(null, [])),
      }),
    );
    const { answer } = await site.ask<PageAnswer>("sessions-page", firstPage);
    const finished = SlotSet.read(answer.finished)!;
    assert.deepEqual([finished.size, finished.next(0), answer.next], [slotCount / 2, slotCount / 2, null]);
  });
});

suite("one session, and changes", () => {
  test("values are told only when they are wanted", async () => {
    const site = new Site(1, "secret");
    const [key] = site.keys;
    const hidden = await site.ask<ShowAnswer>("sessions-show", { key });
    assert.doesNotMatch(JSON.stringify(hidden.answer), /secret/);
    const shown = await site.ask<ShowAnswer>("sessions-show", { key, withValues: true });
    assert.deepEqual(shown.answer.session!.keys[1], { name: "text", bytes: 12, text: '"secret"' });
  });

  test("what is not as the condition says any more stays", async () => {
    const site = new Site(2, "x");
    const where = { name: "n", text: "0" };
    const { answer } = await site.ask<OutcomesAnswer>("sessions-end", {
      keys: [...site.keys, "A".repeat(24)],
      where,
    });
    assert.deepEqual(answer.outcomes, ["ended", "other", "absent"]);
    assert.equal(site.count, 1);
  });

  test("one that is there stays, unless it is to be replaced; what is no session is refused", async () => {
    const site = new Site(1, "x");
    const [key] = site.keys;
    const sessions = [
      { key, idleTimeoutMs: 5, data: { n: 7 } },
      { key: "A".repeat(24), idleTimeoutMs: 60_000, data: { n: 8 } },
      { key: "A", idleTimeoutMs: 5, data: {} },
      null,
    ];
    const put = await site.ask<OutcomesAnswer>("sessions-put", { sessions });
    assert.deepEqual(put.answer.outcomes, ["kept", "put", "refused", "refused"]);
    const replaced = await site.ask<OutcomesAnswer>("sessions-put", { sessions, replaces: true });
    assert.deepEqual(replaced.answer.outcomes, ["replaced", "replaced", "refused", "refused"]);
    assert.equal(site.count, 2);
  });

  test("questions that no command asks are refused in words", async () => {
    const site = new Site(1, "x");
    const many = Array.from({ length: limits.keysMax + 1 }, () => "A".repeat(24));
    const wrong: readonly [ask: string, content: unknown][] = [
      ["sessions-page", undefined],
      ["sessions-page", { ...firstPage, slots: "AA" }],
      ["sessions-page", { ...firstPage, after: "x" }],
      ["sessions-page", { ...firstPage, where: { name: 1 } }],
      ["sessions-show", { key: "../../etc/passwd" }],
      ["sessions-end", { keys: "all" }],
      ["sessions-end", { keys: many }],
      ["sessions-put", { sessions: many }],
    ];
    for (const [ask, content] of wrong)
      await assert.rejects(async () => await site.ask(ask, content), /is not as this server knows it/);
    assert.equal(site.count, 1);
  });

  test("an application without sessions of ours", async () => {
    const site = new Site(1, "x", () => null);
    assert.equal((await site.ask<{ kind: unknown }>("sessions-count", {})).answer.kind, null);
    await assert.rejects(
      async () => await site.ask("sessions-page", firstPage),
      /keeps no sessions with Flotilla/,
    );
  });
});
