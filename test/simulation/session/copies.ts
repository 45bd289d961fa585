/** The copies of each slot, looked at from outside: who is named has what was committed, and nobody living is passed over. */
import type { Versioned } from "../../../src/register/register.ts";
import type { Holder, Slot, SlotMap } from "../../../src/register/slot-map.ts";
import { Role } from "../../../src/session/cluster/slot.ts";
import type { SlotSessions } from "../../../src/session/table/slot-sessions.ts";
import type { App, Simulation } from "./simulation.ts";
import type { Process } from "./world.ts";

/** What of the simulation it looks at. */
type Looked = Pick<Simulation, "apps" | "saved" | "oracle" | "world" | "register">;

export class Copies {
  readonly #site: Looked;

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
      // Somebody who was not of the pair became the owner: only when neither of the pair could serve for long.
      const living = [old.owner, old.backup].map((holder) => this.appOf(holder)?.process ?? null);
      const isLegitimate = living.every((process) => process === null || isGivenUp(process));
      if (this.#isOffered(old.owner, slot) || this.#isOffered(old.backup, slot)) return;
      if (isLegitimate) this.#site.oracle.forgive(slot, "both of the pair were gone for long");
      else this.#site.oracle.fail("I2", `slot ${slot} was taken from a living pair, ${by}`);
    });
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
      const one = contentOf(first.sessions);
      const other = contentOf(second.sessions);
      if (one !== other) {
        this.#site.oracle.fail(
          "I2",
          `slot ${slot}: ${nameOf(owner)} has ${one}, ${nameOf(backup)} has ${other}`,
        );
      }
      if (first.pending.length > 0) this.#site.oracle.fail("I11", `slot ${slot}: changes wait for ever`);
    });
  }
}

/** Whom the others refuse they have not heard for long: a challenge alone, by the fastest clock, is left. */
function isGivenUp({ badForMs, refusedForMs }: Process): boolean {
  return badForMs > 20_000 || refusedForMs > 13_500;
}

function nameOf(holder: Holder | null): string {
  return holder === null ? "none" : `${holder.server}#${holder.incarnation}`;
}

function contentOf(sessions: SlotSessions): string {
  return [...sessions.values()]
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
