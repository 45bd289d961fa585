/**
 * Which changes of a slot its owner may commit: those that everybody has answered whose answer is needed, and that, where sessions
 * are on disk too, a power cut of all servers leaves on one disk at least.
 */
import type { Context } from "./context.ts";
import type { Follower, SlotCopy } from "./slot.ts";

/** Up to where. */
export function answeredByAll(context: Context, slot: SlotCopy): number {
  const { rules, clock, registerLease } = context;
  const { backup, joining } = slot;
  let pos = slot.pos;
  const isAlone = backup === null || (slot.removesBackup && !rules.waitsForOld(slot));
  if (!isAlone) pos = Math.min(pos, backup.ackedPos);
  if (joining?.isNeeded) pos = Math.min(pos, joining.ackedPos);
  if (slot.onDisk !== null) pos = Math.min(pos, durablePos(context, slot));
  if (pos <= slot.committedPos) return pos;
  // A pair that is cut off together answers itself for ever, while others go on from what they have.
  const isBlind = rules.needsRegister(isAlone) && clock.now() >= registerLease.until;
  return isBlind ? slot.committedPos : pos;
}

/** What the disks of the pair have; of both pairs, while the register may name another one. */
function durablePos({ rules, disk }: Context, { onDisk, backup, joining, removesBackup }: SlotCopy): number {
  const isWell = disk!.isWell;
  const theirs = backup === null || removesBackup ? -1 : backup.durablePos;
  const pos = rules.durablePos(onDisk!.syncedPos, isWell, theirs);
  if (joining === null || !joining.isNamed) return pos;
  return Math.min(pos, rules.durablePos(onDisk!.syncedPos, isWell, joining.durablePos));
}

/** All that is committed would be on a disk of the pair that this one would make with the owner. */
export function isDurableWith({ onDisk, committedPos }: SlotCopy, follower: Follower): boolean {
  return onDisk === null || Math.max(onDisk.syncedPos, follower.durablePos) >= committedPos;
}
