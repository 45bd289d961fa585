/**
 * A change at the owner that is made provided that keys still are what the requester was given: `session.update`, and what
 * `onConflict` merges.
 *
 * Values are compared, not versions. A function of the value alone may as well have been called with the same value now, whatever
 * happened in between; and nothing has to be kept, copied to the backup or found again after a takeover. Compared is what a key
 * will be when all changes under way are committed: if those are dropped, this one is dropped with them.
 */
import { replication as limits } from "../../support/limits.ts";
import type { SessionEntries } from "../entry.ts";
import { contended, type Done, type Expected } from "../store.ts";
import type { Context } from "./context.ts";
import { busy } from "./failures.ts";
import { type Operation, OpKind } from "./messages.ts";
import type { Owner } from "./owner.ts";
import type { Rules } from "./rules.ts";
import type { SlotCopy } from "./slot.ts";

/**
 * The slot is being served here, and may be shown: the answer tells something about it.
 * @param isOfOther another server asks.
 */
export function compareAndSet(
  context: Context,
  owner: Owner,
  slot: SlotCopy,
  operation: Operation,
  isOfOther: boolean,
  done: Done,
): void {
  const { key, idleTimeoutMs, changes, expected } = operation;
  const change = { kind: OpKind.update, key, idleTimeoutMs, life: null, changes };
  const session = owner.find(slot, key);
  if (session === null) {
    owner.submitNow(slot, change, done);
    return;
  }
  const now = context.clock.now();
  const changed = changedKey(context.rules, session.tip!, expected!);
  if (changed !== null) {
    if (isOfOther) session.contendedAt = now;
    if (slot.pending.length + slot.answers.length >= limits.pendingPerSlotMax) done(busy());
    else owner.afterPending(slot, contended(changed), done);
    return;
  }
  // The owner is always first to see its own commits: it would win again and again.
  const isPatient = !isOfOther && now - session.contendedAt < limits.contendedPauseMs * 4;
  const told = isPatient ? (error: Parameters<Done>[0]) => pause(context, () => done(error)) : done;
  owner.submitNow(slot, change, told);
}

/** The first key that is not as expected, or null. */
function changedKey(rules: Rules, entries: SessionEntries, expected: Expected): string | null {
  for (const [key, text] of expected) if (!rules.matches(entries.get(key)?.text ?? null, text)) return key;
  return null;
}

function pause(context: Context, then: () => void): void {
  context.clock.after(limits.contendedPauseMs, then);
}
