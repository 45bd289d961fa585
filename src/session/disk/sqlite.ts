/** Node's own SQLite, loaded by those who need it: a process that never saves or reads sessions does not. */
import type { DatabaseSync } from "node:sqlite";

type Sqlite = typeof import("node:sqlite");

/** @throws when there is no such file, or it is no database. */
export function openDatabase(path: string, readOnly: boolean): DatabaseSync {
  const { DatabaseSync } = load();
  return new DatabaseSync(path, { readOnly });
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
