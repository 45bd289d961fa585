/**
 * A file in which sessions are kept on disk: an SQLite database with a write-ahead log. One process has it at a time: SQLite's exclusive lock is the kernel's, and ends with the process. What is wrong with a
 * file is found here: at its opening without looking at its sessions, of which there may be ten million.
 */
import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  existsSync,
  lstatSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { messageOf } from "../../support/errors.ts";
import { sessionDatabase as limits } from "../../support/limits.ts";
import { procText } from "../../support/processes.ts";
import type { Renewal } from "../cluster/slot-disk.ts";
import { howToTakeBack, putAside } from "./aside.ts";
import { databaseEndings } from "./database-names.ts";
import { diskCodeOf, inWordsWithRemedy, isWellKnown, primaryCode, SqliteCode } from "./disk-errors.ts";
import { makeFolder } from "./folder.ts";
import {
  type FileFormat,
  FormatError,
  formatPragmas,
  numberIn,
  openDatabase,
  requireFormat,
} from "./sqlite.ts";
import { syncPath, tryOut } from "./synced.ts";

/** What a database holds. */
export interface DatabaseForm {
  /** Of its file in the folder. */
  readonly fileName: string;
  readonly format: FileFormat;
  /** `state` is among its tables, with one row: its number, 1, whose file it is, and more. */
  readonly schema: readonly string[];
  /** That row's other values at first, as SQL. */
  readonly stateAtFirst: string;
  /** What is to be done when the file was removed or replaced. */
  readonly whenGone: string;
}

/** What is in the file is of no use here, or can't be what was written there. */
export class DamageError extends Error {}

/** Another process has it. */
export class InUseError extends Error {}

export interface OpenedFile<Content> {
  readonly content: Content;
  /** Why a file was put aside, and where; null: none was. */
  readonly aside: string | null;
}

export class DatabaseFile {
  readonly path: string;
  readonly #folder: string;
  readonly #owner: string;
  readonly #form: DatabaseForm;
  #inodes = "";
  /** Its folder was not there. */
  #isFirstStart = true;

  /** @param owner whose sessions they are: another server's are refused. */
  constructor(folder: string, owner: string, form: DatabaseForm) {
    this.#folder = folder;
    this.path = join(folder, form.fileName);
    this.#owner = owner;
    this.#form = form;
  }

  /**
   * Makes what is missing. A file that is damaged, or is none of this server's, is put aside.
   * @param take what is in it; it may find more damage.
   * @param renewal what is there is of no use any more; null: it is.
   * @throws InUseError, or the system's or the database's error.
   */
  open<Content>(
    take: (database: DatabaseSync) => Content,
    renewal: Renewal | null = null,
  ): OpenedFile<Content> {
    this.#isFirstStart = statSync(this.#folder, { throwIfNoEntry: false }) === undefined;
    makeFolder(this.#folder, 0o700);
    chmodSync(this.#folder, 0o700);
    try {
      if (renewal !== null && existsSync(this.path)) throw new DamageError(this.#damage ?? renewal.why);
      return { content: this.#open(take), aside: null };
    } catch (error) {
      if (!isDamage(error)) throw error;
      // Under another name than what is damaged, which makes way for the next one.
      const aside = renewal?.isOnlyCopy
        ? putAside(this.path, Number.POSITIVE_INFINITY, databaseEndings, "kept")
        : putAside(this.path, limits.asideMax, databaseEndings);
      if (existsSync(this.path)) throw error;
      rmSync(this.#mark, { force: true });
      return {
        content: this.#open(take),
        aside:
          `the sessions on disk are not used: ${this.path}: ${messageOf(error)}; ${aside}` +
          howToTakeBack(error, this.path),
      };
    }
  }

  /** Damage was found in the middle of it: the next start puts it aside. */
  markDamaged(why: string): void {
    try {
      if (!existsSync(this.#mark)) writeFileSync(this.#mark, why, { mode: 0o600 });
    } catch {
      // Then the next start finds it as this one did.
    }
  }

  /** Why it can't be written, for a person. @param error SQLite's, which has the same code for many troubles of the system. */
  whyNot(error: unknown): string {
    try {
      if (this.#inodesNow() !== this.#inodes)
        return `${this.path} was removed or replaced: ${this.#form.whenGone}`;
      tryOut(join(this.#folder, "try"));
      return this.#inTrouble(error);
    } catch (found) {
      return this.#inTrouble(isWellKnown(found) ? found : error);
    }
  }

  #inTrouble(error: unknown): string {
    return `${this.#folder} can't be written: ${inWordsWithRemedy(error)}`;
  }

  /**
   * Nothing but a person can help, who has just started the server: another process has the file, or the path can't be that of a
   * folder, or may not be made where there is none yet. All else passes, or befalls servers that run as well: those go on, so
   * one that starts must not be worse.
   */
  isMistake(error: unknown): boolean {
    if (error instanceof InUseError) return true;
    const code = diskCodeOf(error);
    if (/^(?:ENOTDIR|EEXIST|ELOOP|ENAMETOOLONG)$/.test(code)) return true;
    return this.#isFirstStart && /^(?:EACCES|EPERM|EROFS|ENOENT)$/.test(code);
  }

  /** It was removed or replaced. */
  get isGone(): boolean {
    try {
      return this.#inodesNow() !== this.#inodes;
    } catch {
      return false;
    }
  }

  /** What is written to a file that has no name any more is lost with this process; so it may be with one that can't be looked for. */
  get isInPlace(): boolean {
    try {
      return this.#inodesNow() === this.#inodes;
    } catch {
      return false;
    }
  }

  /** Files of which the open database consists. */
  #inodesNow(): string {
    return [this.path, `${this.path}-wal`]
      .map((path) => statSync(path, { throwIfNoEntry: false })?.ino ?? "none")
      .join();
  }

  get #mark(): string {
    return `${this.path}.damaged`;
  }

  /** That an earlier use of the file has found. */
  get #damage(): string | null {
    return existsSync(this.#mark) ? readFileSync(this.#mark, "utf8") : null;
  }

  #open<Content>(take: (database: DatabaseSync) => Content): Content {
    const damage = this.#damage;
    if (damage !== null) throw new DamageError(damage);
    // Made before the database opens it: it keeps the mode that it finds. One that is there is not opened here: the
    // kernel would end the locks that this process has on it.
    const found = statSync(this.path, { throwIfNoEntry: false });
    if (found === undefined) {
      // A link to a disk that is not there: what is behind it is not given up.
      if (lstatSync(this.path, { throwIfNoEntry: false })?.isSymbolicLink()) statSync(this.path);
      closeSync(openSync(this.path, "wx", 0o600));
    } else if (!found.isFile()) throw new DamageError("it is no file");
    // SQLite says of a file that it may only read that the disk fails.
    else accessSync(this.path, constants.R_OK | constants.W_OK);
    const database = openDatabase(this.path, false);
    try {
      this.#begin(database);
      this.#inodes = this.#inodesNow();
      return take(database);
    } catch (error) {
      database.close();
      if (primaryCode(error) === SqliteCode.busy) throw new InUseError(this.#holder());
      throw error;
    }
  }

  #begin(database: DatabaseSync): void {
    database.exec(`
      PRAGMA busy_timeout = ${limits.lockWaitMs};
      PRAGMA locking_mode = EXCLUSIVE;
      PRAGMA cell_size_check = ON;
      PRAGMA cache_size = -${limits.cacheBytes / 1_024};`);
    const isNew = numberIn(database, "PRAGMA schema_version") === 0;
    if (!isNew) this.#check(database);
    // Without an index in shared memory: the lock is exclusive from the first page on.
    database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA wal_autocheckpoint = ${limits.checkpointPages * 4};
      PRAGMA journal_size_limit = ${limits.checkpointPages * 4_096};
      BEGIN IMMEDIATE;
      ROLLBACK;`);
    if (isNew) this.#make(database);
    else this.#checkLength(database);
  }

  #make(database: DatabaseSync): void {
    const { format, schema, stateAtFirst } = this.#form;
    const state = `INSERT INTO state VALUES (1, '${this.#owner.replaceAll("'", "''")}', ${stateAtFirst})`;
    database.exec(["BEGIN", formatPragmas(format), ...schema, state, "COMMIT"].join(";\n"));
    syncPath(this.#folder);
    syncPath(dirname(this.#folder));
  }

  #check(database: DatabaseSync): void {
    const { format, schema } = this.#form;
    requireFormat(database, format);
    const statements = database
      .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid")
      .all()
      .map(({ sql }) => String(sql));
    if (statements.join() !== schema.join()) throw new DamageError("it is damaged: its tables are others");
    const owner = database.prepare("SELECT owner FROM state WHERE id = 1").get()?.owner;
    if (owner !== this.#owner) throw new DamageError(`it is of ${owner}`);
  }

  /** A file that was cut off may have all that is read at the start. */
  #checkLength(database: DatabaseSync): void {
    // On a full disk the log may not be moved; then the file need not have all pages.
    if (!isLogMoved(database)) return;
    const bytes = numberIn(database, "PRAGMA page_count") * numberIn(database, "PRAGMA page_size");
    if (statSync(this.path).size < bytes) throw new DamageError("it is cut off");
  }

  #holder(): string {
    const { ino } = statSync(this.path);
    const locks = procText("/proc/locks").split("\n");
    const pid = locks.map((line) => new RegExp(`POSIX .* (\\d+) \\S+:${ino} `).exec(line)?.[1]).find(Boolean);
    return `${this.path} is in use by ${pid === undefined || pid === "0" ? "another process" : `process ${pid}`}`;
  }
}

export function isDamage(error: unknown): boolean {
  const code = primaryCode(error);
  return (
    error instanceof DamageError ||
    error instanceof FormatError ||
    code === SqliteCode.corrupt ||
    code === SqliteCode.notDatabase
  );
}

/** SQLite itself does not notice a bit that has turned. */
export function checksumOf(values: string, data: Uint8Array | string = ""): number {
  return crc32(data, crc32(values));
}

const timesBytes = Buffer.alloc(32);

/** Of a row. `+ 0`: the database does not tell -0 from 0. */
export function checksumOfTimes(first: number, second: number, third: number, fourth: number): number {
  timesBytes.writeDoubleLE(first + 0, 0);
  timesBytes.writeDoubleLE(second + 0, 8);
  timesBytes.writeDoubleLE(third + 0, 16);
  timesBytes.writeDoubleLE(fourth + 0, 24);
  return checksumOf("", timesBytes);
}

function isLogMoved(database: DatabaseSync): boolean {
  try {
    const [moved] = database.prepare("PRAGMA wal_checkpoint(PASSIVE)").all();
    return moved !== undefined && moved.log === moved.checkpointed;
  } catch (error) {
    if (isDamage(error)) throw error;
    return false;
  }
}
