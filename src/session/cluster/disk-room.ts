/**
 * Where copies are on disk too, sessions that are not used leave memory when it is full, and end when the disk is full, or when
 * they were idle for too long. The disk is asked for them now and then; while it is, none leaves memory: it would answer for
 * those by what it knew before.
 *
 * While the disk can't be written, what changes stays in memory for as long as the other server's disk takes changes. When memory is full then,
 * what would make it grow is refused: here, and, as heartbeats tell, by the owners of the slots that this server backs up.
 */
import { diskCopies, replication as limits, session } from "../../support/limits.ts";
import type { Context } from "./context.ts";
import type { DiskCopies } from "./disk-copies.ts";
import { PeerState } from "./messages.ts";
import type { Owner } from "./owner.ts";
import { Role, type SlotCopy } from "./slot.ts";

interface Found {
  readonly slot: number;
  readonly key: string;
}

export class DiskRoom {
  readonly #context: Context;
  readonly #owner: Owner;
  readonly #copies: DiskCopies;
  #isAsking = false;
  #leaveDueAt = 0;
  #isHeldTold = false;

  constructor(context: Context, owner: Owner, copies: DiskCopies) {
    this.#context = context;
    this.#owner = owner;
    this.#copies = copies;
  }

  /** How full the disk is; above 1 it is too full. */
  get fullness(): number {
    return this.#copies.disk.bytes / this.#context.options.diskBytesMax;
  }

  sweep(): void {
    if (!this.#isAsking) this.#leaveMemory();
    this.#judgeMemory();
    // One that can't be written would tell of the same ones again and again.
    if (this.#isAsking || !this.#copies.isWell) return;
    const owned = this.#context.slots.filter((slot) => slot.role === Role.owner && this.#mayEnd(slot));
    if (this.#fullestFor(owned) > 1) this.#makeRoom(owned);
    else this.#expire(owned.filter(({ onDisk }) => onDisk!.hasMore));
  }

  #makeRoom(owned: readonly SlotCopy[]): void {
    const { disk } = this.#copies;
    this.#isAsking = true;
    disk.longestIdle(indexesOf(owned), session.sweptAtOnceMax, (error, keys) => {
      const slots = this.#answered(error, keys);
      for (const { slot, key } of slots) this.#owner.expireOnDisk(slot, key);
      const { observer, options } = this.#context;
      if (slots.length > 0) observer.onEvicted(slots.length, disk.sessions, options.diskBytesMax);
    });
  }

  #expire(owned: readonly SlotCopy[]): void {
    if (owned.length === 0) return;
    this.#isAsking = true;
    const { disk } = this.#copies;
    disk.expired(indexesOf(owned), limits.touchLagMs, session.sweptAtOnceMax, (error, keys) => {
      const now = this.#context.clock.now();
      for (const { slot, key } of this.#answered(error, keys)) {
        const inMemory = slot.sessions.look(key);
        // Memory knows better how long they were idle.
        if (inMemory === undefined) this.#owner.expireOnDisk(slot, key);
        else this.#copies.touch(slot, key, inMemory.idleTimeoutMs, Math.max(0, now - inMemory.lastUsedAt));
      }
    });
  }

  /** Those that may still be ended: nobody has just asked for them. */
  #answered(
    error: Error | null,
    keys: readonly Found[],
  ): { readonly slot: SlotCopy; readonly key: string }[] {
    this.#isAsking = false;
    this.#context.noteTurn();
    if (error !== null) return [];
    return keys.flatMap(({ slot: index, key }) => {
      const slot = this.#context.slots[index]!;
      const isOwned = slot.role === Role.owner && this.#mayEnd(slot);
      return isOwned && !this.#copies.isFetched(key) ? [{ slot, key }] : [];
    });
  }

  /** Of this server's disk, or of that of one which backs up some of these slots: only an owner ends sessions. */
  #fullestFor(owned: readonly SlotCopy[]): number {
    let fullness = this.fullness;
    for (const { backup } of owned) {
      const peer = backup === null ? null : this.#context.connectedTo(backup.holder);
      if (peer !== null && peer.state !== PeerState.diskless) fullness = Math.max(fullness, peer.fullness);
    }
    return fullness;
  }

  #mayEnd(slot: SlotCopy): boolean {
    return this.#owner.mayShow(slot) && !slot.isStopping;
  }

  /** Of all sessions that this process keeps, and of what is noted until the disk has it. */
  #memory(): { readonly bytes: number; readonly fullness: number } {
    const { sessionsMax, memoryBytesMax } = this.#context.options;
    let [sessions, bytes, noted] = [0, 0, 0];
    for (const { sessions: own, retained, onDisk } of this.#context.slots) {
      sessions += own.size + (retained?.sessions.size ?? 0);
      bytes += own.bytes + (retained?.sessions.bytes ?? 0);
      noted += onDisk!.newer.size + (onDisk!.behind?.size ?? 0);
    }
    bytes += noted * diskCopies.notedKeyBytes;
    return { bytes, fullness: Math.max(sessions / sessionsMax, bytes / memoryBytesMax) };
  }

  #judgeMemory(): void {
    const copies = this.#copies;
    const { observer } = this.#context;
    if (copies.isWell) {
      if (this.#isHeldTold) observer.onMemoryHeld(null);
      this.#isHeldTold = false;
      return;
    }
    const { bytes, fullness } = this.#memory();
    copies.heldFullness = fullness > 1 ? fullness : 0;
    if (fullness <= 1 || this.#isHeldTold) return;
    this.#isHeldTold = true;
    observer.onMemoryHeld(bytes);
  }

  /** Those that are idle for longest, of which the disk has all. */
  #leaveMemory(): void {
    const now = this.#context.clock.now();
    if (!this.#copies.isWell && now < this.#leaveDueAt) return;
    this.#leaveDueAt = now + diskCopies.heldIntervalMs;
    const { fullness } = this.#memory();
    if (fullness <= 1) return;
    // With some room to spare, for a disk that takes a moment longer.
    const share = 1 - diskCopies.filledShare / fullness;
    for (const slot of this.#context.slots) {
      if (slot.role !== Role.nobody) this.#leave(slot, Math.ceil(slot.sessions.size * share));
      else if (this.#copies.isSyncedCopy(slot)) this.#forgetRetained(slot);
    }
  }

  #forgetRetained({ retained, onDisk }: SlotCopy): void {
    if (retained === null || retained.sessions.size === 0) return;
    retained.sessions.clear();
    onDisk!.hasMore = true;
  }

  #leave(slot: SlotCopy, count: number): void {
    const { sessions, pending, joining, onDisk } = slot;
    // A joining server is being given what is in memory, or somebody looks.
    if (joining !== null || onDisk!.readers > 0) return;
    const copies = this.#copies;
    const now = this.#context.clock.now();
    const changing = new Set(pending.map(({ op }) => op.key));
    for (const key of sessions.longestIdle(count)) {
      if (changing.has(key) || this.#owner.isAwaited(key) || !copies.hasNewest(slot, key)) continue;
      const { idleTimeoutMs, lastUsedAt } = sessions.look(key)!;
      // The others were used later.
      if (lastUsedAt >= copies.usesKnownUntil) return;
      if (copies.isWell) copies.touch(slot, key, idleTimeoutMs, Math.max(0, now - lastUsedAt));
      sessions.delete(key);
      onDisk!.hasMore = true;
    }
  }
}

function indexesOf(slots: readonly SlotCopy[]): number[] {
  return slots.map(({ index }) => index);
}
