/**
 * Bounds on the sessions that one process keeps: the expired end, and where there are too many the longest idle make room.
 *
 * Half of the bounds is for the sessions that it owns, half for the copies it keeps for other servers. Only an owner ends
 * sessions, so a server that is full of copies says so in its heartbeats, and the owners of those make the room.
 */
import { session as limits } from "../../support/limits.ts";
import { LongestIdle } from "../table/longest-idle.ts";
import { Sweep } from "../table/sweep.ts";
import type { ClusterOptions, Context } from "./context.ts";
import { DiskRoom } from "./disk-room.ts";
import type { Owner } from "./owner.ts";
import { Role, type SlotCopy } from "./slot.ts";

/** Whatever another server says of itself: it ends no more than half of what it keeps for us at a time. */
const fullnessMax = 2;

/** Sessions and bytes of the slots, as a share of what is for them. */
interface Load {
  readonly sessions: number;
  readonly bytes: number;
  readonly fullness: number;
}

export class Room {
  readonly #context: Context;
  readonly #owner: Owner;
  readonly #sweep: Sweep = new Sweep();
  readonly #longestIdle: LongestIdle = new LongestIdle();
  #sweepDueAt = 0;
  #roomDueAt = 0;
  /** Null: sessions are kept in memory alone. */
  readonly #diskRoom: DiskRoom | null;
  /** How full this process is of copies for other servers, or its disk; above 1 it is too full. */
  fullness = 0;

  constructor(context: Context, owner: Owner) {
    this.#context = context;
    this.#owner = owner;
    this.#diskRoom = context.disk === null ? null : new DiskRoom(context, owner, context.disk);
  }

  tick(): void {
    const { slots, options, clock } = this.#context;
    const now = clock.now();
    if (now >= this.#sweepDueAt) {
      this.#sweepDueAt = now + limits.sweepIntervalMs;
      this.#sweep.next(
        slots.map(({ sessions }) => sessions),
        (index, endsMax) => this.#owner.sweep(slots[index]!, endsMax),
      );
    }
    if (now < this.#roomDueAt) return;
    // Until the next time what was ended here is committed, and other servers have told how full they are then.
    this.#roomDueAt = now + limits.roomIntervalMs;
    if (this.#diskRoom !== null) {
      this.#diskRoom.sweep();
      this.fullness = this.#diskRoom.fullness;
      return;
    }
    dropRetained(this.#context);
    this.#makeRoom();
    const copies = slots.filter(({ role }) => role === Role.backup || role === Role.joining);
    this.fullness = loadOf(copies, options).fullness;
  }

  /** Ends sessions that are owned here, when there are too many of them, or of their copies on another server. */
  #makeRoom(): void {
    const context = this.#context;
    const owned = context.slots.filter(({ role }) => role === Role.owner);
    const load = loadOf(owned, context.options);
    let evicted = this.#relieve(owned, load, load.fullness);
    for (const peer of context.peers.values()) {
      if (peer.fullness <= 1) continue;
      const copied = owned.filter(({ backup }) => backup !== null && peer.isProcess(backup.holder));
      const fullness = Math.min(peer.fullness, fullnessMax);
      evicted += this.#relieve(copied, loadOf(copied, context.options), fullness);
      // What was done is not done again before the next heartbeat tells what came of it.
      peer.fullness = 0;
    }
    if (evicted > 0) context.observer.onEvicted(evicted, load.sessions, load.bytes);
  }

  #relieve(owned: readonly SlotCopy[], load: Load, fullness: number): number {
    if (fullness <= 1) return 0;
    const share = 1 - 1 / fullness;
    const slots = owned.filter((slot) => slot.sessions.size > 0 && this.#owner.mayShow(slot));
    let evicted = 0;
    let freedBytes = 0;
    this.#longestIdle.take(
      slots.map(({ sessions }) => sessions),
      Math.ceil(load.sessions * share),
      (index, key) => {
        if (evicted >= load.sessions * share && freedBytes >= load.bytes * share) return;
        freedBytes += this.#owner.end(slots[index]!, key);
        evicted++;
      },
    );
    return evicted;
  }
}

function loadOf(slots: readonly SlotCopy[], { sessionsMax, memoryBytesMax }: ClusterOptions): Load {
  let sessions = 0;
  let bytes = 0;
  for (const slot of slots) {
    sessions += slot.sessions.size;
    bytes += slot.sessions.bytes;
  }
  const fullness = Math.max(sessions / (sessionsMax / 2), bytes / (memoryBytesMax / 2));
  return { sessions, bytes, fullness };
}

/**
 * Copies that serve nobody any more, kept in case their slot's owner dies before another server has one, are the first to go
 * where memory is short. Only those of owners that live: the last copy of a slot is never dropped.
 */
function dropRetained(context: Context): void {
  const { sessionsMax, memoryBytesMax } = context.options;
  let [sessions, bytes] = [0, 0];
  for (const slot of context.slots) {
    sessions += slot.sessions.size + (slot.retained?.sessions.size ?? 0);
    bytes += slot.sessions.bytes + (slot.retained?.sessions.bytes ?? 0);
  }
  if (sessions <= sessionsMax && bytes <= memoryBytesMax) return;
  const order = context.slots.filter(({ retained }) => retained !== null);
  // Where this very server is being given a new one, that is on its way.
  order.sort((one, other) => other.role - one.role);
  for (const slot of order) {
    const { owner } = context.entryOf(slot);
    if (owner === null || context.connectedTo(owner) === null) continue;
    sessions -= slot.retained!.sessions.size;
    bytes -= slot.retained!.sessions.bytes;
    slot.retained = null;
    if (sessions <= sessionsMax && bytes <= memoryBytesMax) return;
  }
}
