/** `SessionAdmin` of sessions in a database: each process on it can tell of all of them, and none has any of its own. */
import { FlotillaError, messageOf } from "../../support/errors.ts";
import { sessionAdmin as limits } from "../../support/limits.ts";
import { bytesOf, noEntries } from "../entry.ts";
import { isKey } from "../id.ts";
import type { Done } from "../store.ts";
import type { ListedRow, SessionRow } from "../stores/engine.ts";
import type { EngineStore } from "../stores/engine-store.ts";
import { readRow, writeRowData } from "../stores/row-data.ts";
import { damaged, readErrorOf } from "../stores/store-errors.ts";
import type {
  Found,
  Listed,
  LivingSession,
  SessionAdmin,
  SessionCounts,
  Whereabouts,
} from "./session-admin.ts";

const nothing = { sessions: 0, bytes: 0 };

/** Of writes that no application made: whoever holds the session is told of them. */
const nobody = "";

export class DatabaseAdmin implements SessionAdmin {
  readonly kind = "common";
  readonly #store: EngineStore;

  constructor(store: EngineStore) {
    this.#store = store;
  }

  get database(): string {
    return this.#store.engine.name;
  }

  counts(): SessionCounts {
    return { owned: nothing, backedUp: nothing, onDisk: null, singleCopy: null };
  }

  /** Of all servers together. */
  async count(): Promise<number> {
    return await this.#store.statement((engine) => engine.count());
  }

  serves(): boolean {
    return this.#store.trouble === null;
  }

  whereabouts(): Whereabouts {
    return { role: "nobody", owner: null, backup: null, epoch: 0 };
  }

  page(_slot: number, after: string, bytesMax: number, done: Listed): void {
    this.#page(after, bytesMax).then(
      (sessions) => done(null, sessions),
      (error) => done(error, []),
    );
  }

  find(_slot: number, key: string, done: Found): void {
    this.#store
      .statement(
        (engine) => engine.read(key),
        (failure) => readErrorOf(failure, key, this.database),
      )
      .then((row) => (row === null ? null : this.#readable(key, row)))
      .then(
        (session) => done(null, session),
        (error) => done(error, null),
      );
  }

  end(_slot: number, key: string, done: Done): void {
    this.#store.statement((engine) => engine.remove(key, nobody)).then(() => done(null), done);
  }

  put(_slot: number, session: LivingSession, done: Done): void {
    this.#put(session).then(() => done(null), done);
  }

  async #put({ key, entries, ageMs, idleTimeoutMs, absoluteTimeoutMs }: LivingSession): Promise<void> {
    const write = { data: writeRowData(entries), writer: nobody, holder: nobody, idleTimeoutMs };
    const life = { ageMs, absoluteTimeoutMs };
    for (let tries = 0; tries < limits.putTriesMax; tries++) {
      if (await this.#store.statement((engine) => engine.insert(key, write, life))) return;
      // A new one begins: what is left out of it goes.
      await this.#store.statement((engine) => engine.remove(key, nobody));
    }
    throw new FlotillaError("FLOTILLA_SESSION_BUSY", `others write the session ${key} again and again`, {
      retry: "yes",
    });
  }

  async #page(after: string, bytesMax: number): Promise<LivingSession[]> {
    for (let behind = after; ; ) {
      const rows = await this.#store.statement((engine) => engine.list(behind, limits.rowsMax));
      if (rows.length === 0) return [];
      const sessions = firstOf(rows, bytesMax);
      if (sessions.length > 0) return sessions;
      behind = rows.at(-1)!.key;
    }
  }

  /** @throws FlotillaError FLOTILLA_SESSION_DAMAGED: somebody else wrote to the row. */
  #readable(key: string, row: SessionRow): LivingSession {
    const session = livingOf(key, row);
    if (session.damage === undefined) return session;
    throw damaged(key, this.database, session.damage);
  }
}

/** As many as come to about so many bytes, and one at least. Of a row with an id that is none nobody can have the cookie. */
function firstOf(rows: readonly ListedRow[], bytesMax: number): LivingSession[] {
  const sessions: LivingSession[] = [];
  let bytes = 0;
  for (const row of rows) {
    if (!isKey(row.key)) continue;
    const session = livingOf(row.key, row);
    sessions.push(session);
    bytes += bytesOf(session.entries);
    if (bytes >= bytesMax) break;
  }
  return sessions;
}

function livingOf(key: string, row: SessionRow): LivingSession {
  const { idleTimeoutMs, idleForMs, ageMs, absoluteTimeoutMs } = row;
  const times = { idleTimeoutMs, idleForMs, ageMs, absoluteTimeoutMs };
  try {
    return { key, entries: readRow(row), ...times };
  } catch (error) {
    return { key, entries: noEntries, ...times, damage: messageOf(error) };
  }
}
