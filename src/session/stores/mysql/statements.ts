/**
 * The tables of sessions and of notices in MySQL and MariaDB, and their statements. What they mean does not hang on settings of a session:
 * times are made of UTC_TIMESTAMP, which no time zone moves; data go both ways as bytes, which no character set changes; keys and
 * holders are compared by their bytes; no statement counts on the order in which SET assigns, and no text is escaped.
 *
 * A row lives until `expire_interval` and a little more (stores/engine.ts) have passed since `access_time`, or its absolute interval since
 * `created_time`. `expire_time` is for cleaning alone: never earlier than that, and rounded up, so that most writes leave its index alone.
 */
import { sqlStores as limits, sessionStores } from "../../../support/limits.ts";
import { nameWith } from "../sql/names.ts";

export type DataType = "longtext" | "longblob" | "json";

/** With `?` for its parameters, and their names in the order of the marks. */
export interface Statement {
  readonly text: string;
  readonly parameters: readonly string[];
}

export type Parameters = Readonly<Record<string, string | number | Buffer>>;

export interface Statements {
  /** :key. Columns of `rowOf`. */
  readonly read: Statement;
  /** :key, :data, :holder, :idle, :age, :absolute or 0. */
  readonly insert: Statement;
  /** :key, :version, :data, :holder, :idle, :writer, who holds the row, or nobody does. */
  readonly replaceOwn: Statement;
  /** The same, whoever holds it. */
  readonly replaceAny: Statement;
  /** :key. Of a living row: version, holder. */
  readonly look: Statement;
  /** :key. Holder, and 1 if it lives; the row is locked. */
  readonly lock: Statement;
  /** :key, :writer as in replaceOwn. */
  readonly removeOwn: Statement;
  /** :key */
  readonly removeAny: Statement;
  /** :after, then columns of `rowOf` behind the key. */
  readonly list: (rowsMax: number) => Statement;
  readonly count: Statement;
  readonly touch: (keys: readonly string[], idleTimeoutMs: number) => string;
  /** Keys of rows that may be cleaned away. */
  readonly ended: (rowsMax: number) => Statement;
  /** Those of them that nobody has locked; they are locked now. */
  readonly lockEnded: (keys: readonly string[]) => string;
  readonly removeAll: (keys: readonly string[]) => string;
  /** :holder, :key */
  readonly tell: Statement;
  /** :holder. Its number is the listener's. */
  readonly listen: Statement;
  /** :holder. Number and key, "" of listeners. */
  readonly notices: (rowsMax: number) => Statement;
  /** :holder, :before a number. */
  readonly forgetBefore: Statement;
  readonly forget: (numbers: readonly number[]) => string;
  /** :number of a listener that lives. */
  readonly alive: Statement;
  /** Holders who have not read theirs for :since ms, or have not been seen for :gone ms. */
  readonly lateHolders: Statement;
  /** :holder */
  readonly forgetHolder: Statement;
}

/** In milliseconds since 1970, by the database's clock. */
const now = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) DIV 1000";

/** By their bytes. */
const binary = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";

/** Columns by their type, in the order in which they are made; that of `data` is the choice of the site. */
export const columns: Readonly<Record<string, string>> = {
  id: `varchar(64) ${binary} NOT NULL`,
  data: "",
  access_time: "bigint NOT NULL",
  expire_interval: "bigint NOT NULL",
  version: "bigint NOT NULL",
  holder: `varchar(255) ${binary} NOT NULL`,
  created_time: "bigint NOT NULL",
  absolute_interval: "bigint NOT NULL",
  expire_time: "bigint NOT NULL",
};

/** Of the table of notices. */
export const noticeColumns: Readonly<Record<string, string>> = {
  number: "bigint NOT NULL AUTO_INCREMENT PRIMARY KEY",
  holder: `varchar(255) ${binary} NOT NULL`,
  id: `varchar(64) ${binary} NOT NULL`,
  told_time: "bigint NOT NULL",
};

export const dataColumns: Readonly<Record<DataType, string>> = {
  longtext: `longtext ${binary} NOT NULL`,
  longblob: "longblob NOT NULL",
  json: "json NOT NULL",
};

const comment =
  "Sessions of a website, kept by Flotilla. Times: milliseconds since 1970, clock of this server. A session ends expire_interval (and up to " +
  "a minute) after access_time, or absolute_interval after created_time unless that is 0; it is cleaned away at expire_time. holder: the " +
  "process that may have a copy in its memory. version: raised by each write.";
const noticesComment =
  "Which sessions of a holder were changed by others (Flotilla). Rows without id: who listens.";

export function noticesOf(table: string): string {
  const parts = table.split(".");
  return [...parts.slice(0, -1), nameWith(parts.at(-1)!, "_notices", 64)].join(".");
}

export function quotedTable(table: string): string {
  return table
    .split(".")
    .map((part) => `\`${part}\``)
    .join(".");
}

/** Also shown to administrators. */
export function createTables(
  table: string,
  dataType: DataType,
): readonly [sessions: string, notices: string] {
  const all = { ...columns, data: dataColumns[dataType] };
  const list = (each: Readonly<Record<string, string>>): string =>
    Object.entries(each)
      .map(([column, type]) => `${column} ${type}`)
      .join(", ");
  return [
    `CREATE TABLE IF NOT EXISTS ${quotedTable(table)} (${list(all)}, PRIMARY KEY (id), KEY expire_time (expire_time)) ENGINE=InnoDB COMMENT='${comment}'`,
    `CREATE TABLE IF NOT EXISTS ${quotedTable(noticesOf(table))} (${list(noticeColumns)}, KEY holder (holder)) ENGINE=InnoDB COMMENT='${noticesComment}'`,
  ];
}

/** @param table with its database, if any. */
export function statementsFor(table: string, dataType: DataType): Statements {
  const name = quotedTable(table);
  const notices = quotedTable(noticesOf(table));
  const shown = `${dataShown[dataType]}, version, holder, expire_interval, ${now} - access_time, ${now} - created_time, absolute_interval`;
  const given = dataType === "longblob" ? ":data" : "CONVERT(:data USING utf8mb4)";
  const used = `GREATEST(access_time, ${now})`;
  const idle = "CAST(:idle AS SIGNED)";
  const changed = `UPDATE ${name} SET data = ${given}, version = version + 1, holder = :holder, access_time = ${used},
    expire_interval = ${idle}, expire_time = ${cleanedAt(idle, used, "created_time", "absolute_interval")}
    WHERE id = :key AND version = CAST(:version AS SIGNED) AND ${isLiving}`;
  const touched = (ms: number): string => `GREATEST(expire_interval, ${integer(ms)})`;
  return {
    read: statement(`SELECT ${shown} FROM ${name} WHERE id = :key AND ${isLiving}`),
    insert: statement(`INSERT INTO ${name} (${Object.keys(columns).join(", ")}) VALUES
      (:key, ${given}, ${now}, ${idle}, 1, :holder, ${now} - CAST(:age AS SIGNED), CAST(:absolute AS SIGNED),
      ${cleanedAt(idle, now, `${now} - CAST(:age AS SIGNED)`, "CAST(:absolute AS SIGNED)")})`),
    replaceOwn: statement(`${changed} AND holder IN ('', :writer)`),
    replaceAny: statement(changed),
    look: statement(`SELECT version, holder FROM ${name} WHERE id = :key AND ${isLiving}`),
    lock: statement(`SELECT holder, ${isLiving} FROM ${name} WHERE id = :key FOR UPDATE`),
    removeOwn: statement(`DELETE FROM ${name} WHERE id = :key AND holder IN ('', :writer)`),
    removeAny: statement(`DELETE FROM ${name} WHERE id = :key`),
    list: (rowsMax) =>
      statement(
        `SELECT id, ${shown} FROM ${name} WHERE id > :after AND ${isLiving} ORDER BY id LIMIT ${integer(rowsMax)}`,
      ),
    count: statement(`SELECT COUNT(*) FROM ${name} WHERE ${isLiving}`),
    touch: (keys, ms) => `UPDATE ${name} SET access_time = ${used}, expire_interval = ${touched(ms)},
      expire_time = ${cleanedAt(touched(ms), used, "created_time", "absolute_interval")}
      WHERE id IN (${keys.map(literal).join(", ")}) AND ${isLiving}`,
    ended: (rowsMax) =>
      statement(
        `SELECT id FROM ${name} WHERE expire_time <= ${now} ORDER BY expire_time LIMIT ${integer(rowsMax)}`,
      ),
    // By the primary key: no gap of the other index is locked, into which sessions that begin have to go.
    lockEnded: (keys) => `SELECT id FROM ${name} FORCE INDEX (PRIMARY)
      WHERE id IN (${keys.map(literal).join(", ")}) AND expire_time <= ${now} ORDER BY id FOR UPDATE SKIP LOCKED`,
    removeAll: (keys) => `DELETE FROM ${name} WHERE id IN (${keys.map(literal).join(", ")})`,
    tell: statement(`INSERT INTO ${notices} (holder, id, told_time) VALUES (:holder, :key, ${now})`),
    listen: statement(`INSERT INTO ${notices} (holder, id, told_time) VALUES (:holder, '', ${now})`),
    notices: (rowsMax) =>
      statement(
        `SELECT number, id FROM ${notices} WHERE holder = :holder ORDER BY number LIMIT ${integer(rowsMax)}`,
      ),
    forgetBefore: statement(
      `DELETE FROM ${notices} WHERE holder = :holder AND number < CAST(:before AS SIGNED)`,
    ),
    forget: (numbers) => `DELETE FROM ${notices} WHERE number IN (${numbers.map(integer).join(", ")})`,
    alive: statement(`UPDATE ${notices} SET told_time = ${now} WHERE number = CAST(:number AS SIGNED)`),
    lateHolders: statement(`SELECT DISTINCT holder FROM ${notices}
      WHERE told_time < ${now} - IF(id = '', CAST(:gone AS SIGNED), CAST(:since AS SIGNED)) LIMIT ${limits.lateHoldersMax}`),
    forgetHolder: statement(`DELETE FROM ${notices} WHERE holder = :holder`),
  };
}

const dataShown: Readonly<Record<DataType, string>> = {
  longtext: "CAST(data AS BINARY)",
  longblob: "data",
  json: "CAST(CONVERT(data USING utf8mb4) AS BINARY)",
};

/** As `endsAfterMs`. What can't be added up was written by somebody else, and does not live: an error would be one of all rows. */
const isLiving = `IF(${isSane(["access_time", "expire_interval", "created_time", "absolute_interval"])},
  access_time + ${endsAfter("expire_interval")} > ${now}
  AND (absolute_interval = 0 OR created_time + absolute_interval > ${now}), FALSE)`;

/** More than a number of JavaScript holds is no time. */
function isSane(times: readonly string[]): string {
  const most = Number.MAX_SAFE_INTEGER;
  return times.map((time) => `${time} BETWEEN -${most} AND ${most}`).join(" AND ");
}

function endsAfter(idle: string): string {
  const parts = Math.round(1 / sessionStores.touchIntervalShare);
  return `${idle} + LEAST(${sessionStores.touchIntervalMsMax}, (${idle} + ${parts - 1}) DIV ${parts})`;
}

function cleanedAt(idle: string, access: string, created: string, absolute: string): string {
  const { cleaningExactMs, cleaningShare, cleaningStepMsMax } = limits;
  const step = `GREATEST(1, LEAST(${cleaningStepMsMax}, ${idle} DIV ${cleaningExactMs} * ${cleaningExactMs * cleaningShare}))`;
  const unused = `${access} + ${endsAfter(idle)}`;
  const end = `IF(${absolute} = 0, ${unused}, LEAST(${unused}, ${created} + ${absolute}))`;
  return `(${end} + ${step} - 1) DIV ${step} * ${step}`;
}

function statement(named: string): Statement {
  const parameters: string[] = [];
  const text = named.replace(/:([a-z]+)/g, (_, parameter: string) => {
    parameters.push(parameter);
    return "?";
  });
  return { text, parameters };
}

/** A key as no setting of a session can read it otherwise. */
function literal(key: string): string {
  return `_utf8mb4 x'${Buffer.from(key).toString("hex")}'`;
}

function integer(value: number): string {
  return String(Math.trunc(value));
}
