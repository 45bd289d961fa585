/**
 * What this process becomes in a slot when the map says so. Every change of role comes from here, and from a map that
 * the register has committed; nobody changes its own role by its own opinion.
 */
import { type Slot, sameHolder } from "../../register/slot-map.ts";
import { answerOwner, dropCopy, reportWhole } from "./backup.ts";
import type { Context } from "./context.ts";
import type { Owner } from "./owner.ts";
import { Follower, Role, type SlotCopy } from "./slot.ts";
import type { Transfers } from "./transfer.ts";

export class Roles {
  readonly #context: Context;
  readonly #owner: Owner;
  readonly #transfers: Transfers;

  constructor(context: Context, owner: Owner, transfers: Transfers) {
    this.#context = context;
    this.#owner = owner;
    this.#transfers = transfers;
  }

  /** The map has another entry for the slot than the one that was known. */
  enter(slot: SlotCopy, entry: Slot, before: Slot | null): void {
    const { role } = slot;
    const epochBefore = slot.epoch;
    slot.epoch = entry.epoch;
    if (this.#context.isSelf(entry.owner)) {
      if (role === Role.owner) this.#stayOwner(slot, entry, before, entry.epoch > epochBefore + 1);
      else this.#becomeOwner(slot, entry, before);
    } else if (this.#context.isSelf(entry.backup)) this.#enterBackup(slot, entry, before);
    else this.#enterNobody(slot, entry, epochBefore);
    slot.roleSince = this.#context.clock.now();
    this.#context.disk?.place(slot);
    if (slot.role !== role) {
      this.#context.observer.onRole(slot.index, slot.role, slot.epoch, slot.pos);
    }
  }

  /** @param hasSkipped there were maps between the known one and this one; others may have been owners in them. */
  #stayOwner(slot: SlotCopy, entry: Slot, before: Slot | null, hasSkipped: boolean): void {
    const { joining, backup } = slot;
    if (before !== null && sameHolder(before.backup, entry.backup)) slot.isChallenged = true;
    if (entry.backup === null) slot.backup = null;
    else if (joining !== null && sameHolder(entry.backup, joining.holder)) {
      slot.backup = joining;
      slot.joining = null;
      joining.transfer = null;
      joining.isNeeded = joining.isNamed = false;
    } else if (backup === null || !sameHolder(entry.backup, backup.holder)) {
      // Not by us: it has to prove itself by answering.
      slot.backup = this.#follower(entry, -1);
    }
    if (hasSkipped && slot.joining !== null) {
      // It drops the copy of an owner that was replaced.
      slot.joining.isNamed = false;
      this.#transfers.drop(slot);
    }
    slot.isStopping = false;
    this.#owner.assignLeases(slot);
    // What was refused because of the epoch is sent again with the new one.
    if (slot.backup !== null) this.#owner.resend(slot, slot.backup);
    this.#owner.advance(slot);
  }

  #becomeOwner(slot: SlotCopy, entry: Slot, before: Slot | null): void {
    const now = this.#context.clock.now();
    // Maps may be skipped: a copy that was named and then handed the slot may hear of both at once.
    const isHandedOver = slot.role === Role.joining && slot.source!.isComplete && entry.backup !== null;
    const isFollower = slot.role === Role.backup || isHandedOver;
    if (!isFollower) this.#takeRetained(slot);
    else if (before !== null && before.owner !== null) {
      const peer = this.#context.peerOf(before.owner);
      if (peer?.isProcess(before.owner)) peer.takenVersion = this.#context.version;
    }
    slot.role = Role.owner;
    slot.source = slot.retained = null;
    slot.committedPos = slot.pos;
    slot.lagsBefore = now;
    slot.pending = [];
    slot.answers = [];
    slot.joining = null;
    slot.isStopping = slot.isChallenged = slot.removesBackup = false;
    slot.backup = entry.backup === null ? null : this.#follower(entry, slot.pos);
    // Of two copies at the same place both were found on disks.
    if (slot.backup !== null && !isFollower) slot.backup.durablePos = slot.pos;
    if (slot.onDisk !== null) slot.onDisk.shownFrom = slot.pos;
    this.#owner.assignLeases(slot);
  }

  #enterBackup(slot: SlotCopy, entry: Slot, before: Slot | null): void {
    if (slot.role === Role.backup) {
      if (before !== null && sameHolder(before.owner, entry.owner)) return this.#report(slot, entry);
      this.#leave(slot);
      return;
    }
    const isHandedOver = slot.role === Role.owner && slot.isStopping;
    this.#stopOwning(slot);
    const isGivenCopy =
      slot.role === Role.joining &&
      this.#context.rules.mayName(slot.source!.isComplete, slot.pos, slot.pos) &&
      sameHolder(slot.source!.from, entry.owner);
    if (slot.role === Role.nobody && this.#isOffered(slot, entry)) this.#takeRetained(slot);
    else if (!isHandedOver && !isGivenCopy) {
      this.#leave(slot);
      return;
    }
    slot.role = Role.backup;
    slot.source = slot.retained = null;
    slot.backupSince = this.#context.clock.now();
    this.#report(slot, entry);
  }

  #enterNobody(slot: SlotCopy, entry: Slot, epochBefore: number): void {
    if (slot.role === Role.joining) {
      if (!sameHolder(slot.source!.from, entry.owner)) this.#leave(slot);
      // It may have been named and taken out again in maps that were skipped: then nobody counts on the copy.
      else reportWhole(this.#context, slot);
    } else if (slot.role !== Role.nobody) {
      this.#stopOwning(slot);
      const { sessions, pos } = slot;
      const { incarnation } = this.#context.self;
      if (this.#context.isSelf(entry.prior))
        slot.retained = { incarnation, epoch: epochBefore, pos, sessions };
      dropCopy(this.#context, slot);
    }
    // Copies of the old pair are wanted until somebody serves the slot from one of them.
    const { retained } = slot;
    if (retained === null || this.#context.isNamed(entry, retained.incarnation)) return;
    slot.retained = null;
    if (slot.role === Role.nobody) this.#context.disk?.drop(slot);
  }

  /** Its copy was found to be as good as the new owner's, which knows that from its offer. */
  #isOffered(slot: SlotCopy, entry: Slot): boolean {
    return slot.onDisk !== null && slot.retained !== null && slot.offeredEpoch === entry.epoch - 1;
  }

  #stopOwning(slot: SlotCopy): void {
    if (slot.role !== Role.owner) return;
    slot.role = Role.nobody;
    this.#transfers.drop(slot);
    slot.joining = slot.backup = null;
    slot.isStopping = slot.isChallenged = slot.removesBackup = false;
    for (const key of slot.touched) slot.sessions.untouch(key);
    slot.touched = [];
    this.#owner.assignLeases(slot);
    this.#owner.dropPending(slot);
  }

  #leave(slot: SlotCopy): void {
    dropCopy(this.#context, slot);
  }

  #takeRetained(slot: SlotCopy): void {
    const { retained } = slot;
    slot.sessions = retained?.sessions ?? slot.emptySessions();
    slot.pos = retained?.pos ?? 0;
    this.#context.disk?.own(slot, retained !== null);
  }

  /** Tells the owner how far this copy has come: it sends the rest. */
  #report(slot: SlotCopy, entry: Slot): void {
    const peer = this.#context.connectedTo(entry.owner!);
    if (peer !== null) answerOwner(this.#context, peer, slot);
  }

  #follower(entry: Slot, ackedPos: number): Follower {
    const holder = entry.backup!;
    return new Follower(holder, this.#context.leaseOf(holder), ackedPos, this.#context.clock.now());
  }
}
