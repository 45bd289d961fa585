/**
 * The table of sessions in PostgreSQL, and one statement for each operation. Whoever writes or removes another holder's row tells him
 * in the same statement, so in the same transaction: pg_notify is heard when it commits, and never when it does not.
 *
 * A row lives until `expire_interval` and a little more (stores/engine.ts) have passed since `access_time`, or its absolute interval
 * since `created_time`. `expire_time` is for cleaning alone: never earlier than that, and rounded up, so that most writes leave all
 * indexes alone (PostgreSQL's "heap-only tuples").
 */
import { quotedName, quotedTable } from "../../../register/postgres/statements.ts";
import { sqlStores as limits, sessionStores } from "../../../support/limits.ts";
import { nameWith } from "../sql/names.ts";
import type { Statement } from "./exchange.ts";
import { statement } from "./pool.ts";

export type DataType = "text" | "jsonb" | "bytea";

export interface Statements {
  /** $1 key. The data, and the columns of `rowOf`. */
  readonly read: Statement;
  /** $1 key, $2 writer, $3 holder, $4 data, $5 idle timeout, $6 age, $7 absolute timeout or 0. A row if it was made. */
  readonly insert: Statement;
  /** $1 key, $2 writer, $3 holder, $4 data, $5 idle timeout, $6 version. One row: done, changed or gone. */
  readonly replace: Statement;
  /** $1 keys, $2 idle timeouts. */
  readonly touch: Statement;
  /** $1 key, $2 writer. */
  readonly remove: Statement;
  /** $1 how many at most. One row: how many. */
  readonly removeExpired: Statement;
  /** $1 after, $2 how many at most. The key, then as `read`. */
  readonly list: Statement;
  readonly count: Statement;
}

/** Columns by their type, in the order in which they are made; that of `data` is the choice of the site. */
export const columns: Readonly<Record<string, string>> = {
  id: 'varchar(64) COLLATE "C" PRIMARY KEY',
  data: "",
  access_time: "bigint NOT NULL",
  expire_interval: "bigint NOT NULL",
  version: "bigint NOT NULL",
  holder: "text NOT NULL",
  created_time: "bigint NOT NULL",
  absolute_interval: "bigint NOT NULL",
  expire_time: "bigint NOT NULL",
};

const comment =
  "Sessions of a website, kept by Flotilla. Times are milliseconds since 1970 by the clock of this database. A session ends " +
  "expire_interval (and up to a minute) after access_time, or absolute_interval after created_time unless that is 0; expire_time: cleaned " +
  "away then. holder: the process that may have a copy in its memory. version: raised by each write.";

/** In milliseconds since 1970, by the database's clock. */
const now = "floor(extract(epoch FROM now()) * 1000)::bigint";

/** @param table with its schema, if any. */
export function statementsFor(table: string, dataType: DataType): Statements {
  const name = quotedTable(table);
  const shown = `${dataShown[dataType]}, row.version, row.holder, row.expire_interval, ${now} - row.access_time, ${now} - row.created_time,
    row.absolute_interval`;
  const data = dataGiven[dataType];
  const end = endOf("$5::bigint", "access_time", "created_time", "absolute_interval");
  return {
    read: statement(`SELECT ${shown} FROM ${name} AS row WHERE row.id = $1 AND ${isLiving("row")}`),
    insert: statement(`${settings}, made AS (
      INSERT INTO ${name} AS row (id, data, access_time, expire_interval, version, holder, created_time, absolute_interval, expire_time)
      SELECT $1, ${data}, ${now}, $5::bigint, 1, $3, ${now} - $6::bigint, $7::bigint,
        ${cleanedAt("$5::bigint", now, `${now} - $6::bigint`, "$7::bigint")} FROM settings WHERE made_so <> ''
      ON CONFLICT (id) DO UPDATE SET data = excluded.data, access_time = excluded.access_time, expire_interval = excluded.expire_interval,
        version = 1, holder = excluded.holder, created_time = excluded.created_time,
        absolute_interval = excluded.absolute_interval, expire_time = excluded.expire_time
      WHERE NOT (${isLiving("row")}) RETURNING 1)
      SELECT (SELECT ${told(table, "ended.holder", "ended.id")} FROM ${name} AS ended
        WHERE ended.id = $1 AND ended.holder NOT IN ('', $2))::text FROM made`),
    // What is there if nothing was done is looked at with a lock: as it is by then, not as it was when the statement began.
    replace: statement(`${settings}, done AS (
      UPDATE ${name} AS row SET data = ${data}, version = row.version + 1, holder = $3,
        access_time = ${later("row.access_time")}, expire_interval = $5::bigint,
        expire_time = ${end}
      FROM settings, ${name} AS before
      WHERE made_so <> '' AND row.id = $1 AND before.id = $1 AND row.version = $6::bigint AND before.version = $6::bigint
        AND ${isLiving("row")} RETURNING coalesce(before.holder, '') AS holder),
      there AS (SELECT 1 FROM ${name} AS row WHERE row.id = $1 AND ${isLiving("row")} FOR KEY SHARE)
      SELECT CASE WHEN done.holder IS NOT NULL THEN 'done' WHEN EXISTS (SELECT 1 FROM there) THEN 'changed' ELSE 'gone' END,
        CASE WHEN done.holder NOT IN ('', $2) THEN ${told(table, "done.holder", "$1")}::text END
      FROM (SELECT 1) AS one LEFT JOIN done ON true`),
    // In the order of keys: two processes that touch the same rows wait for each other, and none for both.
    touch: statement(`${settings}, touched AS MATERIALIZED (
      SELECT row.id, greatest(row.expire_interval, touches.idle) AS idle
      FROM settings, unnest($1::varchar[], $2::bigint[]) AS touches (id, idle) JOIN ${name} AS row ON row.id = touches.id
      WHERE made_so <> '' AND ${isLiving("row")} ORDER BY row.id FOR NO KEY UPDATE OF row)
      UPDATE ${name} AS row SET access_time = ${later("row.access_time")}, expire_interval = touched.idle,
        expire_time = ${endOf("touched.idle", "access_time", "created_time", "absolute_interval")}
      FROM touched WHERE row.id = touched.id AND ${isLiving("row")}`),
    remove: statement(`${settings}, removed AS (
      DELETE FROM ${name} AS row USING settings WHERE made_so <> '' AND row.id = $1 RETURNING row.holder)
      SELECT ${told(table, "removed.holder", "$1")}::text FROM removed WHERE removed.holder NOT IN ('', $2)`),
    removeExpired: statement(`WITH ended AS MATERIALIZED (
      SELECT row.id FROM ${name} AS row WHERE row.expire_time <= ${now} ORDER BY row.expire_time LIMIT $1::bigint FOR UPDATE SKIP LOCKED),
      removed AS (DELETE FROM ${name} AS row USING ended WHERE row.id = ended.id RETURNING 1)
      SELECT count(*)::text FROM removed`),
    list: statement(`SELECT row.id, ${shown} FROM ${name} AS row
      WHERE row.id COLLATE "C" > $1 AND ${isLiving("row")} ORDER BY row.id COLLATE "C" LIMIT $2::bigint`),
    count: statement(`SELECT count(*)::text FROM ${name} AS row WHERE ${isLiving("row")}`),
  };
}

/** PostgreSQL cuts longer names. */
const nameBytesMax = 63;

/** All in one transaction, also shown to administrators. */
export function createTable(table: string, dataType: DataType): string {
  const name = quotedTable(table);
  const index = quotedName(nameWith(channelOf(table), "_expire_time", nameBytesMax));
  const list = Object.entries(columns).map(([column, type]) => `${column} ${type || `${dataType} NOT NULL`}`);
  return (
    `CREATE TABLE IF NOT EXISTS ${name} (${list.join(", ")}) WITH (fillfactor = 70); ` +
    `CREATE INDEX IF NOT EXISTS ${index} ON ${name} (expire_time); COMMENT ON TABLE ${name} IS '${comment}'`
  );
}

/** Where notices of this table's rows are told. */
export function channelOf(table: string): string {
  return table.split(".").at(-1)!;
}

/** What a notice says, as the statements write it. Null: it is for somebody else. */
export function keyToldTo(holder: string, payload: string): string | null {
  const end = payload.indexOf("\n");
  return payload.slice(end + 1) === holder ? payload.slice(0, end) : null;
}

function told(table: string, holder: string, key: string): string {
  return `pg_notify('${channelOf(table)}', ${key} || chr(10) || ${holder})`;
}

/**
 * A row that somebody holds is waited for a shorter time than an answer: else processes of the server, whose clients are long gone, would
 * pile up behind it. It ends with the transaction, and is evaluated before a row is locked, for the row has to be joined with it first.
 */
const settings = `WITH settings AS MATERIALIZED (SELECT set_config('lock_timeout', '${limits.lockWaitMs}', true) AS made_so)`;

const dataShown: Readonly<Record<DataType, string>> = {
  text: "row.data",
  jsonb: "row.data::text",
  // Bytes: whatever encoding the database has.
  bytea: "encode(row.data, 'base64')",
};

const dataGiven: Readonly<Record<DataType, string>> = {
  text: "$4::text",
  jsonb: "$4::jsonb",
  bytea: "$4::bytea",
};

/** As `endsAfterMs`. What can't be added up was written by somebody else, and does not live: an error would be one of all rows. */
function isLiving(row: string): string {
  const idle = `${row}.expire_interval`;
  const times = [`${row}.access_time`, idle, `${row}.created_time`, `${row}.absolute_interval`];
  return `CASE WHEN ${times.map(isSane).join(" AND ")} THEN ${row}.access_time + ${endsAfter(idle)} > ${now}
    AND (${row}.absolute_interval = 0 OR ${row}.created_time + ${row}.absolute_interval > ${now}) ELSE false END`;
}

/** More than a number of JavaScript holds is no time. */
function isSane(time: string): string {
  return `${time} BETWEEN -${Number.MAX_SAFE_INTEGER} AND ${Number.MAX_SAFE_INTEGER}`;
}

function endsAfter(idle: string): string {
  const parts = Math.round(1 / sessionStores.touchIntervalShare);
  return `${idle} + least(${sessionStores.touchIntervalMsMax}, (${idle} + ${parts - 1}) / ${parts})`;
}

/** The clock of a server may be put back. */
function later(accessTime: string): string {
  return `greatest(${accessTime}, ${now})`;
}

function endOf(idle: string, access: string, created: string, absolute: string): string {
  return cleanedAt(idle, later(`row.${access}`), `row.${created}`, `row.${absolute}`);
}

function cleanedAt(idle: string, access: string, created: string, absolute: string): string {
  const { cleaningExactMs, cleaningShare, cleaningStepMsMax } = limits;
  const step = `greatest(1, least(${cleaningStepMsMax}, ${idle} / ${cleaningExactMs} * ${cleaningExactMs * cleaningShare}))`;
  const end = `least(${access} + ${endsAfter(idle)}, ${created} + nullif(${absolute}, 0))`;
  return `(${end} + ${step} - 1) / ${step} * ${step}`;
}
