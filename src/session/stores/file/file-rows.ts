/** Sessions in a file of one process: its table, and the statements on it. Times are on the file's clock (`running_ms`). */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { checksumOf, checksumOfTimes, DamageError, type DatabaseForm } from "../../disk/database-file.ts";
import {
  endsAfterMs,
  type ListedRow,
  type Replaced,
  type RowLife,
  type SessionRow,
  type SessionTouch,
  type SessionWrite,
} from "../engine.ts";

/**
 * `number` is anywhere: rows that lay in the order in which they were made would leave pages that are half empty for ever, where some
 * sessions live long. The text of the key as the table's own order (WITHOUT ROWID) takes three times the room for a session of 1 KiB.
 */
export const fileForm: DatabaseForm = {
  fileName: "site-sessions.db",
  /** "FLOS". */
  format: { applicationId: 0x464c_4f53, version: 1 },
  schema: [
    "CREATE TABLE state (id INTEGER PRIMARY KEY, owner TEXT NOT NULL, running_ms REAL NOT NULL) STRICT",
    `CREATE TABLE sessions (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, data TEXT NOT NULL, access_time REAL NOT NULL, expire_interval REAL NOT NULL,
    version INTEGER NOT NULL, holder TEXT NOT NULL, created_time REAL NOT NULL, absolute_interval REAL NOT NULL,
    expire_time REAL NOT NULL, checksum INTEGER NOT NULL
  ) STRICT`,
    "CREATE UNIQUE INDEX sessions_by_id ON sessions (id)",
    "CREATE INDEX sessions_by_expire_time ON sessions (expire_time)",
  ],
  stateAtFirst: "0",
  whenGone: "put it back and start this process again, which begins with what is there then",
};

/** A replaced or removed row's holder of before, where it is not the writer. */
export interface Changed<Result> {
  readonly result: Result;
  readonly formerHolder: string;
}

interface Times {
  readonly access: number;
  readonly interval: number;
  readonly created: number;
  /** Infinity: none. */
  readonly absolute: number;
}

type Row = Record<string, unknown>;

const columns =
  "id, data, access_time, expire_interval, version, holder, created_time, absolute_interval, checksum";

export class FileRows {
  readonly #read: StatementSync;
  readonly #list: StatementSync;
  readonly #count: StatementSync;
  readonly #insert: StatementSync;
  readonly #replace: StatementSync;
  readonly #touch: StatementSync;
  readonly #remove: StatementSync;
  readonly #removeExpired: StatementSync;
  readonly #putRunning: StatementSync;
  readonly #readRunning: StatementSync;

  constructor(database: DatabaseSync) {
    const prepare = (statement: string): StatementSync => database.prepare(statement);
    this.#read = prepare(`SELECT number, ${columns} FROM sessions WHERE id = ?`);
    this.#list = prepare(
      `SELECT ${columns} FROM sessions WHERE id > ? AND expire_time > ? ORDER BY id LIMIT ?`,
    );
    this.#count = prepare("SELECT count(*) AS count FROM sessions WHERE expire_time > ?");
    this.#insert = prepare("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    this.#replace = prepare(
      "UPDATE sessions SET data = ?, access_time = ?, expire_interval = ?, version = ?, holder = ?, expire_time = ?, checksum = ? " +
        "WHERE number = ?",
    );
    this.#touch = prepare(
      "UPDATE sessions SET access_time = ?, expire_interval = ?, expire_time = ?, checksum = ? WHERE number = ?",
    );
    this.#remove = prepare("DELETE FROM sessions WHERE number = ?");
    this.#removeExpired = prepare(
      "DELETE FROM sessions WHERE number IN (SELECT number FROM sessions WHERE expire_time <= ? ORDER BY expire_time LIMIT ?)",
    );
    this.#putRunning = prepare("UPDATE state SET running_ms = ?");
    this.#readRunning = prepare("SELECT running_ms FROM state WHERE id = 1");
  }

  /** For how long processes ran with this file. */
  get runningMs(): number {
    return Number(this.#readRunning.get()?.running_ms);
  }

  set runningMs(ms: number) {
    this.#putRunning.run(ms);
  }

  /** @throws DamageError */
  read(key: string, now: number): SessionRow | null {
    const row = this.#living(key, now);
    return row === null ? null : shown(row, now);
  }

  /** @throws DamageError */
  list(after: string, rowsMax: number, now: number): ListedRow[] {
    return this.#list.all(after, now, rowsMax).map((row) => ({ key: String(row.id), ...shown(row, now) }));
  }

  count(now: number): number {
    return Number(this.#count.get(now)?.count);
  }

  insert(key: string, write: SessionWrite, { ageMs, absoluteTimeoutMs }: RowLife, now: number): boolean {
    const found = this.#read.get(key);
    if (found !== undefined) {
      if (isAlive(timesOf(found), now)) return false;
      this.#remove.run(Number(found.number));
    }
    const { data, holder, idleTimeoutMs } = write;
    const times = { access: now, interval: idleTimeoutMs, created: now - ageMs, absolute: absoluteTimeoutMs };
    const absolute = absoluteTimeoutMs === Number.POSITIVE_INFINITY ? 0 : absoluteTimeoutMs;
    this.#insertSomewhere(
      ...[key, data, now, idleTimeoutMs, 1, holder, times.created, absolute, endOf(times)],
      checksumOfRow(key, 1, holder, data, times),
    );
    return true;
  }

  replace(key: string, version: number, write: SessionWrite, now: number): Changed<Replaced> {
    const row = this.#living(key, now);
    if (row === null) return { result: "gone", formerHolder: "" };
    if (Number(row.version) !== version) return { result: "changed", formerHolder: "" };
    const { data, holder, idleTimeoutMs } = write;
    const times = { ...timesOf(row), access: now, interval: idleTimeoutMs };
    this.#replace.run(
      ...[data, now, idleTimeoutMs, version + 1, holder, endOf(times)],
      ...[checksumOfRow(key, version + 1, holder, data, times), Number(row.number)],
    );
    return { result: "done", formerHolder: otherHolder(row, write.writer) };
  }

  touch({ key, idleTimeoutMs }: SessionTouch, now: number): void {
    const row = this.#living(key, now);
    if (row === null) return;
    const before = timesOf(row);
    const times = { ...before, access: now, interval: Math.max(before.interval, idleTimeoutMs) };
    // The data are not looked at: what is known of their times is taken out of the checksum. One that was wrong stays so.
    const checksum = (Number(row.checksum) ^ timesChecksum(before) ^ timesChecksum(times)) >>> 0;
    this.#touch.run(now, times.interval, endOf(times), checksum, Number(row.number));
  }

  remove(key: string, writer: string, now: number): Changed<null> {
    const row = this.#read.get(key);
    if (row === undefined) return { result: null, formerHolder: "" };
    this.#remove.run(Number(row.number));
    const formerHolder = isAlive(timesOf(row), now) ? otherHolder(row, writer) : "";
    return { result: null, formerHolder };
  }

  /** @returns how many there were. */
  removeExpired(rowsMax: number, now: number): number {
    return Number(this.#removeExpired.run(now, rowsMax).changes);
  }

  #living(key: string, now: number): Row | null {
    const row = this.#read.get(key);
    return row !== undefined && isAlive(timesOf(row), now) ? row : null;
  }

  #insertSomewhere(...values: readonly (string | number)[]): void {
    for (;;) {
      try {
        this.#insert.run(Math.floor(Math.random() * Number.MAX_SAFE_INTEGER), ...values);
        return;
      } catch (error) {
        if ((error as { errcode?: unknown }).errcode !== numberIsTaken) throw error;
      }
    }
  }
}

/** SQLITE_CONSTRAINT_PRIMARYKEY. */
const numberIsTaken = 1_555;

function otherHolder(row: Row, writer: string): string {
  const holder = String(row.holder);
  return holder === writer ? "" : holder;
}

function timesOf(row: Row): Times {
  const absolute = Number(row.absolute_interval);
  return {
    access: Number(row.access_time),
    interval: Number(row.expire_interval),
    created: Number(row.created_time),
    absolute: absolute === 0 ? Number.POSITIVE_INFINITY : absolute,
  };
}

function endOf({ access, interval, created, absolute }: Times): number {
  return Math.min(access + endsAfterMs(interval), created + absolute);
}

function isAlive(times: Times, now: number): boolean {
  return now < endOf(times);
}

/** @throws DamageError */
function shown(row: Row, now: number): SessionRow {
  const times = timesOf(row);
  const [data, version, holder] = [String(row.data), Number(row.version), String(row.holder)];
  if (checksumOfRow(String(row.id), version, holder, data, times) !== row.checksum)
    throw new DamageError("it is damaged: a session is not what was written");
  return {
    ...{ data, version, holder },
    idleTimeoutMs: times.interval,
    idleForMs: Math.max(0, now - times.access),
    ageMs: Math.max(0, now - times.created),
    absoluteTimeoutMs: times.absolute,
  };
}

/** Two in one: that of the times can be changed alone. */
function checksumOfRow(key: string, version: number, holder: string, data: string, times: Times): number {
  return (checksumOf(`${key} ${version} ${holder} `, data) ^ timesChecksum(times)) >>> 0;
}

function timesChecksum({ access, interval, created, absolute }: Times): number {
  return checksumOfTimes(access, interval, created, absolute);
}
