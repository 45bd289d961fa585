/**
 * Sessions that connect-pg-simple keeps in PostgreSQL: `session(sid varchar, sess json, expire timestamp(6))`, read in the order of
 * `sid`, each page in a transaction of its own that may only read (also behind a pooler, which a setting of the connection would spoil
 * for others).
 */
import type { Client, QueryResultRow } from "pg";
import { loadDriver } from "../../../session/stores/driver.ts";
import { sessionImport as limits } from "../../../support/limits.ts";
import type { SourceAddress } from "./address.ts";
import { ask, type Page, RowCount, type SessionSource, type SourceOptions, splitTable } from "./source.ts";

const defaultTable = "session";

export async function openPostgres(address: SourceAddress, options: SourceOptions): Promise<SessionSource> {
  const { default: pg } = await loadDriver("pg", () => import("pg"));
  const table = options.table ?? defaultTable;
  const name = `PostgreSQL at ${address.place}, table ${table}`;
  const client = new pg.Client({
    connectionString: address.url,
    connectionTimeoutMillis: limits.connectTimeoutMs,
    application_name: "flotilla sessions import",
  });
  // What was asked is told; without a listener the process would end.
  client.on("error", () => {});
  try {
    await ask(name, "connect", client.connect());
    return new PostgresSource(client, name, splitTable(table).map(pg.escapeIdentifier).join("."));
  } catch (error) {
    client.end().catch(() => {});
    throw error;
  }
}

class PostgresSource implements SessionSource {
  readonly name: string;
  readonly note = null;
  readonly #client: Client;
  readonly #table: string;
  readonly #count: RowCount = new RowCount();

  constructor(client: Client, name: string, table: string) {
    this.#client = client;
    this.name = name;
    this.#table = table;
  }

  leadsOn(): Promise<boolean> {
    return Promise.resolve(true);
  }

  async page(from: string): Promise<Page> {
    if (this.#count.isNew) {
      const [row] = await this.#read(`SELECT count(*) AS rows FROM ${this.#table} WHERE sid > $1`, [from]);
      this.#count.set(Number(row?.rows));
    }
    const rows = await this.#read(
      "SELECT sid, octet_length(sess::text) AS bytes, extract(epoch FROM expire::timestamptz - now()) * 1000 AS left_ms " +
        `FROM ${this.#table} WHERE sid > $1 ORDER BY sid LIMIT ${limits.pageRows}`,
      [from],
    );
    const found = rows.map(({ sid, bytes, left_ms }) => ({ sid, bytes, leftMs: Number(left_ms) }));
    return this.#count.page(found, limits.pageRows);
  }

  async texts(sids: readonly string[]): Promise<readonly (string | null)[]> {
    const rows = await this.#read(`SELECT sid, sess::text AS text FROM ${this.#table} WHERE sid = ANY($1)`, [
      sids,
    ]);
    const texts = new Map(rows.map(({ sid, text }) => [sid, text]));
    return sids.map((sid) => texts.get(sid) ?? null);
  }

  async close(): Promise<void> {
    await ask(this.name, "close the connection", this.#client.end()).catch(() => {});
  }

  #read(text: string, values: readonly unknown[]): Promise<QueryResultRow[]> {
    const read = async (): Promise<QueryResultRow[]> => {
      await this.#client.query("BEGIN READ ONLY");
      const { rows } = await this.#client.query(text, [...values]);
      await this.#client.query("COMMIT");
      return rows;
    };
    return ask(this.name, "read its sessions", read());
  }
}
