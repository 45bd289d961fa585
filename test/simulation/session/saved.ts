/** The disks on which servers that stop in order save their copies, for the next process of the same server. */
import type { Holder } from "../../../src/register/slot-map.ts";
import type { RetainedCopy } from "../../../src/session/cluster/slot.ts";
import { Entry } from "../../../src/session/entry.ts";
import { type SessionSnapshot, snapshotOf } from "../../../src/session/snapshot.ts";
import { SlotSessions } from "../../../src/session/table/slot-sessions.ts";
import type { App } from "./simulation.ts";
import type { Process } from "./world.ts";

type SavedCopy = Omit<RetainedCopy, "sessions"> & { readonly sessions: readonly SessionSnapshot[] };

type SavedFile = ReadonlyMap<number, SavedCopy>;

/** 30 s by the slowest and the fastest clock, less what a change of the register takes that is under way. */
const awaitedMs = 25_000;

/**
 * What the next process finds instead of the file: "torn" and "missing", nothing that it can read (session-file.ts puts what is
 * damaged or of another server aside); "older", what an earlier stop wrote; "foreign", what another site wrote.
 */
export const breakages = ["torn", "missing", "older", "foreign"] as const;
export type Breakage = (typeof breakages)[number];

export class SavedSessions {
  readonly #disks: Map<string, SavedFile> = new Map();
  /** Of each server all that it ever wrote. */
  readonly #written: Map<string, SavedFile[]> = new Map();
  /** Servers whose next file will be broken. */
  readonly breaks: Map<string, Breakage> = new Map();
  readonly broken: Breakage[] = [];
  /** Of each server, when the others could last do something together with the process that saved. */
  readonly #heardUntil: Map<string, number> = new Map();

  /** @returns how many slots. */
  save({ node, process }: App): number {
    const now = process.clock.now();
    const copies = [...node.freeze()].map(([slot, copy]): [number, SavedCopy] => [
      slot,
      { ...copy, sessions: snapshotsOf(copy.sessions, now) },
    ]);
    if (copies.length > 0) this.#write(process.server, new Map(copies));
    this.#heardUntil.set(process.server, process.world.now - process.badForMs);
    return copies.length;
  }

  #write(server: string, file: SavedFile): void {
    const before = this.#written.get(server) ?? [];
    const breakage = this.breaks.get(server);
    this.breaks.delete(server);
    this.#written.set(server, [...before, file]);
    this.#disks.set(server, file);
    if (breakage === undefined) return;
    this.broken.push(breakage);
    if (breakage === "foreign") this.#disks.set(server, foreignTo(file));
    else if (breakage === "older" && before.length > 0) this.#disks.set(server, before.at(-1)!);
    else this.#disks.delete(server);
  }

  /** Before the node begins. */
  restore({ node, process }: App): void {
    const now = process.clock.now();
    const copies = [...(this.#disks.get(process.server) ?? [])].map(
      ([slot, copy]): [number, RetainedCopy] => [
        slot,
        {
          ...copy,
          sessions: tableOf(copy.sessions, now, new SlotSessions(node.context.options.memory)),
        },
      ],
    );
    node.restore(new Map(copies));
  }

  /** The map has changed: what no copy of is named any more is removed. */
  tidy({ node, process }: App): void {
    if (!node.needsSaved) this.#disks.delete(process.server);
  }

  /** This process began so early that the others wait for its copies. */
  isInTime({ server, bornAt }: Process): boolean {
    return bornAt - (this.#heardUntil.get(server) ?? bornAt) < awaitedMs;
  }

  /** Whether the very copy that this process had is on its disk. */
  has(holder: Holder | null, slot: number): boolean {
    if (holder === null) return false;
    return this.#disks.get(holder.server)?.get(slot)?.incarnation === holder.incarnation;
  }
}

/** The same sessions as somebody else has them, and with the highest claims. */
function foreignTo(file: SavedFile): SavedFile {
  return new Map(
    [...file].map(([slot, copy]) => [
      slot,
      {
        ...copy,
        incarnation: `foreign-${copy.incarnation}`,
        epoch: copy.epoch + 1_000,
        pos: copy.pos + 1_000,
        sessions: copy.sessions.map((session) => ({
          ...session,
          entries: new Map([["who", Entry.of("who", "a stranger")]]),
        })),
      },
    ]),
  );
}

function snapshotsOf(sessions: SlotSessions, now: number): SessionSnapshot[] {
  return [...sessions.values()].map((session) => snapshotOf(session, session.entries!, now));
}

function tableOf(sessions: readonly SessionSnapshot[], now: number, table: SlotSessions): SlotSessions {
  for (const session of sessions) table.put(session, now);
  return table;
}
