/** A site whose sessions are in a database: its processes are killed, and the database is; operators look at them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { CartSite, counts, type Visitor, visit } from "../harness/cart-site.ts";
import { freePorts } from "../harness/free-ports.ts";
import { Mariadb, whyNoMariadb } from "../harness/mariadb.ts";
import { Postgres, whyNoPostgres } from "../harness/postgres.ts";
import { runFlotilla, start, statusOf, temporaryFolder, until } from "../harness/process.ts";
import { durable, Redis, whyNoRedis } from "../harness/redis.ts";

const noRedis = whyNoRedis() ?? false;
const noMariadb = whyNoMariadb() ?? false;
const noPostgres = whyNoPostgres() ?? false;
const anywhere = join(import.meta.dirname, "fixtures", "anywhere.ts");

async function killApp(site: CartSite, name: string): Promise<void> {
  const { pid } = (await site.servers()).find((server) => server.name === name)!;
  process.kill(pid!, "SIGKILL");
  await until(`${name} is back`, async () => {
    const server = (await site.servers()).find((each) => each.name === name)!;
    return server.state === "up" && server.pid !== pid;
  });
  await site.answers();
}

/** Until the database is back: who has a session gets 503, who has none is served, and operators are told. */
async function awayFor(t: TestContext, site: CartSite, visitor: Visitor): Promise<string> {
  // A server that has a copy answers from it for some seconds.
  await until("sessions can't be had", async () => (await visitor.try("GET")).status === 503);
  let told = "";
  await until("operators are told that the database is away", async () => {
    assert.equal((await visitor.try("GET")).status, 503);
    assert.equal(await site.visitor().ask("GET"), 0);
    told = (await runFlotilla(t, ["status"], { cwd: site.folder })).stdout;
    return /does not get at/.test(told);
  });
  return told;
}

/** Each server finds that out for itself, at its own time. */
async function isBack(visitors: readonly Visitor[]): Promise<void> {
  await until("sessions are there again, at each server", async () => {
    const answers = await Promise.all(visitors.map((visitor) => visitor.try("GET")));
    return answers.every(({ status }) => status === 200);
  });
}

async function getsAtDatabase(site: CartSite): Promise<void> {
  await until("each server gets at its database", async () =>
    (await site.servers()).every(({ sessionStore }) => sessionStore == null || sessionStore.problem === null),
  );
}

test("Redis: kill -9 of each app server, and of the database: nobody is logged out", {
  skip: noRedis,
}, async (t) => {
  const redis = await Redis.startFor(t, durable);
  const site = await CartSite.make(t, {
    apps: 2,
    store: `{ redis: "${redis.url}" }`,
  });
  await site.start();
  const visitors = await visit(site, 12);
  const before = await counts(visitors);
  await killApp(site, "app-a");
  assert.deepEqual(await counts(visitors), before);
  await killApp(site, "app-b");
  assert.deepEqual(await counts(visitors), before);

  await redis.kill();
  const told = await awayFor(t, site, visitors[0]!);
  assert.match(
    told,
    /^Sessions of app-a and app-b are in Redis at 127\.0\.0\.1:\d+ \(flotilla sessions count\)\.$/m,
  );
  assert.match(
    told,
    /^app-[ab] does not get at its sessions, for \d+ s: Redis at .*; requests with a session answer 503/m,
  );
  await redis.run();
  await isBack(visitors);
  assert.deepEqual(await counts(visitors), before);
  assert.equal((await site.stop()).code, 0);
});

test("PostgreSQL: down when the site starts, killed later, and back", { skip: noPostgres }, async (t) => {
  const postgres = await Postgres.startFor(t);
  const url = `postgres://postgres@127.0.0.1:${postgres.port}/postgres`;
  const site = await CartSite.make(t, {
    apps: 2,
    store: `{ postgres: "${url}", dataType: jsonb }`,
    sessions: ", load: always",
  });
  await postgres.kill();
  await site.start();
  assert.equal((await site.visitor().try("POST")).status, 503, "what can't be kept is not promised");
  await postgres.run();
  await getsAtDatabase(site);
  const visitors = await visit(site, 8);
  const before = await counts(visitors);
  await postgres.kill();
  await awayFor(t, site, visitors[0]!);
  await postgres.run();
  await isBack(visitors);
  assert.deepEqual(await counts(visitors), before);
  assert.deepEqual(
    await postgres.sql("SELECT data->'count' AS count FROM flotilla_sessions ORDER BY 1 DESC LIMIT 1"),
    [{ count: 3 }],
  );
  const restarted = await runFlotilla(t, ["restart", "app"], { cwd: site.folder });
  assert.equal(restarted.code, 0, restarted.stderr);
  assert.deepEqual(await counts(visitors), before);
});

test("operators: each session is told once, whichever server is asked", { skip: noRedis }, async (t) => {
  const redis = await Redis.startFor(t);
  const site = await CartSite.make(t, { apps: 2, store: `{ redis: "${redis.url}" }` });
  await site.start();
  const visitors = await visit(site, 9);
  const sessions = async (...words: string[]): Promise<{ out: string; err: string; code: number | null }> => {
    const { code, stdout, stderr } = await runFlotilla(t, ["sessions", ...words], { cwd: site.folder });
    return { code, out: stdout, err: stderr };
  };
  const counted = async (): Promise<object> => {
    const { out } = await sessions("count", "--json");
    return (JSON.parse(out) as { clusters: { total: object }[] }).clusters[0]!.total;
  };
  assert.deepEqual(await counted(), { sessions: 9, bytes: null });
  assert.match((await sessions("count")).out, /^Redis at 127\.0\.0\.1:\d+ +app +9 +- +-/m);
  const id = decodeURIComponent(visitors[2]!.cookie.split("=")[1]!);
  const shown = await sessions("show", id, "--values");
  assert.match(shown.out, /^kept in +Redis at 127\.0\.0\.1:\d+$/m);
  assert.match(shown.out, /^count +\d+ +3$/m);

  const checkpoint = join(site.folder, "all.ndjson.gz");
  const exported = await sessions("export", checkpoint);
  assert.equal(exported.code, 0, exported.err);
  assert.match(exported.err, /^9 sessions of app/m);
  const before = await counts(visitors);
  assert.match((await sessions("end", id)).out, /^1 session ended\.$/m);
  await until("its server has heard of it", async () => (await visitors[2]!.ask("GET")) === 0);
  assert.match((await sessions("end", "--where", "count=1", "--yes")).out, /^3 sessions ended\.$/m);
  assert.deepEqual(await counted(), { sessions: 5, bytes: null });
  const imported = await sessions("import", checkpoint);
  assert.match(imported.out, /^4 sessions put in place and 5 there already/m);
  await until("all are there again", async () => (await counts(visitors)).join() === before.join());
  const other = decodeURIComponent(visitors[3]!.cookie.split("=")[1]!);
  const { session } = JSON.parse((await sessions("show", other, "--json")).out) as {
    session: { key: string };
  };
  await redis.command("SET", `flotilla:s:${session.key}`, "of somebody else");
  const damaged = await sessions("show", other, "--json");
  assert.equal(damaged.code, 1);
  assert.match(damaged.out, /^\{"session":null,"damage":"the row of session .* can't be read/);
  const some = await sessions("end", "--where", "count=0", "--yes", "--json");
  assert.deepEqual(
    [some.code, JSON.parse(some.out)],
    [1, { ended: 0, absent: 0, left: 0, damaged: 1, silent: [], isComplete: false }],
  );
  assert.match(some.err, /^Not looked into: 1 session whose rows .*--all ends them, too\.$/m);
  assert.match((await sessions("end", "--all", "--yes")).out, /^9 sessions ended\.$/m);
  assert.deepEqual(await counted(), { sessions: 0, bytes: null });
});

/** App servers with HTTP ports of their own, behind a balancer that sends each request to the next of them. */
async function directSite(
  t: TestContext,
  sessions: string,
): Promise<(path: string, server: number) => Promise<string>> {
  const ports = await freePorts(4);
  const folder = temporaryFolder(t, {
    "flotilla.yaml": `secret: 0123456789abcdef0123456789abcdef
clusters:
  app:
    servers:
      app-a: { address: 127.0.0.2, port: ${ports[0]} }
      app-b: { address: 127.0.0.3, port: ${ports[1]} }
    sessions: ${sessions}
`,
  });
  for (const [index, name] of ["app-a", "app-b"].entries())
    start(t, process.execPath, [anywhere], {
      cwd: folder,
      env: { FLOTILLA_SERVER: name, HTTP_PORT: String(ports[2 + index]) },
    });
  await until("both are up", async () => (await statusOf(folder)).every(({ state }) => state === "up"));
  let cookie = "";
  return async (path, server) => {
    const response = await fetch(`http://127.0.0.1:${ports[2 + server]}${path}`, { headers: { cookie } });
    cookie = response.headers.getSetCookie().at(-1)?.split(";")[0] ?? cookie;
    const body = await response.text();
    assert.equal(response.status, 200, body);
    return body;
  };
}

async function postgresUrl(t: TestContext): Promise<string> {
  const { port } = await Postgres.startFor(t);
  return `postgres://postgres@127.0.0.1:${port}/postgres`;
}

async function mysqlUrl(t: TestContext): Promise<string> {
  return (await Mariadb.startFor(t)).url();
}

for (const [load, kind, skip, urlOf] of [
  ["always", "postgres", noPostgres, postgresUrl],
  ["cached", "postgres", noPostgres, postgresUrl],
  ["cached", "mysql", noMariadb, mysqlUrl],
] as const)
  test(`load: ${load}, ${kind}, behind a balancer that knows nothing of sessions`, { skip }, async (t) => {
    const ask = await directSite(t, `{ store: { ${kind}: "${await urlOf(t)}" }, load: ${load} }`);
    await ask("/set?key=name&value=me", 0);
    for (let round = 1; round <= 10; round++) {
      // At the same time at both: neither undoes the other.
      await Promise.all([
        ...[ask("/add", 0), ask("/add", 1)],
        ...[ask(`/set?key=at-a&value=${round}`, 0), ask(`/set?key=at-b&value=${round}`, 1)],
      ]);
      const wanted = { name: "me", total: 2 * round, "at-a": `${round}`, "at-b": `${round}` };
      for (const server of [0, 1])
        await until(`server ${server} has it all`, async () => {
          const found: unknown = JSON.parse(await ask("/look", server));
          // A copy is served until its server has heard of the other's change.
          if (load === "always") assert.deepEqual(found, wanted);
          return isDeepStrictEqual(found, wanted);
        });
    }
  });
