/** Sessions that express-mysql-session keeps in MySQL or MariaDB: `sessions(session_id, expires, data)`, `expires` in seconds since 1970. */
import type { RowDataPacket } from "mysql2/promise";
import { loadDriver } from "../../../session/stores/driver.ts";
import { sessionImport as limits } from "../../../support/limits.ts";
import type { SourceAddress } from "./address.ts";
import { ask, type SessionSource, type SourceOptions } from "./source.ts";
import { TableSource, tableAt } from "./table.ts";

const defaultTable = "sessions";

export async function openMysql(address: SourceAddress, options: SourceOptions): Promise<SessionSource> {
  const { default: mysql } = await loadDriver("mysql2", () => import("mysql2/promise"));
  const { name, table } = tableAt("MySQL", address, options.table ?? defaultTable, quoted);
  const opened = mysql.createConnection({
    uri: address.url.replace(/^mariadb:/, "mysql:"),
    connectTimeout: limits.connectTimeoutMs,
    charset: "utf8mb4",
  });
  const connection = await ask(name, "connect", opened);
  // What was asked is told; without a listener the process would end.
  connection.on("error", () => {});
  return new TableSource(name, {
    begin: "START TRANSACTION READ ONLY",
    count: `SELECT count(*) AS n FROM ${table} WHERE session_id > ?`,
    // `expires` has no sign: to subtract from it would be an error for those that have ended.
    page:
      "SELECT session_id AS sid, octet_length(data) AS bytes, " +
      "(cast(expires AS signed) - unix_timestamp(now(3))) * 1000 AS left_ms " +
      `FROM ${table} WHERE session_id > ? ORDER BY session_id LIMIT ${limits.pageRows}`,
    // As text, whatever the type of the column: a JSON column would come as an object.
    texts: `SELECT session_id AS sid, convert(data USING utf8mb4) AS text FROM ${table} WHERE session_id IN (?)`,
    query: async (sql, values) => (await connection.query<RowDataPacket[]>(sql, [...values]))[0],
    close: async () => connection.destroy(),
  });
}

function quoted(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}
