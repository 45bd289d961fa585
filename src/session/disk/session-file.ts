/**
 * What an orderly stop leaves behind for the next start: `<data>/sessions/<server>.db`, an SQLite database that is written
 * once, in one transaction, synced, and put in its place whole. It is a message from one process to the next, not
 * a store: nothing is read from it, or written to it, while sessions are in use.
 */
import { closeSync, existsSync, openSync, renameSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { FlotillaError, messageOf } from "../../support/errors.ts";
import { savedSessions as limits, sessionDatabase } from "../../support/limits.ts";
import type { Log } from "../../support/log.ts";
import { Turns } from "../../support/turns.ts";
import { howToTakeBack, putAside } from "./aside.ts";
import { databaseEndings, databaseFolder, databasePath } from "./database-names.ts";
import { inWords } from "./disk-errors.ts";
import { makeFolder } from "./folder.ts";
import { type SavedCopy, type SavedFile, type SavedKind, savedIn, writeSaved } from "./saved-rows.ts";
import { syncPath, tryOut } from "./synced.ts";

export class SessionFile {
  readonly path: string;
  readonly #folder: string;
  readonly #databaseFolder: string;
  readonly #owner: string;
  readonly #kind: SavedKind;

  constructor(dataFolder: string, cluster: string, server: string, kind: SavedKind) {
    this.#folder = join(dataFolder, "sessions");
    this.path = join(this.#folder, `${server}.db`);
    this.#databaseFolder = databaseFolder(dataFolder, server);
    this.#owner = `${server} of cluster ${cluster}`;
    this.#kind = kind;
  }

  get exists(): boolean {
    return existsSync(this.path);
  }

  /**
   * Other work goes on between its steps.
   * @returns null when there is none.
   * @throws FlotillaError FLOTILLA_SESSIONS_UNREAD: it is damaged, or not for this server; it was put aside.
   */
  async read(): Promise<SavedFile | null> {
    if (!this.exists) return null;
    const turns = new Turns(limits.turnMs);
    try {
      const steps = this.#steps();
      for (let step = steps.next(); ; step = steps.next()) {
        if (step.done) return step.value;
        if (turns.isOver) await turns.next();
      }
    } catch (error) {
      throw this.#unread(error);
    }
  }

  /** The same in one turn, for a process that can do nothing before it has them. */
  readAtOnce(): SavedFile | null {
    if (!this.exists) return null;
    try {
      const steps = this.#steps();
      for (let step = steps.next(); ; step = steps.next()) if (step.done) return step.value;
    } catch (error) {
      throw this.#unread(error);
    }
  }

  /** A process that was killed while it wrote leaves this behind. */
  removeUnfinished(): void {
    try {
      rmSync(this.#next, { force: true });
    } catch {
      // It harms nobody; what is wrong with the folder is told by whoever has something to read or write there.
    }
  }

  #steps(): Generator<undefined, SavedFile> {
    return savedIn(this.path, this.#owner, this.#kind);
  }

  get #next(): string {
    return `${this.path}.next`;
  }

  #unread(error: unknown): FlotillaError {
    return new FlotillaError(
      "FLOTILLA_SESSIONS_UNREAD",
      `the sessions that the last stop saved can't be read: ${this.path}: ${messageOf(error)}; ${this.putAside()}${howToTakeBack(error, this.path)}`,
      { cause: error },
    );
  }

  /**
   * Replaces the file by one with these; they must not change meanwhile. Other work goes on between its steps.
   * @param register see `SavedFile`.
   * @returns the number of sessions.
   * @throws the system's or the database's error; the file before is still there.
   */
  async write(copies: readonly SavedCopy[], register: string = ""): Promise<number> {
    makeFolder(this.#folder, 0o700);
    const next = this.#next;
    rmSync(next, { force: true });
    // Made before the database opens it: it keeps the mode that it finds.
    closeSync(openSync(next, "wx", 0o600));
    try {
      const about = { owner: this.#owner, kind: this.#kind, register };
      const sessions = await writeSaved(next, copies, about);
      syncPath(next);
      renameSync(next, this.path);
      syncPath(this.#folder);
      return sessions;
    } catch (error) {
      rmSync(next, { force: true });
      throw error;
    }
  }

  /** It has been used, or is of no use any more. @throws the system's error */
  remove(): void {
    rmSync(this.path, { force: true });
    if (existsSync(this.#folder)) syncPath(this.#folder);
  }

  /** Why about so many bytes can't be written now, for a person; null when they can, as far as can be told before. */
  whyNot(bytes: number): string | null {
    try {
      makeFolder(this.#folder, 0o700);
      tryOut(`${this.path}.try`);
      const { bavail, bsize } = statfsSync(this.#folder);
      const needed = Math.ceil(bytes * limits.fileShareOfMemory) + limits.trialBytes;
      if (bavail * bsize >= needed) return null;
      return `the disk of ${this.#folder} has ${megabytes(bavail * bsize)} free, ${megabytes(needed)} are needed`;
    } catch (error) {
      return `${this.#folder} can't be written: ${inWords(error)}`;
    }
  }

  /** For a person to look at; one that was put aside before stays. @returns what was done, for the log. */
  putAside(): string {
    return putAside(this.path, limits.asideMax);
  }

  /** The database of a `durability: backup+disk` that is not in force any more: taken up later, it would bring back what has ended since. */
  putDatabaseAside(log: Log): void {
    const path = databasePath(this.#databaseFolder);
    if (!existsSync(path)) return;
    log.warn(
      { code: "FLOTILLA_SESSIONS_UNREAD" },
      `sessions that were on disk under \`durability: backup+disk\` are not used: ${path}: ` +
        putAside(path, sessionDatabase.asideMax, databaseEndings),
    );
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
