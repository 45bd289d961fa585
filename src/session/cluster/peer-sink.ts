/** The messages of one peer, handed to the parts of the protocol that they are for. */
import type { Holder } from "../../register/slot-map.ts";
import type { Backup } from "./backup.ts";
import type { Context } from "./context.ts";
import type { MessageSink, Op, PeerState, RequestMessage } from "./messages.ts";
import type { Peer } from "./peer.ts";
import type { Recovery } from "./recovery.ts";
import type { Remote } from "./remote.ts";
import type { SlotCopy } from "./slot.ts";
import type { Transfers } from "./transfer.ts";

/** Where messages go. */
export interface MessageTakers {
  readonly context: Context;
  readonly backup: Backup;
  readonly transfers: Transfers;
  readonly recovery: Recovery;
  readonly remote: Remote;
  onBeat(peer: Peer, sentAt: number, state: PeerState, fullness: number): void;
  onBeatAnswer(peer: Peer, sentAt: number, clock: number, takenVersion: number): void;
  onOp(peer: Peer, op: Op): void;
  onAck(peer: Peer, slot: number, epoch: number, pos: number): void;
  onRefuse(peer: Peer, slot: number, epoch: number, pos: number): void;
  onTouch(slot: number, epoch: number, key: string, idleTimeoutMs: number): void;
  onCopyOffer(peer: Peer, slot: number, epoch: number, pos: number): void;
  onMap(version: number, map: Buffer): void;
}

export class PeerSink implements MessageSink {
  readonly #node: MessageTakers;
  readonly #peer: Peer;

  constructor(node: MessageTakers, peer: Peer) {
    this.#node = node;
    this.#peer = peer;
  }

  onBeat(sentAt: number, state: PeerState, fullness: number): void {
    this.#node.onBeat(this.#peer, sentAt, state, fullness);
  }

  onBeatAnswer(sentAt: number, clock: number, takenVersion: number): void {
    this.#node.onBeatAnswer(this.#peer, sentAt, clock, takenVersion);
  }

  onOp(op: Op): void {
    this.#node.onOp(this.#peer, op);
  }

  onAck(slot: number, epoch: number, pos: number): void {
    this.#node.onAck(this.#peer, slot, epoch, pos);
  }

  onRefuse(slot: number, epoch: number, pos: number): void {
    this.#node.onRefuse(this.#peer, slot, epoch, pos);
  }

  onTouch(slot: number, epoch: number, key: string, idleTimeoutMs: number): void {
    this.#node.onTouch(slot, epoch, key, idleTimeoutMs);
  }

  onTransferBegin(index: number, transfer: number, pos: number): void {
    const slot = this.#slot(index);
    if (slot !== null) this.#node.backup.onTransferBegin(this.#peer, slot, transfer, pos);
  }

  onTransferPart(
    index: number,
    transfer: number,
    sessions: Parameters<MessageSink["onTransferPart"]>[2],
  ): void {
    const slot = this.#slot(index);
    if (slot !== null) this.#node.backup.onTransferPart(this.#peer, slot, transfer, sessions);
  }

  onTransferEnd(index: number, transfer: number): void {
    const slot = this.#slot(index);
    if (slot !== null) this.#node.backup.onTransferEnd(this.#peer, slot, transfer);
  }

  onTransferTaken(index: number, transfer: number, isComplete: boolean): void {
    const slot = this.#slot(index);
    if (slot !== null) this.#node.transfers.onTaken(slot, this.#holder(), transfer, isComplete);
  }

  onTransferDropped(index: number, transfer: number): void {
    const slot = this.#slot(index);
    if (slot === null) return;
    if (slot.joining?.transfer?.id === transfer && slot.joining.holder.server === this.#peer.server)
      this.#node.transfers.drop(slot);
    else this.#node.backup.onTransferDropped(this.#peer, slot, transfer);
  }

  onRequest(request: RequestMessage): void {
    this.#node.remote.onRequest(this.#peer, request);
  }

  onReply(
    id: number,
    status: Parameters<MessageSink["onReply"]>[1],
    entries: Parameters<MessageSink["onReply"]>[2],
  ): void {
    this.#node.remote.onReply(id, status, entries);
  }

  onCopyQuery(index: number): void {
    const slot = this.#slot(index);
    if (slot !== null) this.#node.recovery.onQuery(slot, this.#peer.server);
  }

  onCopyOffer(index: number, epoch: number, pos: number): void {
    this.#node.onCopyOffer(this.#peer, index, epoch, pos);
  }

  onMap(version: number, map: Buffer): void {
    this.#node.onMap(version, map);
  }

  #slot(index: number): SlotCopy | null {
    return this.#node.context.slots[index] ?? null;
  }

  #holder(): Holder {
    return { server: this.#peer.server, incarnation: this.#peer.incarnation };
  }
}
