/**
 * A session store of one's own, complete: sessions in an SQLite file that all processes of a machine share. Made to be read
 * (docs/session-stores.md, "A store of your own"); it passes `flotilla/session/conformance`. Each statement blocks its process for a moment:
 * a database with a driver that waits asynchronously is used in the same way.
 */
import { DatabaseSync } from "node:sqlite";
import { endsAfterMs, SessionEngineError } from "flotilla/session";

const tables = `
  CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY, data TEXT NOT NULL, version INTEGER NOT NULL, holder TEXT NOT NULL, idle_timeout REAL NOT NULL,
    used_at REAL NOT NULL, created_at REAL NOT NULL, absolute_timeout REAL NOT NULL, ends_at REAL NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS sessions_by_end ON sessions (ends_at);
  CREATE TABLE IF NOT EXISTS notices (
    number INTEGER PRIMARY KEY AUTOINCREMENT, holder TEXT NOT NULL, id TEXT NOT NULL, told_at REAL NOT NULL
  ) STRICT;`;

const noticesKeptMs = 600_000;
const living = "SELECT * FROM sessions WHERE id = ? AND ends_at > ?";

/** @param {{ path: string }} options @returns {import("flotilla/session").SessionEngine} */
export function sharedSqliteStore({ path }) {
  let database = null;

  /** Each operation is one transaction: all of it happens, or nothing. The clock is the machine's, so one for all processes. */
  async function atOnce(work) {
    if (database === null) throw new SessionEngineError("it is not open", "nothing");
    let isCommitting = false;
    try {
      database.exec("BEGIN IMMEDIATE");
      const result = work(Date.now());
      isCommitting = true;
      database.exec("COMMIT");
      return result;
    } catch (error) {
      if (database.isTransaction) database.exec("ROLLBACK");
      // What a commit that failed has done nobody knows; before it surely nothing was written, and the visitor may try again.
      throw isCommitting ? error : new SessionEngineError(`${path}: ${error.message}`, "nothing", error);
    }
  }

  function run(statement, ...values) {
    return Number(database.prepare(statement).run(...values).changes);
  }

  function notify(row, writer, now) {
    if (row.holder === "" || row.holder === writer) return;
    run("INSERT INTO notices (holder, id, told_at) VALUES (?, ?, ?)", row.holder, row.id, now);
  }

  return {
    name: `SQLite in ${path}`,
    // This database calls nobody: it is asked for notices so often.
    proveIntervalMs: 250,

    async open() {
      if (database !== null) return;
      const opened = new DatabaseSync(path);
      try {
        opened.exec(`PRAGMA busy_timeout = 1000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;`);
        opened.exec(`BEGIN IMMEDIATE; ${tables} COMMIT;`);
        database = opened;
      } catch (error) {
        opened.close();
        throw error;
      }
    },

    read: (key) =>
      atOnce((now) => {
        const row = database.prepare(living).get(key, now);
        return row === undefined ? null : shown(row, now);
      }),

    insert: (key, { data, holder, idleTimeoutMs }, { ageMs, absoluteTimeoutMs }) =>
      atOnce((now) => {
        run("DELETE FROM sessions WHERE id = ? AND ends_at <= ?", key, now);
        const row = { used_at: now, created_at: now - ageMs, absolute_timeout: absoluteTimeoutMs };
        const times = [idleTimeoutMs, now, row.created_at, absoluteTimeoutMs, endOf(row, idleTimeoutMs)];
        const values = [key, data, 1, holder, ...times];
        return run("INSERT OR IGNORE INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", ...values) === 1;
      }),

    replace: (key, version, { data, writer, holder, idleTimeoutMs }) =>
      atOnce((now) => {
        const row = database.prepare(living).get(key, now);
        if (row === undefined) return "gone";
        if (row.version !== version) return "changed";
        run(
          "UPDATE sessions SET data = ?, version = ?, holder = ?, idle_timeout = ?, used_at = ?, ends_at = ? WHERE id = ?",
          ...[
            data,
            version + 1,
            holder,
            idleTimeoutMs,
            now,
            endOf({ ...row, used_at: now }, idleTimeoutMs),
            key,
          ],
        );
        // In the same transaction: no change without its notice, and no notice without its change.
        notify(row, writer, now);
        return "done";
      }),

    touch: (touches) =>
      atOnce((now) => {
        for (const { key, idleTimeoutMs } of touches) {
          const row = database.prepare(living).get(key, now);
          if (row === undefined) continue;
          const timeoutMs = Math.max(row.idle_timeout, idleTimeoutMs);
          const ends = endOf({ ...row, used_at: now }, timeoutMs);
          const statement = "UPDATE sessions SET idle_timeout = ?, used_at = ?, ends_at = ? WHERE id = ?";
          run(statement, timeoutMs, now, ends, key);
        }
      }),

    remove: (key, writer) =>
      atOnce((now) => {
        const row = database.prepare(living).get(key, now);
        run("DELETE FROM sessions WHERE id = ?", key);
        if (row !== undefined) notify(row, writer, now);
      }),

    removeExpired: (rowsMax) =>
      atOnce((now) => {
        run("DELETE FROM notices WHERE told_at < ?", now - noticesKeptMs);
        const ended = "SELECT id FROM sessions WHERE ends_at <= ? LIMIT ?";
        return run(`DELETE FROM sessions WHERE id IN (${ended})`, now, rowsMax);
      }),

    list: (after, rowsMax) =>
      atOnce((now) => {
        const statement = "SELECT * FROM sessions WHERE id > ? AND ends_at > ? ORDER BY id LIMIT ?";
        const rows = database.prepare(statement).all(after, now, rowsMax);
        return rows.map((row) => ({ key: row.id, ...shown(row, now) }));
      }),

    count: () =>
      atOnce((now) => database.prepare("SELECT count(*) AS n FROM sessions WHERE ends_at > ?").get(now).n),

    async listen(holder, onChanged) {
      const last = "SELECT coalesce(max(number), 0) AS number FROM notices";
      let seen = await atOnce(() => database.prepare(last).get().number);
      let provenAt = Date.now();
      let isClosed = false;
      return {
        async prove() {
          const askedAt = Date.now();
          // Nobody asked for so long that notices may have been removed unread.
          if (isClosed || askedAt - provenAt > noticesKeptMs / 2) throw new Error("notices may be missing");
          const unseen = "SELECT number, id FROM notices WHERE holder = ? AND number > ? ORDER BY number";
          const notices = await atOnce(() => database.prepare(unseen).all(holder, seen));
          provenAt = askedAt;
          for (const { number, id } of notices) {
            seen = Math.max(seen, number);
            if (!isClosed) onChanged(id);
          }
        },
        close() {
          isClosed = true;
        },
      };
    },

    async close() {
      database?.close();
      database = null;
    },
  };
}

function endOf({ used_at, created_at, absolute_timeout }, idleTimeoutMs) {
  return Math.min(used_at + endsAfterMs(idleTimeoutMs), created_at + absolute_timeout);
}

function shown(row, now) {
  const { data, version, holder, idle_timeout, used_at, created_at, absolute_timeout } = row;
  return {
    ...{ data, version, holder, idleTimeoutMs: idle_timeout, absoluteTimeoutMs: absolute_timeout },
    ...{ idleForMs: now - used_at, ageMs: now - created_at },
  };
}
