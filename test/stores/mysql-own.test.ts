/** `flotilla/session/mysql`: what only MySQL and MariaDB have. Odd settings of sessions, notices in a table, replicas, rights, and pools of the application. */
import assert from "node:assert/strict";
import { chmodSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import mysqlCore from "mysql2";
import mysql from "mysql2/promise";
import { engineConformance } from "../../src/session/conformance/index.ts";
import { type MysqlPool, type MysqlStoreOptions, mysqlStore } from "../../src/session/stores/mysql/index.ts";
import { failed, hourMs, keyOf, newborn, opened, rowOf, write } from "../harness/engine-rows.ts";
import { makeCertificates } from "../harness/etcd.ts";
import { Mariadb, whyNoMariadb } from "../harness/mariadb.ts";
import { owned } from "../harness/other-user.ts";
import { temporaryFolder, until } from "../harness/process.ts";
import { tlsFile } from "../harness/tls.ts";

const guide = readFileSync(join(import.meta.dirname, "..", "..", "docs", "session-stores.md"), "utf8");
const ofA = { writer: "app-a", holder: "app-a" };
const ofB = { writer: "app-b", holder: "app-b" };
const quick = ["--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync"];

/** As an application may have made it. */
const oddSettings: mysql.PoolOptions = {
  charset: "latin1_swedish_ci",
  flags: ["-FOUND_ROWS"],
  timezone: "+05:30",
  ...{ supportBigNumbers: true, bigNumberStrings: true, decimalNumbers: true, dateStrings: true },
  ...{ namedPlaceholders: true, rowsAsArray: false, nestTables: "_" },
  typeCast: () => {
    throw new Error("a cast of the application");
  },
};

/** What the application says on each of its connections. */
const oddSession =
  "SET SESSION sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,HIGH_NOT_PRECEDENCE,SIMULTANEOUS_ASSIGNMENT,PAD_CHAR_TO_FULL_LENGTH', " +
  "time_zone = '+13:00', tx_isolation = 'READ-COMMITTED', collation_connection = 'latin1_german2_ci'";

describe("MariaDB's own", { skip: whyNoMariadb() ?? false }, () => {
  let server: Mariadb;
  let tables = 0;
  const nextTable = (): string => `sessions_${++tables}`;
  before(async () => {
    server = await Mariadb.start({ settings: quick });
  });
  after(() => server.remove());

  engineConformance({
    name: "MariaDB, pools of the application with odd settings,",
    waitingRulesAtOnce: 4,
    async open() {
      const table = nextTable();
      const ends: (() => Promise<void>)[] = [];
      return {
        connect() {
          const options = { uri: server.url(), connectionLimit: 8, ...oddSettings };
          const pool = mysqlCore.createPool(options as mysqlCore.PoolOptions);
          pool.on("connection", (connection) => connection.query(oddSession));
          // Every other one as those get it who use promises.
          const given: MysqlPool = ends.length % 2 === 0 ? pool : pool.promise();
          ends.push(() => pool.promise().end());
          return mysqlStore({ pool: given, table });
        },
        async end() {
          for (const end of ends) await end();
        },
      };
    },
  });

  test("the usual operation is one statement; where another holder is told it is a transaction", async (t) => {
    const table = nextTable();
    const engine = await opened(t, mysqlStore({ url: server.url(), table, connectionsMax: 1 }));
    // Prepares them.
    await engine.insert(keyOf(0), write({}, ofA), newborn);
    await engine.replace(keyOf(0), 1, write({}, ofA));
    await engine.remove(keyOf(0), "app-a");
    const statements = async (operation: () => Promise<unknown>): Promise<number> => {
      const count = async (): Promise<number> =>
        Number((await server.sql("SHOW GLOBAL STATUS LIKE 'Questions'"))[0]!.Value);
      const begin = await count();
      await operation();
      // Each count is a question itself.
      return (await count()) - begin - 1;
    };
    assert.equal(await statements(() => engine.insert(keyOf(1), write({ n: 1 }, ofA), newborn)), 1);
    await engine.read(keyOf(1));
    assert.equal(await statements(() => engine.read(keyOf(1))), 1);
    assert.equal(await statements(() => engine.replace(keyOf(1), 1, write({ n: 2 }, ofA))), 1);
    assert.equal(await statements(() => engine.touch([{ key: keyOf(1), idleTimeoutMs: hourMs }])), 1);
    assert.ok((await statements(() => engine.replace(keyOf(1), 2, write({ n: 3 }, ofB)))) <= 8);
    assert.equal(await statements(() => engine.remove(keyOf(1), "app-b")), 1);
  });

  test("notices: who begins to listen under the same name is told; the one before is told that he is not", async (t) => {
    const table = nextTable();
    const engine = await opened(t, mysqlStore({ url: server.url(), table }));
    const first = await engine.listen("app-a", () => assert.fail("told"));
    await first.prove();
    const told: string[] = [];
    const second = await engine.listen("app-a", (key) => told.push(key));
    await engine.insert(keyOf(1), write({}, ofA), newborn);
    await engine.remove(keyOf(1), "app-b");
    const error = await failed(first.prove());
    assert.match(error.message, /another process listens under this name/);
    await second.prove();
    assert.deepEqual(told, [keyOf(1)]);
    assert.equal((await server.sql(`SELECT 1 FROM ${table}_notices WHERE id <> ''`)).length, 0);
  });

  test("notices: those of a holder who is gone are removed; one who was only away for long finds that out", async (t) => {
    const table = nextTable();
    const engine = await opened(t, mysqlStore({ url: server.url(), table }));
    const channel = await engine.listen("app-a", () => {});
    await engine.insert(keyOf(1), write({}, ofA), newborn);
    await engine.insert(keyOf(2), write({}, { writer: "gone", holder: "gone" }), newborn);
    for (const n of [1, 2]) await engine.replace(keyOf(n), 1, write({}, ofB));
    await engine.removeExpired(10);
    assert.equal((await server.sql(`SELECT 1 FROM ${table}_notices`)).length, 3);
    await server.sql(`UPDATE ${table}_notices SET told_time = told_time - 601000 WHERE id <> ''`);
    await engine.removeExpired(10);
    assert.equal((await server.sql(`SELECT 1 FROM ${table}_notices`)).length, 0);
    const error = await failed(channel.prove());
    assert.match(error.message, /was away for too long/);
  });

  test("a server that becomes a replica: nothing is written, and it works again when it is a primary", async (t) => {
    const own = await Mariadb.startFor(t, { settings: quick });
    await own.sql("CREATE USER shop");
    await own.sql("GRANT ALL ON site.* TO shop");
    const engine = await opened(t, mysqlStore({ url: own.url("shop") }));
    await engine.insert(keyOf(1), write({ n: 1 }), newborn);
    await own.sql("SET GLOBAL read_only = 1");
    for (let n = 0; n < 2; n++) {
      const error = await failed(engine.replace(keyOf(1), 1, write({ n: 2 })));
      assert.equal(error.outcome, "nothing");
      assert.match(error.message, /is read-only/);
    }
    await own.sql("SET GLOBAL read_only = 0");
    assert.equal(await engine.replace(keyOf(1), 1, write({ n: 2 })), "done");
  });

  test("a deadlock: nothing was written", async (t) => {
    const table = nextTable();
    const engine = await opened(t, mysqlStore({ url: server.url(), table }));
    for (const n of [1, 2]) await engine.insert(keyOf(n), write({ n: 1 }), newborn);
    const outcome = await server.session(async (other) => {
      await other.query("SET SESSION innodb_lock_wait_timeout = 10");
      await other.query("START TRANSACTION");
      // Heavier than ours: the server ends the lighter one of two.
      await other.query(
        `INSERT INTO ${table} SELECT CONCAT('x', seq), '{}', 0, 0, 1, '', 0, 0, 0 FROM seq_1_to_200`,
      );
      await other.query(`SELECT 1 FROM ${table} WHERE id = ? FOR UPDATE`, [keyOf(2)]);
      const both = engine.touch([1, 2].map((n) => ({ key: keyOf(n), idleTimeoutMs: 2 * hourMs })));
      const failure = failed(both);
      // InnoDB's own tables show nothing new to who looks too often.
      const isWaiting = `SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO LIKE 'UPDATE%${table}%' AND STATE = 'Updating'`;
      await until("it waits", async () => (await server.sql(isWaiting)).length > 0);
      await other.query(`SELECT 1 FROM ${table} WHERE id = ? FOR UPDATE`, [keyOf(1)]);
      return await failure;
    });
    assert.equal(outcome.outcome, "nothing");
    assert.match(outcome.message, /Deadlock found/);
    assert.equal((await rowOf(engine, keyOf(1))).idleTimeoutMs, hourMs);
  });

  test("data that max_allowed_packet does not take are not sent", async (t) => {
    const small = await Mariadb.startFor(t, { settings: [...quick, "--max-allowed-packet=65536"] });
    const engine = await opened(t, mysqlStore({ url: small.url() }));
    await engine.insert(keyOf(1), write({ text: "x".repeat(60_000) }), newborn);
    const error = await failed(engine.replace(keyOf(1), 1, write({ text: "x".repeat(70_000) })));
    assert.equal(error.outcome, "unfit");
    assert.match(error.message, /takes no statement of more than 65536 bytes.*raise its max_allowed_packet/);
  });

  test("autocommit off: refused, for nothing would stay", async (t) => {
    const pool = mysql.createPool({ uri: server.url(), connectionLimit: 2 });
    t.after(() => pool.end());
    pool.on("connection", (connection) => connection.query("SET autocommit = 0"));
    const engine = mysqlStore({ pool, table: nextTable() });
    assert.match((await failed(engine.open())).message, /autocommit off/);
  });

  test("a user without rights: what an administrator has to run, and then it works", async (t) => {
    await server.sql("CREATE USER shop");
    await server.sql("CREATE DATABASE closed");
    const denied = mysqlStore({ url: server.url("shop", "closed") });
    t.after(() => denied.close());
    assert.match((await failed(denied.open())).message, /does not let "shop".*Access denied/);
    await server.sql("CREATE TABLE closed.other (id int)");
    await server.sql("GRANT SELECT ON closed.other TO shop");
    const engine = mysqlStore({ url: server.url("shop", "closed") });
    t.after(() => engine.close());
    const error = await failed(engine.open());
    assert.equal(error.outcome, "nothing");
    const remedy = /an administrator can: (.*)$/.exec(error.message)![1]!;
    const all = remedy.split(/; (?=CREATE|GRANT)/);
    for (const statement of all.slice(0, 3)) await server.sql(statement, "closed");
    assert.match((await failed(engine.open())).message, /flotilla_sessions/);
    for (const statement of all.slice(3)) await server.sql(statement, "closed");
    await engine.open();
    assert.equal(await engine.insert(keyOf(1), write({}), newborn), true);
  });

  test("rights that are taken away in use, and given back for the database: they are used without a restart", async (t) => {
    const own = await Mariadb.startFor(t, { settings: quick });
    await own.sql("CREATE USER shop");
    await own.sql("GRANT ALL ON site.* TO shop");
    const engine = await opened(t, mysqlStore({ url: own.url("shop") }));
    await engine.insert(keyOf(1), write({ n: 1 }), newborn);
    await own.sql("REVOKE ALL ON site.* FROM shop");
    await own.sql("GRANT SELECT ON site.* TO shop");
    await until("its connections have these rights", async () => {
      await own.sql("KILL USER shop");
      const error = await engine.replace(keyOf(1), 1, write({ n: 2 })).then(
        () => null,
        (thrown: Error) => thrown,
      );
      return error !== null && /does not let "shop@%" use/.test(error.message);
    });
    assert.equal((await rowOf(engine, keyOf(1))).version >= 1, true);
    await own.sql("GRANT ALL ON site.* TO shop");
    await until("it may write", async () => {
      const { version } = await rowOf(engine, keyOf(1));
      return (await engine.replace(keyOf(1), version, write({ n: 3 })).catch(() => null)) === "done";
    });
  });

  test("tables of somebody else, of another engine, collation or type: what is wrong, and what to run", async (t) => {
    const [other, old] = [nextTable(), nextTable()];
    await server.sql(`CREATE TABLE ${other} (session_id varchar(128) PRIMARY KEY, expires int, data text)`);
    const error = await failed(opened(t, mysqlStore({ url: server.url(), table: other })));
    assert.match(error.message, /without the columns id, access_time, .*name another one \(table:\)/);
    await opened(t, mysqlStore({ url: server.url(), table: old }));
    for (const damage of [
      `ALTER TABLE ${old} ENGINE=MyISAM`,
      `ALTER TABLE ${old} MODIFY id varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL`,
      `ALTER TABLE ${old} DROP COLUMN holder`,
      `ALTER TABLE ${old} MODIFY data longblob NOT NULL`,
    ]) {
      await server.sql(damage);
      const found = await failed(opened(t, mysqlStore({ url: server.url(), table: old })));
      const cure = found.message.slice(found.message.search(/(?:DELETE|ALTER) /));
      for (const statement of cure.split("; ")) await server.sql(statement);
    }
    const engine = await opened(t, mysqlStore({ url: server.url(), table: old }));
    assert.equal(await engine.insert(keyOf("a"), write({}), newborn), true);
    assert.equal(await engine.insert(keyOf("A"), write({}), newborn), true);
  });

  test("the table of notices alone is dropped: it is made anew by itself, and who listens is told that he may have missed some", async (t) => {
    const table = nextTable();
    const engine = await opened(t, mysqlStore({ url: server.url(), table }));
    const channel = await engine.listen("app-a", () => {});
    await engine.insert(keyOf(1), write({ n: 1 }, ofA), newborn);
    await server.sql(`DROP TABLE ${table}_notices`);
    const error = await failed(engine.replace(keyOf(1), 1, write({ n: 2 }, ofB)));
    assert.deepEqual(
      [error.outcome, /has lost a table/.test(error.message)],
      ["nothing", true],
      error.message,
    );
    await until("it is there again", async () => {
      const row = await rowOf(engine, keyOf(1));
      const outcome = await engine.replace(keyOf(1), row.version, write({ n: 2 }, ofB)).catch(() => null);
      return outcome === "done";
    });
    await failed(channel.prove());
  });

  test("a column that can't hold all is refused at the start, and writes nothing else when it becomes so in use", async (t) => {
    const table = nextTable();
    const loose = await Mariadb.startFor(t, { settings: [...quick, "--sql-mode="] });
    const engine = await opened(t, mysqlStore({ url: loose.url(), table }));
    await engine.insert(keyOf(1), write({ n: 1 }), newborn);
    await loose.sql(`ALTER TABLE ${table} MODIFY data text CHARACTER SET latin1 NOT NULL`);
    for (const value of ["x".repeat(70_000), "\u{1f469}"])
      assert.equal((await failed(engine.replace(keyOf(1), 1, write({ value })))).outcome, "unfit");
    assert.equal((await rowOf(engine, keyOf(1))).version, 1);
    await loose.sql(`ALTER TABLE ${table} MODIFY data longtext CHARACTER SET latin1 NOT NULL`);
    const error = await failed(opened(t, mysqlStore({ url: loose.url(), table })));
    assert.match(error.message, /^MariaDB at .* can't hold all characters \(latin1_\w+\): run/);
    await loose.sql(error.message.slice(error.message.search(/ALTER /)));
    await opened(t, mysqlStore({ url: loose.url(), table }));
  });

  test("a trigger that refuses: nothing was written", async (t) => {
    const table = nextTable();
    const engine = await opened(t, mysqlStore({ url: server.url(), table }));
    await engine.insert(keyOf(1), write({ n: 1 }), newborn);
    const refuse = "FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not today'";
    await server.sql(`CREATE TRIGGER ${table}_refuses AFTER UPDATE ON ${table} ${refuse}`);
    const error = await failed(engine.replace(keyOf(1), 1, write({ n: 2 })));
    assert.deepEqual([error.outcome, /not today/.test(error.message)], ["nothing", true], error.message);
    assert.equal((await rowOf(engine, keyOf(1))).version, 1);
  });

  test("a long name of the table: its notices have a name that the server takes", async (t) => {
    const engine = await opened(t, mysqlStore({ url: server.url(), table: "s".repeat(63) }));
    assert.equal(await engine.insert(keyOf(1), write({}), newborn), true);
  });

  test("what is no pool, and options that can't be: refused when the store is made", async (t) => {
    const connection = await mysql.createConnection(server.url());
    t.after(() => connection.end());
    const refused: [options: unknown, message: RegExp][] = [
      [{}, /\{ url \}.*either a url or a pool/],
      [{ pool: connection }, /\{ pool \}/],
      [{ pool: {} }, /\{ pool \}/],
      [{ pool: null }, /\{ pool \}/],
      ["mysql://a@b/c", /\{ url \}.*in braces/],
      [{ url: "postgres://a@b/c" }, /\{ url \}/],
      [{ url: "mysql://a@b/c", dataType: "jsonb" }, /\{ dataType \}.*longtext, longblob, json/],
      [{ url: "mysql://a@b/c?ssl-mode=DISABLED", tls: {} }, /\{ tls \}/],
    ];
    for (const [options, message] of refused)
      assert.throws(() => mysqlStore(options as MysqlStoreOptions), {
        ...{ code: "FLOTILLA_SESSION_OPTION", message },
      });
  });

  test("a password that is wrong, a database that is not there: said without the password", async (t) => {
    await server.sql("CREATE USER guarded IDENTIFIED BY 'geheim'");
    const at = `127.0.0.1:${server.port}`;
    const wrong: [url: string, message: RegExp][] = [
      [`mysql://guarded:falsch@${at}/site`, /does not take the user or the password/],
      [`mysql://guarded@${at}/site`, /using password: NO/],
      [`mysql://root@${at}/none`, /has no database "none"/],
    ];
    for (const [url, message] of wrong) {
      const error = await failed(opened(t, mysqlStore({ url })));
      assert.equal(error.outcome, "nothing");
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /falsch|geheim/);
    }
  });

  test("TLS: the certificate is checked, by the host's address or by the name that is said", async (t) => {
    const folder = owned(temporaryFolder(t), "mysql");
    const { ca, cert, key } = makeCertificates(folder);
    chmodSync(key, 0o644);
    const secure = await Mariadb.startFor(t, {
      settings: [...quick, `--ssl-cert=${cert}`, `--ssl-key=${key}`],
    });
    const url = secure.url();
    const texts = { ca: readFileSync(ca) };
    const works: MysqlStoreOptions[] = [
      { url, tls: texts },
      { url, tls: () => ({ ...texts, servername: "127.0.0.1." }) },
      { url: `${url}?ssl-mode=VERIFY_CA`, tls: texts },
      { url: `${url}?ssl-mode=REQUIRED` },
    ];
    for (const [n, options] of works.entries()) {
      const engine = await opened(t, mysqlStore({ ...options, table: nextTable() }));
      assert.equal(await engine.insert(keyOf(n), write({}), newborn), true);
    }
    const wrong: [options: MysqlStoreOptions, message: RegExp][] = [
      [{ url: `${url}?ssl-mode=VERIFY_IDENTITY` }, /can't be trusted/],
      [{ url, tls: { ca: tlsFile("ca.pem") } }, /can't be trusted/],
      [{ url, tls: { ...texts, servername: "db.example" } }, /can't be trusted .*db\.example/],
    ];
    for (const [options, message] of wrong) {
      const error = await failed(opened(t, mysqlStore(options)));
      assert.equal(error.outcome, "nothing");
      assert.match(error.message, message);
    }
  });

  test("its socket in the file system", async (t) => {
    const url = `mysql://root@localhost/site?socket=${join(server.folder, "socket")}`;
    const engine = await opened(t, mysqlStore({ url, table: nextTable() }));
    assert.equal(await engine.insert(keyOf(1), write({}), newborn), true);
  });

  test("the guide's user and tables work as they stand there", async (t) => {
    const sql = [...guide.matchAll(/```sql\n-- MariaDB\n([^`]*)```/g)].map((match) => match[1]!);
    assert.equal(sql.length, 1);
    const fresh = await Mariadb.startFor(t, { settings: quick });
    for (const statement of sql[0]!.split(";").filter((each) => each.trim() !== ""))
      await fresh.sql(statement);
    const engine = await opened(t, mysqlStore({ url: fresh.url("shop") }));
    assert.equal(await engine.insert(keyOf(1), write({}, ofA), newborn), true);
    const channel = await engine.listen("app-a", () => {});
    await engine.remove(keyOf(1), "app-b");
    await channel.prove();
    channel.close();
  });
});
