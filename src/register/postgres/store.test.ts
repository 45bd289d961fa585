/** The cell in a real PostgreSQL: what is kept, who wins, what is heard, and what is said when something is wrong. */
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
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
    engine: "postgres",
    table,
    tls: null,
    address: { ...address, user: user ?? "", tlsMode: tlsMode ?? "prefer" },
  };
}

class Site {
  readonly server: Postgres;
  readonly remarks: string[] = [];
  readonly #t: TestContext;

  constructor(t: TestContext, server: Postgres) {
    this.#t = t;
    this.server = server;
  }

  static async start(t: TestContext, options: PostgresOptions = {}): Promise<Site> {
    return new Site(t, await Postgres.startFor(t, options));
  }

  store(url: string = this.server.url(), cluster: string = "app"): PostgresStore {
    const store = new PostgresStore({
      cluster,
      settings: settingsOf(url),
      applicationName: "flotilla app-a",
      where: "the row",
      onRemark: (message) => this.remarks.push(message),
    });
    this.#t.after(() => store.stop());
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
  const site = await Site.start(t);
  const [one, other] = [site.store(), site.store()];
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
  assert.equal(await site.store(site.server.url(), "other").get(timeoutMs), null);
});

test("many stores that start at once make one table, and one of them the cell", { skip }, async (t) => {
  const site = await Site.start(t);
  const stores = Array.from({ length: 8 }, () => site.store());
  const outcomes = await Promise.all(
    stores.map((store, index) => store.swap(null, Buffer.from([index]), timeoutMs)),
  );
  assert.equal(outcomes.filter(({ isDone }) => isDone).length, 1);
});

test("others hear of a change at once, and of one that came while they had no connection", {
  skip,
}, async (t) => {
  const site = await Site.start(t);
  const [writer, listener] = [site.store(), site.store()];
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
  const site = await Site.start(t, { settings: ["synchronous_commit = off", "log_statement = none"] });
  await site.server.sql(`CREATE TABLE seen (setting text);
    CREATE TABLE flotilla_register (cluster text PRIMARY KEY, made text NOT NULL, revision bigint NOT NULL, value bytea NOT NULL, changed_at timestamptz NOT NULL);
    CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit') || ' ' || current_setting('lock_timeout')); RETURN NULL; END $$;
    CREATE TRIGGER see AFTER INSERT OR UPDATE ON flotilla_register FOR EACH ROW EXECUTE FUNCTION see();`);
  const store = site.store();
  const revision = await write(store, null, "one");
  await write(store, revision, "two");
  const seen = await site.server.sql("SELECT setting FROM seen");
  assert.equal(seen.length, 2);
  for (const { setting } of seen) assert.match(String(setting), /^on 1[45]\d\dms$/);
});

test("a row that somebody holds: the change is refused before its answer is given up, and nothing of it is left", {
  skip,
}, async (t) => {
  const site = await Site.start(t);
  const store = site.store();
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
