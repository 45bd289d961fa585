/**
 * The owner's side of giving a copy to a joining server: the sessions in parts, a few on their way at a time, and between
 * them every change as it is made, all in one order. A part shows sessions with the changes under way, for
 * those were sent before it. When the joining server has all, the register may name it; not before.
 */
import { type Holder, sameHolder } from "../../register/slot-map.ts";
import type { Clock } from "../../support/clock.ts";
import { replication as limits } from "../../support/limits.ts";
import { snapshotOf } from "../snapshot.ts";
import type { KeptSession } from "../table/kept-session.ts";
import type { Context } from "./context.ts";
import { type CopiedSession, PeerState } from "./messages.ts";
import type { Owner } from "./owner.ts";
import { Follower, OutgoingTransfer, type Pages, Role, type SlotCopy } from "./slot.ts";

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
    if (slot.onDisk?.hasMore) {
      // All that the disk has synced comes from there, page by page.
      const rest = notSynced(slot, context.clock);
      follower.transfer = new OutgoingTransfer(this.#lastId, rest, { after: "", changed: new Set() });
    } else {
      const rest = copied(slot.sessions.values(), context.clock);
      follower.transfer = new OutgoingTransfer(this.#lastId, rest, null);
    }
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
      if (transfer.rest === null && transfer.pages !== null) this.#ask(slot, transfer, transfer.pages);
      if (part.length > 0) {
        writer.transferPart(slot.index, transfer.id, part);
        transfer.partsUnderWay++;
        transfer.sentSessions += part.length;
      }
      if (transfer.rest === null && transfer.pages === null) writer.transferEnd(slot.index, transfer.id);
    }
  }

  /**
   * The next page of what the disk has. It may be older than what is not synced now, which has been sent, and than what changes until
   * it comes, which travels as changes, whole: both are left out. Others that are in memory are sent as they are there.
   */
  #ask(slot: SlotCopy, transfer: OutgoingTransfer, pages: Pages): void {
    const disk = this.#context.disk!;
    pages.changed.clear();
    for (const key of slot.onDisk!.newer.keys()) pages.changed.add(key);
    const { transferPartBytes } = this.#context.options;
    disk.disk.readAfter(slot.index, pages.after, transferPartBytes, (error, sessions) => {
      this.#context.noteTurn();
      if (slot.role !== Role.owner || slot.joining?.transfer !== transfer) return;
      if (error !== null) {
        this.drop(slot);
        return;
      }
      slot.joining.progressAt = this.#context.clock.now();
      const last = sessions.at(-1);
      if (last === undefined) transfer.pages = null;
      else pages.after = last.key;
      transfer.rest = pageOf(slot, sessions, pages.changed, this.#context.clock);
      this.#pump(slot, transfer);
    });
  }

  #nextPart(transfer: OutgoingTransfer): CopiedSession[] {
    const part: CopiedSession[] = [];
    for (let bytes = 0; bytes < this.#context.options.transferPartBytes; ) {
      const next: IteratorResult<CopiedSession> = transfer.rest!.next();
      if (next.done) {
        transfer.rest = null;
        break;
      }
      part.push(next.value);
      bytes += sessionBytes;
      for (const entry of next.value.entries.values()) bytes += entry.bytes;
    }
    return part;
  }
}

/** Each as it is when it is taken, with the changes under way. */
function* copied(sessions: Iterable<KeptSession>, clock: Clock): Generator<CopiedSession> {
  for (const session of sessions) {
    if (session.tip === null) continue;
    const snapshot = snapshotOf(session, session.tip, clock.now());
    yield session.entries === null ? { ...snapshot, idleForMs: 0 } : snapshot;
  }
}

function* notSynced(slot: SlotCopy, clock: Clock): Generator<CopiedSession> {
  for (const key of [...slot.onDisk!.newer.keys()]) {
    const session = slot.sessions.get(key);
    if (session !== undefined) yield* copied([session], clock);
  }
}

function* pageOf(
  slot: SlotCopy,
  page: readonly CopiedSession[],
  changed: ReadonlySet<string>,
  clock: Clock,
): Generator<CopiedSession> {
  for (const found of page) {
    if (changed.has(found.key)) continue;
    const session = slot.sessions.get(found.key);
    if (session === undefined) yield found;
    else yield* copied([session], clock);
  }
}
