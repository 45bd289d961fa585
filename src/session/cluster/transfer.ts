/**
 * The owner's side of giving a copy to a joining server: the sessions in parts, a few on their way at a time, and between
 * them every change as it is made, all in one order. A part shows sessions with the changes under way, for
 * those were sent before it. When the joining server has all, the register may name it; not before.
 */
import { type Holder, sameHolder } from "../../register/slot-map.ts";
import { replication as limits } from "../../support/limits.ts";
import { snapshotOf } from "../snapshot.ts";
import type { KeptSession } from "../table/kept-session.ts";
import type { Context } from "./context.ts";
import { type CopiedSession, PeerState } from "./messages.ts";
import type { Owner } from "./owner.ts";
import { Follower, OutgoingTransfer, Role, type SlotCopy } from "./slot.ts";

/** What one session costs in a part beside its entries. */
const sessionBytes = 64;

export class Transfers {
  readonly #context: Context;
  readonly #owner: Owner;
  #lastId = 0;

  constructor(context: Context, owner: Owner) {
    this.#context = context;
    this.#owner = owner;
  }

  begin(slot: SlotCopy, holder: Holder): void {
    const context = this.#context;
    const writer = context.writerTo(context.connectedTo(holder));
    if (writer === null) return;
    this.#lastId = (this.#lastId + 1) >>> 0;
    const follower = new Follower(holder, context.leaseOf(holder), slot.pos, context.clock.now());
    follower.transfer = new OutgoingTransfer(this.#lastId, slot.sessions.values());
    slot.joining = follower;
    writer.transferBegin(slot.index, this.#lastId, slot.pos);
    this.#pump(slot, follower.transfer);
  }

  onTaken(slot: SlotCopy, holder: Holder, id: number, isComplete: boolean): void {
    if (slot.role !== Role.owner) return;
    const { joining } = slot;
    if (joining?.transfer?.id !== id || !sameHolder(joining.holder, holder)) {
      if (isComplete) this.#disown(slot, holder, id);
      return;
    }
    joining.progressAt = this.#context.clock.now();
    // Changes from here on wait for its answer; when it has answered all before, the register may name it.
    if (isComplete) {
      joining.transfer.isComplete = true;
      joining.isNeeded = this.#context.rules.waitsForNew();
    } else joining.transfer.partsUnderWay--;
    this.#pump(slot, joining.transfer);
  }

  /** Of a copy that is not wanted any more, its keeper may have missed the word, or the map that took it out. */
  #disown(slot: SlotCopy, holder: Holder, id: number): void {
    if (sameHolder(slot.backup?.holder ?? null, holder)) return;
    const context = this.#context;
    context.writerTo(context.connectedTo(holder))?.transferDropped(slot.index, id);
  }

  /** Gives a copy up, unless a change of the register that names its server may have been made. */
  drop(slot: SlotCopy): void {
    const { joining } = slot;
    if (joining === null || joining.isNamed) return;
    slot.joining = null;
    const writer = this.#context.writerTo(this.#context.connectedTo(joining.holder));
    if (joining.transfer !== null) writer?.transferDropped(slot.index, joining.transfer.id);
    this.#owner.assignLeases(slot);
    this.#owner.advance(slot);
  }

  /** Each tick: a copy that makes no progress is given up. */
  tick(slot: SlotCopy): void {
    const { joining } = slot;
    if (joining === null || joining.isNamed) return;
    const now = this.#context.clock.now();
    const isWaiting = !joining.transfer!.isComplete || joining.ackedPos < slot.pos;
    const peer = this.#context.connectedTo(joining.holder);
    if (peer === null || peer.state === PeerState.leaving) this.drop(slot);
    else if (
      joining.isNeeded &&
      this.#context.silenceMs(joining.holder, joining.followsSince) > limits.silentMs
    )
      this.drop(slot);
    else if (
      isWaiting &&
      now - Math.max(joining.progressAt, this.#context.resumedAt) > limits.transferSilentMs
    )
      this.drop(slot);
  }

  #pump(slot: SlotCopy, transfer: OutgoingTransfer): void {
    const writer = this.#context.writerTo(this.#context.connectedTo(slot.joining!.holder));
    if (writer === null) return;
    while (transfer.rest !== null && transfer.partsUnderWay < limits.transferPartsMax) {
      const part = this.#nextPart(transfer);
      if (part.length > 0) {
        writer.transferPart(slot.index, transfer.id, part);
        transfer.partsUnderWay++;
        transfer.sentSessions += part.length;
      }
      if (transfer.rest === null) writer.transferEnd(slot.index, transfer.id);
    }
  }

  #nextPart(transfer: OutgoingTransfer): CopiedSession[] {
    const part: CopiedSession[] = [];
    const now = this.#context.clock.now();
    for (let bytes = 0; bytes < this.#context.options.transferPartBytes; ) {
      const next: IteratorResult<KeptSession> = transfer.rest!.next();
      if (next.done) {
        transfer.rest = null;
        break;
      }
      const { entries: committed, tip: entries } = next.value;
      if (entries === null) continue;
      const snapshot = snapshotOf(next.value, entries, now);
      part.push(committed === null ? { ...snapshot, idleForMs: 0 } : snapshot);
      bytes += sessionBytes;
      for (const entry of entries.values()) bytes += entry.bytes;
    }
    return part;
  }
}
