/**
 * Slots that nobody serves any more: owner and backup are dead or silent. The copies that are left are offered, and when
 * all are in, the newest one, whole, becomes the owner's; copies are never merged.
 *
 * Silence proves nothing: the pair may be cut off together with its visitors. So a silent pair is first challenged: its
 * slot's epoch is raised in the register. An owner that lives and can read the register answers by raising it again;
 * one that can't has stopped serving (`Context.registerLease`) before the challenge is over.
 */
import { type Holder, type Slot, sameHolder } from "../../register/slot-map.ts";
import { replication as limits } from "../../support/limits.ts";
import type { Context, Recovered } from "./context.ts";
import { Role, type SlotCopy } from "./slot.ts";

interface Offer {
  /** -1: no copy. */
  readonly epoch: number;
  readonly pos: number;
  /** All of it is on its server's disk. */
  readonly isOnDisk: boolean;
  readonly holder: Holder;
}

interface Case {
  /** Somebody else changed the slot while the case was open: perhaps a challenge, which is given the time that it takes. */
  readonly mayBeChallenged: boolean;
  /** The slot's epoch when the case was opened, or after our own challenge. */
  epoch: number;
  readonly openedAt: number;
  challengedAt: number | null;
  /** When the copies were first asked for, or a process that may have one came last. */
  askedAt: number;
  /** Incarnations of the processes that were asked. */
  readonly asked: Set<string>;
  readonly offers: Map<string, Offer>;
}

export class Recovery {
  readonly #context: Context;
  readonly #cases: Map<SlotCopy, Case> = new Map();
  /** Slots given an owner by us: told when it is done. */
  readonly #decided: Map<SlotCopy, Recovered> = new Map();

  /** Of this server among all, by name. */
  readonly #place: number;
  readonly #serverCount: number;

  constructor(context: Context) {
    this.#context = context;
    const { server } = context.self;
    this.#place = [...context.peers.keys()].filter((other) => other < server).length;
    this.#serverCount = context.peers.size + 1;
  }

  /** No slot is being recovered, and none of what was offered is to be taken back. */
  get isIdle(): boolean {
    return this.#cases.size === 0 && this.#context.disk?.disk.isLost !== true;
  }

  /** The slot's next entry of the map: a challenge or a new owner; null while there is nothing to do. */
  next(slot: SlotCopy, entry: Slot): Slot | null {
    if (this.#context.isRestoring) return null;
    if (this.#context.disk?.disk.isLost) return this.#withdrawn(slot, entry);
    if (!this.#isOrphan(slot, entry)) {
      if (this.#cases.size > 0) this.#cases.delete(slot);
      return null;
    }
    const now = this.#context.clock.now();
    let open = this.#cases.get(slot);
    if (open === undefined || open.epoch !== entry.epoch) {
      open = {
        mayBeChallenged: open !== undefined,
        epoch: entry.epoch,
        openedAt: now,
        challengedAt: null,
        askedAt: Number.NEGATIVE_INFINITY,
        asked: new Set(),
        offers: new Map(),
      };
      this.#cases.set(slot, open);
    }
    const isProvenGone = this.#isProvenGone(entry);
    const restMs = open.mayBeChallenged && !isProvenGone ? limits.challengeAfterMs + limits.challengeMs : 0;
    if (now - open.openedAt < restMs + this.#turnMs(slot)) return null;
    if (!isProvenGone) {
      if (open.challengedAt === null) return { ...entry, epoch: entry.epoch + 1 };
      if (now - open.challengedAt < limits.challengeMs) return null;
    }
    return this.#decide(slot, entry, open);
  }

  /** Somebody may decide by what was told of copies that are retained. */
  get hasOffered(): boolean {
    return this.#context.slots.some((slot) => this.#isOffered(slot));
  }

  #isOffered({ role, retained, offeredEpoch, epoch }: SlotCopy): boolean {
    const isOffered = role === Role.nobody && retained !== null && offeredEpoch === epoch;
    return isOffered && this.#context.rules.withdraws();
  }

  /** What the disk had when it was offered is gone: with another epoch nobody counts on the offer any more. */
  #withdrawn(slot: SlotCopy, entry: Slot): Slot | null {
    this.#cases.delete(slot);
    return this.#isOffered(slot) ? { ...entry, epoch: entry.epoch + 1 } : null;
  }

  /** A change of ours was made: a challenge counts from here. */
  onDone(slot: SlotCopy, made: Slot): void {
    const open = this.#cases.get(slot);
    if (open === undefined || made.epoch !== open.epoch + 1) return;
    if (this.#decided.has(slot)) {
      this.#context.observer.onRecovered(slot.index, this.#decided.get(slot)!);
      this.#decided.delete(slot);
      this.#cases.delete(slot);
      return;
    }
    open.epoch = made.epoch;
    open.challengedAt = this.#context.clock.now();
  }

  /** A change of ours was not made and will not be. */
  onRefused(slot: SlotCopy): void {
    this.#decided.delete(slot);
  }

  /**
   * The answer to a change of ours was lost; a read shows what became of it.
   * @param entry the slot's now. A later one may hide who made the one before: then what we decided is told all the same.
   */
  onSettled(slot: SlotCopy, made: Slot, entry: Slot): void {
    const isMade =
      entry.epoch > made.epoch ||
      (entry.epoch === made.epoch &&
        sameHolder(entry.owner, made.owner) &&
        sameHolder(entry.backup, made.backup) &&
        sameHolder(entry.prior, made.prior));
    if (isMade) this.onDone(slot, made);
    else this.onRefused(slot);
  }

  onQuery(slot: SlotCopy, from: string): void {
    // Asked again until then; "no copy" would be the last word.
    if (this.#context.isRestoring) return;
    const { epoch, pos, isOnDisk } = this.#offerOf(slot);
    const peer = this.#context.peers.get(from);
    if (peer !== undefined) this.#context.writerTo(peer)?.copyOffer(slot.index, epoch, pos, isOnDisk);
  }

  onOffer(slot: SlotCopy, holder: Holder, epoch: number, pos: number, isOnDisk: boolean): void {
    this.#cases.get(slot)?.offers.set(holder.server, { epoch, pos, isOnDisk, holder });
  }

  #decide(slot: SlotCopy, entry: Slot, open: Case): Slot | null {
    const { self, clock, rules } = this.#context;
    const named = new Set(
      [entry.owner, entry.backup, entry.prior].flatMap((holder) => (holder === null ? [] : [holder.server])),
    );
    if (named.has(self.server)) open.offers.set(self.server, this.#offerOf(slot));
    let best: Offer | null = null;
    const away: string[] = [];
    for (const server of named) {
      const offer = open.offers.get(server);
      const peer = this.#context.peers.get(server);
      // The offer of a process that has ended says nothing of what the next one has read from disk.
      if (offer === undefined || !(server === self.server || peer?.isProcess(offer.holder))) {
        away.push(server);
        this.#context.writerTo(peer ?? null)?.copyQuery(slot.index);
        const process = peer?.connection?.incarnation ?? "";
        if (!open.asked.has(process)) open.askedAt = clock.now();
        open.asked.add(process);
      } else if (offer.epoch >= 0 && (best === null || rules.isNewer(offer, best))) best = offer;
    }
    const hasAll = this.#hasOwnerAll(entry, open, away);
    if (away.length > 0 && isAwaited(open, clock.now(), hasAll)) return null;
    if (this.#context.disk !== null) return this.#decideByDisks(slot, entry, open, best, away);
    // Whoever is away: nothing was acknowledged without each of the pair. One taken out of it lacks what came afterwards.
    const isOfPair =
      best !== null && [entry.owner, entry.backup].some((holder) => holder?.server === best.holder.server);
    this.#decided.set(slot, { copy: isOfPair ? "whole" : away.length > 0 ? "unknown" : "lost", away });
    return { epoch: entry.epoch + 1, owner: best?.holder ?? self, backup: null, prior: null };
  }

  /**
   * An owner without a backup whose disk knows the epoch of now: all that it took over was written before that, and what it committed
   * alone is there. Nobody else's copy is needed, whoever the register names as its former backup.
   */
  #hasOwnerAll({ epoch, owner, backup }: Slot, { offers }: Case, away: readonly string[]): boolean {
    if (this.#context.disk === null || backup !== null) return false;
    const ours = offers.get(owner!.server);
    return hasCopy(ours, away) && this.#context.rules.knowsItIsAlone(ours!.epoch, epoch);
  }

  /**
   * The copies that are left lie on disks, and what was acknowledged is on those of the pair that could be written: on one at least. So
   * both have to come. An owner without a backup has all on its own, but what it took over may be on its former partner's alone, or on
   * none, as long as the register names that: its own has all when it knows the epoch of now, or one that the other does not.
   */
  #decideByDisks(
    slot: SlotCopy,
    entry: Slot,
    open: Case,
    best: Offer | null,
    away: readonly string[],
  ): Slot | null {
    const { self, rules } = this.#context;
    const { offers } = open;
    const owner = entry.owner!;
    const other = entry.backup ?? entry.prior;
    const ours = offers.get(owner.server);
    const theirs = other === null ? undefined : offers.get(other.server);
    const haveAllCome = hasCopy(ours, away) && (other === null || hasCopy(theirs, away));
    const isAhead = ours !== undefined && theirs !== undefined && ours.epoch > theirs.epoch;
    const hasCaughtUp = entry.backup !== null || other === null || isAhead;
    const isWhole = this.#hasOwnerAll(entry, open, away) || rules.isWhole(haveAllCome, hasCaughtUp);
    this.#decided.set(slot, { copy: isWhole ? "whole" : away.length > 0 ? "unknown" : "lost", away });
    const next = { epoch: entry.epoch + 1, owner: best?.holder ?? self, backup: null, prior: null };
    if (best === null) return next;
    const second = best === ours ? theirs : ours;
    // Two that are the same need no copying.
    if (isWhole && entry.backup !== null && second !== undefined && isSameCopy(best, second))
      return { ...next, backup: second.holder };
    return best.isOnDisk ? next : { ...next, prior: second?.holder ?? other };
  }

  #offerOf(slot: SlotCopy): Offer {
    const { disk, self } = this.#context;
    if (slot.role === Role.nobody && disk?.disk.isLost)
      return { epoch: -1, pos: -1, isOnDisk: false, holder: self };
    slot.offeredEpoch = slot.epoch;
    return offerOf(slot, this.#context.self, this.#context.disk?.isSyncedCopy(slot) === true);
  }

  #isOrphan(slot: SlotCopy, { owner, backup }: Slot): boolean {
    if (slot.role === Role.owner || slot.role === Role.backup || owner === null) return false;
    return this.#isAway(owner) && (backup === null || this.#isAway(backup));
  }

  #isAway(holder: Holder): boolean {
    const { self, startedAt } = this.#context;
    if (this.#context.isGone(holder)) return true;
    if (holder.server === self.server) return true;
    return this.#context.silenceMs(holder, startedAt) > limits.challengeAfterMs;
  }

  #isProvenGone({ owner, backup }: Slot): boolean {
    return this.#context.isGone(owner!) && (backup === null || this.#context.isGone(backup));
  }

  /** Servers take turns by name, another one first for each slot, so that they do not all propose at once. */
  #turnMs(slot: SlotCopy): number {
    return ((this.#place + slot.index) % this.#serverCount) * limits.beatIntervalMs * 5;
  }
}

/**
 * Whoever has come just now may have read the copy from its disk; one that comes again and again is not waited for.
 * @param hasAll no other copy is needed. But servers that are started together come one after the other, and of two voters, one that does not
 * wait for a moment may go on without what the other one has decided last.
 */
function isAwaited({ openedAt, askedAt }: Case, now: number, hasAll: boolean): boolean {
  if (hasAll) return now - openedAt < limits.offersAskedMs;
  if (now - openedAt < limits.offersMs) return true;
  return now - askedAt < limits.offersAskedMs && now - openedAt < limits.offersMsMax;
}

function hasCopy(offer: Offer | undefined, away: readonly string[]): boolean {
  return offer !== undefined && offer.epoch >= 0 && !away.includes(offer.holder.server);
}

function isSameCopy(one: Offer, other: Offer): boolean {
  const isSamePlace = one.epoch === other.epoch && one.pos === other.pos;
  return isSamePlace && one.isOnDisk && other.isOnDisk && one.holder.server !== other.holder.server;
}

function offerOf(slot: SlotCopy, self: Holder, isOnDisk: boolean): Offer {
  if (slot.role === Role.owner || slot.role === Role.backup) {
    return { epoch: slot.epoch, pos: slot.pos, isOnDisk, holder: self };
  }
  const copy = slot.retained;
  return { epoch: copy?.epoch ?? -1, pos: copy?.pos ?? -1, isOnDisk, holder: self };
}
