/** `flotilla sessions import --from postgres://, mysql://`: what connect-pg-simple and express-mysql-session keep is taken along. */
import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import connectPgSimple from "connect-pg-simple";
import makeMysqlStore from "express-mysql-session";
import expressSession from "express-session";
import pg from "pg";
import { keyOfSid } from "../../src/session/foreign/key-of-sid.ts";
import { CartSite } from "../harness/cart-site.ts";
import { Mariadb, whyNoMariadb } from "../harness/mariadb.ts";
import { exported, movedSite, type Sessions, sessionsOf } from "../harness/moved-site.ts";
import { type OldVisitor, oldSite, oldVisitors } from "../harness/old-site.ts";
import { Postgres, whyNoPostgres } from "../harness/postgres.ts";
import { startFlotilla, until } from "../harness/process.ts";

/** A database with the store of a library in it. */
interface Kept {
  readonly url: string;
  readonly name: string;
  readonly store: unknown;
  /** One that the store has written, otherwise. */
  readonly put: (sid: string, text: string, leftSeconds: number) => Promise<unknown>;
  readonly fill: (count: number, text: string) => Promise<unknown>;
  readonly rows: () => Promise<number>;
}

async function inPostgres(t: TestContext): Promise<Kept> {
  const server = await Postgres.startFor(t);
  const pool = new pg.Pool({ connectionString: server.url(), max: 4 });
  t.after(() => pool.end());
  pool.on("error", () => {});
  const Store = connectPgSimple(expressSession);
  const store = new Store({
    pool,
    createTableIfMissing: true,
    pruneSessionInterval: false,
    schemaName: "public",
  });
  // Its first question makes the table.
  await new Promise((resolve) => store.get("nobody", resolve));
  return {
    ...{ url: server.url(), name: `PostgreSQL at 127.0.0.1:${server.port}/postgres, table session`, store },
    put: (sid, text, seconds) =>
      pool.query("INSERT INTO session VALUES ($1, $2, localtimestamp + make_interval(secs => $3))", [
        sid,
        text,
        seconds,
      ]),
    fill: (count, text) =>
      pool.query(
        "INSERT INTO session SELECT 'filled-' || n, $1, localtimestamp + '1 day' FROM generate_series(1, $2) n",
        [text, count],
      ),
    rows: async () => Number((await pool.query("SELECT count(*) FROM session")).rows[0].count),
  };
}

async function inMariadb(t: TestContext): Promise<Kept> {
  const server = await Mariadb.startFor(t);
  const Store = makeMysqlStore(expressSession);
  const store = new Store({
    host: "127.0.0.1",
    port: server.port,
    user: "root",
    database: "site",
    clearExpired: false,
  });
  await store.onReady();
  t.after(() => store.close());
  const sql = (text: string, values: readonly unknown[] = []): Promise<{ n?: unknown }[]> =>
    store.query(text, values).then(([rows]: [{ n?: unknown }[]]) => rows);
  return {
    ...{ url: server.url(), name: `MySQL at 127.0.0.1:${server.port}/site, table sessions`, store },
    put: (sid, text, seconds) =>
      sql("INSERT INTO sessions VALUES (?, unix_timestamp() + ?, ?)", [sid, seconds, text]),
    fill: (count, text) =>
      sql(
        `INSERT INTO sessions SELECT concat('filled-', seq), unix_timestamp() + 86400, ? FROM seq_1_to_${count}`,
        [text],
      ),
    rows: async () => Number((await sql("SELECT count(*) AS n FROM sessions"))[0]!.n),
  };
}

const databases = [
  { what: "PostgreSQL", keep: inPostgres, skip: whyNoPostgres() ?? false },
  { what: "MariaDB", keep: inMariadb, skip: whyNoMariadb() ?? false },
];

for (const { what, keep, skip } of databases) {
  test(`sessions in ${what}`, { skip }, async (t) => {
    const kept = await keep(t);
    await using old = await oldSite(kept.store, { maxAge: 600_000 });
    const visitors = await oldVisitors(old, 30);
    await visitors[0]!.browser.read("/remember");
    await visitors[1]!.browser.read("/logout");
    const site = await movedSite(t, "session");
    const sessions = sessionsOf(t, site);

    await t.test("are taken along with what they hold and the time that they have left", async () => {
      const dry = await sessions("import", "--from", kept.url, "--dry-run");
      assert.equal(dry.stdout, `${kept.name}: 29 sessions, 0 more expired. Nothing was given to the site.\n`);
      const { code, stdout, stderr } = await sessions("import", "--from", kept.url);
      assert.deepEqual([code, stdout, stderr], [0, "29 sessions put in place.\n", ""]);
      assert.equal(await kept.rows(), 29);
      await assertTaken(sessions, visitors);
    });

    await t.test("and the visitors' old cookies lead to them", async () => {
      for (const [index, { browser }] of visitors.entries()) {
        const moved = browser.copy(site.httpPort);
        assert.equal(await moved.read("/count"), String(index === 1 ? 1 : (index % 3) + 2));
        moved.jar.delete("connect.sid");
        assert.equal(await moved.read("/count"), String(index === 1 ? 2 : (index % 3) + 3));
      }
    });

    await t.test("those that have ended, or are none, are left out", async () => {
      await kept.put("ended-0123456789", '{"a":1}', -1);
      await kept.put("soon-01234567890", '{"a":1}', 20);
      await kept.put("list-01234567890", "[1]", 60);
      await kept.put("large-0123456789", JSON.stringify({ text: "x".repeat(1_100_000) }), 60);
      await kept.put("larger-012345678", JSON.stringify({ text: "x".repeat(3_000_000) }), 60);
      const { code, stdout } = await sessions("import", "--from", kept.url, "--json");
      assert.equal(code, 1);
      const told = JSON.parse(stdout) as { leftOut: { why: string; count: number; examples: string[] }[] };
      assert.deepEqual(
        { ...told, leftOut: told.leftOut.map(({ why, count, examples }) => [why, count, ...examples]) },
        {
          ...{ put: 1, replaced: 0, kept: 29, expired: 1, full: 0, failed: 0, isComplete: false },
          leftOut: [
            ['"text" holds more than 1048576 bytes', 1, "large-01..."],
            ["it holds more than 1048576 bytes", 1, "larger-0..."],
            ["it is no JSON object", 1, "list-012..."],
          ],
        },
      );
      const soon = (await exported(sessions)).get(keyOfSid("soon-01234567890"))!;
      assert.ok(soon.idleTimeoutMs > 5_000 && soon.idleTimeoutMs <= 20_000, String(soon.idleTimeoutMs));
    });
  });

  test(`20,000 sessions in ${what}: an import that is killed goes on where it was, within little memory`, {
    skip,
  }, async (t) => {
    const kept = await keep(t);
    const total = 20_000;
    await kept.fill(
      total,
      JSON.stringify({ cookie: { originalMaxAge: null, path: "/" }, text: "x".repeat(5_000) }),
    );
    const site = await CartSite.make(t, { apps: 2 });
    await site.start();
    const sessions = sessionsOf(t, site);
    const words = ["import", "--from", kept.url, "--resume", "import.json"];
    const first = startFlotilla(t, ["sessions", ...words, "--rate", "4000"], { cwd: site.folder });
    await until("it has written how far it is", () => existsSync(join(site.folder, "import.json")));
    await first.kill();
    // Half of what all sessions would take.
    const env = { NODE_OPTIONS: "--max-old-space-size=48" };
    const next = startFlotilla(t, ["sessions", ...words, "--rate", "50000", "--json"], {
      cwd: site.folder,
      env,
    });
    assert.equal((await next.exit).code, 0, next.stderr);
    const { put, kept: there } = JSON.parse(next.stdout) as { put: number; kept: number };
    assert.ok(put > 0 && put + there < total, next.stdout);
    assert.ok(!existsSync(join(site.folder, "import.json")));
    assert.equal(
      (await site.servers()).reduce((sum, server) => sum + server.sessions, 0),
      total,
    );
    assert.match((await sessions("count", "--json")).stdout, /"sessions":20000/);
  });
}

async function assertTaken(sessions: Sessions, visitors: readonly OldVisitor[]): Promise<void> {
  const there = await exported(sessions);
  for (const [index, { key }] of visitors.entries())
    assert.equal(there.get(key)?.data.count, index === 1 ? undefined : (index % 3) + 1);
  assert.deepEqual(there.get(visitors[0]!.key)?.data.user, { name: "Zoë \u2028 \u{1f600}" });
  const { idleTimeoutMs } = there.get(visitors[2]!.key)!;
  assert.ok(idleTimeoutMs > 500_000 && idleTimeoutMs <= 601_000, String(idleTimeoutMs));
}

test("a table that is not there, or that may not be read: said as the database says it", {
  skip: whyNoPostgres() ?? false,
}, async (t) => {
  const server = await Postgres.startFor(t);
  await server.sql("CREATE ROLE app LOGIN PASSWORD 'p@ss'");
  await server.sql('CREATE SCHEMA "My"');
  await server.sql('CREATE TABLE "My"."Sess""ions" (sid text PRIMARY KEY, sess jsonb, expire timestamp(6))');
  await server.sql(`INSERT INTO "My"."Sess""ions" VALUES ('0123456789abcdef', '{"a":1}', now() + '1 day')`);
  const site = await CartSite.make(t, { apps: 1, durability: "memory" });
  await site.start();
  const sessions = sessionsOf(t, site);
  writeFileSync(
    join(site.folder, "url"),
    `${server.url("postgres", "app").replace("app@", "app:p%40ss@")}\n`,
  );
  const from = `$${"{file:url}"}`;
  const absent = await sessions("import", "--from", from);
  assert.match(absent.stderr, /table session: can't read its sessions: relation "session" does not exist/);
  const closed = await sessions("import", "--from", from, "--table", 'My.Sess"ions');
  assert.match(closed.stderr, /permission denied for schema My/);
  assert.doesNotMatch(absent.stderr + closed.stderr, /p%40ss|p@ss/);
  const open = await sessions("import", "--from", server.url(), "--table", 'My.Sess"ions');
  assert.deepEqual([open.code, open.stdout], [0, "1 session put in place.\n"]);
});
