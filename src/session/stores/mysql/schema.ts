/** Whether the tables are there, are ours, and may be used; made where there are none. */
import { SessionEngineError } from "../engine.ts";
import type { MysqlConnection, MysqlConnector } from "./pool.ts";
import {
  columns,
  createTables,
  type DataType,
  dataColumns,
  noticeColumns,
  noticesOf,
  quotedTable,
} from "./statements.ts";

export interface TableWanted {
  readonly table: string;
  readonly dataType: DataType;
}

interface Column {
  readonly type: string;
  readonly collation: string | null;
  readonly engine: string;
}

/** A row for each column. The name is one that `table` may have: small letters, digits and _. */
function look(table: string): string {
  const [name, database] = table.split(".").reverse();
  return `SELECT c.COLUMN_NAME, c.DATA_TYPE, c.COLLATION_NAME, t.ENGINE FROM information_schema.COLUMNS AS c
    JOIN information_schema.TABLES AS t ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME
    WHERE c.TABLE_SCHEMA = ${database === undefined ? "DATABASE()" : `'${database}'`} AND c.TABLE_NAME = '${name}'`;
}

/** @throws what the database said, or SessionEngineError */
export async function openTables(
  connection: MysqlConnection,
  connector: MysqlConnector,
  wanted: TableWanted,
  place: string,
): Promise<void> {
  const { table, dataType } = wanted;
  const tables = [table, noticesOf(table)];
  const creations = createTables(table, dataType);
  for (const [index, name] of tables.entries()) {
    if ((await columnsOf(connection, connector, name)).size === 0)
      await connector.send(connection, creations[index]!);
    const found = await columnsOf(connection, connector, name);
    const trouble =
      index === 0
        ? (troubleWith(name, found, { ...columns, data: dataColumns[dataType] }) ??
          troubleWithData(wanted, found, connector.facts?.isMariaDB ?? false))
        : troubleWith(name, found, noticeColumns);
    if (trouble !== null)
      throw new SessionEngineError(`${connector.product} at ${place} ${trouble}`, "nothing");
    for (const probe of probes(name, Object.keys(index === 0 ? columns : noticeColumns)))
      await connector.send(connection, probe);
  }
}

/** What an administrator runs so that the user may use the tables. */
export function remedyFor({ table, dataType }: TableWanted, user: string): string {
  const who = user.replace(/^([^@']*)@([^']*)$/, "'$1'@'$2'");
  const grants = [table, noticesOf(table)].map(
    (each) => `GRANT SELECT, INSERT, UPDATE, DELETE ON ${quotedTable(each)} TO ${who}`,
  );
  return [...createTables(table, dataType), ...grants].join("; ");
}

/** Change nothing, and fail where the rights for it are missing. */
function probes(table: string, columns: readonly string[]): string[] {
  const name = quotedTable(table);
  return [
    `INSERT INTO ${name} (${columns.join(", ")}) SELECT ${columns.join(", ")} FROM ${name} WHERE 1 = 0`,
    `UPDATE ${name} SET id = id WHERE 1 = 0`,
    `DELETE FROM ${name} WHERE 1 = 0`,
  ];
}

async function columnsOf(
  connection: MysqlConnection,
  connector: MysqlConnector,
  table: string,
): Promise<Map<string, Column>> {
  const rows = (await connector.send(connection, look(table))) as (string | null)[][];
  return new Map(
    rows.map(([name, type, collation, engine]) => [
      String(name),
      {
        type: String(type).toLowerCase(),
        collation: collation === null ? null : String(collation),
        engine: String(engine),
      },
    ]),
  );
}

function troubleWith(
  table: string,
  found: ReadonlyMap<string, Column>,
  wanted: Readonly<Record<string, string>>,
): string | null {
  const name = quotedTable(table);
  const missing = Object.keys(wanted).filter((column) => !found.has(column));
  if (missing.length > 0)
    return (
      `has a table ${table} without the column${missing.length > 1 ? "s" : ""} ${missing.join(", ")}: name another one (table:), or, if it ` +
      `was made for Flotilla and may be emptied, run: DELETE FROM ${name}; ALTER TABLE ${name} ` +
      missing.map((column) => `ADD COLUMN ${column} ${wanted[column]}`).join(", ")
    );
  const { engine } = found.get("id")!;
  if (engine !== "InnoDB")
    return `has a table ${table} of the engine ${engine}, which has no transactions: ALTER TABLE ${name} ENGINE=InnoDB`;
  for (const column of ["id", "holder"]) {
    const { collation } = found.get(column)!;
    if (collation === null || collation.endsWith("_bin")) continue;
    return (
      `has a table ${table} whose column ${column} takes capital and small letters for the same (${collation}): ` +
      `ALTER TABLE ${name} MODIFY ${column} ${wanted[column]}`
    );
  }
  return null;
}

function troubleWithData(
  { table, dataType }: TableWanted,
  found: ReadonlyMap<string, Column>,
  isMariaDB: boolean,
): string | null {
  const { type, collation } = found.get("data")!;
  // MariaDB's JSON is LONGTEXT with a check.
  if (type === dataType || (isMariaDB && dataType === "json" && type === "longtext")) {
    // Where its mode is not strict the server writes "?" for what the column can't hold, and says nothing.
    if (collation === null || collation.startsWith("utf8mb4_")) return null;
    return (
      `has a table ${table} whose column data can't hold all characters (${collation}): run, while nothing uses it: ` +
      `ALTER TABLE ${quotedTable(table)} MODIFY data ${dataColumns[dataType]}`
    );
  }
  const cure = type in dataColumns ? `write dataType: ${type}, or ` : "";
  return (
    `has a table ${table} whose column data is of the type ${type}, and dataType says ${dataType}: ${cure}run, while nothing uses it: ` +
    `ALTER TABLE ${quotedTable(table)} MODIFY data ${dataColumns[dataType]}`
  );
}
