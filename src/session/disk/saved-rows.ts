/**
 * What is in the file of an orderly stop (session-file.ts): a row for each session and each copy, what they are of, and a digest
 * of all.
 */
import { createHash, type Hash } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { savedSessions as limits } from "../../support/limits.ts";
import { Turns } from "../../support/turns.ts";
import { Entry } from "../entry.ts";
import type { SessionSnapshot } from "../snapshot.ts";
import { type FileFormat, formatPragmas, openDatabase, requireFormat } from "./sqlite.ts";

/** "FLOT". */
const format: FileFormat = { applicationId: 0x464c_4f54, version: 2 };

const schema = `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  CREATE TABLE copies (
    slot INTEGER PRIMARY KEY, incarnation TEXT NOT NULL, epoch INTEGER NOT NULL, pos INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE sessions (
    slot INTEGER NOT NULL, key TEXT NOT NULL, idle_timeout_ms REAL NOT NULL, idle_for_ms REAL NOT NULL,
    absolute_timeout_ms REAL NOT NULL, age_ms REAL NOT NULL, data TEXT NOT NULL
  ) STRICT;`;

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

/** What a file says of itself. */
export interface AboutSaved {
  /** Whose sessions they are: "app-a of cluster app". */
  readonly owner: string;
  readonly kind: SavedKind;
  /** See `SavedFile`. */
  readonly register: string;
}

/** A step for each session. @throws Error when it is damaged, or not of this owner and kind. */
export function* savedIn(path: string, owner: string, kind: SavedKind): Generator<undefined, SavedFile> {
  const database = openDatabase(path, true);
  try {
    const { register, digest: written } = aboutOf(database, owner, kind);
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
    const copies = copiesIn(database, digest).map((copy) => ({
      ...copy,
      sessions: sessions.get(copy.slot) ?? [],
    }));
    if (digest.text !== written) throw new Error("it is damaged");
    return { copies, sessions: count, register };
  } finally {
    database.close();
  }
}

function aboutOf(
  database: DatabaseSync,
  owner: string,
  kind: SavedKind,
): { readonly register: string; readonly digest: string | undefined } {
  requireFormat(database, format);
  const rows = database.prepare("SELECT name, value FROM meta").all();
  const meta = new Map(rows.map(({ name, value }) => [String(name), String(value)]));
  if (meta.get("owner") !== owner) throw new Error(`it is of ${meta.get("owner")}`);
  if (meta.get("kind") !== kind) throw new Error("it was written under another `durability:`");
  return { register: meta.get("register") ?? "", digest: meta.get("digest") };
}

function copiesIn(database: DatabaseSync, digest: Digest): Omit<SavedCopy, "sessions">[] {
  const rows = database.prepare("SELECT * FROM copies ORDER BY slot").all();
  return rows.map(({ slot, incarnation, epoch, pos }) => {
    digest.add([slot, incarnation, epoch, pos]);
    return {
      slot: Number(slot),
      incarnation: String(incarnation),
      epoch: Number(epoch),
      pos: Number(pos),
    };
  });
}

/** To a file that is empty. Other work goes on meanwhile. @returns the number of sessions. */
export async function writeSaved(
  path: string,
  copies: readonly SavedCopy[],
  about: AboutSaved,
): Promise<number> {
  const database = openDatabase(path, false);
  try {
    // Nothing to roll back to: a file that was not finished is thrown away.
    database.exec(`
      PRAGMA journal_mode = OFF;
      PRAGMA synchronous = FULL;
      ${formatPragmas(format)};
      BEGIN;
      ${schema}`);
    const digest = new Digest(about.register);
    const sessions = await insertSessions(database, copies, digest);
    insertCopies(database, copies, digest);
    const insertMeta = database.prepare("INSERT INTO meta VALUES (?, ?)");
    for (const pair of Object.entries({ ...about, digest: digest.text })) insertMeta.run(...pair);
    database.exec("COMMIT");
    return sessions;
  } finally {
    database.close();
  }
}

async function insertSessions(
  database: DatabaseSync,
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

function insertCopies(database: DatabaseSync, copies: readonly SavedCopy[], digest: Digest): void {
  const insert = database.prepare("INSERT INTO copies VALUES (?, ?, ?, ?)");
  for (const { slot, incarnation, epoch, pos } of copies.toSorted((one, other) => one.slot - other.slot)) {
    digest.add([slot, incarnation, epoch, pos]);
    insert.run(slot, incarnation, epoch, pos);
  }
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
