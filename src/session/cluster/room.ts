/**
 * Bounds on the sessions that one process keeps: half of them is for those it owns, half for the copies it keeps for other
 * servers. Above it the longest idle make room. Only an owner ends sessions, so a server that is full of copies says so in its
 * heartbeats, and the owners of those make the room.
 */
import type { ClusterOptions, Context } from "./context.ts";
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

/** How full this process is of copies for other servers; above 1 it is too full. */
export function fullnessOfCopies({ slots, options }: Context): number {
  const copies = slots.filter(({ role }) => role === Role.backup || role === Role.joining);
  return loadOf(copies, options).fullness;
}

/** Ends sessions that are owned here, when there are too many of them, or of their copies on another server. */
export function makeRoom(context: Context, owner: Owner): void {
  const owned = context.slots.filter(({ role }) => role === Role.owner);
  const load = loadOf(owned, context.options);
  let evicted = relieve(owner, owned, load, load.fullness);
  for (const peer of context.peers.values()) {
    if (peer.fullness <= 1) continue;
    const copied = owned.filter(({ backup }) => backup !== null && peer.isProcess(backup.holder));
    evicted += relieve(owner, copied, loadOf(copied, context.options), Math.min(peer.fullness, fullnessMax));
    // What was done is not done again before the next heartbeat tells what came of it.
    peer.fullness = 0;
  }
  if (evicted > 0) context.observer.onEvicted(evicted, load.sessions, load.bytes);
}

/**
 * Copies that serve nobody any more, kept in case their slot's owner dies before another server has one, are the first to go
 * where memory is short. Only those of owners that live: the last copy of a slot is never dropped.
 */
export function dropRetained(context: Context): void {
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

/** Slots with the longest idle come first, each gives its part: about those that were idle for longest, in one pass. */
function relieve(owner: Owner, slots: readonly SlotCopy[], load: Load, fullness: number): number {
  if (fullness <= 1) return 0;
  const share = 1 - 1 / fullness;
  const inOrder = slots
    .map((slot) => ({ slot, since: slot.sessions.longestIdle()?.lastUsedAt ?? Number.POSITIVE_INFINITY }))
    .sort((one, other) => one.since - other.since);
  let evicted = 0;
  let freedBytes = 0;
  for (const { slot } of inOrder) {
    for (let rest = Math.ceil(slot.sessions.size * share); rest > 0; rest--) {
      if (evicted >= load.sessions * share && freedBytes >= load.bytes * share) return evicted;
      const bytes = owner.evict(slot);
      if (bytes === null) break;
      evicted++;
      freedBytes += bytes;
    }
  }
  return evicted;
}
