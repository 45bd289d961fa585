/** The cell in a real PostgreSQL: what is kept, who wins, what is heard, and what is said when something is wrong. */
import assert from "node:assert/strict";
import test, { after, before, describe, type TestContext } from "node:test";
import { freePorts } from "../../../test/harness/free-ports.ts";
import { Postgres, type PostgresOptions, whyNoPostgres } from "../../../test/harness/postgres.ts";
import type { PostgresSettings } from "../../config/model.ts";
import { parsePostgresUrl } from "../../config/postgres-url.ts";
import { FlotillaError } from "../../support/errors.ts";
import { type Cell, SwapRefused } from "../cell/cell.ts";
import { PostgresStore } from "./store.ts";

const skip = whyNoPostgres() ?? false;

function settingsOf(url: string, table: string = "flotilla_register"): PostgresSettings {
  const parsed = parsePostgresUrl(url);
  assert.ok(typeof parsed !== "string", String(parsed));
  const { user, tlsMode, ...address } = parsed;
  return {
    isMoving: false,
    engine: "postgres",
    table,
    tls: null,
    address: { ...address, user: user ?? "", tlsMode: tlsMode ?? "prefer" },
  };
}

class Server {
  readonly server: Postgres;
  readonly remarks: string[] = [];

  private constructor(server: Postgres) {
    this.server = server;
  }

  static async start(options: PostgresOptions = {}): Promise<Server> {
    return new Server(await Postgres.start(options));
  }

  static async startFor(t: TestContext, options: PostgresOptions = {}): Promise<Server> {
    return new Server(await Postgres.startFor(t, options));
  }

  storeFor(t: TestContext, url: string = this.server.url(), cluster: string = "app"): PostgresStore {
    const store = new PostgresStore({
      cluster,
      settings: settingsOf(url),
      applicationName: "flotilla app-a",
      where: "the row",
      onRemark: (message) => this.remarks.push(message),
    });
    t.after(() => store.stop());
    return store;
  }
}

const timeoutMs = 2_000;

async function write(store: PostgresStore, expected: string | null, text: string): Promise<string> {
  const outcome = await store.swap(expected, Buffer.from(text), timeoutMs);
  assert.ok(outcome.isDone);
  return outcome.revision;
}

async function failure(promise: Promise<unknown>): Promise<FlotillaError> {
  const error = await promise.then(
    () => assert.fail("it succeeded"),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof FlotillaError, String(error));
  return error;
}

test("a cell is made once and then replaced, each time only by who names its revision", {
  skip,
}, async (t) => {
  const site = await Server.startFor(t);
  const [one, other] = [site.storeFor(t), site.storeFor(t)];
  assert.equal(await one.get(timeoutMs), null);
  const first = await write(one, null, "first");
  const refused = await other.swap(null, Buffer.from("second first"), timeoutMs);
  assert.deepEqual(refused, { isDone: false, cell: { revision: first, bytes: Buffer.from("first") } });
  const second = await write(other, first, "second");
  assert.notEqual(second, first);
  assert.equal((await one.swap(first, Buffer.from("late"), timeoutMs)).isDone, false);
  assert.deepEqual(await one.get(timeoutMs), { revision: second, bytes: Buffer.from("second") });
  const same = await write(one, second, "second");
  assert.notEqual(same, second);
  assert.equal(await site.storeFor(t, site.server.url(), "other").get(timeoutMs), null);
});

test("many stores that start at once make one table, and one of them the cell", { skip }, async (t) => {
  const site = await Server.startFor(t);
  const stores = Array.from({ length: 8 }, () => site.storeFor(t));
  const outcomes = await Promise.all(
    stores.map((store, index) => store.swap(null, Buffer.from([index]), timeoutMs)),
  );
  assert.equal(outcomes.filter(({ isDone }) => isDone).length, 1);
});

test("others hear of a change at once, and of one that came while they had no connection", {
  skip,
}, async (t) => {
  const site = await Server.startFor(t);
  const [writer, listener] = [site.storeFor(t), site.storeFor(t)];
  let heard: (text: string) => void = () => {};
  const hear = (wanted: string): Promise<void> =>
    new Promise((resolve) => {
      heard = (text) => text === wanted && resolve();
    });
  listener.watch(({ bytes }: Cell) => heard(bytes.toString()));
  await listener.get(timeoutMs);
  const one = hear("one");
  const first = await write(writer, null, "one");
  await one;
  const two = hear("two");
  await site.server.sql(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'flotilla%'",
  );
  await writer.get(timeoutMs).catch(() => null);
  await write(writer, first, "two");
  await two;
});

test("every write waits for the disk, whatever the database's setting", { skip }, async (t) => {
  const site = await Server.startFor(t, { settings: ["synchronous_commit = off", "log_statement = none"] });
  await site.server.sql(`CREATE TABLE seen (setting text);
    CREATE TABLE flotilla_register (cluster text PRIMARY KEY, made text NOT NULL, revision bigint NOT NULL, value bytea NOT NULL, changed_at timestamptz NOT NULL);
    CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit') || ' ' || current_setting('lock_timeout')); RETURN NULL; END $$;
    CREATE TRIGGER see AFTER INSERT OR UPDATE ON flotilla_register FOR EACH ROW EXECUTE FUNCTION see();`);
  const store = site.storeFor(t);
  const revision = await write(store, null, "one");
  await write(store, revision, "two");
  const seen = await site.server.sql("SELECT setting FROM seen");
  assert.equal(seen.length, 2);
  for (const { setting } of seen) {
    const lockTimeoutMs = Number(/^on (\d+)ms$/.exec(String(setting))?.[1]);
    // Most of the time that is left for the statement.
    assert.ok(lockTimeoutMs > 0 && lockTimeoutMs < timeoutMs, String(setting));
  }
});

test("a row that somebody holds: the change is refused before its answer is given up, and nothing of it is left", {
  skip,
}, async (t) => {
  const site = await Server.startFor(t);
  const store = site.storeFor(t);
  const revision = await write(store, null, "one");
  await site.server.session(async (client) => {
    await client.query("BEGIN");
    await client.query("SELECT * FROM flotilla_register FOR UPDATE");
    const error = await failure(store.swap(revision, Buffer.from("two"), 400));
    assert.ok(error instanceof SwapRefused);
    assert.match(error.message, /another transaction holds the row in flotilla_register/);
    const waiting = await site.server.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
    assert.equal(waiting.length, 0);
    assert.equal((await store.get(timeoutMs))!.bytes.toString(), "one");
    await client.query("ROLLBACK");
  });
});

describe("what is said when something is wrong", { skip }, () => {
  const access = ["local all all trust", "host all postgres all trust", "host all all all scram-sha-256"];
  let site: Server;
  before(async () => {
    site = await Server.start({ access, settings: ["fsync = on", "password_encryption = 'scram-sha-256'"] });
    await site.server.sql("CREATE ROLE shop LOGIN PASSWORD 'right:1@/'");
    await site.server.sql("CREATE DATABASE shop");
  });
  after(async () => await site.server.remove());

  const said = async (t: TestContext, url: string): Promise<string> => {
    const { message, code } = await failure(site.storeFor(t, url).get(600));
    assert.equal(code, "FLOTILLA_REGISTER_UNREACHABLE");
    assert.doesNotMatch(message, /right|wrong|\n/);
    return message;
  };
  const at = (): string => `${site.server.address}:${site.server.port}`;

  test("passwords, databases, rights", async (t) => {
    assert.match(await said(t, `postgres://shop:wrong@${at()}/shop`), /does not take the password of "shop"/);
    assert.match(await said(t, `postgres://shop@${at()}/shop`), /wants a password of "shop"/);
    assert.match(await said(t, `postgres://shop:right%3A1%40%2F@${at()}/shoe`), /has no database "shoe"/);
    const store = site.storeFor(t, `postgres://shop:right%3A1%40%2F@${at()}/shop`);
    const { message } = await failure(store.get(timeoutMs));
    const [, statements] = /in the database "shop": (.*)$/.exec(message)!;
    await site.server.sql(statements!, [], "shop");
    await write(store, null, "one");
  });

  test("nobody there, and no such name", async (t) => {
    const [port] = await freePorts(1);
    assert.match(
      await said(t, `postgres://shop@127.0.0.1:${port}/shop`),
      /127\.0\.0\.1:\d+ can't be reached .*start it/,
    );
    assert.match(await said(t, "postgres://shop@nobody.invalid/shop"), /its name/);
    assert.match(
      await said(t, "postgres:///shop?host=/nowhere"),
      /\/nowhere\/\.s\.PGSQL\.5432 can't be reached/,
    );
  });

  test("its socket in the file system", async (t) => {
    const { folder, port } = site.server;
    const store = site.storeFor(t, `postgres://postgres@%2F:${port}/shop?host=${folder}:${port}`, "socket");
    await write(store, null, "one");
  });

  test("a full disk and a read-only database: nothing is changed, and reads go on", async (t) => {
    const store = site.storeFor(t, site.server.url("shop"), "full");
    const revision = await write(store, null, "one");
    await site.server.sql(
      `CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$;
       CREATE TRIGGER fill BEFORE UPDATE ON flotilla_register FOR EACH ROW EXECUTE FUNCTION fill()`,
      [],
      "shop",
    );
    const full = await failure(store.swap(revision, Buffer.from("two"), timeoutMs));
    assert.ok(full instanceof SwapRefused && full.retry === "no");
    assert.match(full.message, /has a full disk \(could not extend file\): make room there/);
    await site.server.sql("DROP TRIGGER fill ON flotilla_register", [], "shop");
    await site.server.sql("ALTER DATABASE shop SET default_transaction_read_only = on");
    const late = site.storeFor(t, site.server.url("shop"), "full");
    const cell = await late.get(timeoutMs);
    assert.equal(cell!.bytes.toString(), "one");
    assert.match(
      (await failure(late.swap(cell!.revision, Buffer.from("two"), timeoutMs))).message,
      /is read-only/,
    );
    await site.server.sql("ALTER DATABASE shop SET default_transaction_read_only = off");
  });

  test("rows and tables that Flotilla has not made", async (t) => {
    await site.server.sql("CREATE DATABASE strange");
    const store = site.storeFor(t, site.server.url("strange"));
    await write(store, null, "one");
    const strange = async (change: string, expected: RegExp): Promise<void> => {
      await site.server.sql(change, [], "strange");
      const error = await failure(store.get(timeoutMs));
      assert.equal(error.code, "FLOTILLA_REGISTER_DAMAGED");
      assert.match(error.message, expected);
    };
    await strange(
      "UPDATE flotilla_register SET revision = 7, value = repeat('x', 600000)::bytea",
      /600000 bytes/,
    );
    await strange(
      "UPDATE flotilla_register SET revision = -7, value = ''",
      /not one that Flotilla has written/,
    );
    await site.server.sql(
      "UPDATE flotilla_register SET revision = 8, made = repeat('y', 1000000)",
      [],
      "strange",
    );
    assert.ok((await store.get(timeoutMs))!.revision.length < 300);
    await site.server.sql(
      "DROP TABLE flotilla_register; CREATE TABLE flotilla_register (id int)",
      [],
      "strange",
    );
    assert.match(
      (await failure(store.get(timeoutMs))).message,
      /has a table flotilla_register that Flotilla has not made/,
    );
  });
});
