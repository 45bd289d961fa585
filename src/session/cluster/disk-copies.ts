/**
 * The copies of this process's slots on its own disk (`durability: backup+disk`), a follower of each like a backup: what is
 * applied in memory is given to the disk at once, in the same order, and counts when it is synced.
 *
 * While the disk has too much to write already, or can't be written, keys are noted instead (`SlotOnDisk.behind`), and given
 * with their state of then, all of a slot at once, when it has room again: so its copy is always as it was at one moment.
 */
import type { Clock } from "../../support/clock.ts";
import { diskCopies as limits, replication } from "../../support/limits.ts";
import type { SessionEntries } from "../entry.ts";
import { type SessionSnapshot, snapshotOf } from "../snapshot.ts";
import type { KeptSession } from "../table/kept-session.ts";
import type { SlotSessions } from "../table/slot-sessions.ts";
import type { CopiedSession } from "./messages.ts";
import type { Rules } from "./rules.ts";
import { Role, type SlotCopy } from "./slot.ts";
import type { DiskObserver, Renewal, SlotDisk } from "./slot-disk.ts";
import { SlotOnDisk } from "./slot-on-disk.ts";

/** What of the process it needs. */
export interface DiskSite {
  readonly clock: Clock;
  readonly rules: Rules;
  readonly slots: readonly SlotCopy[];
  noteTurn(): void;
}

/** no room: there is one, and nowhere to put it; not asked: the disk could not answer, or the slot has another role now. */
export type FetchOutcome = "asked" | "no room" | "not asked";
type Fetched = (outcome: FetchOutcome) => void;

interface Fetch {
  readonly slot: SlotCopy;
  /** Of the role in which it was asked for. */
  readonly sessions: SlotSessions;
  /** The session was changed since the disk was asked. */
  isStale: boolean;
  readonly waiting: Fetched[];
}

export interface DiskTakers {
  /** What processes before left on disk is known now. */
  onOpened(): void;
  /** More of the slot is synced, or need not be any more. */
  onSynced(slot: SlotCopy): void;
}

export class DiskCopies implements DiskObserver {
  readonly disk: SlotDisk;
  readonly #site: DiskSite;
  readonly #behind: Set<SlotCopy> = new Set();
  readonly #fetches: Map<string, Fetch> = new Map();
  #waiting = 0;
  #takers: DiskTakers | null = null;
  /** Since when something is given and nothing was synced. */
  #waitsSince: number = Number.POSITIVE_INFINITY;
  #isWell = true;
  /** What was given before is synced, about. */
  #syncedAt: number = Number.NEGATIVE_INFINITY;
  /** How full memory is, above 1, where sessions can't leave it because the disk can't be written (disk-room.ts); else 0. */
  heldFullness = 0;
  /** When a read failed last. */
  #readFailedAt: number = Number.NEGATIVE_INFINITY;

  constructor(site: DiskSite, disk: SlotDisk) {
    this.#site = site;
    this.disk = disk;
    this.#isWell = disk.isWell;
  }

  start(takers: DiskTakers): void {
    this.#takers = takers;
    this.disk.observe(this);
  }

  /** It can be written, as far as is known: nobody answers for what it has not synced. */
  get isWell(): boolean {
    return this.#isWell;
  }

  /** It can't be read: sessions that are not in memory are out of reach here. */
  get isUnreadable(): boolean {
    const hasFailed = this.#site.clock.now() - this.#readFailedAt < limits.unreadableMs;
    return hasFailed || this.disk.isLost || !this.disk.isOpen;
  }

  /** What it had is of no use, and this process serves nothing: it begins anew, as one that never had anything. */
  renew(renewal: Renewal): void {
    this.#behind.clear();
    this.#waitsSince = Number.POSITIVE_INFINITY;
    for (const slot of this.#site.slots) {
      slot.retained = null;
      slot.onDisk = new SlotOnDisk();
    }
    this.disk.renew(renewal);
  }

  get isFull(): boolean {
    return this.disk.pendingBytes >= limits.pendingBytesMax;
  }

  /** The change at the slot's position was applied. @param entries null: the session is over. */
  write(slot: SlotCopy, session: KeptSession, entries: SessionEntries | null): void {
    const { key } = session;
    const snapshot =
      entries === null ? null : { ...snapshotOf(session, entries, this.#site.clock.now()), idleForMs: 0 };
    this.#write(slot, key, snapshot);
  }

  /** The same of a session that is over and may not be in memory. */
  end(slot: SlotCopy, key: string): void {
    this.#write(slot, key, null);
  }

  #write(slot: SlotCopy, key: string, session: SessionSnapshot | null): void {
    const copy = slot.onDisk!;
    if (this.#fetches.size > 0) this.#noteChange(key);
    if (!copy.isBeingMade) this.#noteGiven();
    copy.newer.delete(key);
    copy.newer.set(key, slot.pos);
    if (copy.behind === null && !this.isFull) this.disk.write(slot.index, copy.epoch, slot.pos, key, session);
    else this.#noteBehind(slot, key);
  }

  /** The change at the slot's position was a use of the session, which may not be in memory. */
  use(slot: SlotCopy, key: string, idleTimeoutMs: number): void {
    this.touch(slot, key, idleTimeoutMs, 0);
    const copy = slot.onDisk!;
    if (copy.isBeingMade) return;
    this.#noteGiven();
    if (copy.behind === null && !this.isFull) this.disk.adopt(slot.index, copy.epoch, slot.pos);
    else this.#noteSlotBehind(slot);
  }

  touch(slot: SlotCopy, key: string, idleTimeoutMs: number, idleForMs: number): void {
    // While it can't be written they would gather for ever. What is forgotten is made up for by the next use.
    if (this.disk.pendingBytes < limits.touchesBytesMax)
      this.disk.touch(slot.index, key, idleTimeoutMs, idleForMs);
  }

  /** The slot has another epoch, or the process another role in it. */
  place(slot: SlotCopy): void {
    const copy = slot.onDisk!;
    if (copy.isBeingMade || slot.role === Role.nobody) return;
    copy.epoch = slot.epoch;
    if (copy.behind !== null && this.#site.rules.placeWaits()) return;
    this.#noteGiven();
    this.disk.adopt(slot.index, copy.epoch, slot.pos);
  }

  /** A new owner's. @param isKept what the disk has is what it goes on from; else it begins with nothing. */
  own(slot: SlotCopy, isKept: boolean): void {
    const copy = slot.onDisk!;
    if (!isKept) {
      this.disk.drop(slot.index);
      this.#forget(slot);
      slot.onDisk = new SlotOnDisk();
    } else if (copy.isBeingMade) {
      this.disk.cancelCopy(slot.index);
      copy.isBeingMade = false;
    }
    slot.onDisk!.syncedPos = -1;
    slot.onDisk!.shownFrom = slot.onDisk!.trackedFrom = slot.pos;
  }

  /** Its copy was found on disk. */
  found(slot: SlotCopy, epoch: number, pos: number, sessions: number): void {
    const copy = slot.onDisk!;
    copy.epoch = epoch;
    copy.syncedPos = pos;
    copy.hasMore = sessions > 0;
  }

  /** Called before the slot's role changes. */
  begin(slot: SlotCopy): void {
    if (slot.onDisk!.behind !== null) this.#giveBehind(slot);
    this.disk.beginCopy(slot.index);
    this.#forget(slot);
    slot.onDisk = new SlotOnDisk();
    slot.onDisk.isBeingMade = true;
  }

  add(slot: SlotCopy, sessions: readonly CopiedSession[]): void {
    if (slot.onDisk!.behind !== null) for (const { key } of sessions) this.#noteBehind(slot, key);
    else this.disk.addToCopy(slot.index, sessions);
  }

  /** All of the new copy has come. It is whole when this is synced. */
  finish(slot: SlotCopy): void {
    const copy = slot.onDisk!;
    copy.epoch = slot.epoch;
    if (copy.behind !== null) this.#giveBehind(slot);
    copy.isBeingMade = false;
    copy.trackedFrom = slot.pos;
    this.#noteGiven();
    this.disk.endCopy(slot.index, copy.epoch, slot.pos);
  }

  /** The process serves the slot no more: what the disk has of it goes, unless it is retained. */
  settle(slot: SlotCopy): void {
    const { retained } = slot;
    if (retained === null) return this.drop(slot);
    if (!slot.onDisk!.isBeingMade) return;
    this.disk.cancelCopy(slot.index);
    this.#forget(slot);
    slot.onDisk = new SlotOnDisk();
    slot.onDisk.epoch = retained.epoch;
    slot.onDisk.hasMore = true;
    this.disk.adopt(slot.index, retained.epoch, retained.pos);
  }

  /** Nobody wants what the disk has of the slot. */
  drop(slot: SlotCopy): void {
    this.disk.drop(slot.index);
    this.#forget(slot);
    slot.onDisk = new SlotOnDisk();
  }

  /** That the session is absent is not known before the disk was asked. */
  isCold(slot: SlotCopy, key: string): boolean {
    const { rules } = this.#site;
    const { hasMore, newer } = slot.onDisk!;
    if (!hasMore || slot.sessions.has(key)) return false;
    const isOver = newer.has(key) && rules.keepsTombstones();
    return !isOver && rules.asksDisk();
  }

  /** Brings the session into memory, if there is one. @returns false when too many wait: nothing is called. */
  fetch(slot: SlotCopy, key: string, done: Fetched): boolean {
    if (this.#waiting >= replication.waitingMax) return false;
    this.#waiting++;
    const open = this.#fetches.get(key);
    if (open !== undefined) {
      open.waiting.push(done);
      return true;
    }
    const fetch = { slot, sessions: slot.sessions, isStale: false, waiting: [done] };
    this.#fetches.set(key, fetch);
    this.#read(fetch, key);
    return true;
  }

  /**
   * Until the result is called no session of the slot leaves memory. So for whoever reads the disk meanwhile, each one that lives is
   * in memory in the end, or was not at all since the begin, and then the disk had its newest state before it was asked.
   */
  hold({ onDisk }: SlotCopy): () => void {
    const copy = onDisk!;
    copy.readers++;
    return () => {
      copy.readers--;
    };
  }

  isFetched(key: string): boolean {
    return this.#fetches.has(key);
  }

  /** How far this process may answer for the slot. */
  answeredPos(slot: SlotCopy): number {
    const { syncedPos, isBeingMade } = slot.onDisk!;
    if (isBeingMade) return slot.pos;
    return this.#site.rules.answeredPos(Math.min(syncedPos, slot.pos), slot.pos, this.#isWell);
  }

  /** The same of the copy that is retained. */
  isSyncedCopy(slot: SlotCopy): boolean {
    const { syncedPos, behind, isBeingMade } = slot.onDisk!;
    return !isBeingMade && behind === null && syncedPos >= (slot.retained ?? slot).pos;
  }

  isSynced(slot: SlotCopy): boolean {
    const { syncedPos, behind, isBeingMade } = slot.onDisk!;
    return !isBeingMade && behind === null && syncedPos >= slot.pos;
  }

  /** Whether the disk has the session as it is in memory, but for its use. */
  hasNewest({ onDisk }: SlotCopy, key: string): boolean {
    const { syncedPos, trackedFrom, isBeingMade, newer } = onDisk!;
    return this.#site.rules.mayLeave(!isBeingMade && syncedPos >= trackedFrom && !newer.has(key));
  }

  /** The disk knows of all uses before, or will, in time. */
  get usesKnownUntil(): number {
    const isKept = this.#isWell && !this.isFull;
    return isKept ? Number.POSITIVE_INFINITY : this.#syncedAt - 2 * replication.touchIntervalMs;
  }

  /** A new owner waits with what it shows. */
  holdsBack(slot: SlotCopy): boolean {
    const { shownFrom, syncedPos } = slot.onDisk!;
    return shownFrom > syncedPos && this.#isWell && this.#site.rules.waitsToShow();
  }

  tick(): void {
    if (this.disk.pendingBytes === 0) this.#waitsSince = Number.POSITIVE_INFINITY;
    const isStalled = this.#site.clock.now() - this.#waitsSince > limits.stalledMs;
    this.#judge(isStalled);
    if (!this.isFull) for (const slot of this.#behind) this.#giveBehind(slot);
  }

  onDurable(index: number, epoch: number, pos: number): void {
    const { clock } = this.#site;
    this.#site.noteTurn();
    this.#syncedAt = Math.min(this.#waitsSince, clock.now());
    this.#waitsSince = this.disk.pendingBytes > 0 ? clock.now() : Number.POSITIVE_INFINITY;
    this.#judge(false);
    const slot = this.#site.slots[index];
    if (slot?.onDisk == null || slot.onDisk.epoch !== epoch || slot.onDisk.isBeingMade) return;
    slot.onDisk.syncedPos = pos;
    forgetSynced(slot.onDisk.newer, pos);
    if (slot.onDisk.behind !== null && !this.isFull) this.#giveBehind(slot);
    this.#takers?.onSynced(slot);
  }

  onOpened(): void {
    this.#site.noteTurn();
    this.#readFailedAt = Number.NEGATIVE_INFINITY;
    this.#judge(false);
    this.#takers?.onOpened();
  }

  onTrouble(): void {
    this.#site.noteTurn();
    this.#judge(false);
  }

  onLost(): void {
    this.#site.noteTurn();
    for (const { onDisk } of this.#site.slots)
      onDisk!.syncedPos = this.#site.rules.lostPos(onDisk!.syncedPos);
    this.#isWell = false;
    this.#tellAll();
  }

  #judge(isStalled: boolean): void {
    const isWell = this.disk.isWell && !this.disk.isLost && !isStalled;
    if (isWell === this.#isWell) return;
    this.#isWell = isWell;
    if (isWell) this.heldFullness = 0;
    // It was away, and is there again: each says anew how far it is.
    if (isWell) for (const slot of this.#site.slots) if (slot.onDisk!.syncedPos < 0) this.place(slot);
    this.#tellAll();
  }

  #tellAll(): void {
    for (const slot of this.#site.slots) if (slot.role !== Role.nobody) this.#takers?.onSynced(slot);
  }

  #noteGiven(): void {
    if (this.#waitsSince === Number.POSITIVE_INFINITY) this.#waitsSince = this.#site.clock.now();
  }

  #noteBehind(slot: SlotCopy, key: string): void {
    this.#noteSlotBehind(slot).add(key);
  }

  #noteSlotBehind(slot: SlotCopy): Set<string> {
    this.#behind.add(slot);
    slot.onDisk!.behind ??= new Set();
    return slot.onDisk!.behind;
  }

  /** All at once: the disk puts it into one transaction. */
  #giveBehind(slot: SlotCopy): void {
    const copy = slot.onDisk!;
    this.#behind.delete(slot);
    const { behind } = copy;
    copy.behind = null;
    const { pos, sessions } = slot.role === Role.nobody ? (slot.retained ?? slot) : slot;
    const now = this.#site.clock.now();
    for (const key of behind ?? []) {
      const session = sessions.get(key);
      const entries = session?.tip ?? null;
      const snapshot = session === undefined || entries === null ? null : snapshotOf(session, entries, now);
      this.disk.write(slot.index, copy.epoch, pos, key, snapshot);
    }
    if (!copy.isBeingMade) this.disk.adopt(slot.index, copy.epoch, pos);
  }

  #forget(slot: SlotCopy): void {
    this.#behind.delete(slot);
  }

  #noteChange(key: string): void {
    const fetch = this.#fetches.get(key);
    if (fetch !== undefined) fetch.isStale = true;
  }

  #read(fetch: Fetch, key: string): void {
    this.disk.read(fetch.slot.index, key, (error, session) => {
      this.#site.noteTurn();
      const { slot, sessions, waiting } = fetch;
      const isCurrent = slot.role === Role.owner && slot.sessions === sessions;
      if (fetch.isStale && isCurrent && error === null) {
        fetch.isStale = false;
        this.#read(fetch, key);
        return;
      }
      this.#fetches.delete(key);
      this.#waiting -= waiting.length;
      if (error !== null) this.#readFailedAt = this.#site.clock.now();
      const isNew = isCurrent && session !== null && !sessions.has(key);
      const hasRoom = this.heldFullness <= 1;
      if (isNew && hasRoom) sessions.put(session, this.#site.clock.now());
      const answer = isNew && !hasRoom ? "no room" : "asked";
      for (const fetched of waiting) fetched(error === null && isCurrent ? answer : "not asked");
    });
  }
}

/** They stand in the order of their positions. */
function forgetSynced(newer: Map<string, number>, syncedPos: number): void {
  for (const [key, pos] of newer) {
    if (pos > syncedPos) return;
    newer.delete(key);
  }
}
