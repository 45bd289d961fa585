/**
 * The owner's housekeeping: brings what it owns nearer to what `placement.ts` says. A slot without a backup comes
 * first. A slot that belongs elsewhere is copied there, its new owner becomes the backup, then the two swap.
 */
import type { Slot } from "../../register/slot-map.ts";
import { replication as limits } from "../../support/limits.ts";
import type { Context } from "./context.ts";
import type { Handovers } from "./handover.ts";
import { PeerState } from "./messages.ts";
import { type Placed, place } from "./placement.ts";
import { Role, type SlotCopy } from "./slot.ts";
import type { Transfers } from "./transfer.ts";

export class Moves {
  readonly #context: Context;
  readonly #transfers: Transfers;
  readonly #handovers: Handovers;
  #living = "";
  #livingSince: number;
  #plan: readonly Placed[] = [];
  #planVersion = -1;
  /** The version in which all was found to be as planned, with nothing under way; -1: not yet. */
  #calmVersion = -1;

  constructor(context: Context, transfers: Transfers, handovers: Handovers) {
    this.#context = context;
    this.#transfers = transfers;
    this.#handovers = handovers;
    this.#livingSince = context.clock.now();
  }

  step(): void {
    const { map, slots } = this.#context;
    if (map === null) return;
    this.#makePlan();
    if (this.isCalm) return;
    const room = new Room(this.#context);
    for (const slot of slots) {
      if (slot.isServing && slot.backup === null && slot.joining === null && room.isLeft) {
        if (this.#giveBackup(slot)) room.take(slot);
      }
    }
    if (!this.#isSettled(this.#isSomebodyLeaving ? limits.settledSoonMs : limits.settledMs)) return;
    for (const slot of slots) {
      if (slot.isServing && slot.backup !== null && slot.joining === null && this.#move(slot, room.isLeft))
        room.take(slot);
    }
    if (slots.every((slot) => this.#isAsPlanned(slot))) this.#calmVersion = map.version;
  }

  /** No slot is being copied or handed over, and none is to be: until the map or who lives changes. */
  get isCalm(): boolean {
    return this.#calmVersion === this.#context.version;
  }

  /** A slot that nobody ever owned, claimed by whom the plan gives it to. */
  claim(slot: SlotCopy, entry: Slot): Slot | null {
    if (entry.owner !== null) return null;
    if (!this.#isSettled(limits.settledSoonMs)) return null;
    if (this.#plan[slot.index]?.owner !== this.#context.self.server) return null;
    return { epoch: entry.epoch + 1, owner: this.#context.self, backup: null, prior: null };
  }

  #isSettled(sinceMs: number): boolean {
    return this.#context.clock.now() - this.#livingSince >= sinceMs;
  }

  get #isSomebodyLeaving(): boolean {
    if (this.#context.handsOver) return true;
    for (const { state } of this.#context.peers.values()) if (state === PeerState.leaving) return true;
    return false;
  }

  #giveBackup(slot: SlotCopy): boolean {
    const { owner, backup } = this.#plan[slot.index]!;
    const wanted = owner === this.#context.self.server ? backup : owner;
    return this.#copyTo(slot, wanted);
  }

  #move(slot: SlotCopy, hasRoom: boolean): boolean {
    const { owner, backup } = this.#plan[slot.index]!;
    const wanted = owner === this.#context.self.server ? backup : owner;
    if (wanted === "" || wanted === this.#context.self.server) return false;
    // It has no copy to give to anybody else; a backup that leaves as well has one.
    if (this.#context.disk?.isUnreadable && slot.backup!.durablePos >= 0) {
      this.#handovers.begin(slot);
      return false;
    }
    if (slot.backup!.holder.server !== wanted) return hasRoom && this.#copyTo(slot, wanted);
    if (owner !== this.#context.self.server) this.#handovers.begin(slot);
    return false;
  }

  #isAsPlanned(slot: SlotCopy): boolean {
    if (slot.role !== Role.owner) return true;
    const { owner, backup } = this.#plan[slot.index]!;
    if (slot.isStopping || slot.joining !== null || owner !== this.#context.self.server) return false;
    return slot.backup === null ? backup === "" : slot.backup.holder.server === backup;
  }

  #copyTo(slot: SlotCopy, server: string): boolean {
    const peer = this.#context.peers.get(server);
    if (peer?.connection == null) return false;
    if (this.#context.clock.now() - peer.answeredAt > limits.silentMs) return false;
    this.#transfers.begin(slot, { server, incarnation: peer.incarnation });
    return slot.joining !== null;
  }

  #makePlan(): void {
    const { self, machine, peers, map, handsOver, clock } = this.#context;
    const now = clock.now();
    const living = handsOver ? [] : [{ server: self.server, machine }];
    for (const peer of peers.values()) {
      if (peer.connection === null || peer.state !== PeerState.well) continue;
      if (now - peer.answeredAt <= limits.silentMs)
        living.push({ server: peer.server, machine: peer.machine });
    }
    const key = living
      .map(({ server }) => server)
      .sort()
      .join();
    if (key !== this.#living) {
      this.#living = key;
      this.#livingSince = now;
    } else if (this.#planVersion === map!.version) return;
    this.#planVersion = map!.version;
    this.#calmVersion = -1;
    // What a leaving server owns is given to others.
    const isToMove = (server: string): boolean =>
      server === self.server ? handsOver : peers.get(server)?.state === PeerState.leaving;
    this.#plan = place(
      map!.value.slots.map(({ owner, backup }) => ({
        owner: owner === null || isToMove(owner.server) ? "" : owner.server,
        backup: backup?.server ?? "",
      })),
      living,
    );
  }

  /** Whether this process may stop: nobody counts on what it keeps. One that is joining may be named any moment. */
  get isDrained(): boolean {
    return this.#context.slots.every(({ role }) => role === Role.nobody);
  }
}

/** For copies that are under way at the same time. */
class Room {
  #slots: number = limits.transfersMax;
  #bytes: number = limits.transferBytesMax;

  /** Of a slot on disk, on average. */
  readonly #diskBytes: number;

  constructor({ slots, disk }: Context) {
    const kept = slots.filter(({ role }) => role === Role.owner || role === Role.backup).length;
    this.#diskBytes = disk === null ? 0 : disk.disk.bytes / Math.max(1, kept);
    for (const slot of slots) if (slot.joining !== null) this.take(slot);
  }

  take(slot: SlotCopy): void {
    this.#slots--;
    this.#bytes -= Math.max(slot.sessions.bytes, this.#diskBytes);
  }

  get isLeft(): boolean {
    return this.#slots > 0 && this.#bytes > 0;
  }
}
