/** Sessions in a table of PostgreSQL, 12 or later: one statement, and one round trip, for each operation. */
import { AnswerLost } from "../../../register/postgres/connection.ts";
import { troubleInWords } from "../../../register/postgres/words.ts";
import { codeOf, messageOf } from "../../../support/errors.ts";
import { Late } from "../../../support/within.ts";
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
import { Connections, NotPrimary } from "../sql/connections.ts";
import type { PgRows, PgValue } from "./exchange.ts";
import { PostgresNotices } from "./notices.ts";
import { type InWords, type OwnPoolSettings, type PgClient, type PgPool, PostgresConnector } from "./pool.ts";
import { openTable, remedyFor, type TableWanted } from "./schema.ts";
import { channelOf, type Statements, statementsFor } from "./statements.ts";

/** The column can't hold the data: not JSON for it, not of the database's character set, too long (PostgreSQL, "Error Codes"). */
const unfitCodes: ReadonlySet<string> = new Set(["22P02", "22P05", "22021", "22001", "54000"]);

/** Of a pool of our own, or of the application's. */
export type PostgresSource = OwnPoolSettings | { readonly pool: PgPool; readonly place: string };

export class PostgresEngine implements SessionEngine {
  readonly proveIntervalMs: number = 1_000;
  readonly #wanted: TableWanted;
  readonly #statements: Statements;
  readonly #connector: PostgresConnector;
  readonly #connections: Connections<PgClient>;
  /** Of the application's pool. */
  readonly #poolConnectionsMax: number;

  constructor(source: PostgresSource, wanted: TableWanted) {
    this.#wanted = wanted;
    this.#statements = statementsFor(wanted.table, wanted.dataType);
    const inWords: InWords = (error, place, facts) => {
      if (error instanceof SessionEngineError || error instanceof NotPrimary) return error.message;
      const own = "address" in source ? source.address : null;
      const user = own?.user ?? facts?.user ?? "the user of the pool";
      const database = own?.database ?? facts?.database ?? "that of the pool";
      const at = { user, database, place, table: wanted.table, kept: "sessions" };
      const seen = error instanceof Late ? new AnswerLost(error.message) : error;
      return troubleInWords(seen, { ...at, remedy: remedyFor(wanted, user) });
    };
    this.#connector =
      "pool" in source
        ? PostgresConnector.given(source.pool, source.place, inWords)
        : PostgresConnector.own(source, inWords);
    this.#connections = new Connections(this.#connector);
    this.#poolConnectionsMax =
      "pool" in source ? (source.pool.options?.max ?? Number.POSITIVE_INFINITY) : source.connectionsMax;
  }

  get name(): string {
    return `PostgreSQL at ${this.#connections.place}`;
  }

  open(): Promise<void> {
    return this.#connections.read((client) =>
      openTable(client, this.#connector, this.#wanted, this.#connections.place),
    );
  }

  async read(key: string): Promise<SessionRow | null> {
    const [row] = await this.#ask("read", [key]);
    return row === undefined ? null : this.#rowOf(row);
  }

  async insert(key: string, write: SessionWrite, life: RowLife): Promise<boolean> {
    const { ageMs, absoluteTimeoutMs } = life;
    const lifeValues = [String(wholeMs(ageMs)), String(absoluteInterval(absoluteTimeoutMs))];
    const values = [...this.#valuesOf(key, write), ...lifeValues];
    return (await this.#write("insert", values)).length === 1;
  }

  async replace(key: string, version: number, write: SessionWrite): Promise<Replaced> {
    try {
      const [row] = await this.#write("replace", [...this.#valuesOf(key, write), String(version)]);
      return row![0] as Replaced;
    } catch (error) {
      // A pool whose transactions are "repeatable read" says so when another process has written meanwhile.
      if (error instanceof SessionEngineError && codeOf(error.cause) === "40001") return "changed";
      throw error;
    }
  }

  async touch(touches: readonly SessionTouch[]): Promise<void> {
    if (touches.length === 0) return;
    const keys = touches.map(({ key }) => key);
    const idleTimeouts = touches.map(({ idleTimeoutMs }) => String(wholeMs(idleTimeoutMs)));
    await this.#change("touch", [arrayOf(keys), arrayOf(idleTimeouts)]);
  }

  async remove(key: string, writer: string): Promise<void> {
    await this.#change("remove", [key, writer]);
  }

  async removeExpired(rowsMax: number): Promise<number> {
    const [row] = await this.#change("removeExpired", [String(rowsMax)]);
    return Number(row![0]);
  }

  async list(after: string, rowsMax: number): Promise<readonly ListedRow[]> {
    const rows = await this.#ask("list", [after, String(rowsMax)]);
    return rows.map(([key, ...row]) => ({ key: key!, ...this.#rowOf(row) }));
  }

  async count(): Promise<number> {
    return Number((await this.#ask("count", []))[0]![0]);
  }

  async listen(holder: string, onChanged: (key: string) => void): Promise<NoticeChannel> {
    if (this.#poolConnectionsMax < 2)
      throw new SessionEngineError(
        "notices need a connection of their own, and the pool has one connection in all: let it have two or more, or write load: always",
        "nothing",
      );
    const channel = channelOf(this.#wanted.table);
    return await PostgresNotices.open(await this.#connections.lease(), this.#connector, {
      ...{ holder, onChanged, channel },
    });
  }

  close(): Promise<void> {
    return this.#connections.end();
  }

  #ask(operation: keyof Statements, values: readonly PgValue[]): Promise<PgRows> {
    return this.#connections.read((client) =>
      this.#connector.run(client, this.#statements[operation], values),
    );
  }

  #change(operation: keyof Statements, values: readonly PgValue[]): Promise<PgRows> {
    return this.#connections.write((client) =>
      this.#connector.run(client, this.#statements[operation], values),
    );
  }

  /** Of data. @throws SessionEngineError which says so where the column can't hold them. */
  async #write(operation: "insert" | "replace", values: readonly PgValue[]): Promise<PgRows> {
    try {
      return await this.#change(operation, values);
    } catch (error) {
      if (!(error instanceof SessionEngineError) || !unfitCodes.has(codeOf(error.cause))) throw error;
      const what = `can't hold such data in ${this.#wanted.table} (${messageOf(error.cause)})`;
      throw new SessionEngineError(
        `${this.name} ${what}: a column of the type text, or bytea where the database is not of UTF-8, holds all`,
        "unfit",
        error.cause,
      );
    }
  }

  #rowOf([data, ...columns]: readonly (string | null)[]): SessionRow {
    const isEncoded = this.#wanted.dataType === "bytea";
    const text = data ?? "";
    return rowOf(isEncoded ? Buffer.from(text, "base64").toString() : text, columns);
  }

  #valuesOf(key: string, { writer, holder, data, idleTimeoutMs }: SessionWrite): PgValue[] {
    const given = this.#wanted.dataType === "bytea" ? Buffer.from(data) : data;
    return [key, writer, holder, given, String(wholeMs(idleTimeoutMs))];
  }
}

/** As the text of an array (PostgreSQL, "Array Input and Output Syntax"). */
function arrayOf(values: readonly string[]): string {
  return `{${values.map((value) => `"${value.replaceAll(/["\\]/g, "\\$&")}"`).join(",")}}`;
}
