/** Sessions that connect-pg-simple keeps in PostgreSQL: `session(sid varchar, sess json, expire timestamp(6))`. */
import { loadDriver } from "../../../session/stores/driver.ts";
import { sessionImport as limits } from "../../../support/limits.ts";
import type { SourceAddress } from "./address.ts";
import { ask, type SessionSource, type SourceOptions } from "./source.ts";
import { TableSource, tableAt } from "./table.ts";

const defaultTable = "session";

export async function openPostgres(address: SourceAddress, options: SourceOptions): Promise<SessionSource> {
  const { default: pg } = await loadDriver("pg", () => import("pg"));
  const { name, table } = tableAt("PostgreSQL", address, options.table ?? defaultTable, pg.escapeIdentifier);
  const client = new pg.Client({
    connectionString: address.url,
    connectionTimeoutMillis: limits.connectTimeoutMs,
    application_name: "flotilla sessions import",
  });
  // What was asked is told; without a listener the process would end.
  client.on("error", () => {});
  try {
    await ask(name, "connect", client.connect());
  } catch (error) {
    client.end().catch(() => {});
    throw error;
  }
  return new TableSource(name, {
    begin: "BEGIN READ ONLY",
    count: `SELECT count(*) AS n FROM ${table} WHERE sid > $1`,
    page:
      "SELECT sid, octet_length(sess::text) AS bytes, extract(epoch FROM expire::timestamptz - now()) * 1000 AS left_ms " +
      `FROM ${table} WHERE sid > $1 ORDER BY sid LIMIT ${limits.pageRows}`,
    texts: `SELECT sid, sess::text AS text FROM ${table} WHERE sid = ANY($1)`,
    query: async (sql, values) => (await client.query(sql, [...values])).rows,
    close: () => client.end(),
  });
}
