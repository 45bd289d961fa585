/** `flotilla/session/postgres`: what only PostgreSQL has. Poolers, standbys, notices, rights, and pools of the application. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import pg from "pg";
import { findProgram } from "../../bench/commands.ts";
import { engineConformance } from "../../src/session/conformance/index.ts";
import { type PostgresStoreOptions, postgresStore } from "../../src/session/stores/postgres/index.ts";
import { failed, keyOf, newborn, opened, rowOf, write } from "../harness/engine-rows.ts";
import { freePorts } from "../harness/free-ports.ts";
import { otherUser, owned } from "../harness/other-user.ts";
import { Postgres, whyNoPostgres } from "../harness/postgres.ts";
import { start, temporaryFolder, until } from "../harness/process.ts";

const guide = readFileSync(join(import.meta.dirname, "..", "..", "docs", "session-stores.md"), "utf8");
const ofA = { writer: "app-a", holder: "app-a" };
const ofB = { writer: "app-b", holder: "app-b" };

/** As an application may have made it: with settings and parsers of its own. */
function oddPool(server: Postgres): pg.Pool {
  const types = {
    getTypeParser: () => () => {
      throw new Error("a parser of the application");
    },
  } as unknown as pg.CustomTypesConfig;
  const pool = new pg.Pool({
    ...{ connectionString: server.url(), max: 8, types },
    options:
      "-c TimeZone=Asia/Kolkata -c DateStyle=German -c bytea_output=escape -c standard_conforming_strings=off -c backslash_quote=off",
  });
  pool.on("error", () => {});
  return pool;
}

describe("PostgreSQL's own", { skip: whyNoPostgres() ?? false }, () => {
  let server: Postgres;
  let tables = 0;
  const nextTable = (): string => `sessions_${++tables}`;
  before(async () => {
    server = await Postgres.start();
  });
  after(() => server.remove());

  engineConformance({
    name: "PostgreSQL, pools of the application with odd settings,",
    waitingRulesAtOnce: 4,
    async open() {
      const table = nextTable();
      const pools: pg.Pool[] = [];
      return {
        connect() {
          const pool = oddPool(server);
          pools.push(pool);
          return postgresStore({ pool, table });
        },
        async end() {
          for (const pool of pools) {
            assert.equal(pool.ended, false, "it is the application's");
            await pool.end();
          }
        },
      };
    },
  });

  test("a pool of the application: prepared statements that it throws away, clients that it kills", async (t) => {
    const pool = new pg.Pool({ connectionString: server.url(), max: 1 });
    t.after(() => pool.end());
    const engine = await opened(t, postgresStore({ pool, table: nextTable() }));
    await engine.insert(keyOf(1), write({ n: 1 }), newborn);
    await rowOf(engine, keyOf(1));
    await pool.query("DISCARD ALL");
    assert.equal((await rowOf(engine, keyOf(1))).version, 1);
    assert.equal(await engine.replace(keyOf(1), 1, write({ n: 2 })), "done");
    const { rows } = await pool.query("SELECT pg_backend_pid() AS pid");
    const isGone = new Promise<void>((resolve) => pool.once("remove", () => resolve()));
    await server.sql("SELECT pg_terminate_backend($1)", [rows[0].pid]);
    await isGone;
    assert.equal((await rowOf(engine, keyOf(1))).version, 2);
    const error = await failed(engine.listen("app-a", () => {}));
    assert.match(error.message, /a connection of their own/);
  });

  test("a pool of the application that pipelines, and one whose statements have a timeout", async (t) => {
    const table = nextTable();
    for (const settings of [{ pipeline: true }, { query_timeout: 300 }]) {
      const pool = new pg.Pool({ ...{ connectionString: server.url(), max: 2 }, ...settings });
      t.after(() => pool.end());
      const engine = await opened(t, postgresStore({ pool, table }));
      await engine.remove(keyOf(1), "");
      await engine.insert(keyOf(1), write({ n: 1 }), newborn);
      assert.equal(await engine.replace(keyOf(1), 1, write({ n: 2 })), "done");
      assert.equal((await rowOf(engine, keyOf(1))).version, 2);
      const holder = new pg.Client(server.url());
      await holder.connect();
      await holder.query("BEGIN");
      await holder.query(`SELECT FROM ${table} FOR UPDATE`);
      const late = failed(engine.replace(keyOf(1), 2, write({ n: 3 })));
      const { message, outcome } = await late;
      const expected = "pipeline" in settings ? /another transaction holds the row/ : /Query read timeout/;
      assert.match(message, expected);
      assert.equal(outcome, "pipeline" in settings ? "nothing" : "unknown");
      await holder.end();
    }
  });

  test("a pool of the application whose transactions are repeatable: who is not the first is told that it has changed", async (t) => {
    const pool = new pg.Pool({
      connectionString: server.url(),
      options: "-c default_transaction_isolation=repeatable\\ read",
    });
    t.after(() => pool.end());
    const engine = await opened(t, postgresStore({ pool, table: nextTable() }));
    await engine.insert(keyOf(1), write({ n: 1 }), newborn);
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, (_, n) => engine.replace(keyOf(1), 1, write({ n }))),
    );
    assert.deepEqual(outcomes.sort(), [...Array(9).fill("changed"), "done"]);
  });

  test("what is no pool, and options that can't be: refused when the store is made", async () => {
    const refused: [options: unknown, message: RegExp][] = [
      [{}, /\{ url \}.*either a url or a pool/],
      [{ pool: new pg.Client() }, /\{ pool \}.*not one of its clients/],
      [{ pool: {} }, /\{ pool \}/],
      ["postgres://a@b/c", /\{ url \}.*in braces/],
      [new pg.Pool(), /\{ pool \}.*in braces/],
      [{ url: "mysql://a@b/c" }, /\{ url \}/],
      [{ url: "postgres://10.0.0.5/shop" }, /\{ user \}/],
      [{ url: "postgres://u:p@10.0.0.5/shop", password: "x" }, /\{ password \}.*too/],
      [{ url: "postgres://u@10.0.0.5/shop", table: "Sessions; DROP" }, /\{ table \}/],
      [{ url: "postgres://u@10.0.0.5/shop", dataType: "longtext" }, /\{ dataType \}.*text, jsonb, bytea/],
      [{ url: "postgres://u@10.0.0.5/shop", connectionsMax: 0 }, /\{ connectionsMax \}/],
      [{ url: "postgres://u@10.0.0.5/shop", tabel: "x" }, /\{ tabel \}/],
      [{ url: "postgres://u@10.0.0.5/shop?sslmode=disable", tls: {} }, /\{ tls \}/],
      [{ pool: oddPool(server), user: "x" }, /\{ user \}.*the pool says it/],
    ];
    for (const [options, message] of refused)
      assert.throws(() => postgresStore(options as PostgresStoreOptions), {
        ...{ code: "FLOTILLA_SESSION_OPTION", message },
      });
    try {
      postgresStore({ url: "postgres://u:geheim@10.0.0.5/shop", connectionsMax: -1 });
    } catch (error) {
      assert.doesNotMatch(String(error), /geheim/);
    }
  });

  test("notices: a connection that ends is noticed; one that is made anew tells from then on", async (t) => {
    const table = nextTable();
    const [a, b] = [
      await opened(t, postgresStore({ url: server.url(), table })),
      await opened(t, postgresStore({ url: server.url(), table })),
    ];
    await a.insert(keyOf(1), write({}, ofA), newborn);
    const told: string[] = [];
    const channel = await a.listen("app-a", (key) => told.push(key));
    await channel.prove();
    await server.sql(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT 1' AND application_name = 'flotilla sessions'",
    );
    const error = await failed(channel.prove());
    assert.match(error.message, /notices of PostgreSQL at .* may be lost/);
    await b.replace(keyOf(1), 1, write({}, ofB));
    const next = await a.listen("app-a", (key) => told.push(key));
    await b.insert(keyOf(2), write({}, ofA), newborn);
    await b.remove(keyOf(2), "app-b");
    await next.prove();
    assert.deepEqual(told, [keyOf(2)]);
    next.close();
  });

  test("most writes of a session that is used leave the indexes alone", async (t) => {
    const table = nextTable();
    const engine = await opened(t, postgresStore({ url: server.url(), table }));
    await engine.insert(keyOf(1), write({ n: 0 }, { idleTimeoutMs: 1_800_000 }), newborn);
    for (let version = 1; version <= 40; version++)
      assert.equal(
        await engine.replace(keyOf(1), version, write({ n: version }, { idleTimeoutMs: 1_800_000 })),
        "done",
      );
    // A session of the server that ends tells its numbers at once.
    await engine.close();
    const { updates, hot } = await until("it is counted", async () => {
      const [row] = await server.sql(
        "SELECT n_tup_upd::int AS updates, n_tup_hot_upd::int AS hot FROM pg_stat_user_tables WHERE relname = $1",
        [table],
      );
      return row!.updates >= 40 ? row : null;
    });
    assert.ok(hot >= updates - 3, `${hot} of ${updates}`);
  });

  test("a role without rights: what an administrator has to run, and then it works", async (t) => {
    await server.sql("CREATE ROLE shop LOGIN");
    await server.sql("CREATE SCHEMA closed");
    await server.sql("GRANT USAGE ON SCHEMA closed TO shop");
    const engine = postgresStore({ url: server.url("postgres", "shop"), table: "closed.sessions" });
    t.after(() => engine.close());
    const error = await failed(engine.open());
    assert.equal(error.outcome, "nothing");
    const [, remedy] = /does not let "shop" .* in the database "postgres": (.*)$/.exec(error.message)!;
    const [grant] = /GRANT .*$/.exec(remedy!)!;
    await server.sql(remedy!.slice(0, -grant.length));
    const second = await failed(engine.open());
    assert.match(second.message, /does not let "shop" use the table closed\.sessions; .*: GRANT /);
    assert.ok(second.message.endsWith(grant), second.message);
    await server.sql(grant);
    await engine.open();
    assert.equal(await engine.insert(keyOf(1), write({}), newborn), true);
    assert.equal(await engine.removeExpired(10), 0);
  });

  test("a table of somebody else, one of before, one of another type: what is wrong, and what to run", async (t) => {
    const [other, old] = [nextTable(), nextTable()];
    await server.sql(`CREATE TABLE ${other} (sid varchar PRIMARY KEY, sess json, expire timestamp(6))`);
    const error = await failed(opened(t, postgresStore({ url: server.url(), table: other })));
    assert.match(error.message, /without the columns id, data, .*name another one \(table:\)/);
    await opened(t, postgresStore({ url: server.url(), table: old }));
    await server.sql(`ALTER TABLE ${old} DROP COLUMN holder`);
    const lacking = await failed(opened(t, postgresStore({ url: server.url(), table: old })));
    await server.sql(/run: (.*)$/.exec(lacking.message)![1]!);
    const engine = await opened(t, postgresStore({ url: server.url(), table: old }));
    await engine.insert(keyOf(1), write({ n: "ä𝄞" }), newborn);
    for (const dataType of ["jsonb", "bytea", "text"] as const) {
      const wrong = await failed(opened(t, postgresStore({ url: server.url(), table: old, dataType })));
      assert.match(wrong.message, /of the type \w+, and dataType says/);
      await server.sql(/uses it: (.*)$/.exec(wrong.message)![1]!);
      const next = await opened(t, postgresStore({ url: server.url(), table: old, dataType }));
      assert.deepEqual(JSON.parse((await rowOf(next, keyOf(1))).data), { n: "ä𝄞" });
    }
  });

  test("a long name of the table: its index and its notices have names of their own", async (t) => {
    const table = "s".repeat(63);
    const [a, b] = [
      await opened(t, postgresStore({ url: server.url(), table })),
      await opened(t, postgresStore({ url: server.url(), table })),
    ];
    const [row] = await server.sql("SELECT count(*)::int AS count FROM pg_indexes WHERE tablename = $1", [
      table,
    ]);
    assert.equal(row!.count, 2);
    await a.insert(keyOf(1), write({}, ofA), newborn);
    const told: string[] = [];
    const channel = await a.listen("app-a", (key) => told.push(key));
    await b.remove(keyOf(1), "app-b");
    await channel.prove();
    channel.close();
    assert.deepEqual(told, [keyOf(1)]);
  });

  test("a password that is wrong, a database that is not there: said without the password", async (t) => {
    const guarded = await Postgres.startFor(t, {
      access: ["local all all trust", "host all postgres all trust", "host all all all scram-sha-256"],
    });
    await guarded.sql("CREATE ROLE shop LOGIN PASSWORD 'geheim'");
    const at = `127.0.0.1:${guarded.port}`;
    const wrong: [url: string, message: RegExp][] = [
      [`postgres://shop:falsch@${at}/postgres`, /does not take the password of "shop"/],
      [`postgres://shop@${at}/postgres`, /wants a password of "shop"/],
      [`postgres://shop:geheim@${at}/none`, /has no database "none"/],
    ];
    for (const [url, message] of wrong) {
      const error = await failed(opened(t, postgresStore({ url })));
      assert.equal(error.outcome, "nothing");
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /falsch|geheim/);
    }
    await guarded.sql("GRANT CREATE ON SCHEMA public TO shop");
    await opened(t, postgresStore({ url: `postgres://${at}/postgres`, user: "shop", password: "geheim" }));
  });

  test("several hosts: the primary is found, and found again after a failover; its notices too", async (t) => {
    const first = await Postgres.startFor(t, { settings: ["fsync = on"] });
    const standby = await Postgres.follow(t, first);
    const at = [standby, first].map(({ port }) => `127.0.0.1:${port}`).join(",");
    const engine = await opened(t, postgresStore({ url: `postgres://postgres@${at}/postgres` }));
    assert.match(engine.name, new RegExp(`:${first.port}$`));
    await engine.insert(keyOf(1), write({ n: 1 }, ofA), newborn);
    const channel = await engine.listen("app-a", () => {});
    await channel.prove();
    await until(
      "the standby has it",
      async () => (await standby.sql("SELECT 1 FROM flotilla_sessions").catch(() => [])).length === 1,
    );
    await first.kill();
    await standby.promote();
    const row = await until("it is found", () => engine.read(keyOf(1)).catch(() => null));
    assert.equal(row.version, 1);
    assert.equal(await engine.replace(keyOf(1), 1, write({ n: 2 }, ofA)), "done");
    assert.match(engine.name, new RegExp(`:${standby.port}$`));
    await failed(channel.prove());
    const next = await engine.listen("app-a", () => {});
    await next.prove();
    next.close();
    const alone = postgresStore({ url: standby.url() });
    await opened(t, alone);
  });

  test("a standby alone is refused in words", async (t) => {
    const standby = await Postgres.follow(t, server);
    for (const engine of [
      postgresStore({ url: standby.url() }),
      postgresStore({ pool: poolFor(t, standby.url()) }),
    ]) {
      t.after(() => engine.close());
      const error = await failed(engine.open());
      assert.equal(error.outcome, "nothing");
      assert.match(error.message, /is a standby, and only a primary can keep sessions/);
    }
  });

  test("PgBouncer between, which gives each statement to another session: all but notices works", {
    skip: findProgram("pgbouncer") === null && "needs PgBouncer (Debian package pgbouncer)",
  }, async (t) => {
    const port = await startPgbouncer(t, server);
    const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
    for (const options of [{ url }, { pool: poolFor(t, url) }]) {
      const engine = await opened(t, postgresStore({ ...options, table: nextTable() }));
      const keys = Array.from({ length: 40 }, (_, n) => keyOf(n));
      await Promise.all(keys.map((key) => engine.insert(key, write({ n: 1 }), newborn)));
      const outcomes = await Promise.all(keys.map((key) => engine.replace(key, 1, write({ n: 2 }))));
      assert.deepEqual([...new Set(outcomes)], ["done"]);
      const error = await failed(engine.listen("app-a", () => {}));
      assert.match(error.message, /do not come through .*: a pooler stands there.*load: always/);
    }
    const [row] = await server.sql(
      "SELECT count(*)::int AS count FROM pg_stat_activity WHERE query LIKE '%statement_timeout%' AND pid <> pg_backend_pid()",
    );
    assert.equal(row!.count, 0, "no setting was left in sessions that belong to nobody");
  });

  test("a wait for a synchronous standby that an administrator ends: unknown, not done", async (t) => {
    const primary = await Postgres.startFor(t, { settings: ["fsync = on"] });
    const engine = await opened(t, postgresStore({ url: primary.url() }));
    await engine.insert(keyOf(1), write({ n: 1 }), newborn);
    await primary.sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    await primary.sql("SELECT pg_reload_conf()");
    const writing = failed(engine.replace(keyOf(1), 1, write({ n: 2 })));
    await until(
      "it waits",
      async () =>
        (
          await primary.sql(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'",
          )
        ).length > 0,
    );
    const error = await writing;
    assert.equal(error.outcome, "unknown");
    assert.match(error.message, /warned that the change may not be on its standbys|did not answer/);
  });

  test("the guide's role and table work as they stand there", async (t) => {
    const sql = [...guide.matchAll(/```sql\n-- PostgreSQL\n([^`]*)```/g)].map((match) => match[1]!);
    assert.equal(sql.length, 1);
    const fresh = await Postgres.startFor(t);
    for (const statement of sql[0]!.split(";").filter((each) => each.trim() !== ""))
      await fresh.sql(statement);
    const engine = await opened(t, postgresStore({ url: fresh.url("postgres", "shop") }));
    assert.equal(await engine.insert(keyOf(1), write({}), newborn), true);
    const channel = await engine.listen("app-a", () => {});
    await channel.prove();
    channel.close();
  });
});

function poolFor(t: TestContext, url: string): pg.Pool {
  const pool = new pg.Pool({ connectionString: url });
  pool.on("error", () => {});
  t.after(() => pool.end());
  return pool;
}

async function startPgbouncer(t: TestContext, server: Postgres): Promise<number> {
  const folder = owned(temporaryFolder(t), "postgres");
  const [port] = await freePorts(1);
  const config = join(folder, "pgbouncer.ini");
  writeFileSync(join(folder, "users.txt"), '"postgres" ""\n');
  writeFileSync(
    config,
    `[databases]
* = host=127.0.0.1 port=${server.port} dbname=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${join(folder, "users.txt")}
pool_mode = transaction
default_pool_size = 4
`,
  );
  const user = otherUser("postgres");
  const as = user === null ? [] : [`--reuid=${user.uid}`, `--regid=${user.gid}`, "--clear-groups"];
  const command = [findProgram("pgbouncer")!, config];
  if (user === null) start(t, command[0]!, command.slice(1));
  else start(t, "setpriv", [...as, ...command]);
  await until("PgBouncer listens", async () => {
    const client = new pg.Client({ connectionString: `postgres://postgres@127.0.0.1:${port}/postgres` });
    const isThere = await client.connect().then(
      () => true,
      () => false,
    );
    await client.end();
    return isThere;
  });
  return port!;
}
