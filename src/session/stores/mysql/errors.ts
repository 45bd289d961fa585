/** What MySQL, MariaDB and the network say: whether something may have been written, and in words for a person at night. No password is in them. */
import { codeOf, FlotillaError, messageOf } from "../../../support/errors.ts";
import { sqlStores as limits } from "../../../support/limits.ts";
import { Late } from "../../../support/within.ts";
import { SessionEngineError } from "../engine.ts";
import { NotPrimary } from "../sql/connections.ts";

/** The server's number, or 0. */
export function errnoOf(error: unknown): number {
  if (typeof error !== "object" || error === null || !("errno" in error)) return 0;
  return typeof error.errno === "number" && error.errno > 0 ? error.errno : 0;
}

function stateOf(error: unknown): string {
  if (typeof error !== "object" || error === null || !("sqlState" in error)) return "";
  return typeof error.sqlState === "string" ? error.sqlState : "";
}

/**
 * Errors that undid the statement for certain (MySQL and MariaDB, "Error Reference"): by the class of their SQLSTATE (data, constraints,
 * rights, syntax), or by their number where that says nothing. What ends a statement in the midst of its commit is not among them.
 */
export function isRefusal(error: unknown): boolean {
  return /^(?:21|22|23|28|3D|40|42|44|0A)/.test(stateOf(error)) || undone.has(errnoOf(error));
}

/** The user may not. */
export function isDenied(error: unknown): boolean {
  return [1044, 1142, 1143].includes(errnoOf(error));
}

/** A table that was there. */
export function isTableLost(error: unknown): boolean {
  return errnoOf(error) === 1146;
}

const undone: ReadonlySet<number> = new Set([
  ...[1020, 1021, 1036, 1037, 1038, 1040, 1041, 1047, 1114, 1153, 1203, 1205, 1206, 1213, 1226],
  ...[1265, 1290, 1364, 1366, 1406, 1615, 1644, 1665, 1792, 1836, 1969, 3024, 3101, 3140, 3572, 3819, 4025],
]);

/** The column can't hold the data: not JSON for it (a CHECK of MariaDB), not of its character set, too long. */
export function isUnfit(error: unknown): boolean {
  return [1366, 1406, 3140, 3141, 3157, 4025].includes(errnoOf(error));
}

/** It takes no writes any more: another server does, and new connections may lead there. */
export function isMoved(error: unknown): boolean {
  return [1290, 1792, 1836].includes(errnoOf(error));
}

export interface Whereabouts {
  /** "MariaDB". */
  readonly product: string;
  readonly user: string;
  readonly database: string;
  /** "10.0.0.5:3306". */
  readonly place: string;
  /** With its database, if any. */
  readonly table: string;
  /** SQL for an administrator that makes the tables, and gives the user his rights. */
  readonly remedy: string;
}

/** One line, without a period at its end. */
export function troubleInWords(error: unknown, at: Whereabouts): string {
  if (error instanceof FlotillaError || error instanceof SessionEngineError || error instanceof NotPrimary)
    return error.message;
  const said = messageOf(error).replace(/\s+/g, " ").slice(0, limits.messageCharactersMax);
  if (error instanceof Late)
    return `${at.product} at ${at.place} did not answer (${said}): start it, or mend the network between`;
  const words =
    byNumber[errnoOf(error)] ??
    bySystem[codeOf(error)] ??
    byMessage.find(({ pattern }) => pattern.test(`${codeOf(error)} ${said}`))?.words;
  if (words !== undefined) return `${at.product} at ${at.place} ${words(at, said)}`;
  const code = errnoOf(error) || codeOf(error);
  return `${at.product} at ${at.place} can't be used by ${JSON.stringify(at.user)}: ${said}${code ? ` (${code})` : ""}`;
}

type Words = (at: Whereabouts, said: string) => string;

const notReached: Words = (_, said) =>
  `can't be reached (${said}): start it, let it listen there (bind_address), or mend the network between`;
const lost: Words = (_, said) => `ended the connection (${said}): see its log, and the network between`;
const notAllowed: Words = ({ user, table, remedy }, said) =>
  `does not let ${JSON.stringify(user)} use or make the table ${table} (${said}); an administrator can: ${remedy}`;
const noPlace: Words = (_, said) =>
  `has a full disk or table (${said}): make room there; until then sessions can be read, not changed`;
const readOnly: Words = (_, said) =>
  `is read-only (${said}), as a replica is: name the primary; until then sessions can be read, not changed`;
const busyRow: Words = ({ table }, said) =>
  `kept a statement waiting (${said}): another transaction holds rows of ${table} (SHOW ENGINE INNODB STATUS)`;
const noConnection: Words = (_, said) =>
  `has no connection left (${said}): raise its max_connections, or see who has them (SHOW PROCESSLIST)`;

const noHold: Words = ({ table }, said) =>
  `can't hold such data in ${table} (${said}): columns of the type longtext or longblob hold all (dataType:)`;

const byNumber: Readonly<Record<number, Words>> = {
  1020: (_, said) => `met another transaction on the same row (${said})`,
  1021: noPlace,
  1040: noConnection,
  1044: notAllowed,
  1045: (_, said) => `does not take the user or the password (${said}): correct it`,
  1047: (_, said) => `is no part of its cluster's majority just now (${said})`,
  1049: ({ database }) =>
    `has no database ${JSON.stringify(database)}: make it (CREATE DATABASE), or name another one`,
  1114: noPlace,
  1142: notAllowed,
  1143: notAllowed,
  1146: (_, said) => `has lost a table (${said}): it was dropped; it is made again by itself`,
  1153: (_, said) => `takes no statement so long (${said}): raise its max_allowed_packet`,
  1203: noConnection,
  1205: busyRow,
  1213: busyRow,
  1226: noConnection,
  1290: readOnly,
  1665: (_, said) => `can't log the statement (${said}): let its binlog_format be ROW or MIXED`,
  1366: noHold,
  1406: noHold,
  1792: readOnly,
  1836: readOnly,
  1969: busyRow,
  2013: lost,
  3024: busyRow,
  3140: noHold,
  3141: noHold,
  3157: noHold,
  4025: noHold,
};

const bySystem: Readonly<Record<string, Words>> = {
  ECONNREFUSED: notReached,
  ECONNRESET: lost,
  EPIPE: lost,
  EHOSTUNREACH: notReached,
  ENETUNREACH: notReached,
  ETIMEDOUT: notReached,
  ENOENT: notReached,
  EACCES: notReached,
  PROTOCOL_CONNECTION_LOST: lost,
  ENOTFOUND: (_, said) => `can't be reached: its name has no address (${said})`,
  EAI_AGAIN: (_, said) => `can't be reached: its name can't be looked up (${said})`,
  HANDSHAKE_NO_SSL_SUPPORT: () =>
    "offers no TLS: turn it on there, or write ssl-mode=DISABLED if you trust the network between",
};

/** What TLS says in words of its own; the code of the error stands before them. */
const byMessage: readonly { readonly pattern: RegExp; readonly words: Words }[] = [
  {
    pattern: /^\w*(?:CERT|SIGNATURE|ERR_TLS|ERR_SSL|ERR_OSSL)|certificate/i,
    words: (_, said) =>
      `can't be trusted (${said}): name the authority of its certificate (tls: { ca: ... }), or the name in it (serverName:)`,
  },
];
