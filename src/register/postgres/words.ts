/** What PostgreSQL and the network say, in words for a person at night: what, where, and what to do. No password is in them. */
import type { PostgresSettings } from "../../config/model.ts";
import { codeOf, FlotillaError, messageOf } from "../../support/errors.ts";
import { postgres as limits } from "../../support/limits.ts";
import { AnswerLost } from "./connection.ts";
import { createTable, quotedName, quotedTable } from "./statements.ts";

export interface Whereabouts {
  readonly user: string;
  readonly database: string;
  /** "10.0.0.5:5432". */
  readonly place: string;
  /** With its schema, if any. */
  readonly table: string;
  /** What stands in it: "the register", "sessions". */
  readonly kept: string;
  /** SQL for an administrator that makes the table, and gives the user his rights. */
  readonly remedy: string;
}

/** Of the register. */
export function registerAt({ address, table }: PostgresSettings, place: string): Whereabouts {
  const { user, database } = address;
  const name = quotedTable(table);
  const remedy = `${createTable(name)}; GRANT SELECT, INSERT, UPDATE ON ${name} TO ${quotedName(user)}`;
  return { user, database, place, table, kept: "the register", remedy };
}

/** One line, without a period at its end. */
export function troubleInWords(error: unknown, whereabouts: Whereabouts): string {
  if (error instanceof FlotillaError) return error.message;
  const { user, place } = whereabouts;
  const said = lineOf(error);
  if (error instanceof AnswerLost)
    return `PostgreSQL at ${place} did not answer (${said}): start it, or mend the network between`;
  const code = codeOf(error);
  const words = byCode[code] ?? byMessage.find(({ pattern }) => pattern.test(`${code} ${said}`))?.words;
  if (words !== undefined) return `PostgreSQL at ${place} ${words(whereabouts, said)}`;
  return `PostgreSQL at ${place} can't be used by ${JSON.stringify(user)}: ${said}${code && ` (${code})`}`;
}

type Words = (whereabouts: Whereabouts, said: string) => string;

const notReached: Words = (_, said) =>
  `can't be reached (${said}): start it, let it listen there (listen_addresses), or mend the network between`;
const notYet: Words = (_, said) => `takes no connections just now (${said})`;
const notAllowed: Words = ({ user, database, table, remedy }) =>
  `does not let ${JSON.stringify(user)} use or make the table ${table}; an administrator can, in the database ${JSON.stringify(database)}: ${remedy}`;
const otherTable: Words = ({ table }, said) =>
  `has a table ${table} that Flotilla has not made (${said}): name another one (table:), or rename that one`;

/** By SQLSTATE (PostgreSQL, "Error Codes"), or by the system's code. */
const byCode: Readonly<Record<string, Words>> = {
  ECONNREFUSED: notReached,
  ECONNRESET: notReached,
  EHOSTUNREACH: notReached,
  ENETUNREACH: notReached,
  ETIMEDOUT: notReached,
  ENOENT: notReached,
  EACCES: notReached,
  ENOTFOUND: (_, said) => `can't be reached: its name has no address (${said})`,
  EAI_AGAIN: (_, said) => `can't be reached: its name can't be looked up (${said})`,
  "28P01": ({ user }) => `does not take the password of ${JSON.stringify(user)}: correct it`,
  "28000": (_, said) => `does not let us in (${said}): see its pg_hba.conf`,
  "3D000": ({ database }) =>
    `has no database ${JSON.stringify(database)}: make it (CREATE DATABASE), or name another one`,
  "53300": () => "has no connection left: raise its max_connections, or see who has them (pg_stat_activity)",
  "57P01": notYet,
  "57P03": notYet,
  "53100": ({ kept }, said) =>
    `has a full disk (${said}): make room there; until then ${kept} can be read, not changed`,
  "25006": ({ kept }) =>
    `is read-only (default_transaction_read_only; some providers set it when a disk is full): ${kept} can be read, not changed`,
  "42501": notAllowed,
  "3F000": ({ table }) =>
    `has no schema for the table ${table}: make it (CREATE SCHEMA), or name another one`,
  "55P03": ({ table }) =>
    `kept a change waiting: another transaction holds the row in ${table} (see pg_stat_activity), or a change before it waits for a synchronous standby`,
  "42703": otherTable,
  "42804": otherTable,
  "42883": otherTable,
  "42809": otherTable,
  "42P10": otherTable,
};

/** What the library and TLS say in words of theirs; the code of the error stands before them. */
const byMessage: readonly { readonly pattern: RegExp; readonly words: Words }[] = [
  {
    pattern: /timeout expired$/,
    words: () =>
      `did not answer within ${limits.connectTimeoutMs / 1_000} s: start it, or mend the network between`,
  },
  {
    pattern: /server does not support SSL/,
    words: () =>
      "offers no TLS: turn it on there (ssl = on), or write sslmode=disable if you trust the network between",
  },
  {
    pattern: /client password must be/,
    words: ({ user }) => `wants a password of ${JSON.stringify(user)}, and there is none (password:)`,
  },
  {
    pattern: /^\w*(?:CERT|SIGNATURE|ERR_TLS|ERR_SSL|ERR_OSSL)/,
    words: (_, said) =>
      `can't be trusted (${said}): name the authority of its certificate (tls: { ca: ... }), or the name in it (serverName:)`,
  },
];

/** One line of what came from outside. */
function lineOf(error: unknown): string {
  const all = error instanceof AggregateError ? error.errors : [error];
  const said = all.map(messageOf).join(", ");
  return said.replace(/\s+/g, " ").slice(0, limits.messageCharactersMax);
}
