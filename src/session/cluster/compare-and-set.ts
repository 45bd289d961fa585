/**
 * `session.update` at the owner: one key is set, provided that it still is what the requester's function was given.
 *
 * Values are compared, not versions. A function of the value alone may as well have been called with the same value now, whatever
 * happened in between; and nothing has to be kept, copied to the backup or found again after a takeover. Compared is what the key
 * will be when all changes under way are committed: if those are dropped, this one is dropped with them.
 */
import { replication as limits } from "../../support/limits.ts";
import type { SessionChanges } from "../entry.ts";
import { contended, type Done } from "../store.ts";
import type { Context } from "./context.ts";
import { OpKind } from "./messages.ts";
import { busy, type Owner } from "./owner.ts";
import type { SlotCopy } from "./slot.ts";

/**
 * The slot is being served here, and may be shown: the answer tells something about it.
 * @param changes of one key. @param isOfOther another server asks.
 */
export function compareAndSet(
  context: Context,
  owner: Owner,
  slot: SlotCopy,
  sessionKey: string,
  changes: SessionChanges,
  expected: string | null,
  idleTimeoutMs: number,
  isOfOther: boolean,
  done: Done,
): void {
  const session = owner.find(slot, sessionKey);
  if (session === null) {
    owner.submitNow(slot, OpKind.update, sessionKey, changes, idleTimeoutMs, done);
    return;
  }
  const [key] = changes.keys();
  const now = context.clock.now();
  if (!context.rules.matches(session.tip!.get(key!)?.text ?? null, expected)) {
    if (isOfOther) session.contendedAt = now;
    if (slot.pending.length + slot.answers.length >= limits.pendingPerSlotMax) done(busy());
    else owner.afterPending(slot, contended(key!), done);
    return;
  }
  // The owner is always first to see its own commits: it would win again and again.
  const isPatient = !isOfOther && now - session.contendedAt < limits.contendedPauseMs * 4;
  const told = isPatient ? (error: Parameters<Done>[0]) => pause(context, () => done(error)) : done;
  owner.submitNow(slot, OpKind.update, sessionKey, changes, idleTimeoutMs, told);
}

function pause(context: Context, then: () => void): void {
  context.clock.after(limits.contendedPauseMs, then);
}
