/**
 * Sessions in tables of MySQL, 8.0 or later, or MariaDB, 10.6 or later. The usual operation is one statement; where another holder
 * has to be told, a transaction.
 */
import { systemClock } from "../../../support/clock.ts";
import { sqlStores as limits } from "../../../support/limits.ts";
import {
  type ListedRow,
  type NoticeChannel,
  type Replaced,
  type RowLife,
  type SessionEngine,
  SessionEngineError,
  type SessionRow,
  type SessionTouch,
  type SessionWrite,
} from "../engine.ts";
import { absoluteInterval, rowOf, wholeMs } from "../sql/columns.ts";
import { Connections, Undone } from "../sql/connections.ts";
import { errnoOf, isTableLost, isUnfit, troubleInWords } from "./errors.ts";
import { forgetLateHolders, MysqlNotices } from "./notices.ts";
import {
  type InWords,
  type MysqlConnection,
  MysqlConnector,
  type MysqlPool,
  type OwnPoolSettings,
} from "./pool.ts";
import { openTables, remedyFor, type TableWanted } from "./schema.ts";
import { type Parameters, type Statement, type Statements, statementsFor } from "./statements.ts";

/** Of a pool of our own, or of the application's. */
export type MysqlSource = OwnPoolSettings | { readonly pool: MysqlPool; readonly place: string };

type Row = readonly (string | number | Buffer | null)[];

/** Statements of one transaction. @returns what it comes to, and whether it is committed. */
type Transaction<R> = (
  connection: MysqlConnection,
) => Promise<{ readonly isDone: boolean; readonly result: R }>;

export class MysqlEngine implements SessionEngine {
  readonly proveIntervalMs: number = limits.noticeIntervalMs;
  readonly #wanted: TableWanted;
  readonly #statements: Statements;
  readonly #connector: MysqlConnector;
  readonly #connections: Connections<MysqlConnection>;
  #remadeAtMs: number = Number.NEGATIVE_INFINITY;

  constructor(source: MysqlSource, wanted: TableWanted) {
    this.#wanted = wanted;
    this.#statements = statementsFor(wanted.table, wanted.dataType);
    const inWords: InWords = (error, place, facts) => {
      const own = "address" in source ? source.address : null;
      const user = facts?.user ?? own?.user ?? "the user of the pool";
      const database = own?.database ?? facts?.database ?? "that of the pool";
      // All failures come by here, those of notices, too.
      if (isTableLost(error)) this.#remake();
      return troubleInWords(error, {
        ...{ product: this.#connector.product, user },
        database,
        place,
        table: wanted.table,
        remedy: remedyFor(wanted, user),
      });
    };
    this.#connector =
      "pool" in source
        ? MysqlConnector.given(source.pool, source.place, inWords)
        : MysqlConnector.own(source, inWords);
    this.#connections = new Connections(this.#connector);
  }

  get name(): string {
    return `${this.#connector.product} at ${this.#connections.place}`;
  }

  open(): Promise<void> {
    return this.#connections.read((connection) =>
      openTables(connection, this.#connector, this.#wanted, this.#connections.place),
    );
  }

  async read(key: string): Promise<SessionRow | null> {
    const [row] = await this.#ask(this.#statements.read, { key });
    return row === undefined ? null : shown(row);
  }

  insert(key: string, write: SessionWrite, life: RowLife): Promise<boolean> {
    return this.#holding(this.#insert(key, write, life));
  }

  async #insert(key: string, write: SessionWrite, life: RowLife): Promise<boolean> {
    const { ageMs, absoluteTimeoutMs } = life;
    const times = { age: wholeMs(ageMs), absolute: absoluteInterval(absoluteTimeoutMs) };
    const values = { ...this.#valuesOf(key, write), ...times };
    try {
      await this.#change(this.#statements.insert, values);
      return true;
    } catch (error) {
      if (!(error instanceof SessionEngineError) || errnoOf(error.cause) !== duplicateKey) throw error;
    }
    return await this.#transaction(async (connection) => {
      const [row] = await this.#connector.ask(connection, this.#statements.lock, { key });
      if (row !== undefined && Number(row[1]) === 1) return { isDone: false, result: false };
      // One that has ended, and was not cleaned away yet.
      if (row !== undefined) await this.#removeAndTell(connection, key, row[0], write.writer);
      await this.#connector.write(connection, this.#statements.insert, values);
      return { isDone: true, result: true };
    });
  }

  replace(key: string, version: number, write: SessionWrite): Promise<Replaced> {
    return this.#holding(this.#replace(key, version, write));
  }

  async #replace(key: string, version: number, write: SessionWrite): Promise<Replaced> {
    const values = { ...this.#valuesOf(key, write), version };
    if ((await this.#change(this.#statements.replaceOwn, values)) === 1) return "done";
    const [row] = await this.#ask(this.#statements.look, { key });
    if (row === undefined) return "gone";
    // Of one version there is one holder.
    if (Number(row[0]) !== version) return "changed";
    const isDone = await this.#transaction(async (connection) => {
      const { affectedRows } = await this.#connector.write(connection, this.#statements.replaceAny, values);
      if (affectedRows === 1) await this.#tell(connection, key, row[1], write.writer);
      return { isDone: affectedRows === 1, result: affectedRows === 1 };
    });
    if (isDone) return "done";
    return (await this.#ask(this.#statements.look, { key })).length === 0 ? "gone" : "changed";
  }

  async touch(touches: readonly SessionTouch[]): Promise<void> {
    const byTimeout = Map.groupBy(touches, ({ idleTimeoutMs }) => wholeMs(idleTimeoutMs));
    for (const [idleTimeoutMs, group] of byTimeout) {
      const keys = group.map(({ key }) => key).sort();
      for (let from = 0; from < keys.length; from += limits.keysAtOnceMax) {
        const some = keys.slice(from, from + limits.keysAtOnceMax);
        const text = this.#statements.touch(some, idleTimeoutMs);
        await this.#connections.write((connection) => this.#connector.send(connection, text));
      }
    }
  }

  async remove(key: string, writer: string): Promise<void> {
    if ((await this.#change(this.#statements.removeOwn, { key, writer })) === 1) return;
    const [row] = await this.#ask(this.#statements.look, { key });
    if (row === undefined) return;
    await this.#transaction(async (connection) => {
      const [locked] = await this.#connector.ask(connection, this.#statements.lock, { key });
      if (locked !== undefined) await this.#removeAndTell(connection, key, locked[0], writer);
      return { isDone: locked !== undefined, result: undefined };
    });
  }

  async removeExpired(rowsMax: number): Promise<number> {
    await this.#connections.write((connection) =>
      forgetLateHolders(connection, this.#connector, this.#statements),
    );
    for (let removed = 0; ; ) {
      const most = Math.min(rowsMax - removed, limits.keysAtOnceMax);
      const some = most === 0 ? 0 : await this.#removeSome(most);
      removed += some;
      if (some < most || most === 0) return removed;
    }
  }

  async #removeSome(rowsMax: number): Promise<number> {
    const keys = (await this.#ask(this.#statements.ended(rowsMax), {})).map(([key]) => String(key)).sort();
    if (keys.length === 0) return 0;
    return await this.#transaction(async (connection) => {
      const rows = (await this.#connector.send(connection, this.#statements.lockEnded(keys))) as Row[];
      const locked = rows.map(([key]) => String(key));
      if (locked.length > 0) await this.#connector.send(connection, this.#statements.removeAll(locked));
      return { isDone: locked.length > 0, result: locked.length };
    });
  }

  async list(after: string, rowsMax: number): Promise<readonly ListedRow[]> {
    const rows = await this.#ask(this.#statements.list(rowsMax), { after });
    return rows.map(([key, ...row]) => ({ key: String(key), ...shown(row) }));
  }

  async count(): Promise<number> {
    return Number((await this.#ask(this.#statements.count, {}))[0]![0]);
  }

  listen(holder: string, onChanged: (key: string) => void): Promise<NoticeChannel> {
    const [connections, connector, statements] = [this.#connections, this.#connector, this.#statements];
    return MysqlNotices.open({ connections, connector, statements, holder, onChanged });
  }

  close(): Promise<void> {
    return this.#connections.end();
  }

  /** As long as the other table is there the database need not count as down, which would have it opened again. */
  #remake(): void {
    const now = systemClock.now();
    if (now - this.#remadeAtMs < limits.remakeIntervalMs) return;
    this.#remadeAtMs = now;
    // What hinders it is told to who needs the table next.
    this.open().catch(() => {});
  }

  #ask(statement: Statement, values: Parameters): Promise<Row[]> {
    return this.#connections.read((connection) => this.#connector.ask(connection, statement, values));
  }

  /** One statement. @returns how many rows it found. */
  async #change(statement: Statement, values: Parameters): Promise<number> {
    this.#checkPacket(values.data);
    const { affectedRows } = await this.#connections.write((connection) =>
      this.#connector.write(connection, statement, values),
    );
    return affectedRows;
  }

  /** What fails before its end was asked for is undone, whatever became of the connection. */
  #transaction<R>(run: Transaction<R>): Promise<R> {
    return this.#connections.write(async (connection) => {
      let outcome: Awaited<ReturnType<Transaction<R>>>;
      try {
        await this.#connector.send(connection, "START TRANSACTION");
        outcome = await run(connection);
        if (!outcome.isDone) await this.#connector.send(connection, "ROLLBACK");
      } catch (error) {
        await this.#undo(connection, error);
        throw error;
      }
      if (outcome.isDone) await this.#connector.send(connection, "COMMIT");
      return outcome.result;
    });
  }

  /** @throws Undone when the connection is of no use any more: its end is the transaction's. */
  async #undo(connection: MysqlConnection, error: unknown): Promise<void> {
    if (!this.#connector.isRefusal(error)) throw new Undone(error);
    try {
      await this.#connector.send(connection, "ROLLBACK");
    } catch {
      throw new Undone(error);
    }
  }

  async #removeAndTell(
    connection: MysqlConnection,
    key: string,
    found: unknown,
    writer: string,
  ): Promise<void> {
    await this.#connector.write(connection, this.#statements.removeAny, { key });
    await this.#tell(connection, key, found, writer);
  }

  /** @param found the column: who holds the row. */
  async #tell(connection: MysqlConnection, key: string, found: unknown, writer: string): Promise<void> {
    // Null where somebody has changed the table: nobody.
    const holder = String(found ?? "");
    if (holder !== "" && holder !== writer)
      await this.#connector.write(connection, this.#statements.tell, { holder, key });
  }

  /** Of what writes data. @throws SessionEngineError which says so where the column can't hold them. */
  async #holding<R>(written: Promise<R>): Promise<R> {
    try {
      return await written;
    } catch (error) {
      if (!(error instanceof SessionEngineError) || !isUnfit(error.cause)) throw error;
      throw new SessionEngineError(error.message, "unfit", error.cause);
    }
  }

  /** A server that is sent more ends the connection, and what became of the statement would not be known. */
  #checkPacket(data: Parameters[string] | undefined): void {
    const most = this.#connector.facts?.packetBytesMax ?? Number.POSITIVE_INFINITY;
    if (!Buffer.isBuffer(data) || data.length + packetRestBytes <= most) return;
    throw new SessionEngineError(
      `${this.name} takes no statement of more than ${most} bytes, and a session has ${data.length}: raise its max_allowed_packet`,
      "unfit",
    );
  }

  #valuesOf(key: string, { writer, holder, data, idleTimeoutMs }: SessionWrite): Parameters {
    return { key, writer, holder, data: Buffer.from(data), idle: wholeMs(idleTimeoutMs) };
  }
}

const duplicateKey = 1062;
/** Of a statement that has data, around them. */
const packetRestBytes = 4_096;

function shown([data, ...columns]: Row): SessionRow {
  return rowOf(String(data), columns);
}
