/** How far the sessions that this process owns are from having two copies each: the gauges of `status`. */
import type { SlotCounts } from "../../member/member.ts";
import { replication as limits } from "../../support/limits.ts";
import type { SessionNode } from "../cluster/node.ts";
import { Role } from "../cluster/slot.ts";

export class CopyCounts {
  readonly #node: SessionNode;
  /** Sessions whose second copy is being made since there were last none: what the share is of. */
  #missingAtMost = 0;

  constructor(node: SessionNode) {
    this.#node = node;
  }

  /** Also to be called when the map changes, so that the begin of a loss is not missed. */
  take(): SlotCounts {
    const { context } = this.#node;
    let [slots, keptSlots, singleCopySlots, singleCopySessions, sent] = [0, 0, 0, 0, 0];
    const copyingTo = new Set<string>();
    for (const { role, backup, joining, sessions } of context.slots) {
      if (role !== Role.nobody) keptSlots++;
      if (role !== Role.owner) continue;
      slots++;
      if (backup !== null) continue;
      singleCopySlots++;
      singleCopySessions += sessions.size;
      if (joining === null) continue;
      copyingTo.add(joining.holder.server);
      sent += Math.min(sessions.size, joining.transfer?.sentSessions ?? sessions.size);
    }
    this.#missingAtMost = singleCopySessions === 0 ? 0 : Math.max(this.#missingAtMost, singleCopySessions);
    const done = this.#missingAtMost - singleCopySessions + sent;
    return {
      ...{ slots, keptSlots, singleCopySlots, singleCopySessions, copyingTo: [...copyingTo].sort() },
      copiedPercent: this.#missingAtMost === 0 ? 100 : Math.floor((100 * done) / this.#missingAtMost),
      seesRegister: context.clock.now() <= context.registerLease.until - limits.blindLeaseMs,
    };
  }
}
