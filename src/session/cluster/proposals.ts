/**
 * Changes of the register by this process: all that its slots want goes into one compare-and-set, and there is never a
 * second one before the first is settled. While it is open, or its outcome unknown, an owner needs the answers and
 * the promises of both maps, and a backup that takes over promises nothing.
 */
import type { CasOutcome } from "../../register/register.ts";
import { type Slot, type SlotMap, sameHolder, withSlots } from "../../register/slot-map.ts";
import { diskCopies as diskLimits, replication as limits } from "../../support/limits.ts";
import { Calm } from "./calm.ts";
import { isDurableWith } from "./commit-rule.ts";
import type { Context } from "./context.ts";
import type { Handovers } from "./handover.ts";
import type { Moves } from "./moves.ts";
import type { Owner } from "./owner.ts";
import type { Peer } from "./peer.ts";
import type { Recovery } from "./recovery.ts";
import { Role, type SlotCopy } from "./slot.ts";
import { backupRemoval, takeover } from "./takeover.ts";

interface Proposal {
  readonly changes: ReadonlyMap<number, Slot>;
  readonly beganAt: number;
}

export class Proposals {
  readonly #context: Context;
  readonly #owner: Owner;
  readonly #handovers: Handovers;
  readonly #moves: Moves;
  readonly #recovery: Recovery;
  /** Reads the register until that succeeds. */
  readonly #settleByRead: (settled: () => void) => void;
  #open: Proposal | null = null;
  /** No slot wanted anything when they were looked at last. */
  #calm: Calm | null = null;

  constructor(
    context: Context,
    owner: Owner,
    handovers: Handovers,
    moves: Moves,
    recovery: Recovery,
    settleByRead: (settled: () => void) => void,
  ) {
    this.#context = context;
    this.#owner = owner;
    this.#handovers = handovers;
    this.#moves = moves;
    this.#recovery = recovery;
    this.#settleByRead = settleByRead;
  }

  get isOpen(): boolean {
    return this.#open !== null;
  }

  /** A slot may want something though the map and who lives are the same. */
  lookAgain(): void {
    this.#calm = null;
  }

  step(): void {
    const { map, slots, options, clock } = this.#context;
    if (map === null || this.#open !== null) return;
    if (this.#recovery.isIdle && this.#moves.isCalm && this.#calm?.lasts) return;
    const changes = new Map<number, Slot>();
    const calm = new Calm(this.#context);
    let isAllCalm = true;
    for (const slot of slots) {
      const entry = map.value.slots[slot.index]!;
      if (this.#recovery.isIdle && calm.has(slot, entry)) continue;
      isAllCalm = false;
      const next = this.#next(slot, entry);
      if (next !== null) changes.set(slot.index, next);
    }
    this.#calm = isAllCalm ? calm : null;
    if (changes.size === 0) return;
    const proposal: Proposal = { changes, beganAt: clock.now() };
    this.#open = proposal;
    for (const [index, next] of changes) this.#mark(slots[index]!, next);
    const value: SlotMap = withSlots(map.value, changes);
    options.register.compareAndSet(map.version, value, (outcome) => this.#onOutcome(proposal, outcome));
  }

  #next(slot: SlotCopy, entry: Slot): Slot | null {
    if (entry.epoch !== slot.epoch) return null;
    if (entry.owner === null) return this.#moves.claim(slot, entry);
    if (slot.role === Role.owner) return this.#ownersNext(slot, entry);
    return takeover(this.#context, slot, entry) ?? this.#recovery.next(slot, entry);
  }

  #ownersNext(slot: SlotCopy, entry: Slot): Slot | null {
    if (slot.isChallenged) return { ...entry, epoch: entry.epoch + 1 };
    const removal = backupRemoval(this.#context, slot, entry);
    if (removal !== null) {
      this.#handovers.cancel(slot);
      return removal;
    }
    const swap = this.#handovers.swap(slot, entry);
    if (swap !== null || slot.isStopping) return swap;
    const { joining } = slot;
    if (joining === null) return this.#withoutPrior(slot, entry);
    const { transfer, ackedPos } = joining;
    if (!isDurableWith(slot, joining)) return null;
    if (!this.#context.rules.mayName(transfer!.isComplete, ackedPos, slot.committedPos)) return null;
    return { epoch: entry.epoch + 1, owner: this.#context.self, backup: joining.holder, prior: null };
  }

  /** The disk of an owner that stays alone has all: after a crash of both, nobody need wait for what the former backup has. */
  #withoutPrior(slot: SlotCopy, entry: Slot): Slot | null {
    const { disk, clock, self } = this.#context;
    if (disk === null || slot.backup !== null || entry.prior === null) return null;
    if (!disk.isWell || !disk.isSynced(slot) || clock.now() - slot.roleSince < diskLimits.priorKeptMs)
      return null;
    return { epoch: entry.epoch + 1, owner: self, backup: null, prior: null };
  }

  #mark(slot: SlotCopy, next: Slot): void {
    if (slot.role === Role.owner) {
      if (next.backup === null) slot.removesBackup = true;
      else if (slot.joining !== null && sameHolder(next.backup, slot.joining.holder))
        slot.joining.isNeeded = slot.joining.isNamed = true;
      this.#owner.assignLeases(slot);
      this.#owner.advance(slot);
    } else if (slot.role === Role.backup) {
      const peer = this.#context.peerOf(this.#context.entryOf(slot).owner!);
      if (peer !== null) peer.isBeingReplaced = true;
    }
  }

  #onOutcome(proposal: Proposal, outcome: CasOutcome<SlotMap>): void {
    if (outcome.kind === "unknown") {
      this.#settleByRead(() => {
        const { map, slots } = this.#context;
        for (const [index, made] of proposal.changes)
          this.#recovery.onSettled(slots[index]!, made, map!.value.slots[index]!);
        this.#settle(proposal);
      });
      return;
    }
    if (outcome.kind === "done") {
      for (const [index, made] of proposal.changes) {
        const slot = this.#context.slots[index]!;
        if (slot.epoch === made.epoch) slot.isChallenged = false;
        this.#recovery.onDone(slot, made);
      }
      if (!this.#context.slots.some(({ isChallenged }) => isChallenged)) {
        this.#context.registerLease.extend(proposal.beganAt + limits.registerLeaseMs);
      }
    }
    if (outcome.kind === "conflict")
      for (const index of proposal.changes.keys()) this.#recovery.onRefused(this.#context.slots[index]!);
    this.#settle(proposal);
  }

  #settle(proposal: Proposal): void {
    this.#open = null;
    this.#tellNamed(proposal);
    for (const peer of this.#context.peers.values()) peer.isBeingReplaced = false;
    for (const index of proposal.changes.keys()) {
      const slot = this.#context.slots[index]!;
      slot.removesBackup = false;
      if (slot.joining !== null) slot.joining.isNamed = false;
      if (slot.role === Role.owner) {
        this.#owner.assignLeases(slot);
        this.#owner.advance(slot);
      }
    }
  }

  /** Whom a change of ours gave a role is sent the map at once: it may be unable to read the register just now. */
  #tellNamed({ changes }: Proposal): void {
    const { map, self, options } = this.#context;
    const named = new Set<Peer>();
    for (const [index, made] of changes) {
      const entry = map!.value.slots[index]!;
      if (entry.epoch !== made.epoch || !sameHolder(entry.owner, made.owner)) continue;
      for (const holder of [made.owner, made.backup]) {
        const peer = holder === null || sameHolder(holder, self) ? null : this.#context.connectedTo(holder);
        if (peer !== null) named.add(peer);
      }
    }
    if (named.size === 0) return;
    const bytes = options.mapCodec.encode(map!.value);
    for (const peer of named) this.#context.writerTo(peer)?.map(map!.version, bytes);
  }
}
