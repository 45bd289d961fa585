/** Node's own SQLite, loaded by those who need it: a process that never saves or reads sessions does not. */
import type { DatabaseSync } from "node:sqlite";

type Sqlite = typeof import("node:sqlite");

/** @throws when there is no such file, or it is no database. */
export function openDatabase(path: string, readOnly: boolean): DatabaseSync {
  const { DatabaseSync } = load();
  return new DatabaseSync(path, { readOnly });
}

/** @param question has one row with one column. */
export function numberIn(database: DatabaseSync, question: string): number {
  return Number(Object.values(database.prepare(question).get() ?? {})[0]);
}

/** Whose file it is, and in which form. */
export interface FileFormat {
  /** Four letters: what `file` says of it. */
  readonly applicationId: number;
  readonly version: number;
}

/** A database that this program does not read. */
export class FormatError extends Error {}

/** Nothing is wrong with it: the program that wrote it can read it. */
export class OtherVersionError extends FormatError {}

/** @throws FormatError */
export function requireFormat(database: DatabaseSync, { applicationId, version }: FileFormat): void {
  if (numberIn(database, "PRAGMA application_id") !== applicationId)
    throw new FormatError("it is a database of another program");
  const found = numberIn(database, "PRAGMA user_version");
  if (found === version) return;
  const which = found > version ? "newer" : "older";
  throw new OtherVersionError(
    `it was written by ${which} Flotilla (format ${found}, this one reads ${version})`,
  );
}

/** To mark a new one. */
export function formatPragmas({ applicationId, version }: FileFormat): string {
  return `PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${version}`;
}

/** Node 22 and early 24 warn at its first use that it is experimental; what we use of it has not changed since. */
function load(): Sqlite {
  const { emitWarning } = process;
  process.emitWarning = ((warning: string | Error, ...rest: unknown[]): void => {
    if (!String(warning).includes("SQLite")) Reflect.apply(emitWarning, process, [warning, ...rest]);
  }) as typeof emitWarning;
  try {
    return process.getBuiltinModule("node:sqlite");
  } finally {
    process.emitWarning = emitWarning;
  }
}
