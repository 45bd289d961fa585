/**
 * Sessions that express-mysql-session keeps in MySQL or MariaDB: `sessions(session_id, expires, data)`, `expires` in seconds since 1970, read in
 * the order of `session_id`, each page in a transaction of its own that may only read.
 */
import type { Connection, RowDataPacket } from "mysql2/promise";
import { loadDriver } from "../../../session/stores/driver.ts";
import { sessionImport as limits } from "../../../support/limits.ts";
import type { SourceAddress } from "./address.ts";
import { ask, type Page, RowCount, type SessionSource, type SourceOptions, splitTable } from "./source.ts";

const defaultTable = "sessions";

export async function openMysql(address: SourceAddress, options: SourceOptions): Promise<SessionSource> {
  const { default: mysql } = await loadDriver("mysql2", () => import("mysql2/promise"));
  const table = options.table ?? defaultTable;
  const name = `MySQL at ${address.place}, table ${table}`;
  const opened = mysql.createConnection({
    uri: address.url.replace(/^mariadb:/, "mysql:"),
    connectTimeout: limits.connectTimeoutMs,
    charset: "utf8mb4",
  });
  const connection = await ask(name, "connect", opened);
  // What was asked is told; without a listener the process would end.
  connection.on("error", () => {});
  return new MysqlSource(connection, name, splitTable(table).map(quoted).join("."));
}

class MysqlSource implements SessionSource {
  readonly name: string;
  readonly note = null;
  readonly #connection: Connection;
  readonly #table: string;
  readonly #count: RowCount = new RowCount();

  constructor(connection: Connection, name: string, table: string) {
    this.#connection = connection;
    this.name = name;
    this.#table = table;
  }

  leadsOn(): Promise<boolean> {
    return Promise.resolve(true);
  }

  async page(from: string): Promise<Page> {
    if (this.#count.isNew) {
      const [row] = await this.#read(`SELECT count(*) AS n FROM ${this.#table} WHERE session_id > ?`, [from]);
      this.#count.set(Number(row?.n));
    }
    // `expires` has no sign: to subtract from it in SQL would be an error for those that have ended.
    const rows = await this.#read(
      "SELECT session_id AS sid, octet_length(data) AS bytes, expires, unix_timestamp(now(3)) AS seconds " +
        `FROM ${this.#table} WHERE session_id > ? ORDER BY session_id LIMIT ${limits.pageRows}`,
      [from],
    );
    const found = rows.map(({ sid, bytes, expires, seconds }) => ({
      ...{ sid, bytes, leftMs: (Number(expires) - Number(seconds)) * 1_000 },
    }));
    return this.#count.page(found, limits.pageRows);
  }

  async texts(sids: readonly string[]): Promise<readonly (string | null)[]> {
    // As text, whatever the type of the column: a JSON column would come as an object.
    const rows = await this.#read(
      `SELECT session_id AS sid, convert(data USING utf8mb4) AS text FROM ${this.#table} WHERE session_id IN (?)`,
      [sids],
    );
    const texts = new Map(rows.map(({ sid, text }) => [sid, text]));
    return sids.map((sid) => texts.get(sid) ?? null);
  }

  close(): Promise<void> {
    this.#connection.destroy();
    return Promise.resolve();
  }

  #read(sql: string, values: readonly unknown[]): Promise<RowDataPacket[]> {
    const read = async (): Promise<RowDataPacket[]> => {
      await this.#connection.query("START TRANSACTION READ ONLY");
      const [rows] = await this.#connection.query<RowDataPacket[]>(sql, [...values]);
      await this.#connection.query("COMMIT");
      return rows;
    };
    return ask(this.name, "read its sessions", read());
  }
}

function quoted(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}
