/** `SessionAdmin` of sessions in a database: each process on it can tell of all of them, and none has any of its own. */
import { FlotillaError, messageOf } from "../../support/errors.ts";
import { sessionAdmin as limits } from "../../support/limits.ts";
import { bytesOf } from "../entry.ts";
import type { Done } from "../store.ts";
import type { ListedRow, SessionRow } from "../stores/engine.ts";
import type { EngineStore } from "../stores/engine-store.ts";
import { readRowData, writeRowData } from "../stores/row-data.ts";
import { damaged } from "../stores/store-errors.ts";
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
    this.#store
      .statement((engine) => engine.list(after, limits.rowsMax))
      .then((rows) => this.#firstOf(rows, bytesMax))
      .then(
        (sessions) => done(null, sessions),
        (error) => done(error, []),
      );
  }

  find(_slot: number, key: string, done: Found): void {
    this.#store
      .statement((engine) => engine.read(key))
      .then((row) => (row === null ? null : this.#livingOf(key, row)))
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

  /** As many as come to about so many bytes, and one at least. */
  #firstOf(rows: readonly ListedRow[], bytesMax: number): LivingSession[] {
    const sessions: LivingSession[] = [];
    let bytes = 0;
    for (const row of rows) {
      const session = this.#livingOf(row.key, row);
      sessions.push(session);
      bytes += bytesOf(session.entries);
      if (bytes >= bytesMax) break;
    }
    return sessions;
  }

  /** @throws FlotillaError FLOTILLA_SESSION_DAMAGED: somebody else wrote to the row. */
  #livingOf(key: string, row: SessionRow): LivingSession {
    const { data, idleTimeoutMs, idleForMs, ageMs, absoluteTimeoutMs } = row;
    try {
      return { key, entries: readRowData(data), idleTimeoutMs, idleForMs, ageMs, absoluteTimeoutMs };
    } catch (error) {
      throw damaged(key, this.database, messageOf(error));
    }
  }
}
