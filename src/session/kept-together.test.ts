import assert from "node:assert/strict";
import { test } from "node:test";
import type { StopCheck } from "../member/member.ts";
import type { SessionAdmin } from "./admin/session-admin.ts";
import type { KeptSessions } from "./kept.ts";
import { KeptTogether } from "./kept-together.ts";

/** Writes down what is asked of it; what waits ends when the test says so. */
class Recorded implements KeptSessions {
  readonly admin: SessionAdmin = { kind: "common" } as unknown as SessionAdmin;
  readonly services: KeptSessions["services"] = new Map();
  mustSave = false;
  unsaved: StopCheck | null = null;
  readonly calls: unknown[][] = [];
  #waiting = Promise.withResolvers<boolean>();

  /** Whatever waits now. */
  async end(outcome: boolean | Error = true): Promise<void> {
    const { resolve, reject } = this.#waiting;
    this.#waiting = Promise.withResolvers();
    if (outcome instanceof Error) reject(outcome);
    else resolve(outcome);
    await new Promise(setImmediate);
  }

  open = async (): Promise<void> => void (await this.#wait("open"));
  ready = async (timeoutMs: number): Promise<void> => void (await this.#wait("ready", timeoutMs));
  leave = async (until: () => number): Promise<void> => void (await this.#wait("leave", until()));
  save = (): Promise<boolean> => this.#wait("save");
  start = (): void => void this.calls.push(["start"]);
  standAside = (isAside: boolean): void => void this.calls.push(["standAside", isAside]);
  giveUp = (): void => void this.calls.push(["giveUp"]);
  stop = (): void => void this.calls.push(["stop"]);

  stopCheck(others: readonly string[]): StopCheck {
    this.calls.push(["stopCheck", ...others]);
    return { sessions: 7, problem: null };
  }

  #wait(...call: unknown[]): Promise<boolean> {
    this.calls.push(call);
    return this.#waiting.promise;
  }
}

interface Together {
  readonly parts: readonly Recorded[];
  readonly together: KeptTogether;
}

function three(): Together {
  const parts = [new Recorded(), new Recorded(), new Recorded()];
  const [first, ...others] = parts;
  return { parts, together: new KeptTogether(first!, others) };
}

test("what waits begins in all at once, and ends with the last of them", async () => {
  const { parts, together } = three();
  for (const [wait, call] of [
    [() => together.open(), ["open"]],
    [() => together.ready(500), ["ready", 500]],
    [() => together.leave(() => 9_000), ["leave", 9_000]],
  ] as const) {
    let hasEnded = false;
    const waiting = wait().then(() => {
      hasEnded = true;
    });
    for (const part of parts) assert.deepEqual(part.calls.splice(0), [call]);
    for (const part of parts) {
      assert.equal(hasEnded, false, call[0]);
      await part.end();
    }
    await waiting;
  }
});

test("a server does not start when one of them can't be opened, wherever it stands", async () => {
  for (const index of [0, 2]) {
    const { parts, together } = three();
    const opening = assert.rejects(together.open(), /the disk/);
    await parts[index]!.end(new Error("the disk can't be written"));
    await opening;
  }
});

test("what does not wait is told to all", () => {
  const { parts, together } = three();
  together.start();
  together.standAside(true);
  together.standAside(false);
  together.giveUp();
  together.stop();
  for (const { calls } of parts)
    assert.deepEqual(calls, [["start"], ["standAside", true], ["standAside", false], ["giveUp"], ["stop"]]);
});

test("it is saved when each of them is, and all are asked whatever became of the others", async () => {
  for (const failing of [null, 0, 2]) {
    const { parts, together } = three();
    const saving = together.save();
    for (const [index, part] of parts.entries()) await part.end(index !== failing);
    assert.equal(await saving, failing === null);
    // It may be called again.
    const again = together.save();
    for (const part of parts) {
      assert.deepEqual(part.calls, [["save"], ["save"]]);
      await part.end();
    }
    assert.equal(await again, true);
  }
});

test("one that has something left to save is enough, and what it has is told", () => {
  for (const index of [0, 1, 2]) {
    const { parts, together } = three();
    assert.deepEqual([together.mustSave, together.unsaved], [false, null]);
    const unsaved = { sessions: 3, problem: "the disk is full" };
    Object.assign(parts[index]!, { mustSave: true, unsaved });
    assert.deepEqual([together.mustSave, together.unsaved], [true, unsaved]);
    parts[index]!.unsaved = null;
    assert.equal(together.unsaved, null);
  }
});

test("operators and other servers speak to the first: databases are in want of nothing", () => {
  const { parts, together } = three();
  const [first, ...others] = parts;
  assert.equal(together.admin, first!.admin);
  assert.equal(together.services, first!.services);
  assert.deepEqual(together.stopCheck(["app-b", "app-c"]), { sessions: 7, problem: null });
  assert.deepEqual(first!.calls, [["stopCheck", "app-b", "app-c"]]);
  for (const { calls } of others) assert.deepEqual(calls, []);
});
