/** Which server is taken for the primary, what is said of it, and what becomes of a connection that is dead, refused or pooled. */
import assert from "node:assert/strict";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { Postgres, whyNoPostgres } from "../../../test/harness/postgres.ts";
import { until } from "../../../test/harness/process.ts";
import { tlsFolder } from "../../../test/harness/tls.ts";
import type { PostgresSettings } from "../../config/model.ts";
import { parsePostgresUrl } from "../../config/postgres-url.ts";
import type { PostgresConnection } from "./connection.ts";
import { Primary, type ServerFacts } from "./primary.ts";

const skip = whyNoPostgres() ?? false;
const timeoutMs = 2_000;

interface Watched {
  readonly primary: Primary;
  readonly ups: ServerFacts[];
  readonly heard: string[];
}

function primaryOf(t: TestContext, url: string, tls: PostgresSettings["tls"] = null): Watched {
  const parsed = parsePostgresUrl(url);
  assert.ok(typeof parsed !== "string", String(parsed));
  const address = { ...parsed, user: parsed.user ?? "", tlsMode: parsed.tlsMode ?? "prefer" };
  const ups: ServerFacts[] = [];
  const heard: string[] = [];
  const primary = new Primary({
    settings: { engine: "postgres", isMoving: false, table: "flotilla_register", tls, address },
    applicationName: "flotilla app-a",
    channel: "flotilla_register",
    onUp: (server) => ups.push(server),
    onNotification: (payload) => heard.push(payload),
  });
  t.after(() => primary.stop());
  return { primary, ups, heard };
}

async function place(connection: PostgresConnection): Promise<number> {
  const { rows } = await connection.query("SELECT inet_server_port() AS port", [], timeoutMs);
  return Number(rows[0]!.port);
}

test("of several hosts the primary is found, and after a failover the new one", { skip }, async (t) => {
  const first = await Postgres.startFor(t, { settings: ["fsync = on"] });
  const second = await Postgres.follow(t, first);
  const { primary, ups } = primaryOf(
    t,
    `postgres://postgres@127.0.0.1:${second.port},127.0.0.1:${first.port}/postgres`,
  );
  assert.equal(await place(await primary.get(timeoutMs)), first.port);
  await until(
    "the standby follows",
    async () => (await first.sql("SELECT 1 FROM pg_stat_replication")).length === 1,
  );
  const { ups: later, primary: third } = primaryOf(t, first.url());
  await third.get(timeoutMs);
  await until("it is up", () => later.length === 1);
  assert.match(later[0]!.weakness!, /synchronous_standby_names is empty: a standby that is promoted/);
  const alone = primaryOf(t, second.url());
  await assert.rejects(alone.primary.get(500), /is a standby, and only a primary can keep the register/);
  await first.stop("immediate");
  await second.promote();
  assert.equal(
    await place(await until("the other is found", () => primary.get(timeoutMs).catch(() => null))),
    second.port,
  );
  assert.equal(ups.at(-1)!.place, `127.0.0.1:${second.port}`);
  await until("the one that was waited for is found", () => alone.primary.get(500).catch(() => null));
});

test("a server that stands still is given up within the time of a statement, and used again when it goes on", {
  skip,
}, async (t) => {
  const server = await Postgres.startFor(t);
  const { primary } = primaryOf(t, server.url());
  const connection = await primary.get(timeoutMs);
  server.pause();
  await assert.rejects(connection.query("SELECT 1", [], 300), /no answer within 0\.3 s/);
  assert.equal(connection.isOpen, false);
  await assert.rejects(primary.get(300), /does not answer|did not answer/);
  server.resume();
  await until("it is used again", () => primary.get(timeoutMs).catch(() => null));
});

test("a restart of the server is waited for", { skip }, async (t) => {
  const server = await Postgres.startFor(t);
  const { primary, ups } = primaryOf(t, server.url());
  await primary.get(timeoutMs);
  await server.stop();
  await assert.rejects(primary.get(200), /can't be reached|does not answer/);
  await server.run();
  await primary.get(5_000);
  assert.ok(ups.length >= 2);
});

/** What PgBouncer does of interest here: the process that it names is none of the server's. */
async function poolerTo(t: TestContext, port: number): Promise<number> {
  const pooler = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    near.pipe(far).on("error", () => near.destroy());
    far.on("data", (part) => {
      // BackendKeyData: "K", length 12, the process, its secret.
      const at = part.indexOf(Buffer.from([0x4b, 0, 0, 0, 12]));
      if (at >= 0) part.writeInt32BE(4_242_424, at + 5);
      near.write(part);
    });
    far.on("close", () => near.destroy());
    near.on("error", () => far.destroy());
  });
  await new Promise<void>((resolve) => pooler.listen(0, "127.0.0.1", resolve));
  t.after(() => pooler.close());
  return (pooler.address() as AddressInfo).port;
}

test("behind a pooler nothing is listened to", { skip }, async (t) => {
  const server = await Postgres.startFor(t);
  const pooled = primaryOf(t, `postgres://postgres@127.0.0.1:${await poolerTo(t, server.port)}/postgres`);
  const direct = primaryOf(t, server.url());
  await pooled.primary.get(timeoutMs);
  await direct.primary.get(timeoutMs);
  await until("both are up", () => pooled.ups.length === 1 && direct.ups.length === 1);
  assert.deepEqual([pooled.ups[0]!.isPooled, direct.ups[0]!.isPooled], [true, false]);
  await server.sql("NOTIFY flotilla_register, 'app'");
  await until("it is heard", () => direct.heard.length === 1);
  assert.deepEqual(pooled.heard, []);
});

test("TLS: what each sslmode believes", { skip }, async (t) => {
  const server = await Postgres.startFor(t);
  const isEncrypted = async (mode: string, tls: PostgresSettings["tls"] = null): Promise<boolean> => {
    const { primary } = primaryOf(t, `${server.url()}?sslmode=${mode}`, tls);
    const connection = await primary.get(600);
    const { rows } = await connection.query(
      "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
      [],
      timeoutMs,
    );
    primary.stop();
    return Boolean(rows[0]!.ssl);
  };
  assert.equal(await isEncrypted("prefer"), false);
  await assert.rejects(isEncrypted("require"), /offers no TLS/);
  await server.encrypt("b");
  for (const mode of ["prefer", "require"]) assert.equal(await isEncrypted(mode), true, mode);
  assert.equal(await isEncrypted("disable"), false);
  await assert.rejects(isEncrypted("verify-full"), /can't be trusted/);
  const ca = { caPath: join(tlsFolder, "b.pem"), certificate: null, serverName: null };
  assert.equal(await isEncrypted("verify-full", ca), true);
  assert.equal(await isEncrypted("verify-ca", { ...ca, serverName: "other.example" }), true);
  await assert.rejects(
    isEncrypted("require", { ...ca, caPath: join(tlsFolder, "ca.pem") }),
    /can't be trusted/,
  );
  await assert.rejects(
    isEncrypted("verify-full", { ...ca, serverName: "other.example" }),
    /can't be trusted/,
  );
});
