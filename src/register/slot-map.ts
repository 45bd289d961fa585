/**
 * What the register holds: who keeps which session slot. A value is never changed in place; `withSlots` makes
 * the next one. Encoded it is some ten kilobytes (slot-map-codec.ts).
 */
import { register as limits } from "../support/limits.ts";

export const slotCount: number = limits.slotCount;

/** One start of one server: a restarted process is another holder. */
export interface Holder {
  /** The server's name in the file, "app-a.1". */
  readonly server: string;
  readonly incarnation: string;
}

export interface Slot {
  /** Raised by 1 with each change of this slot; 0 while nobody ever owned it. */
  readonly epoch: number;
  /** Null only before the first owner. */
  readonly owner: Holder | null;
  readonly backup: Holder | null;
  /** The backup that was taken out last: while there is no other, its copy may be asked for when the owner's is gone. */
  readonly prior: Holder | null;
}

export interface SlotMap {
  /** Entry of the file ("app-a") to its letter: pinned, never given to another entry while ids of it may live. */
  readonly letters: ReadonlyMap<string, string>;
  /** `slotCount` of them; the index is the slot. */
  readonly slots: readonly Slot[];
  /** Only of the last version in an engine that was left: where the register is now, for messages. */
  readonly movedTo?: string;
}

export const unownedSlot: Slot = Object.freeze({ epoch: 0, owner: null, backup: null, prior: null });

/** The first value: letters as in the file, nobody owns anything. */
export function emptySlotMap(letters: ReadonlyMap<string, string>): SlotMap {
  return { letters, slots: new Array<Slot>(slotCount).fill(unownedSlot) };
}

/** A copy with other slots in some places. */
export function withSlots(map: SlotMap, changes: ReadonlyMap<number, Slot>): SlotMap {
  const slots = map.slots.slice();
  for (const [index, slot] of changes) slots[index] = slot;
  return { letters: map.letters, slots };
}

/**
 * After a fork of the register: no epoch means one thing here and another in a branch that is lost. Owners answer a
 * raised epoch as they answer a challenge.
 */
export function aboveForks(kept: SlotMap, lost: readonly SlotMap[]): SlotMap {
  const slots = kept.slots.map((slot, index) => {
    const others = lost.map((map) => map.slots[index]!).filter((other) => other.epoch >= slot.epoch);
    if (others.every((other) => isSameSlot(slot, other))) return slot;
    return { ...slot, epoch: Math.max(...others.map(({ epoch }) => epoch)) + 1 };
  });
  // Where it went others have gone on: nothing that was done here since is to count.
  const movedTo = [kept, ...lost].find((map) => map.movedTo !== undefined)?.movedTo;
  return { letters: kept.letters, slots, ...(movedTo === undefined ? {} : { movedTo }) };
}

function isSameSlot(one: Slot, other: Slot): boolean {
  return (
    one.epoch === other.epoch &&
    sameHolder(one.owner, other.owner) &&
    sameHolder(one.backup, other.backup) &&
    sameHolder(one.prior, other.prior)
  );
}

export function sameHolder(one: Holder | null, other: Holder | null): boolean {
  if (one === null || other === null) return one === other;
  return one.server === other.server && one.incarnation === other.incarnation;
}
