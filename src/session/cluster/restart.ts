/**
 * What an orderly stop leaves to the next process of its server: the copies of slots that no server which stays has whole.
 * They count where the register still names the process that saved them.
 */
import { replication as limits } from "../../support/limits.ts";
import type { Context } from "./context.ts";
import type { DiskCopies } from "./disk-copies.ts";
import { PeerState } from "./messages.ts";
import type { Owner } from "./owner.ts";
import { type RetainedCopy, Role, type SlotCopy } from "./slot.ts";
import type { Renewal } from "./slot-disk.ts";

const otherRegister: Renewal = {
  isOnlyCopy: true,
  why:
    'the register was made anew since they were written (of `members` the votes, the folder "register" in the data folders of most servers, ' +
    "were gone; else its key or row): to have them back stop all servers, put that back, give the file its name again, start all",
};

export class Restart {
  readonly #context: Context;
  readonly #owner: Owner;
  /** Of the process before, until the register tells which of them count. */
  #saved: ReadonlyMap<number, RetainedCopy> = new Map();
  /** Incarnations. */
  #savedBy: ReadonlySet<string> = new Set();
  #isAwaiting = false;

  constructor(context: Context, owner: Owner) {
    this.#context = context;
    this.#owner = owner;
  }

  /** Until `restore` nothing is decided about slots without an owner: the copies may be what they need. */
  await(): void {
    this.#isAwaiting = true;
    this.#context.isRestoring = true;
  }

  restore(copies: ReadonlyMap<number, RetainedCopy>): void {
    this.#isAwaiting = false;
    this.#saved = copies;
    this.#savedBy = new Set([...copies.values()].map(({ incarnation }) => incarnation));
    this.#context.isRestoring = copies.size > 0;
  }

  /** After a read of the register: what it says now includes all that was decided before this process began. */
  takeUp(): void {
    if (this.#isAwaiting) return;
    this.#context.isRestoring = false;
    const saved = this.#saved;
    this.#saved = new Map();
    if (this.#context.map === null) return;
    for (const [index, copy] of saved) {
      const slot = this.#context.slots[index];
      if (slot?.role === Role.nobody && this.#counts(slot, copy)) slot.retained = copy;
      else {
        copy.sessions.clear();
        if (slot?.role === Role.nobody) this.#context.disk?.drop(slot);
      }
    }
  }

  /** Copies that the process before left on disk; to be called before the start. */
  restoreFrom(disk: DiskCopies): void {
    const copies = new Map<number, RetainedCopy>();
    for (const [index, { incarnation, epoch, pos, sessions }] of disk.disk.found) {
      const slot = this.#context.slots[index];
      if (slot === undefined) continue;
      disk.found(slot, epoch, pos, sessions);
      copies.set(index, { incarnation, epoch, pos, sessions: slot.emptySessions() });
    }
    this.restore(copies);
  }

  /** What another register says of copies says nothing in this one, and nobody knows what was changed after them. */
  lookWhose(disk: DiskCopies): void {
    const id = this.#context.options.registerId();
    const { isOpen, register, found } = disk.disk;
    if (!isOpen || id === null || register === id) return;
    if (register === "" || found.size === 0) disk.disk.register = id;
    else {
      this.await();
      disk.renew(otherRegister);
    }
  }

  /** The register names, or may name, a process whose copies were given to `restore`. */
  get isNeeded(): boolean {
    const { map, isRestoring } = this.#context;
    if (isRestoring || map === null) return isRestoring;
    return map.value.slots.some((entry) =>
      [...this.#savedBy].some((incarnation) => this.#context.isNamed(entry, incarnation)),
    );
  }

  /** Ends what is under way. @returns the copies to save, by slot. */
  freeze(): Map<number, RetainedCopy> {
    // All of it is on disk, or will be before the process ends.
    const savesNothing = this.#context.disk !== null;
    const copies = new Map<number, RetainedCopy>();
    const { incarnation } = this.#context.self;
    for (const slot of this.#context.slots) {
      const isElsewhere = this.#isElsewhere(slot);
      if (slot.role === Role.owner) {
        slot.isStopping = true;
        this.#owner.assignLeases(slot);
        this.#owner.dropPending(slot);
      }
      const isHolder = slot.role === Role.owner || slot.role === Role.backup;
      const { epoch, pos, sessions, retained } = slot;
      if (isHolder && !isElsewhere) copies.set(slot.index, { incarnation, epoch, pos, sessions });
      else if (!isHolder && retained !== null && retained.incarnation !== incarnation)
        copies.set(slot.index, retained);
    }
    if (savesNothing) return new Map();
    // Nobody has told yet whether they still count.
    if (this.#context.isRestoring) return new Map([...this.#saved, ...copies]);
    return copies;
  }

  #counts(slot: SlotCopy, { incarnation }: RetainedCopy): boolean {
    const { rules } = this.#context;
    return rules.takesSaved(this.#context.isNamed(this.#context.entryOf(slot), incarnation));
  }

  /** Whether the other of the pair is well, stays, and has a part in the slot. */
  #isElsewhere(slot: SlotCopy): boolean {
    if (this.#context.map === null) return false;
    const { owner } = this.#context.entryOf(slot);
    const isConfirmed = slot.role === Role.backup || slot.backup?.confirmedEpoch === slot.epoch;
    const other = slot.role === Role.backup ? owner : (slot.backup?.holder ?? null);
    const peer = other === null ? null : this.#context.connectedTo(other);
    if (peer === null || peer.state === PeerState.leaving || !isConfirmed) return false;
    return this.#context.clock.now() - peer.answeredAt <= limits.silentMs;
  }
}
