/** Whether every session is on two servers, so that any one of them may die: what the app servers tell together. */
import type { MemberStatus } from "../member/member.ts";
import { slotCount } from "../session/id.ts";

/**
 * Session slots whose sessions would be lost with one more server, or whose owner nobody knows: of a server that does not
 * answer, all that it owned.
 */
export function slotsAtRisk(servers: readonly Partial<MemberStatus>[]): number {
  let owned = 0;
  let single = 0;
  for (const { slots = 0, singleCopySlots = 0 } of servers) {
    owned += slots;
    single += singleCopySlots;
  }
  return Math.max(slotCount - owned, 0) + single;
}
