/**
 * Planned moves. The owner stops taking anything, waits until all that is under way is committed, stops serving, and
 * then proposes to swap the roles with its backup, which has everything. Requests meanwhile wait, and go to the new owner.
 */
import type { Slot } from "../../register/slot-map.ts";
import { session as limits } from "../../support/limits.ts";
import type { Context } from "./context.ts";
import type { Owner } from "./owner.ts";
import { Role, type SlotCopy } from "./slot.ts";

export class Handovers {
  readonly #context: Context;
  readonly #owner: Owner;

  constructor(context: Context, owner: Owner) {
    this.#context = context;
    this.#owner = owner;
  }

  begin(slot: SlotCopy): void {
    if (slot.role !== Role.owner || slot.backup === null || slot.isStopping) return;
    // A backup that has not heard of its role may not hear of the next one either.
    if (slot.backup.confirmedEpoch !== slot.epoch) {
      const peer = this.#context.connectedTo(slot.backup.holder);
      this.#context.writerTo(peer)?.copyQuery(slot.index);
      return;
    }
    slot.isStopping = true;
    slot.stoppingSince = this.#context.clock.now();
    this.#owner.assignLeases(slot);
  }

  /** The swap, once nothing is under way; null before. */
  swap(slot: SlotCopy, entry: Slot): Slot | null {
    if (!slot.isStopping || slot.pending.length > 0 || slot.backup === null) return null;
    if (slot.backup.ackedPos !== slot.pos) return null;
    return { epoch: entry.epoch + 1, owner: slot.backup.holder, backup: this.#context.self, prior: null };
  }

  /** Each tick, while no change of this slot is open: what does not come about is called off. */
  tick(slot: SlotCopy): void {
    if (!slot.isStopping || this.#context.clock.now() - slot.stoppingSince < limits.commitTimeoutMs) return;
    this.cancel(slot);
  }

  cancel(slot: SlotCopy): void {
    if (!slot.isStopping) return;
    slot.isStopping = false;
    this.#owner.assignLeases(slot);
  }
}
