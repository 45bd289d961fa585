/**
 * Which server should own each slot and which back it up: a pure function of who does now and who lives. Every server
 * computes it for itself and moves only what it owns, so nobody has to be in charge.
 *
 * - Owners: each living server its equal share, counted to the slot. What already is right stays: when a server comes
 *   or goes, only its own share moves.
 * - Backups: an owner uses the next servers of the ring (by name), at most four, on other machines where there are any,
 *   about evenly; a backup that is one of them and has not more than its part stays.
 */
import { replication as limits } from "../../support/limits.ts";

export interface Candidate {
  readonly server: string;
  readonly machine: string;
}

/** Names of servers; "" for none. */
export interface Placed {
  readonly owner: string;
  readonly backup: string;
}

/**
 * @param now as the register has it; an owner that is not among the living stays (taking over is another matter).
 * @param living those that may be given something.
 */
export function place(now: readonly Placed[], living: readonly Candidate[]): Placed[] {
  const candidates = living.toSorted((one, other) => (one.server < other.server ? -1 : 1));
  const owners = placeOwners(now, candidates);
  return placeBackups(now, owners, candidates);
}

function placeOwners(now: readonly Placed[], candidates: readonly Candidate[]): string[] {
  const owners = now.map(({ owner }) => owner);
  const held = new Map<string, number[]>(candidates.map(({ server }) => [server, []]));
  const free: number[] = [];
  now.forEach(({ owner }, slot) => {
    if (owner === "") free.push(slot);
    else held.get(owner)?.push(slot);
  });
  if (candidates.length === 0) return owners;
  const quotas = quotasOf(held, free.length);
  const surplus = free;
  for (const [server, slots] of held) {
    const over = slots.length - quotas.get(server)!;
    if (over > 0) surplus.push(...slots.slice(-over));
  }
  // A slot goes where its backup is already, when there is room: then no copy has to be made first.
  const rest: number[] = [];
  const room = new Map([...held].map(([server, slots]) => [server, quotas.get(server)! - slots.length]));
  for (const slot of surplus) {
    const { backup } = now[slot]!;
    if ((room.get(backup) ?? 0) > 0) give(slot, backup);
    else rest.push(slot);
  }
  let next = 0;
  for (const slot of rest) {
    while (next < candidates.length && room.get(candidates[next]!.server)! <= 0) next++;
    if (next === candidates.length) break;
    give(slot, candidates[next]!.server);
  }
  return owners;

  function give(slot: number, server: string): void {
    owners[slot] = server;
    room.set(server, room.get(server)! - 1);
  }
}

/** Equal shares; the remainder goes to those that hold most, so that nothing moves for its sake. */
function quotasOf(held: ReadonlyMap<string, readonly number[]>, free: number): Map<string, number> {
  let total = free;
  for (const slots of held.values()) total += slots.length;
  const share = Math.floor(total / held.size);
  let remainder = total % held.size;
  const byHeld = [...held].sort(([, one], [, other]) => other.length - one.length);
  return new Map(byHeld.map(([server]) => [server, remainder-- > 0 ? share + 1 : share]));
}

function placeBackups(
  now: readonly Placed[],
  owners: readonly string[],
  candidates: readonly Candidate[],
): Placed[] {
  const slotsOf = new Map<string, number[]>();
  owners.forEach((owner, slot) => {
    const slots = slotsOf.get(owner);
    if (slots === undefined) slotsOf.set(owner, [slot]);
    else slots.push(slot);
  });
  const backups = now.map(({ backup }) => backup);
  for (const [owner, slots] of slotsOf) {
    const set = backupsOf(owner, candidates);
    if (set === null) continue;
    spread(now, slots, set, backups);
  }
  return owners.map((owner, slot) => ({ owner, backup: backups[slot]! }));
}

/** The servers that back up an owner, or null for an owner that is not among the living. */
function backupsOf(owner: string, candidates: readonly Candidate[]): string[] | null {
  const at = candidates.findIndex(({ server }) => server === owner);
  if (at === -1) return null;
  const ring = [...candidates.slice(at + 1), ...candidates.slice(0, at)];
  const elsewhere = ring.filter(({ machine }) => machine !== candidates[at]!.machine);
  return (elsewhere.length > 0 ? elsewhere : ring)
    .slice(0, limits.backupsPerOwnerMax)
    .map(({ server }) => server);
}

function spread(
  now: readonly Placed[],
  slots: readonly number[],
  set: readonly string[],
  backups: string[],
): void {
  if (set.length === 0) {
    for (const slot of slots) backups[slot] = "";
    return;
  }
  const most = Math.ceil(slots.length / set.length);
  const counts = new Map(set.map((server) => [server, 0]));
  const rest: number[] = [];
  for (const slot of slots) {
    // The one that hands a slot over stays as its backup when it may.
    const kept = [now[slot]!.backup, now[slot]!.owner].find((server) => (counts.get(server) ?? most) < most);
    if (kept === undefined) rest.push(slot);
    else take(slot, kept);
  }
  for (const slot of rest) {
    let least = set[0]!;
    for (const server of set) if (counts.get(server)! < counts.get(least)!) least = server;
    take(slot, least);
  }

  function take(slot: number, server: string): void {
    backups[slot] = server;
    counts.set(server, counts.get(server)! + 1);
  }
}
