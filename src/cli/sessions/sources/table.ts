/**
 * Sessions in a table of a database, read in the order of their ids, each page in a transaction of its own that may only read (also behind
 * a pooler, which a setting of the connection would spoil for others).
 */
import { sessionImport as limits } from "../../../support/limits.ts";
import type { SourceAddress } from "./address.ts";
import { ask, type Found, type Page, type SessionSource } from "./source.ts";

/** As the database's library gives it. */
type Row = Readonly<Record<string, unknown>>;

export interface TableDatabase {
  /** Begins a transaction that may only read. */
  readonly begin: string;
  /** One row with `n`, of those that come after the id that is given. */
  readonly count: string;
  /** `sid`, `bytes` and `left_ms` of the first that come after the id that is given. */
  readonly page: string;
  /** `sid` and `text` of those in the list that is given. */
  readonly texts: string;
  query(sql: string, values: readonly unknown[]): Promise<readonly Row[]>;
  close(): Promise<void>;
}

/**
 * @param table "session", "schema.session".
 * @returns its name for people, and as it stands in a statement.
 */
export function tableAt(
  product: string,
  { place }: SourceAddress,
  table: string,
  quote: (name: string) => string,
): { readonly name: string; readonly table: string } {
  const dot = table.indexOf(".");
  const parts = dot === -1 ? [table] : [table.slice(0, dot), table.slice(dot + 1)];
  return { name: `${product} at ${place}, table ${table}`, table: parts.map(quote).join(".") };
}

export class TableSource implements SessionSource {
  readonly name: string;
  readonly note = null;
  readonly #database: TableDatabase;
  /** Of all that is to be read; null: not counted. */
  #rows: number | null = null;
  #rowsRead = 0;

  constructor(name: string, database: TableDatabase) {
    this.name = name;
    this.#database = database;
  }

  leadsOn(): Promise<boolean> {
    return Promise.resolve(true);
  }

  async page(from: string): Promise<Page> {
    if (this.#rows === null) {
      const [row] = await this.#read(this.#database.count, [from]);
      this.#rows = Number(row?.n);
    }
    const rows = await this.#read(this.#database.page, [from]);
    const found = rows.map(({ sid, bytes, left_ms }) => ({ sid, bytes, leftMs: Number(left_ms) }) as Found);
    this.#rowsRead += found.length;
    const next = found.length < limits.pageRows ? null : found.at(-1)!.sid;
    return { found, next, share: next === null ? 1 : Math.min(1, this.#rowsRead / Math.max(1, this.#rows)) };
  }

  async texts(sids: readonly string[]): Promise<readonly (string | null)[]> {
    const rows = await this.#read(this.#database.texts, [sids]);
    const texts = new Map(rows.map(({ sid, text }) => [sid, text as string | null]));
    return sids.map((sid) => texts.get(sid) ?? null);
  }

  async close(): Promise<void> {
    await ask(this.name, "close the connection", this.#database.close()).catch(() => {});
  }

  #read(sql: string, values: readonly unknown[]): Promise<readonly Row[]> {
    const read = async (): Promise<readonly Row[]> => {
      await this.#database.query(this.#database.begin, []);
      const rows = await this.#database.query(sql, values);
      await this.#database.query("COMMIT", []);
      return rows;
    };
    return ask(this.name, "read its sessions", read());
  }
}
