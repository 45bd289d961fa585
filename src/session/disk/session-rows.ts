/** The table of sessions: one row for each session of each copy. Each call stands in somebody else's transaction. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { sessionDatabase as limits } from "../../support/limits.ts";
import type { StoredSession } from "./change-batch.ts";
import { checksumOf, checksumOfTimes, DamageError } from "./database-file.ts";

/** Numbers of rows that each copy has. With a copy's number in front they are whole numbers that JavaScript can tell apart. */
const rowsOfCopy = 2 ** 32;
const uniqueRowViolated = 1_555;

/** What `due` has to become. */
export interface Revision {
  readonly id: number;
  readonly due: number;
}

export class SessionRows {
  readonly #find: StatementSync;
  readonly #insert: StatementSync;
  readonly #update: StatementSync;
  readonly #touch: StatementSync;
  readonly #setDue: StatementSync;
  readonly #remove: StatementSync;
  readonly #removeSome: StatementSync;
  readonly #read: StatementSync;
  readonly #readAfter: StatementSync;
  readonly #firstDue: StatementSync;
  #revised: Map<number, Revision> = new Map();

  constructor(database: DatabaseSync) {
    const prepare = (statement: string): StatementSync => database.prepare(statement);
    this.#find = prepare(
      "SELECT id, due, idle_timeout_ms, used_at, absolute_timeout_ms, created_at, checksum FROM sessions WHERE copy = ? AND key = ?",
    );
    this.#insert = prepare("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    this.#update = prepare(
      "UPDATE sessions SET idle_timeout_ms = ?, used_at = ?, absolute_timeout_ms = ?, created_at = ?, checksum = ?, data = ? " +
        "WHERE id = ?",
    );
    this.#touch = prepare("UPDATE sessions SET idle_timeout_ms = ?, used_at = ?, checksum = ? WHERE id = ?");
    this.#setDue = prepare("UPDATE sessions SET due = ? WHERE id = ?");
    this.#remove = prepare("DELETE FROM sessions WHERE copy = ? AND key = ?");
    this.#removeSome = prepare(
      "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE id >= ? AND id < ? ORDER BY id LIMIT ?)",
    );
    const columns = "key, idle_timeout_ms, used_at, absolute_timeout_ms, created_at, checksum, data";
    this.#read = prepare(`SELECT ${columns} FROM sessions WHERE copy = ? AND key = ?`);
    this.#readAfter = prepare(`SELECT ${columns} FROM sessions WHERE copy = ? AND key > ? ORDER BY key`);
    this.#firstDue = prepare(
      "SELECT id, key, idle_timeout_ms, used_at, absolute_timeout_ms, created_at, due FROM sessions " +
        "WHERE copy = ? AND due <= ? ORDER BY due LIMIT ?",
    );
  }

  /** @returns whether it is new. */
  put(copy: number, session: StoredSession): boolean {
    const { key, data } = session;
    const { idleTimeoutMs, usedAt, absoluteTimeoutMs, createdAt } = session;
    const times = [idleTimeoutMs, usedAt, absoluteTimeoutMs, createdAt];
    const due = Math.min(usedAt + idleTimeoutMs, createdAt + absoluteTimeoutMs);
    const checksum = checksumOfSession(session);
    const row = this.#find.get(copy, key);
    if (row === undefined) {
      this.#insertSomewhere(copy, [copy, key, ...times, due, checksum, data]);
      return true;
    }
    this.#update.run(...times, checksum, data, Number(row.id));
    this.#dueBy(row, due);
    return false;
  }

  /** It was used. */
  touch(copy: number, key: string, idleTimeoutMs: number, usedAt: number): void {
    const row = this.#find.get(copy, key);
    if (row === undefined) return;
    // The data are not read: what is known of their times is taken out of the checksum. One that was wrong stays so.
    const times = timesOf(row);
    const checksum =
      (Number(row.checksum) ^ timesChecksum(times) ^ timesChecksum({ ...times, idleTimeoutMs, usedAt })) >>>
      0;
    this.#touch.run(idleTimeoutMs, usedAt, checksum, Number(row.id));
    this.#dueBy(row, usedAt + idleTimeoutMs);
  }

  #dueBy(row: Record<string, unknown>, due: number): void {
    if (Number(row.due) > due) this.#setDue.run(due, Number(row.id));
  }

  /** @returns whether there was one. */
  remove(copy: number, key: string): boolean {
    return Number(this.#remove.run(copy, key).changes) > 0;
  }

  /** @returns how many there were, of so many. */
  removeSome(copy: number, rowsMax: number): number {
    const first = copy * rowsOfCopy;
    return Number(this.#removeSome.run(first, first + rowsOfCopy, rowsMax).changes);
  }

  /** @throws DamageError */
  read(copy: number, key: string): StoredSession | null {
    const row = this.#read.get(copy, key);
    return row === undefined ? null : sessionOf(row);
  }

  /** @throws DamageError */
  readAfter(copy: number, key: string, bytesMax: number): StoredSession[] {
    const sessions: StoredSession[] = [];
    let bytes = 0;
    for (const row of this.#readAfter.iterate(copy, key)) {
      const session = sessionOf(row);
      sessions.push(session);
      bytes += session.data.length + session.key.length;
      if (bytes >= bytesMax) break;
    }
    return sessions;
  }

  /**
   * Those that end before `until`, the first first. What stands at the head of the order only because it was used since is
   * noted to be put right (`takeRevised`), and looked past.
   */
  firstDue(copy: number, until: number, sessionsMax: number): { key: string; usedAt: number }[] {
    const found: { key: string; usedAt: number; due: number }[] = [];
    for (const row of this.#firstDue.iterate(copy, until, sessionsMax + limits.revisedAtOnceMax)) {
      const [id, usedAt] = [Number(row.id), Number(row.used_at)];
      const due = Math.min(
        usedAt + Number(row.idle_timeout_ms),
        Number(row.created_at) + Number(row.absolute_timeout_ms),
      );
      // All that follow end later than the last of those that were found.
      if (found.length >= sessionsMax && Number(row.due) >= found.at(-1)!.due) break;
      if (due > Number(row.due) && this.#revised.size < limits.revisedAtOnceMax)
        this.#revised.set(id, { id, due });
      if (due <= until) insertInOrder(found, { key: String(row.key), usedAt, due }, sessionsMax);
    }
    return found;
  }

  takeRevised(): Revision[] {
    const revised = [...this.#revised.values()];
    this.#revised = new Map();
    return revised;
  }

  revise(revised: readonly Revision[]): void {
    for (const { id, due } of revised) this.#setDue.run(due, id);
  }

  /** Anywhere among the rows of its copy, so that what was removed leaves no pages half empty for ever. */
  #insertSomewhere(copy: number, values: readonly (string | number | Uint8Array)[]): void {
    for (;;) {
      try {
        this.#insert.run(copy * rowsOfCopy + Math.floor(Math.random() * rowsOfCopy), ...values);
        return;
      } catch (error) {
        if ((error as { errcode?: unknown }).errcode !== uniqueRowViolated) throw error;
      }
    }
  }
}

/** Keeps the first ones. */
function insertInOrder<Item extends { readonly due: number }>(
  items: Item[],
  item: Item,
  itemsMax: number,
): void {
  let at = items.length;
  while (at > 0 && items[at - 1]!.due > item.due) at--;
  items.splice(at, 0, item);
  if (items.length > itemsMax) items.pop();
}

type Times = Omit<StoredSession, "key" | "data">;

function timesOf(row: Record<string, unknown>): Times {
  return {
    idleTimeoutMs: Number(row.idle_timeout_ms),
    usedAt: Number(row.used_at),
    absoluteTimeoutMs: Number(row.absolute_timeout_ms),
    createdAt: Number(row.created_at),
  };
}

/** Two in one: that of the times can be changed alone. */
function checksumOfSession(session: StoredSession): number {
  return (checksumOf(session.key, session.data) ^ timesChecksum(session)) >>> 0;
}

function timesChecksum({ idleTimeoutMs, usedAt, absoluteTimeoutMs, createdAt }: Times): number {
  return checksumOfTimes(idleTimeoutMs, usedAt, absoluteTimeoutMs, createdAt);
}

function sessionOf(row: Record<string, unknown>): StoredSession {
  const session = { key: String(row.key), ...timesOf(row), data: row.data as Uint8Array };
  if (checksumOfSession(session) !== row.checksum)
    throw new DamageError("it is damaged: a session is not what was written");
  return session;
}
