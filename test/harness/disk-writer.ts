/**
 * A process that writes sessions to disk until it is killed, and prints what it was told to be synced. What has to be there at
 * any place of a slot follows from the place alone. Arguments: folder, incarnation.
 */
import { writeSync } from "node:fs";
import { pathToFileURL } from "node:url";
import type { DiskSession } from "../../src/session/cluster/slot-disk.ts";
import { SessionDatabase } from "../../src/session/disk/session-database.ts";
import { Entry } from "../../src/session/entry.ts";
import { endless } from "../../src/session/snapshot.ts";
import { systemClock } from "../../src/support/clock.ts";
import { silentLog } from "../../src/support/silent-log.ts";

/** Slots that get changes, and one that is copied anew again and again. */
export const changedSlots: readonly number[] = [1, 2, 3];
export const copiedSlot = 9;
export const copiedSessions = 300;
const keysOfSlot = 40;

/** What the change at a place does. */
export function changeAt(pos: number): { readonly key: string; readonly text: string | null } {
  const key = `key${(pos * 7) % keysOfSlot}`;
  return { key, text: pos % 5 === 0 ? null : JSON.stringify(`${pos}`.repeat(1 + (pos % 200))) };
}

/** Sessions of a slot at a place. */
export function sessionsAt(pos: number): Map<string, string> {
  const sessions = new Map<string, string>();
  for (let at = 1; at <= pos; at++) {
    const { key, text } = changeAt(at);
    if (text === null) sessions.delete(key);
    else sessions.set(key, text);
  }
  return sessions;
}

export function sessionOf(key: string, text: string): DiskSession {
  return {
    ...endless,
    key,
    idleTimeoutMs: 60_000,
    idleForMs: 0,
    entries: new Map([["a", new Entry("a", text)]]),
  };
}

export async function openDatabase(folder: string, incarnation: string): Promise<SessionDatabase> {
  const options = { folder, owner: "test", incarnation, clock: systemClock, log: silentLog };
  const disk = new SessionDatabase(options);
  await disk.open();
  return disk;
}

class Writer {
  readonly #disk: SessionDatabase;
  readonly #positions: Map<number, number> = new Map();
  #copy: number;

  constructor(disk: SessionDatabase) {
    this.#disk = disk;
    for (const slot of changedSlots) {
      const pos = disk.found.get(slot)?.pos ?? 0;
      this.#positions.set(slot, pos);
      disk.adopt(slot, 1, pos);
    }
    this.#copy = disk.found.get(copiedSlot)?.epoch ?? 0;
    disk.observe({
      onDurable: (slot, epoch, pos) => void writeSync(1, `${slot} ${epoch} ${pos}\n`),
      onOpened: () => {},
      onLost: () => {},
      onTrouble: (reason) => void writeSync(1, `TROUBLE ${reason}\n`),
    });
  }

  turn(): void {
    if (this.#disk.pendingBytes < 1_000_000) {
      for (const [slot, pos] of this.#positions) for (let n = 1; n <= slot; n++) this.#change(slot, pos + n);
      if (Math.random() < 0.1) this.#copyAnew();
    }
    setTimeout(() => this.turn(), Math.random() * 3);
  }

  #change(slot: number, pos: number): void {
    const { key, text } = changeAt(pos);
    this.#positions.set(slot, pos);
    this.#disk.write(slot, 1, pos, key, text === null ? null : sessionOf(key, text));
  }

  #copyAnew(): void {
    const epoch = ++this.#copy;
    const sessions = Array.from({ length: copiedSessions }, (_, n) => sessionOf(`copied${n}`, `${epoch}`));
    this.#disk.beginCopy(copiedSlot);
    this.#disk.addToCopy(copiedSlot, sessions.slice(0, 200));
    setImmediate(() => {
      if (this.#copy !== epoch) return;
      this.#disk.addToCopy(copiedSlot, sessions.slice(200));
      this.#disk.endCopy(copiedSlot, epoch, 0);
    });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]!).href) {
  const [folder, incarnation] = process.argv.slice(2) as [string, string];
  new Writer(await openDatabase(folder, incarnation)).turn();
  // The database's thread does not keep a process.
  setInterval(() => {}, 60_000);
}
