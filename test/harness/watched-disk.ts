/** A session database of a test's own, with all that it tells. */
import { pino } from "pino";
import { SessionDatabase } from "../../src/session/disk/session-database.ts";
import { systemClock } from "../../src/support/clock.ts";
import { sessionOf } from "./disk-writer.ts";

export class WatchedDisk {
  readonly disk: SessionDatabase;
  readonly lines: string[] = [];
  /** Positions that it told to be synced. */
  readonly durable: number[] = [];
  /** The last change of slot 1. */
  pos = 0;
  readonly #waiting: Set<() => void> = new Set();

  private constructor(folder: string) {
    const log = pino({ base: null }, { write: (line: string) => void this.lines.push(line) });
    const options = { folder, owner: "test", incarnation: "p1", clock: systemClock, log };
    this.disk = new SessionDatabase(options);
  }

  static async open(folder: string): Promise<WatchedDisk> {
    const watched = new WatchedDisk(folder);
    await watched.disk.open();
    watched.disk.observe({
      onDurable: (_slot, _epoch, pos) => {
        watched.durable.push(pos);
        watched.#look();
      },
      onTrouble: () => watched.#look(),
      onOpened: () => watched.#look(),
      onLost: () => watched.#look(),
    });
    watched.disk.adopt(1, 1, 0);
    return watched;
  }

  /** So many new sessions of a kilobyte in slot 1. */
  write(sessions: number): void {
    for (let n = 0; n < sessions; n++) {
      const key = `key${++this.pos}`;
      this.disk.write(1, 1, this.pos, key, sessionOf(key, JSON.stringify("x".repeat(1_000))));
    }
  }

  allDurable(): Promise<void> {
    return this.until(() => this.durable.includes(this.pos));
  }

  until(isOver: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!isOver()) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** How many lines match. */
  told(pattern: RegExp): number {
    return this.lines.filter((line) => pattern.test(line)).length;
  }

  #look(): void {
    for (const look of [...this.#waiting]) look();
  }
}

export async function contentOf(disk: SessionDatabase, slot: number): Promise<Map<string, string>> {
  const sessions = new Map<string, string>();
  for (let after = ""; ; ) {
    const part = await new Promise<readonly { key: string; text: string }[]>((resolve, reject) => {
      disk.readAfter(slot, after, 10_000, (error, found) => {
        if (error !== null) reject(error);
        else resolve(found.map(({ key, entries }) => ({ key, text: entries.get("a")!.text })));
      });
    });
    for (const { key, text } of part) sessions.set(key, text);
    if (part.length === 0) return sessions;
    after = part.at(-1)!.key;
  }
}
