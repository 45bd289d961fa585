/**
 * When one of the pair replaces or drops the other. The backup: when its owner is proven dead, or when it was
 * not heard for longer than what was promised to it. The owner: when its backup is proven dead or answers nothing.
 */
import type { Holder, Slot } from "../../register/slot-map.ts";
import { replication as limits } from "../../support/limits.ts";
import type { Context } from "./context.ts";
import { PeerState } from "./messages.ts";
import { Role, type SlotCopy } from "./slot.ts";

/** The backup's next entry of the map, or null while it has no right to one. */
export function takeover(context: Context, slot: SlotCopy, entry: Slot): Slot | null {
  const { rules, clock } = context;
  if (entry.owner === null || !rules.mayTakeOver(slot)) return null;
  if (!context.isGone(entry.owner)) {
    const peer = context.peerOf(entry.owner);
    const promisedAt = peer?.isProcess(entry.owner) ? peer.promisedAt : Number.NEGATIVE_INFINITY;
    // An owner that was never heard is given time from when this copy became the backup.
    const heardSince = promisedAt === Number.NEGATIVE_INFINITY ? slot.backupSince : promisedAt;
    const quietSince = Math.max(heardSince, context.resumedAt);
    if (clock.now() - quietSince <= rules.promiseMs(limits.promiseMs)) return null;
  }
  return { epoch: entry.epoch + 1, owner: context.self, backup: null, prior: entry.owner };
}

/** The owner's next entry without a backup that is dead, silent or of no use; null while it is well. */
export function backupRemoval(context: Context, slot: SlotCopy, entry: Slot): Slot | null {
  const follower = slot.backup;
  if (slot.role !== Role.owner || follower === null) return null;
  const { holder } = follower;
  if (!context.isGone(holder) && !follower.isBroken && !isLastAndLeaving(context, holder)) {
    const peer = context.peerOf(holder);
    const patienceMs = peer?.patienceMs(context.clock.now()) ?? limits.silentMs;
    if (context.silenceMs(holder, follower.followsSince) <= patienceMs) return null;
    if (peer !== null) peer.wasJudgedSilent = true;
  }
  return { epoch: entry.epoch + 1, owner: context.self, backup: null, prior: holder };
}

/** A backup that hands over, while there is no other server to be one: it is let go in order, not waited for in vain. */
function isLastAndLeaving(context: Context, holder: Holder): boolean {
  if (context.peerOf(holder)?.state !== PeerState.leaving) return false;
  for (const peer of context.peers.values()) {
    if (peer.connection !== null && peer.state === PeerState.well) return false;
  }
  return !context.handsOver;
}
