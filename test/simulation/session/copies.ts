/** The copies of each slot, looked at from outside: who is named has what was committed, and nobody living is passed over. */
import type { Versioned } from "../../../src/register/register.ts";
import type { Holder, Slot, SlotMap } from "../../../src/register/slot-map.ts";
import { Role, type SlotCopy } from "../../../src/session/cluster/slot.ts";
import type { KeptSession } from "../../../src/session/table/kept-session.ts";
import type { App, Simulation } from "./simulation.ts";
import type { Process } from "./world.ts";

/** What of the simulation it looks at. */
type Looked = Pick<Simulation, "apps" | "saved" | "disks" | "oracle" | "world" | "register">;

/** Whoever has just started may not have been asked for its copies yet by who decides without them. */
const justStartedMs = 1_000;

export class Copies {
  readonly #site: Looked;
  /** Changes that gave a slot an owner and a backup of which neither was one. */
  paired = 0;
  /** Slots whose newest recovery had every copy that it could need. */
  readonly #hadAll: Set<number> = new Set();

  constructor(site: Looked) {
    this.#site = site;
  }

  /** The running process that is this very holder, or null. */
  appOf(holder: Holder | null): App | null {
    const app = holder === null ? undefined : this.#site.apps.get(holder.server);
    return app !== undefined && app.process.incarnation === holder!.incarnation ? app : null;
  }

  /** I2: a change that is committed is on both. */
  onCommit(process: Process, slot: number, epoch: number, pos: number): void {
    this.#site.oracle.commits(slot, epoch, process.name);
    const entry = this.#site.register.state!.value.slots[slot]!;
    this.#checkDurable(process, slot, epoch, pos, entry);
    const isOwner = entry.owner?.server === process.server && entry.owner.incarnation === process.incarnation;
    const backup = this.appOf(entry.backup);
    if (!isOwner || backup === null) return;
    const copy = backup.node.context.slots[slot]!;
    if (copy.pos < pos) {
      this.#site.oracle.fail(
        "I2",
        `${backup.process.name} backs up slot ${slot} but has ${copy.pos} of ${pos}`,
      );
    }
  }

  /** With disks: it is on that of one of the pair at least. */
  #checkDurable(process: Process, slot: number, epoch: number, pos: number, { owner, backup }: Slot): void {
    const { disks, oracle } = this.#site;
    if (disks === null || owner?.server !== process.server) return;
    const places = [process.server, backup?.server ?? ""].map(
      (server) => disks.get(server)?.placeOf(slot) ?? null,
    );
    if (places.some((place) => place !== null && place.pos >= pos)) return;
    oracle.fail("I2", `${process.name} committed ${pos} of slot ${slot}, epoch ${epoch}, and no disk has it`);
  }

  /** I7 is the simulated register's own; what matters here is who is named, and whether copies were given up. */
  onChange(before: Versioned<SlotMap> | null, after: Versioned<SlotMap>, by: string): void {
    after.value.slots.forEach((entry, slot) => {
      const old = before?.value.slots[slot];
      if (old?.epoch === entry.epoch) return;
      const text = `${nameOf(entry.owner)} + ${nameOf(entry.backup)} (before: ${nameOf(entry.prior)})`;
      this.#site.world.tell(
        "register",
        `${after.version}: slot ${slot} epoch ${entry.epoch}: ${text}, ${by}`,
      );
      this.#checkNamed(slot, entry);
      if (old === undefined || old.owner === null) return;
      const keeps = [old.owner, old.backup].some(
        (holder) =>
          holder !== null &&
          holder.server === entry.owner?.server &&
          holder.incarnation === entry.owner.incarnation,
      );
      if (keeps) return;
      if (entry.backup !== null) this.paired++;
      // Somebody who was not of the pair became the owner: only when neither of the pair could serve for long.
      const living = [old.owner, old.backup].map((holder) => this.appOf(holder)?.process ?? null);
      this.#hadAll.delete(slot);
      const isLegitimate = living.every((process) => process === null || isGivenUp(process));
      if (this.#isOffered(old.owner, slot) || this.#isOffered(old.backup, slot)) return;
      if (isLegitimate && this.#site.disks !== null && !this.#isExcused(slot, old)) {
        if (!this.#isBehind(slot, old)) this.#hadAll.add(slot);
        return;
      }
      if (isLegitimate) this.#site.oracle.forgive(slot, "both of the pair were gone for long");
      else this.#site.oracle.fail("I2", `slot ${slot} was taken from a living pair, ${by}`);
    });
  }

  /** With disks: a server says that sessions are lost, or may be. */
  onLoss({ name }: Process, slot: number): void {
    if (this.#hadAll.has(slot))
      this.#site.oracle.fail(
        "loss",
        `${name} tells of a loss in slot ${slot}, of which every copy was there`,
      );
  }

  /** With disks: one of those that may have the newest copy is not there in time, or its disk has lost it. */
  #isExcused(slot: number, old: Slot): boolean {
    const { owner, backup, prior } = old;
    const { disks, apps, register, world } = this.#site;
    // It showed what it had taken over while its disk could not be written: what nobody was told to be written may be lost.
    if (this.#isBehind(slot, old) && disks!.get(owner!.server)!.wasUnwell) return true;
    const needed = this.#hasAllAlone(slot, old) ? [owner] : [owner, backup, prior];
    return needed.some((holder) => {
      if (holder === null) return false;
      const process = apps.get(holder.server)?.process;
      if (process === undefined || process.isBad || process.isPaused) return true;
      if (world.now - process.bornAt < justStartedMs) return true;
      if ((register.cutOff.get(holder.server) ?? 0) > 0 || process.refusedSince !== null) return true;
      return disks!.get(holder.server)!.hasLost;
    });
  }

  /** Its disk has that it is alone, and so all that came before. */
  #hasAllAlone(slot: number, { epoch, owner, backup }: Slot): boolean {
    const own = this.#site.disks!.get(owner!.server)!.placeOf(slot);
    return backup === null && own?.epoch === epoch;
  }

  /** The disk of an owner that is alone never had that it is: perhaps not what it took over either. */
  #isBehind(slot: number, { epoch, owner, backup, prior }: Slot): boolean {
    const [own, other] = [owner, prior].map((holder) =>
      holder === null ? -1 : (this.#site.disks!.get(holder.server)!.placeOf(slot)?.epoch ?? -1),
    );
    return backup === null && prior !== null && own! < epoch && own! <= other!;
  }

  /** Its process ended in order, and the next one of its server is there with the copy, in time. */
  #isOffered(holder: Holder | null, slot: number): boolean {
    if (!this.#site.saved.has(holder, slot)) return false;
    const process = this.#site.apps.get(holder!.server)?.process;
    if ((this.#site.register.cutOff.get(holder!.server) ?? 0) > 0) return false;
    if (process === undefined || process.incarnation === holder!.incarnation || process.isBad) return false;
    return this.#site.saved.isInTime(process);
  }

  /** I2: whoever is named has all that was committed by then. */
  #checkNamed(slot: number, { owner, backup }: Slot): void {
    const first = this.appOf(owner)?.node.context.slots[slot];
    const second = this.appOf(backup)?.node.context.slots[slot];
    if (first?.role !== Role.owner || second === undefined || second.pos >= first.committedPos) return;
    this.#site.oracle.fail(
      "I2",
      `${nameOf(backup)} is named for slot ${slot} with ${second.pos} of ${first.committedPos}`,
    );
  }

  /** Copies of which none is left: what was in them may be lost. */
  forgiveDead(): void {
    if (this.#site.disks !== null) return;
    this.#site.register.state?.value.slots.forEach(({ owner, backup }, slot) => {
      if (owner === null) return;
      if (this.#site.saved.has(owner, slot) || this.#site.saved.has(backup, slot)) return;
      if (this.appOf(owner) === null && this.appOf(backup) === null) {
        this.#site.oracle.forgive(slot, "its last named copy died");
      }
    });
  }

  /** I2: owner and backup hold the same. */
  compare(): void {
    this.#site.register.state!.value.slots.forEach(({ owner, backup }, slot) => {
      const first = this.appOf(owner)?.node.context.slots[slot];
      const second = this.appOf(backup)?.node.context.slots[slot];
      if (first === undefined || second === undefined) return;
      const one = contentOf(this.#sessionsOf(owner!, first));
      const other = contentOf(this.#sessionsOf(backup!, second));
      if (one !== other) {
        this.#site.oracle.fail(
          "I2",
          `slot ${slot}: ${nameOf(owner)} has ${one}, ${nameOf(backup)} has ${other}`,
        );
      }
      if (first.pending.length > 0) this.#site.oracle.fail("I11", `slot ${slot}: changes wait for ever`);
      const onDisk = this.#site.disks?.get(owner!.server)?.placeOf(slot);
      if (onDisk !== undefined && onDisk?.pos !== first.pos)
        this.#site.oracle.fail(
          "I2",
          `slot ${slot}: the disk of ${nameOf(owner)} has ${onDisk?.pos} of ${first.pos}`,
        );
    });
  }

  /** What memory has, and what is on disk alone. */
  #sessionsOf(holder: Holder, copy: SlotCopy): Kept[] {
    const disk = this.appOf(holder)?.disk?.contentOf(copy.index).values() ?? [];
    const cold = [...disk].filter(({ key }) => !copy.sessions.has(key));
    return [...copy.sessions.values(), ...cold];
  }
}

/** Whom the others refuse they have not heard for long: a challenge alone, by the fastest clock, is left. */
function isGivenUp({ badForMs, refusedForMs }: Process): boolean {
  return badForMs > 20_000 || refusedForMs > 13_500;
}

function nameOf(holder: Holder | null): string {
  return holder === null ? "none" : `${holder.server}#${holder.incarnation}`;
}

type Kept = Pick<KeptSession, "key" | "entries">;

function contentOf(sessions: readonly Kept[]): string {
  return sessions
    .filter(({ entries }) => entries !== null)
    .map(
      ({ key, entries }) =>
        `${key}:${[...entries!]
          .map(([name, { text }]) => name + text)
          .sort()
          .join()}`,
    )
    .sort()
    .join(" ");
}
