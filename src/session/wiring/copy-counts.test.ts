/** What `status` says of copies moves as they are made, and begins anew after the next loss. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SessionNode } from "../cluster/node.ts";
import { Role, SlotCopy } from "../cluster/slot.ts";
import { noEntries } from "../entry.ts";
import { endless } from "../snapshot.ts";
import { SessionMemory } from "../table/session-memory.ts";
import { CopyCounts } from "./copy-counts.ts";

test("the share of sessions that have a second copy again", () => {
  const memory = new SessionMemory();
  const slots = [0, 1, 2].map((index) => {
    const slot = new SlotCopy(index, memory);
    slot.role = index === 2 ? Role.backup : Role.owner;
    const session = { ...endless, entries: noEntries, idleTimeoutMs: 1_000, idleForMs: 0 };
    for (let key = 0; key < 50; key++) slot.sessions.put({ ...session, key: `${key}` }, 0);
    return slot;
  });
  const [one, two] = slots as [SlotCopy, SlotCopy];
  const registerLease = { until: 20_000 };
  const clock = { now: () => 10_000 };
  const counts = new CopyCounts({ context: { slots, registerLease, clock } } as unknown as SessionNode);
  const gives = (server: string, sentSessions: number): never =>
    ({ holder: { server }, transfer: { sentSessions } }) as never;

  one.backup = two.backup = gives("app-b", 0);
  const whole = {
    ...{
      slots: 2,
      keptSlots: 3,
      singleCopySlots: 0,
      singleCopySessions: 0,
      copyingTo: [],
      copiedPercent: 100,
    },
    seesRegister: true,
  };
  assert.deepEqual(counts.take(), whole);

  one.backup = two.backup = null;
  const lost = { ...whole, singleCopySlots: 2, singleCopySessions: 100, copiedPercent: 0 };
  assert.deepEqual(counts.take(), lost);
  one.joining = gives("app-c", 20);
  two.joining = gives("app-b", 10);
  assert.deepEqual(counts.take(), { ...lost, copyingTo: ["app-b", "app-c"], copiedPercent: 30 });
  one.backup = one.joining;
  one.joining = null;
  const half = { ...lost, singleCopySlots: 1, singleCopySessions: 50, copyingTo: ["app-b"] };
  assert.deepEqual(counts.take(), { ...half, copiedPercent: 60 });
  two.backup = two.joining;
  assert.deepEqual(counts.take(), whole);

  two.backup = two.joining = null;
  assert.deepEqual(counts.take(), { ...half, copyingTo: [], copiedPercent: 0 });
  registerLease.until = 13_999;
  assert.equal(counts.take().seesRegister, false);
});
