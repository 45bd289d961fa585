/** What the database of `durability: backup+disk` holds: copies of slots, `<folder>/sessions.db`. */
import type { DatabaseForm } from "./database-file.ts";
import { databaseName } from "./database-names.ts";

/**
 * `state` has one row: which changes of which process are in it, for how long its processes ran, and the id of the register that says
 * which of the copies count.
 *
 * A copy's sessions lie together: the number of a row begins with that of the copy. WITHOUT ROWID would keep rows in the inner
 * pages of the tree and, above a quarter of a page, in pages of their own: 4.7 KB for a session of 1 KiB, against 1.6.
 *
 * `due` is never after the end of a session, and mostly before it: that the session was used does not change it, so a use
 * costs no change of the index.
 */
const schema: readonly string[] = [
  `CREATE TABLE state (
    id INTEGER PRIMARY KEY, owner TEXT NOT NULL, batch TEXT NOT NULL, running_ms REAL NOT NULL, register TEXT NOT NULL
  ) STRICT`,
  `CREATE TABLE copies (
    id INTEGER PRIMARY KEY, slot INTEGER NOT NULL, incarnation TEXT NOT NULL, epoch INTEGER NOT NULL, pos INTEGER NOT NULL,
    status INTEGER NOT NULL, sessions INTEGER NOT NULL, checksum INTEGER NOT NULL
  ) STRICT`,
  `CREATE TABLE sessions (
    id INTEGER PRIMARY KEY, copy INTEGER NOT NULL, key TEXT NOT NULL, idle_timeout_ms REAL NOT NULL, used_at REAL NOT NULL,
    absolute_timeout_ms REAL NOT NULL, created_at REAL NOT NULL, due REAL NOT NULL, checksum INTEGER NOT NULL, data BLOB NOT NULL
  ) STRICT`,
  "CREATE UNIQUE INDEX sessions_by_key ON sessions (copy, key)",
  "CREATE INDEX sessions_by_due ON sessions (copy, due)",
];

export const copiesForm: DatabaseForm = {
  fileName: databaseName,
  /** "FLOD". */
  format: { applicationId: 0x464c_4f44, version: 3 },
  schema,
  stateAtFirst: "'', 0, ''",
  whenGone: "put it back, or it is made anew as soon as other servers have all sessions",
};
