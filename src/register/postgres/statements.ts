/**
 * The cell as one row: its statements, and the check of what comes back. Anybody with the right to write may have written
 * there, so nothing of it is believed.
 *
 * cluster: key. made: a name of this row, another one if it is ever made anew. revision: raised by each write.
 * value: the cell. changed_at: for people.
 */
import type { QueryResultRow } from "pg";
import { register as limits } from "../../support/limits.ts";
import { damaged } from "../bytes.ts";

export const channel = "flotilla_register";

export interface Statements {
  readonly create: string;
  /** $1 cluster, $2 made, $3 revision, whose value is not wanted. One row: `standby`, and nulls where there is none. */
  readonly read: string;
  /** $1 cluster, $2 made, $3 value, $4 longest wait for somebody else's row in ms. A row if it was made. */
  readonly insert: string;
  /** $1 cluster, $2 made, $3 revision, $4 value, $5 longest wait for the row in ms. A row if it was made. */
  readonly update: string;
}

/** @param table with its schema, if any; small letters, digits and _ alone. */
export function statementsFor(table: string): Statements {
  const name = quotedTable(table);
  const isCurrent = "made = $2 AND revision = $3::bigint";
  // In the statement itself: a pooler may give the next one to another session. It is evaluated before a row is locked, for
  // the row has to be joined with it first, and it ends with the transaction.
  const withSettings = (lockTimeout: string): string => `WITH settings AS MATERIALIZED (SELECT
    set_config('lock_timeout', ${lockTimeout}, true) || set_config('synchronous_commit',
      CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true) AS made_so)`;
  const told = `made, revision, current_setting('synchronous_commit') AS synchronous, pg_notify('${channel}', $1)`;
  return {
    create: createTable(name),
    read: `SELECT pg_is_in_recovery() AS standby, left(made, ${limits.nameBytesMax}) AS made, revision,
      octet_length(value) AS bytes,
      CASE WHEN NOT (${isCurrent}) AND octet_length(value) <= ${limits.messageBytesMax} THEN value END AS value
      FROM (SELECT 1) AS one LEFT JOIN ${name} ON cluster = $1`,
    insert: `${withSettings("$4")} INSERT INTO ${name} (cluster, made, revision, value, changed_at)
      SELECT $1, $2, 1, $3, now() FROM settings WHERE made_so <> ''
      ON CONFLICT (cluster) DO NOTHING RETURNING ${told}`,
    update: `${withSettings("$5")} UPDATE ${name} SET revision = revision + 1, value = $4, changed_at = now()
      FROM settings WHERE cluster = $1 AND ${isCurrent} AND made_so <> '' RETURNING ${told}`,
  };
}

/** Also shown to administrators. */
export function createTable(name: string): string {
  return `CREATE TABLE IF NOT EXISTS ${name} (cluster text PRIMARY KEY, made text NOT NULL, revision bigint NOT NULL, value bytea NOT NULL, changed_at timestamptz NOT NULL)`;
}

export function quotedTable(table: string): string {
  return table.split(".").map(quotedName).join(".");
}

export function quotedName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export interface Row {
  readonly made: string;
  /** A bigint, as text. */
  readonly revision: string;
  /** Null: the one that was not wanted. */
  readonly value: Buffer | null;
}

/**
 * @param where for the message: "the row ... of PostgreSQL".
 * @returns null where there is no row.
 * @throws FlotillaError FLOTILLA_REGISTER_DAMAGED
 */
export function readRow({ made, revision, bytes, value }: QueryResultRow, where: string): Row | null {
  if (made === null) return null;
  if (typeof made !== "string" || typeof revision !== "string" || !/^\d{1,19}$/.test(revision))
    throw damaged(`${where} is not one that Flotilla has written`);
  if (
    typeof bytes !== "number" ||
    bytes > limits.messageBytesMax ||
    (value !== null && !Buffer.isBuffer(value))
  )
    throw damaged(`${where} has a value of ${bytes} bytes, which Flotilla has not written`);
  return { made, revision, value };
}
