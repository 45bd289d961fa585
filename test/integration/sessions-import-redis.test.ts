/** `flotilla sessions import --from redis://`: what connect-redis keeps is taken along, whatever else is there, and stays as it is. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { RedisStore } from "connect-redis";
import { createClient, createCluster } from "redis";
import { keyOfSid } from "../../src/session/foreign/key-of-sid.ts";
import { CartSite } from "../harness/cart-site.ts";
import { exported, movedSite, sessionsOf } from "../harness/moved-site.ts";
import { oldSite, oldVisitors } from "../harness/old-site.ts";
import { startFlotilla, until } from "../harness/process.ts";
import { Redis, whyNoRedis } from "../harness/redis.ts";

const skip = whyNoRedis() ?? false;

async function connected(t: TestContext, { url }: Redis) {
  const client = createClient({ url });
  client.on("error", () => {});
  await client.connect();
  t.after(() => client.destroy());
  return client;
}

/** What Redis was asked for since the last time. */
async function commandsOf(redis: Redis): Promise<string[]> {
  const stats = await redis.command("INFO", "commandstats");
  await redis.command("CONFIG", "RESETSTAT");
  return [...stats.matchAll(/^cmdstat_([\w|]+):/gm)].map((match) => match[1]!).sort();
}

test("sessions of express-session and connect-redis", { skip }, async (t) => {
  const redis = await Redis.startFor(t);
  const client = await connected(t, redis);
  const store = new RedisStore({ client: client as never });
  await using old = await oldSite(store);
  const visitors = await oldVisitors(old, 30);
  await visitors[0]!.browser.read("/remember");
  await visitors[1]!.browser.read("/logout");
  const site = await movedSite(t, "store");
  const sessions = sessionsOf(t, site);

  await t.test("a dry run tells what there is, and gives nothing", async () => {
    const { code, stdout, stderr } = await sessions("import", "--from", redis.url, "--dry-run");
    assert.deepEqual([code, stderr], [0, ""]);
    assert.equal(
      stdout,
      `Redis at 127.0.0.1:${redis.port}, keys sess:*: 29 sessions, 0 more expired. Nothing was given to the site.\n`,
    );
    assert.match((await sessions("count", "--json")).stdout, /"sessions":0/);
  });

  await t.test(
    "all are put in place with what they hold and the time that they have left; Redis is only read",
    async () => {
      await redis.command("CONFIG", "RESETSTAT");
      const { code, stdout, stderr } = await sessions("import", "--from", redis.url);
      assert.deepEqual([code, stdout, stderr], [0, "29 sessions put in place.\n", ""]);
      const asked = await commandsOf(redis);
      const allowed = ["client|setinfo", "config|resetstat", "getrange", "info", "pttl", "scan", "strlen"];
      assert.deepEqual(
        asked.filter((command) => !allowed.includes(command)),
        [],
      );
      assert.equal(await client.dbSize(), 29);
      const there = await exported(sessions);
      for (const [index, { key }] of visitors.entries())
        assert.equal(there.get(key)?.data.count, index === 1 ? undefined : (index % 3) + 1);
      const { data, idleTimeoutMs } = there.get(visitors[0]!.key)!;
      assert.deepEqual(data.user, { name: "Zoë \u2028 \u{1f600}" });
      const { originalMaxAge, ...cookie } = data.cookie as Record<string, unknown>;
      assert.ok(Math.abs((originalMaxAge as number) - 3_600_000) < 100);
      assert.deepEqual(cookie, {
        path: "/",
        httpOnly: true,
        secure: false,
        sameSite: false,
        partitioned: false,
      });
      assert.ok(idleTimeoutMs > 3_500_000 && idleTimeoutMs <= 3_600_000, String(idleTimeoutMs));
    },
  );

  await t.test("the same cookies are answered by the same application with FlotillaStore", async () => {
    for (const [index, { browser }] of visitors.entries()) {
      const moved = browser.copy(site.httpPort);
      const count = index === 1 ? 1 : (index % 3) + 2;
      assert.equal(await moved.read("/count"), String(count));
      assert.equal(moved.jar.get("connect.sid") === browser.jar.get("connect.sid"), index !== 1);
    }
  });

  await t.test("once more: those that are there stay, but with --replace", async () => {
    assert.match(
      (await sessions("import", "--from", redis.url)).stdout,
      /^0 .* 29 there already, which stay/,
    );
    const { stdout } = await sessions("import", "--from", redis.url, "--replace", "--json");
    assert.match(stdout, /"put":0,"replaced":29,"kept":0/);
  });

  await t.test("what is no session of ours is left out, counted, and not told", async () => {
    const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: "/" };
    const put = (sid: string, value: unknown, ...more: string[]): Promise<string> =>
      redis.command("SET", `sess:${sid}`, typeof value === "string" ? value : JSON.stringify(value), ...more);
    await put("no-json-0123456789", "{not-to-be-told");
    await put("list-0123456789abc", "[1]");
    await put("nested-0123456789a", `{"a":${"[".repeat(200)}${"]".repeat(200)}}`);
    await put("reserved-01234567", { cookie, save: "not-to-be-told" });
    await put("cookie-0123456789", { cookie: { ...cookie, path: "/\r\nSet-Cookie: a" } });
    await client.set("sess:large-0123456789a", JSON.stringify({ cookie, text: "x".repeat(1_200_000) }));
    await client.set("sess:larger-0123456789", JSON.stringify({ cookie, text: "x".repeat(3_000_000) }));
    await redis.command("SADD", "sess:a-set-0123456789", "1");
    await put("past-0123456789abc", { cookie: { ...cookie, expires: "2020-01-01T00:00:00.000Z" } });
    await put("koa-0123456789abcd", { _expire: Date.now() - 1, _maxAge: 1_000 });
    await put("endless-0123456789", { cookie, a: 1 });
    await redis.command("SET", "sess*:other", "{}");
    const { code, stdout } = await sessions("import", "--from", redis.url, "--json");
    assert.equal(code, 1);
    const told = JSON.parse(stdout) as { leftOut: { why: string; count: number; examples: string[] }[] };
    assert.deepEqual(
      { ...told, leftOut: told.leftOut.map(({ why, count, examples }) => [why, count, ...examples]).sort() },
      {
        ...{ put: 1, replaced: 0, kept: 29, expired: 2, full: 0, failed: 0, isComplete: false },
        leftOut: [
          ['"cookie" holds what can\'t stand in a Set-Cookie header', 1, "cookie-0..."],
          ['"save" is a name of the session\'s own', 1, "reserved..."],
          ['"text" holds more than 1048576 bytes', 1, "large-01..."],
          ["it holds more than 1048576 bytes", 1, "larger-0..."],
          ["it is nested too deep", 1, "nested-0..."],
          ["it is no JSON object", 1, "list-012..."],
          ["it is no JSON", 1, "no-json-..."],
          ["it is no text", 1, "a-set-01..."],
        ],
      },
    );
    assert.doesNotMatch(stdout, /not-to-be-told/);
    assert.equal((await exported(sessions)).get(keyOfSid("endless-0123456789"))?.idleTimeoutMs, 1_800_000);
    const dry = await sessions("import", "--from", redis.url, "--dry-run", "--json");
    assert.deepEqual(
      [dry.code, (JSON.parse(dry.stdout) as { leftOut: unknown }).leftOut],
      [1, told.leftOut],
      "a dry run tells the same",
    );
  });

  await t.test("--prefix, and ids that begin with it as those of koa-session", async () => {
    await redis.command("SET", "app*:1234567890", '{"a":1}');
    await redis.command("SET", "app-:1234567890", '{"a":1}');
    const other = await sessions("import", "--from", redis.url, "--prefix", "app*:");
    assert.equal(other.stdout, "1 session put in place.\n");
    const koa = { user: 7, _expire: Date.now() + 60_000, _maxAge: 60_000 };
    await redis.command("SET", "koa:sess:1234567890", JSON.stringify(koa));
    const words = ["--from", redis.url, "--prefix", "koa:sess:", "--keep-prefix"];
    assert.equal((await sessions("import", ...words)).stdout, "1 session put in place.\n");
    const there = await exported(sessions);
    assert.deepEqual(there.get(keyOfSid("1234567890"))?.data, { a: 1 });
    assert.equal(there.get(keyOfSid("koa:sess:1234567890"))?.data.user, 7);
  });
});

test("20,000 sessions: an import that is killed goes on where it was, within little memory", {
  skip,
}, async (t) => {
  const redis = await Redis.startFor(t);
  const client = await connected(t, redis);
  const total = 20_000;
  const text = JSON.stringify({
    cookie: { originalMaxAge: null, httpOnly: true, path: "/" },
    text: "x".repeat(5_000),
  });
  for (let n = 0; n < total; n += 1_000)
    await Promise.all(Array.from({ length: 1_000 }, (_, i) => client.set(`sess:${n + i}-0123456789`, text)));
  const site = await CartSite.make(t, { apps: 2 });
  await site.start();
  const sessions = sessionsOf(t, site);
  const resumeFile = join(site.folder, "import.json");
  const words = ["import", "--from", redis.url, "--resume", "import.json"];

  const first = startFlotilla(t, ["sessions", ...words, "--rate", "4000"], { cwd: site.folder });
  await until("it has written how far it is", () => existsSync(resumeFile));
  await first.kill();
  assert.equal(statSync(resumeFile).mode & 0o777, 0o600);

  await t.test("of another source, or none: refused", async () => {
    const other = await sessions(...words, "--prefix", "other:");
    assert.equal(other.code, 1);
    assert.match(
      other.stderr,
      /is of another import, from Redis at .* keys sess:\*.*FLOTILLA_IMPORT_RESUME/s,
    );
    writeFileSync(join(site.folder, "own.json"), "{}");
    const own = await sessions("import", "--from", redis.url, "--resume", "own.json");
    assert.match(own.stderr, /it is no file of an import/);
    assert.equal(readFileSync(join(site.folder, "own.json"), "utf8"), "{}");
  });

  await t.test("the rest comes with the next", async () => {
    const next = startFlotilla(t, ["sessions", ...words, "--rate", "50000", "--json"], { cwd: site.folder });
    const { code } = await next.exit;
    assert.equal(code, 0, next.stderr);
    const { put, kept } = JSON.parse(next.stdout) as { put: number; kept: number };
    assert.ok(put > 0 && put + kept < total, next.stdout);
    assert.ok(!existsSync(resumeFile));
    const servers = await site.servers();
    assert.equal(
      servers.reduce((sum, server) => sum + server.sessions, 0),
      total,
    );
  });

  await t.test("Redis was started anew, so its cursor leads nowhere: all is read again", async () => {
    const again = startFlotilla(t, ["sessions", ...words, "--rate", "4000"], { cwd: site.folder });
    await until("it has written how far it is", () => existsSync(resumeFile));
    await again.kill();
    await redis.kill();
    await redis.run();
    await redis.command("SET", "sess:new-0123456789", text);
    const { code, stdout, stderr } = await sessions(...words);
    assert.deepEqual([code, stdout], [0, "1 session put in place.\n"]);
    assert.match(stderr, /Redis was started anew since then/);
  });
});

test("into a site whose sessions are in a database, here the same Redis", { skip }, async (t) => {
  const redis = await Redis.startFor(t);
  const client = await connected(t, redis);
  await using old = await oldSite(new RedisStore({ client: client as never }));
  const visitors = await oldVisitors(old, 6);
  const site = await movedSite(t, "session", { store: `{ redis: "${redis.url}" }` });
  const sessions = sessionsOf(t, site);
  const { code, stdout, stderr } = await sessions("import", "--from", redis.url);
  assert.deepEqual([code, stdout, stderr], [0, "6 sessions put in place.\n", ""]);
  assert.match((await sessions("import", "--from", redis.url)).stdout, /^0 .* and 6 there already/);
  for (const [index, { browser }] of visitors.entries())
    assert.equal(await browser.copy(site.httpPort).read("/count"), String((index % 3) + 2));
});

test("a Redis Cluster, from each of its masters", { skip }, async (t) => {
  const nodes = await Redis.startCluster(t, 3);
  const cluster = createCluster({ rootNodes: nodes.map(({ url }) => ({ url })) });
  await cluster.connect();
  for (let n = 0; n < 60; n++) await cluster.set(`sess:${n}-0123456789`, '{"a":1}');
  await cluster.close();
  const site = await CartSite.make(t, { apps: 1, durability: "memory" });
  await site.start();
  const sessions = sessionsOf(t, site);
  let total = 0;
  for (const { url } of nodes) {
    const { code, stdout, stderr } = await sessions("import", "--from", url, "--json");
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^note: .* one of several of a Redis Cluster/);
    total += (JSON.parse(stdout) as { put: number }).put;
  }
  assert.equal(total, 60);
});

test("an app server is killed while sessions are given: all are there in the end", { skip }, async (t) => {
  const redis = await Redis.startFor(t);
  const client = await connected(t, redis);
  const total = 8_000;
  for (let n = 0; n < total; n += 1_000)
    await Promise.all(
      Array.from({ length: 1_000 }, (_, i) => client.set(`sess:${n + i}-0123456789`, '{"a":1}')),
    );
  const site = await CartSite.make(t, { apps: 3 });
  await site.start();
  const counted = async (): Promise<number> =>
    (await site.servers()).reduce((sum, { sessions }) => sum + (sessions ?? 0), 0);
  const words = ["sessions", "import", "--from", redis.url, "--rate", "3000", "--json"];
  const importing = startFlotilla(t, words, { cwd: site.folder });
  await until("some are there", async () => (await counted()) > 500);
  const [appA] = (await site.servers()).filter(({ cluster }) => cluster === "app");
  process.kill(appA!.pid!, "SIGKILL");
  assert.equal((await importing.exit).code, 0, importing.stderr);
  const { put, kept } = JSON.parse(importing.stdout) as { put: number; kept: number };
  assert.equal(put + kept, total);
  await site.isWhole();
  assert.equal((await exported(sessionsOf(t, site))).size, total);
});

test("a source that can't be read is told with why, and no password is", { skip }, async (t) => {
  const redis = await Redis.startFor(t, { requirepass: "p@ss/word" }, [
    "-a",
    "p@ss/word",
    "--no-auth-warning",
  ]);
  const site = await CartSite.make(t, { apps: 1, durability: "memory" });
  await site.start();
  const sessions = sessionsOf(t, site);
  const at = `127.0.0.1:${redis.port}`;
  writeFileSync(join(site.folder, "password"), "p@ss/word\n");
  await redis.command("SET", "sess:1234567890", '{"a":1}');
  const cases: readonly [from: string, says: RegExp][] = [
    [`redis://:not-to-be-told@${at}`, /can't connect: WRONGPASS/],
    [`redis://${at}`, /can't .*: NOAUTH/],
    ["redis://127.0.0.1:1", /can't connect: connect ECONNREFUSED 127.0.0.1:1/],
    [`rediss://${at}`, /FLOTILLA_IMPORT_SOURCE/],
    ["mongodb://127.0.0.1", /not from mongodb:\/\/\n.*FLOTILLA_IMPORT_FROM|not from mongodb:\/\//],
    ["redis://:not-to-be-told/@x", /--from can't be used: it is no URL/],
    ["redis://:$" + "{file:absent}@x", /the file "absent" can't be read/],
    ["redis://:$" + "{env:ABSENT}@x", /"ABSENT" is not set/],
  ];
  for (const [from, says] of cases)
    await t.test(from.replace(/\d{4,}/, "PORT"), async () => {
      const { code, stdout, stderr } = await sessions("import", "--from", from);
      assert.equal(code, 1);
      assert.match(stderr, says);
      assert.doesNotMatch(stdout + stderr, /not-to-be-told/);
    });
  await t.test(
    "a password from a file, however it is written; one on the command line is remarked on",
    async () => {
      const { code, stdout, stderr } = await sessions(
        "import",
        "--from",
        `redis://:$${"{file:password}"}@${at}`,
      );
      assert.deepEqual([code, stdout, stderr], [0, "1 session put in place.\n", ""]);
      const open = await sessions("import", "--from", `redis://:p%40ss%2Fword@${at}`);
      assert.match(open.stderr, /^note: others of this machine see the password/);
    },
  );
});
