/** The messages of one peer, handed to the parts of the protocol that they are for. */
import type { Versioned } from "../../register/register.ts";
import type { Holder, SlotMap } from "../../register/slot-map.ts";
import type { Backup } from "./backup.ts";
import type { Context } from "./context.ts";
import type { Heartbeats } from "./heartbeats.ts";
import type { Beat, MessageSink, Op, RequestMessage } from "./messages.ts";
import type { Owner } from "./owner.ts";
import type { Peer } from "./peer.ts";
import type { Proposals } from "./proposals.ts";
import type { Recovery } from "./recovery.ts";
import type { Remote } from "./remote.ts";
import { type Follower, Role, type SlotCopy } from "./slot.ts";
import type { Transfers } from "./transfer.ts";

/** Where messages go. */
export interface MessageTakers {
  readonly context: Context;
  readonly owner: Owner;
  readonly backup: Backup;
  readonly transfers: Transfers;
  readonly recovery: Recovery;
  readonly remote: Remote;
  readonly proposals: Proposals;
  readonly heartbeats: Heartbeats;
  /** Reads the register. */
  readonly refresh: () => void;
  /** A newer map. */
  readonly adopt: (state: Versioned<SlotMap>) => void;
}

export class PeerSink implements MessageSink {
  readonly #to: MessageTakers;
  readonly #peer: Peer;

  constructor(to: MessageTakers, peer: Peer) {
    this.#to = to;
    this.#peer = peer;
  }

  onBeat(beat: Beat): void {
    this.#to.heartbeats.onBeat(this.#peer, beat);
  }

  onOp(op: Op): void {
    if (!this.#to.backup.onOp(this.#peer, op)) this.#to.refresh();
  }

  onAck(index: number, epoch: number, pos: number): void {
    this.onDiskAck(index, epoch, pos, -1);
  }

  onDiskAck(index: number, epoch: number, pos: number, durablePos: number): void {
    const slot = this.#slot(index);
    const follower = slot === null ? null : this.#followerOf(slot);
    if (slot === null || follower === null) return;
    follower.confirmedEpoch = epoch;
    this.#to.owner.onAck(slot, follower, pos, durablePos);
    if (epoch === slot.epoch && follower.isRefused) {
      follower.isRefused = false;
      this.#to.owner.resend(slot, follower);
    }
  }

  onRefuse(index: number, epoch: number, pos: number): void {
    const slot = this.#slot(index);
    const follower = slot === null ? null : this.#followerOf(slot);
    if (slot === null || follower === null) return;
    if (epoch !== slot.epoch) {
      follower.isRefused = true;
      if (epoch > slot.epoch) this.#to.refresh();
    } else if (pos >= slot.committedPos) this.#to.owner.resend(slot, follower);
    else if (follower === slot.joining) this.#to.transfers.drop(slot);
    else {
      follower.isBroken = true;
      this.#to.proposals.lookAgain();
    }
  }

  onTouch(index: number, epoch: number, key: string, idleTimeoutMs: number): void {
    const slot = this.#slot(index);
    if (slot !== null) this.#to.backup.onTouch(slot, epoch, key, idleTimeoutMs);
  }

  onTransferBegin(index: number, transfer: number, pos: number): void {
    const slot = this.#slot(index);
    if (slot !== null) this.#to.backup.onTransferBegin(this.#peer, slot, transfer, pos);
  }

  onTransferPart(
    index: number,
    transfer: number,
    sessions: Parameters<MessageSink["onTransferPart"]>[2],
  ): void {
    const slot = this.#slot(index);
    if (slot !== null) this.#to.backup.onTransferPart(this.#peer, slot, transfer, sessions);
  }

  onTransferEnd(index: number, transfer: number): void {
    const slot = this.#slot(index);
    if (slot !== null) this.#to.backup.onTransferEnd(this.#peer, slot, transfer);
  }

  onTransferTaken(index: number, transfer: number, isComplete: boolean): void {
    const slot = this.#slot(index);
    if (slot !== null) this.#to.transfers.onTaken(slot, this.#holder(), transfer, isComplete);
  }

  onTransferDropped(index: number, transfer: number): void {
    const slot = this.#slot(index);
    if (slot === null) return;
    if (slot.joining?.transfer?.id === transfer && slot.joining.holder.server === this.#peer.server)
      this.#to.transfers.drop(slot);
    else this.#to.backup.onTransferDropped(this.#peer, slot, transfer);
  }

  onRequest(request: RequestMessage): void {
    this.#to.remote.onRequest(this.#peer, request);
  }

  onReply(
    id: number,
    status: Parameters<MessageSink["onReply"]>[1],
    entries: Parameters<MessageSink["onReply"]>[2],
    life: Parameters<MessageSink["onReply"]>[3],
  ): void {
    this.#to.remote.onReply(id, status, entries, life);
  }

  onCopyQuery(index: number): void {
    const slot = this.#slot(index);
    if (slot !== null) this.#to.recovery.onQuery(slot, this.#peer.server);
  }

  onCopyOffer(index: number, epoch: number, pos: number, isOnDisk: boolean): void {
    const slot = this.#slot(index);
    if (slot === null) return;
    const follower = this.#followerOf(slot);
    if (follower !== null) follower.confirmedEpoch = epoch;
    else this.#to.recovery.onOffer(slot, this.#holder(), epoch, pos, isOnDisk);
  }

  onMap(version: number, map: Buffer): void {
    const { context, adopt } = this.#to;
    if (version > context.version) adopt({ version, value: context.options.mapCodec.decode(map) });
  }

  #slot(index: number): SlotCopy | null {
    return this.#to.context.slots[index] ?? null;
  }

  /** The peer's part in a slot that we own, or null. */
  #followerOf({ role, backup, joining }: SlotCopy): Follower | null {
    if (role !== Role.owner) return null;
    if (backup !== null && this.#peer.isProcess(backup.holder)) return backup;
    if (joining !== null && this.#peer.isProcess(joining.holder)) return joining;
    return null;
  }

  #holder(): Holder {
    return { server: this.#peer.server, incarnation: this.#peer.incarnation };
  }
}
