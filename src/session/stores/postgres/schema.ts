/** Whether the table is there, is ours, and may be used; made where there is none. */
import { quotedName, quotedTable } from "../../../register/postgres/statements.ts";
import { SessionEngineError } from "../engine.ts";
import { type ConnectionFacts, type PgClient, type PostgresConnector, send, statement } from "./pool.ts";
import { columns, createTable, type DataType } from "./statements.ts";

export interface TableWanted {
  readonly table: string;
  readonly dataType: DataType;
}

/** $1 table, quoted. A row for each column: name, type, whether we may do all that is needed. */
const look = statement(`SELECT attname::text, format_type(atttypid, NULL),
  (has_table_privilege(attrelid, 'SELECT') AND has_table_privilege(attrelid, 'INSERT')
    AND has_table_privilege(attrelid, 'UPDATE') AND has_table_privilege(attrelid, 'DELETE'))::text
  FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`);

/** @throws what the database said, or SessionEngineError */
export async function openTable(
  client: PgClient,
  connector: PostgresConnector,
  wanted: TableWanted,
  place: string,
): Promise<void> {
  const { table, dataType } = wanted;
  const found = (): Promise<(string | null)[][]> => connector.run(client, look, [quotedTable(table)]);
  let rows = await found();
  if (rows.length === 0) {
    let refusal: unknown = null;
    try {
      // Several statements without parameters are one transaction: nobody sees the table without its index.
      await send(client, createTable(table, dataType));
    } catch (error) {
      if (!connector.isRefusal(error)) throw error;
      // Of several processes at once all but one are told, in one of several ways, that it is there.
      refusal = error;
    }
    rows = await found();
    if (rows.length === 0) throw refusal;
  }
  const trouble = troubleWith(rows, wanted, connector.lastFacts);
  if (trouble !== null) throw new SessionEngineError(`PostgreSQL at ${place} ${trouble}`, "nothing");
}

/** What an administrator runs so that the user may use the table. */
export function remedyFor({ table, dataType }: TableWanted, user: string): string {
  return `${createTable(table, dataType)}; ${grantFor(table, user)}`;
}

function grantFor(table: string, user: string): string {
  return `GRANT SELECT, INSERT, UPDATE, DELETE ON ${quotedTable(table)} TO ${quotedName(user)}`;
}

function troubleWith(
  rows: readonly (string | null)[][],
  { table, dataType }: TableWanted,
  facts: ConnectionFacts | null,
): string | null {
  const types = new Map(rows.map(([name, type]) => [name!, type!]));
  const missing = Object.keys(columns).filter((column) => !types.has(column));
  const name = quotedTable(table);
  if (missing.length > 0) {
    const adds = missing.map((column) => `ADD COLUMN ${column} ${columns[column] || `${dataType} NOT NULL`}`);
    return (
      `has a table ${table} without the column${missing.length > 1 ? "s" : ""} ${missing.join(", ")}: name another one (table:), or, if it ` +
      `was made for Flotilla and may be emptied, run: DELETE FROM ${name}; ALTER TABLE ${name} ${adds.join(", ")}`
    );
  }
  const type = types.get("data")!;
  if (type !== dataType) {
    const cure = (Object.keys(conversions) as string[]).includes(type) ? `write dataType: ${type}, or ` : "";
    return (
      `has a table ${table} whose column data is of the type ${type}, and dataType says ${dataType}: ${cure}run, while nothing uses it: ` +
      `ALTER TABLE ${name} ALTER COLUMN data TYPE ${dataType} USING ${conversions[dataType](type)}`
    );
  }
  if (rows[0]![2] === "true") return null;
  const user = facts?.user ?? "";
  return `does not let ${JSON.stringify(user)} use the table ${table}; an administrator can, in the database ${JSON.stringify(facts?.database)}: ${grantFor(table, user)}`;
}

/** By the type that is wanted, from the one that is there. */
const conversions: Readonly<Record<DataType, (from: string) => string>> = {
  text: (from) => (from === "bytea" ? "convert_from(data, 'UTF8')" : "data::text"),
  jsonb: (from) => (from === "bytea" ? "convert_from(data, 'UTF8')::jsonb" : "data::jsonb"),
  bytea: () => "convert_to(data::text, 'UTF8')",
};
