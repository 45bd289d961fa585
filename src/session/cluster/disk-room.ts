/**
 * Where copies are on disk too, sessions that are not used leave memory when it is full, and end when the disk is full, or when
 * they were idle for too long. The disk is asked for them now and then; while it is, none leaves memory: it would answer for
 * those by what it knew before.
 */
import { replication as limits, session } from "../../support/limits.ts";
import type { Context } from "./context.ts";
import type { DiskCopies } from "./disk-copies.ts";
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
    if (this.#isAsking) return;
    this.#leaveMemory();
    const owned = this.#context.slots.filter((slot) => slot.role === Role.owner && this.#mayEnd(slot));
    if (this.#fullestFor(owned) > 1) this.#makeRoom(owned);
    else this.#expire(owned.filter(({ onDisk }) => onDisk!.hasMore));
  }

  #makeRoom(owned: readonly SlotCopy[]): void {
    const { disk } = this.#copies;
    this.#isAsking = true;
    disk.longestIdle(indexesOf(owned), session.sweptAtOnceMax, (error, keys) => {
      const slots = this.#answered(error, keys);
      for (const { slot, key } of slots) this.#owner.endOnDisk(slot, key);
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
        if (inMemory === undefined) this.#owner.endOnDisk(slot, key);
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
      if (peer !== null) fullness = Math.max(fullness, peer.fullness);
    }
    return fullness;
  }

  #mayEnd(slot: SlotCopy): boolean {
    return this.#owner.mayShow(slot) && !slot.isStopping;
  }

  /** Those that are idle for longest, of slots of which the disk has all. */
  #leaveMemory(): void {
    const { sessionsMax, memoryBytesMax } = this.#context.options;
    let [sessions, bytes] = [0, 0];
    for (const { sessions: own, retained } of this.#context.slots) {
      sessions += own.size + (retained?.sessions.size ?? 0);
      bytes += own.bytes + (retained?.sessions.bytes ?? 0);
    }
    const fullness = Math.max(sessions / sessionsMax, bytes / memoryBytesMax);
    if (fullness <= 1) return;
    const share = 1 - 1 / fullness;
    for (const slot of this.#context.slots) {
      if (!this.#copies.isSyncedCopy(slot)) continue;
      if (slot.role === Role.nobody) this.#forgetRetained(slot);
      else this.#leave(slot, Math.ceil(slot.sessions.size * share));
    }
  }

  #forgetRetained({ retained, onDisk }: SlotCopy): void {
    if (retained === null || retained.sessions.size === 0) return;
    retained.sessions.clear();
    onDisk!.hasMore = true;
  }

  #leave(slot: SlotCopy, count: number): void {
    // A joining server is being given what is in memory, or changes are under way, or somebody looks.
    if (slot.joining !== null || slot.pending.length > 0 || slot.onDisk!.readers > 0) return;
    const now = this.#context.clock.now();
    for (const key of slot.sessions.longestIdle(count)) {
      if (this.#owner.isAwaited(key)) return;
      const { idleTimeoutMs, lastUsedAt } = slot.sessions.look(key)!;
      this.#copies.touch(slot, key, idleTimeoutMs, Math.max(0, now - lastUsedAt));
      slot.sessions.delete(key);
      slot.onDisk!.hasMore = true;
    }
  }
}

function indexesOf(slots: readonly SlotCopy[]): number[] {
  return slots.map(({ index }) => index);
}
