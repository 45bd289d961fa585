/**
 * The backup's part, and that of a joining server: it applies the owner's changes in their order and answers how far it
 * has come. It refuses what is not of its epoch, and a gap; the owner then reads the register or sends again.
 */
import { type Holder, sameHolder } from "../../register/slot-map.ts";
import { applied, noEntries } from "../entry.ts";
import { KeptSession } from "../table/kept-session.ts";
import type { Context } from "./context.ts";
import { type CopiedSession, type Op, OpKind } from "./messages.ts";
import type { Peer } from "./peer.ts";
import { Role, type SlotCopy } from "./slot.ts";

export class Backup {
  readonly #context: Context;
  /** Slots of which something was applied in this frame: each is answered once. */
  readonly #applied: Set<SlotCopy> = new Set();
  /** Slots of which something was refused in this frame: likewise. */
  readonly #refused: Set<SlotCopy> = new Set();

  constructor(context: Context) {
    this.#context = context;
  }

  /** @returns false when the sender knows a newer map than this process. */
  onOp(peer: Peer, op: Op): boolean {
    const slot = this.#context.slots[op.slot];
    if (slot === undefined) return true;
    if (!this.#takes(slot, peer, op.epoch)) {
      this.#refused.add(slot);
      return op.epoch <= slot.epoch;
    }
    if (op.pos > slot.pos + 1) {
      this.#refused.add(slot);
      return true;
    }
    if (op.pos === slot.pos + 1) {
      slot.pos = op.pos;
      this.#apply(slot, op);
    }
    this.#applied.add(slot);
    return true;
  }

  /** The end of a frame. */
  answer(peer: Peer): void {
    if (this.#applied.size === 0 && this.#refused.size === 0) return;
    const writer = this.#context.writerTo(peer);
    for (const slot of this.#applied) {
      if (slot.onDisk === null) writer?.ack(slot.index, slot.epoch, slot.pos);
      // Else when its disk has it.
      else if (this.#context.disk!.answeredPos(slot) >= slot.pos) answerOwner(this.#context, peer, slot);
    }
    for (const slot of this.#refused) writer?.refuse(slot.index, slot.epoch, slot.pos);
    this.#applied.clear();
    this.#refused.clear();
  }

  onTouch(slot: SlotCopy, epoch: number, key: string, idleTimeoutMs: number): void {
    if (slot.role !== Role.backup || slot.epoch !== epoch) return;
    slot.sessions.touch(key, this.#context.clock.now(), idleTimeoutMs);
    this.#context.disk?.touch(slot, key, idleTimeoutMs, 0);
  }

  onTransferBegin(peer: Peer, slot: SlotCopy, id: number, pos: number): void {
    // One that was replaced and has not heard of it would put its copy in the place of the true owner's.
    const owner = this.#context.map === null ? null : this.#context.entryOf(slot).owner;
    const isOwner = owner !== null && peer.isProcess(owner);
    // What was found on disk is offered before it is replaced.
    const mayTake = this.#context.disk === null || !this.#context.isRestoring;
    if (!isOwner || !mayTake || slot.role === Role.owner || slot.role === Role.backup) {
      this.#context.writerTo(peer)?.transferDropped(slot.index, id);
      return;
    }
    const from: Holder = { server: peer.server, incarnation: peer.incarnation };
    this.#context.disk?.begin(slot);
    slot.role = Role.joining;
    slot.source = { id, from, endPos: -1, isComplete: false, owedParts: 0 };
    slot.pos = pos;
    const empty = slot.emptySessions();
    slot.sessions = this.#context.rules.copyBegins(slot.retained?.sessions ?? empty, empty);
  }

  onTransferPart(peer: Peer, slot: SlotCopy, id: number, sessions: readonly CopiedSession[]): void {
    if (!this.#isFrom(slot, peer, id)) return;
    const now = this.#context.clock.now();
    for (const session of sessions) slot.sessions.put(session, now);
    this.#context.disk?.add(slot, sessions);
    if (this.#context.disk?.isFull) slot.source!.owedParts++;
    else this.#context.writerTo(peer)?.transferTaken(slot.index, id, false);
  }

  onTransferEnd(peer: Peer, slot: SlotCopy, id: number): void {
    if (!this.#isFrom(slot, peer, id)) return;
    slot.source!.endPos = slot.pos;
    if (slot.onDisk === null) this.#complete(slot);
    else {
      // It takes the place of an old one there.
      slot.retained = null;
      this.#context.disk!.finish(slot);
    }
  }

  #complete(slot: SlotCopy): void {
    slot.source!.isComplete = true;
    reportWhole(this.#context, slot);
  }

  /** More of the slot is on disk, or need not be any more. */
  onSynced(slot: SlotCopy): void {
    const { source, onDisk } = slot;
    if (slot.role === Role.joining) {
      if (source!.endPos < 0) return;
      if (!source!.isComplete && onDisk!.syncedPos >= source!.endPos) this.#complete(slot);
    }
    const owner = slot.role === Role.joining ? source!.from : this.#context.entryOf(slot).owner;
    const peer = owner === null ? null : this.#context.connectedTo(owner);
    if (peer !== null) answerOwner(this.#context, peer, slot);
  }

  /** Each tick: parts are answered when the disk has room for more. */
  tick(slot: SlotCopy): void {
    const { source } = slot;
    if (source === null || source.owedParts === 0 || this.#context.disk?.isFull) return;
    const writer = this.#context.writerTo(this.#context.connectedTo(source.from));
    for (; source.owedParts > 0; source.owedParts--) writer?.transferTaken(slot.index, source.id, false);
  }

  onTransferDropped(peer: Peer, slot: SlotCopy, id: number): void {
    if (this.#isFrom(slot, peer, id)) dropCopy(this.#context, slot);
  }

  /** What was under way with the connection is lost; a copy that is whole may be named by the register yet. */
  onConnectionLost(slot: SlotCopy, server: string): void {
    if (slot.role === Role.joining && slot.source!.from.server === server && !slot.source!.isComplete) {
      dropCopy(this.#context, slot);
    }
  }

  #takes(slot: SlotCopy, peer: Peer, epoch: number): boolean {
    if (slot.role === Role.joining) {
      return peer.isProcess(slot.source!.from);
    }
    return this.#context.rules.accepts(slot, epoch);
  }

  #isFrom(slot: SlotCopy, peer: Peer, id: number): boolean {
    const { source } = slot;
    const from = { server: peer.server, incarnation: peer.incarnation };
    return slot.role === Role.joining && source!.id === id && sameHolder(source!.from, from);
  }

  #apply(slot: SlotCopy, op: Op): void {
    if (op.kind === OpKind.destroy || op.kind === OpKind.expire) {
      slot.sessions.delete(op.key);
      this.#context.disk?.end(slot, op.key);
      return;
    }
    const isUse = op.kind === OpKind.update && op.changes.size === 0;
    let session = slot.sessions.get(op.key);
    if (session === undefined) {
      if (isUse) this.#context.disk?.use(slot, op.key, op.idleTimeoutMs);
      // Joining: it comes with a later part of the copy, this change included.
      if (op.kind === OpKind.update && !this.#context.rules.createsAbsent()) return;
      session = new KeptSession(op.key, op.idleTimeoutMs);
      slot.sessions.set(session);
    }
    const now = this.#context.clock.now();
    const base = op.kind === OpKind.create ? noEntries : (session.entries ?? noEntries);
    session.tip = applied(base, op.changes);
    if (op.life !== null) session.begin(op.life, now);
    slot.sessions.setEntries(session, session.tip);
    slot.sessions.use(session, now, op.idleTimeoutMs);
    if (isUse) this.#context.disk?.use(slot, op.key, op.idleTimeoutMs);
    else this.#context.disk?.write(slot, session, session.tip);
  }
}

/** Tells the owner how far this copy has come, and its disk. */
export function answerOwner(context: Context, peer: Peer, slot: SlotCopy): void {
  const writer = context.writerTo(peer);
  const { index, epoch, pos, onDisk } = slot;
  if (onDisk === null) writer?.ack(index, epoch, pos);
  else if (peer.connection?.tellsDisks !== true) writer?.ack(index, epoch, context.disk!.answeredPos(slot));
  else writer?.diskAck(index, epoch, context.disk!.answeredPos(slot), Math.min(onDisk.syncedPos, pos));
}

/** Tells the owner that a joining server's copy is whole; one that does not count on it says so. */
export function reportWhole(context: Context, { index, source }: SlotCopy): void {
  if (source?.isComplete)
    context.writerTo(context.connectedTo(source.from))?.transferTaken(index, source.id, true);
}

/** Forgets a copy that the register does not name. */
export function dropCopy(context: Context, slot: SlotCopy): void {
  const { source, onDisk, pos, sessions } = slot;
  if (onDisk !== null && source !== null && source.endPos >= 0) {
    // On disk it has taken the place of the one before, and is as good.
    const { incarnation } = context.self;
    if (context.isNamed(context.entryOf(slot), incarnation))
      slot.retained = { incarnation, epoch: onDisk.epoch, pos, sessions };
  }
  slot.role = Role.nobody;
  slot.source = null;
  slot.sessions = slot.emptySessions();
  slot.pos = 0;
  context.disk?.settle(slot);
}
