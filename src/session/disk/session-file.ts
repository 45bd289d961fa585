/**
 * What an orderly stop leaves behind for the next start: `<data>/sessions/<server>.db`, an SQLite database that is written
 * once, in one transaction, synced, and put in its place whole. It is a message from one process to the next, not
 * a store: nothing is read from it, or written to it, while sessions are in use.
 */
import { createHash, type Hash } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statfsSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { FlotillaError, messageOf } from "../../support/errors.ts";
import { savedSessions as limits, sessionDatabase } from "../../support/limits.ts";
import type { Log } from "../../support/log.ts";
import { Turns } from "../../support/turns.ts";
import { Entry } from "../entry.ts";
import type { SessionSnapshot } from "../snapshot.ts";
import { putAside } from "./aside.ts";
import { databaseEndings, databaseFolder, databasePath } from "./database-names.ts";
import { inWords } from "./disk-errors.ts";
import { openDatabase } from "./sqlite.ts";

/** "FLOT": what `file` says of an SQLite database that belongs to an application. */
const applicationId = 0x464c_4f54;
const formatVersion = 2;

/** As of the stop: how long nothing ran does not count. */
export type SavedSession = SessionSnapshot;

/** The copy of one slot, and whose it was. */
export interface SavedCopy {
  readonly slot: number;
  /** Of the process that had it; "" with `durability: memory`, where there is one copy, of all sessions, in slot 0. */
  readonly incarnation: string;
  readonly epoch: number;
  readonly pos: number;
  /** The same each time that it is gone through: a write that failed is tried again. */
  readonly sessions: Iterable<SavedSession>;
}

/** How the sessions were kept: a file of the other kind is of no use. */
export type SavedKind = "memory" | "copies";

export interface SavedFile {
  readonly copies: readonly SavedCopy[];
  readonly sessions: number;
  /** The register that says which of the copies count: its id, "" where there is none. */
  readonly register: string;
}

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
      const steps = this.#read();
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
      const steps = this.#read();
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

  get #next(): string {
    return `${this.path}.next`;
  }

  #unread(error: unknown): FlotillaError {
    return new FlotillaError(
      "FLOTILLA_SESSIONS_UNREAD",
      `the sessions that the last stop saved can't be read: ${this.path}: ${messageOf(error)}; ${this.putAside()}`,
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
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const next = this.#next;
    rmSync(next, { force: true });
    // Made before the database opens it: it keeps the mode that it finds.
    closeSync(openSync(next, "wx", 0o600));
    try {
      const sessions = await this.#fill(next, copies, register);
      sync(next);
      renameSync(next, this.path);
      sync(this.#folder);
      return sessions;
    } catch (error) {
      rmSync(next, { force: true });
      throw error;
    }
  }

  /** It has been used, or is of no use any more. @throws the system's error */
  remove(): void {
    rmSync(this.path, { force: true });
    if (existsSync(this.#folder)) sync(this.#folder);
  }

  /** Why about so many bytes can't be written now, for a person; null when they can, as far as can be told before. */
  whyNot(bytes: number): string | null {
    const trial = `${this.path}.try`;
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      const file = openSync(trial, "w", 0o600);
      try {
        writeSync(file, Buffer.alloc(limits.trialBytes));
        fsyncSync(file);
      } finally {
        closeSync(file);
        rmSync(trial, { force: true });
      }
      const { bavail, bsize } = statfsSync(this.#folder);
      const needed = Math.ceil(bytes * limits.fileShareOfMemory) + limits.trialBytes;
      if (bavail * bsize >= needed) return null;
      return `the disk of ${this.#folder} has ${megabytes(bavail * bsize)} free, ${megabytes(needed)} are needed`;
    } catch (error) {
      return `${this.#folder} can't be written: ${inWords(error)}`;
    }
  }

  /** A step for each row. */
  *#read(): Generator<undefined, SavedFile> {
    const database = openDatabase(this.path, true);
    try {
      if (numberIn(database.prepare("PRAGMA application_id").get()) !== applicationId)
        throw new Error("it is a database of another program");
      const version = numberIn(database.prepare("PRAGMA user_version").get());
      if (version !== formatVersion) {
        const which = version > formatVersion ? "newer" : "older";
        throw new Error(
          `it was written by ${which} Flotilla (format ${version}, this one reads ${formatVersion})`,
        );
      }
      const meta = new Map(
        database
          .prepare("SELECT name, value FROM meta")
          .all()
          .map(({ name, value }) => [String(name), String(value)]),
      );
      if (meta.get("owner") !== this.#owner) throw new Error(`it is of ${meta.get("owner")}`);
      if (meta.get("kind") !== this.#kind) throw new Error("it was written under another `durability:`");
      const register = meta.get("register") ?? "";
      const digest = new Digest(register);
      const sessions = new Map<number, SavedSession[]>();
      let count = 0;
      for (const row of database.prepare("SELECT * FROM sessions ORDER BY rowid").iterate()) {
        const times = [row.idle_timeout_ms, row.idle_for_ms, row.absolute_timeout_ms, row.age_ms];
        digest.add([row.slot, row.key, ...times, row.data]);
        const ofSlot = sessions.get(Number(row.slot)) ?? [];
        ofSlot.push(sessionOf(row));
        sessions.set(Number(row.slot), ofSlot);
        count++;
        yield;
      }
      const copies = database
        .prepare("SELECT * FROM copies ORDER BY slot")
        .all()
        .map(({ slot, incarnation, epoch, pos }) => {
          digest.add([slot, incarnation, epoch, pos]);
          return {
            ...{
              slot: Number(slot),
              incarnation: String(incarnation),
              epoch: Number(epoch),
              pos: Number(pos),
            },
            sessions: sessions.get(Number(slot)) ?? [],
          };
        });
      if (digest.text !== meta.get("digest")) throw new Error("it is damaged");
      return { copies, sessions: count, register };
    } finally {
      database.close();
    }
  }

  async #fill(path: string, copies: readonly SavedCopy[], register: string): Promise<number> {
    const database = openDatabase(path, false);
    try {
      // Nothing to roll back to: a file that was not finished is thrown away.
      database.exec(`
        PRAGMA journal_mode = OFF;
        PRAGMA synchronous = FULL;
        PRAGMA application_id = ${applicationId};
        PRAGMA user_version = ${formatVersion};
        BEGIN;
        CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
        CREATE TABLE copies (
          slot INTEGER PRIMARY KEY, incarnation TEXT NOT NULL, epoch INTEGER NOT NULL, pos INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE sessions (
          slot INTEGER NOT NULL, key TEXT NOT NULL, idle_timeout_ms REAL NOT NULL, idle_for_ms REAL NOT NULL,
          absolute_timeout_ms REAL NOT NULL, age_ms REAL NOT NULL, data TEXT NOT NULL
        ) STRICT;`);
      const digest = new Digest(register);
      const sessions = await insertSessions(database, copies, digest);
      const insertCopy = database.prepare("INSERT INTO copies VALUES (?, ?, ?, ?)");
      for (const { slot, incarnation, epoch, pos } of copies.toSorted(
        (one, other) => one.slot - other.slot,
      )) {
        digest.add([slot, incarnation, epoch, pos]);
        insertCopy.run(slot, incarnation, epoch, pos);
      }
      const insertMeta = database.prepare("INSERT INTO meta VALUES (?, ?)");
      for (const pair of [
        ["owner", this.#owner],
        ["kind", this.#kind],
        ["register", register],
        ["digest", digest.text],
      ])
        insertMeta.run(...pair);
      database.exec("COMMIT");
      return sessions;
    } finally {
      database.close();
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

async function insertSessions(
  database: ReturnType<typeof openDatabase>,
  copies: readonly SavedCopy[],
  digest: Digest,
): Promise<number> {
  const insert = database.prepare("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)");
  const turns = new Turns(limits.turnMs);
  let count = 0;
  for (const { slot, sessions } of copies) {
    for (const { key, idleTimeoutMs, idleForMs, absoluteTimeoutMs, ageMs, entries } of sessions) {
      const data = JSON.stringify([...entries].map(([name, { text }]) => [name, text]));
      const row = [slot, key, idleTimeoutMs, idleForMs, absoluteTimeoutMs, ageMs, data];
      digest.add(row);
      insert.run(...row);
      count++;
      if (turns.isOver) await turns.next();
    }
  }
  return count;
}

function sessionOf(row: Record<string, unknown>): SavedSession {
  const pairs = JSON.parse(String(row.data)) as [string, string][];
  const entries = new Map(pairs.map(([name, text]) => [name, new Entry(name, text)]));
  return {
    key: String(row.key),
    entries,
    idleTimeoutMs: Number(row.idle_timeout_ms),
    idleForMs: Number(row.idle_for_ms),
    absoluteTimeoutMs: Number(row.absolute_timeout_ms),
    ageMs: Number(row.age_ms),
  };
}

/** Of all rows in their order: SQLite itself does not notice a bit that has turned. */
class Digest {
  readonly #hash: Hash = createHash("sha256");

  constructor(register: string) {
    this.#hash.update(register);
  }

  add(values: readonly unknown[]): void {
    // JSON would make null of Infinity, and of what damage made of it.
    this.#hash.update(JSON.stringify(values, (_, value) => (value === Infinity ? "never" : value)));
  }

  /** The last word; nothing can be added after it. */
  get text(): string {
    return this.#hash.digest("base64url");
  }
}

function sync(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function numberIn(row: Record<string, unknown> | undefined): number {
  return Number(Object.values(row ?? {})[0]);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
