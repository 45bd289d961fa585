/** What PostgreSQL and the network say, in words for a person at night: what, where, and what to do. No password is in them. */
import type { PostgresAddress } from "../../config/model.ts";
import { codeOf, FlotillaError, messageOf } from "../../support/errors.ts";
import { postgres as limits } from "../../support/limits.ts";
import { AnswerLost } from "./connection.ts";
import { createTable, quotedTable } from "./statements.ts";

export interface Whereabouts {
  readonly address: PostgresAddress;
  /** "10.0.0.5:5432". */
  readonly place: string;
  /** Of a statement: as the file writes it. */
  readonly table?: string;
}

/** One line, without a period at its end. */
export function troubleInWords(error: unknown, whereabouts: Whereabouts): string {
  if (error instanceof FlotillaError) return error.message;
  const { address, place } = whereabouts;
  if (error instanceof AnswerLost) return `PostgreSQL at ${place}: the connection was lost: ${short(error)}`;
  const code = codeOf(error);
  const known = byCode[code] ?? tlsWords(code, messageOf(error));
  if (known !== undefined) return `PostgreSQL at ${place} ${known(whereabouts, short(error))}`;
  const user = address.user === "" ? "" : ` as ${JSON.stringify(address.user)}`;
  return `PostgreSQL at ${place} can't be used${user}: ${short(error)}${code === "" ? "" : ` (${code})`}`;
}

type Words = (whereabouts: Whereabouts, said: string) => string;

const notReached: Words = (_, said) =>
  `can't be reached (${said}): is it running, does it listen at that address (listen_addresses), and does no firewall stand between?`;
const notYet: Words = (_, said) => `does not take connections just now: ${said}`;

/** By SQLSTATE, or by the system's code. */
const byCode: Readonly<Record<string, Words>> = {
  ECONNREFUSED: notReached,
  EHOSTUNREACH: notReached,
  ENETUNREACH: notReached,
  ETIMEDOUT: notReached,
  ENOENT: (_, said) => `can't be reached: ${said}`,
  ENOTFOUND: (_, said) => `can't be reached: its name has no address (${said})`,
  "28P01": ({ address }) =>
    `does not take the password of ${JSON.stringify(address.user)}: correct it in the file (of a password in an address, % @ : / ? # are written %25 %40 %3A %2F %3F %23)`,
  "28000": (_, said) => `lets nobody in with these settings (${said}): see pg_hba.conf there`,
  "3D000": ({ address }) =>
    `has no database ${JSON.stringify(address.database)}: make it (CREATE DATABASE), or correct the file`,
  "53300": () =>
    "has no connection left: raise max_connections, or find out who holds them (pg_stat_activity)",
  "57P03": notYet,
  "57P01": notYet,
  "53100": (_, said) =>
    `has a full disk (${said}): make room there; until then the register can be read but not be changed`,
  "25006": () =>
    "is read-only (default_transaction_read_only, or its provider's guard against a full disk): the register can be read but not be changed",
  "42501": ({ address, table = "" }) =>
    `does not let ${JSON.stringify(address.user)} use or make the table ${table}: have an administrator run, in the database ${JSON.stringify(address.database)}: ${createTable(quotedTable(table))}; GRANT SELECT, INSERT, UPDATE ON ${quotedTable(table)} TO ${quoted(address.user)}`,
  "3F000": ({ table = "" }) =>
    `has no schema for the table ${table}: make it (CREATE SCHEMA), or correct the file`,
  "55P03": ({ table = "" }) =>
    `kept a change waiting for too long: another transaction holds the row in ${table} (see pg_stat_activity), or a change before waits for a synchronous standby that does not answer`,
  "42703": ({ table = "" }) =>
    `has a table ${table} that is not a register: name another one (table:), or rename that one`,
};

function tlsWords(code: string, message: string): Words | undefined {
  if (message === "timeout expired")
    return () =>
      `did not answer within ${limits.connectTimeoutMs / 1_000} s: does a firewall stand between, or is the machine down?`;
  if (message === "The server does not support SSL connections")
    return () =>
      "offers no TLS: turn it on there (ssl = on), or write sslmode=disable if the network between is trusted";
  if (message.startsWith("SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be"))
    return ({ address }) => `wants a password of ${JSON.stringify(address.user)}, and the file gives none`;
  if (/CERT|SIGNATURE|ERR_TLS|ERR_SSL|SELF_SIGNED/.test(code))
    return (_, said) =>
      `has a certificate that is not trusted here (${said}): name its authority (sslrootcert), or correct the host's name`;
  return undefined;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** One line of what came from outside. */
function short(error: unknown): string {
  return messageOf(error).replace(/\s+/g, " ").slice(0, limits.messageCharactersMax);
}
