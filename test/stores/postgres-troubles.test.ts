/** `flotilla/session/postgres` with real servers in trouble, behind poolers, and in the hands of others. */
import pg from "pg";
import { postgresStore } from "../../src/session/stores/postgres/index.ts";
import { Postgres, whyNoPostgres } from "../harness/postgres.ts";
import { describeSqlTroubles, type SqlKind } from "./sql-troubles.ts";

async function numberOf(server: Postgres, text: string): Promise<number> {
  return Number((await server.sql(text))[0]!.number);
}

const kind: SqlKind<Postgres> = {
  name: "PostgreSQL",
  skip: whyNoPostgres() ?? false,
  start: () => Postgres.start({ settings: ["fsync = on"] }),
  connect: (server, port, table) =>
    postgresStore({ url: server.url().replace(`:${server.port}/`, `:${port}/`), table }),
  async hold(server, table, key) {
    const client = new pg.Client({ connectionString: server.url() });
    await client.connect();
    await client.query("BEGIN");
    await client.query(`SELECT 1 FROM ${table} WHERE id = $1 FOR UPDATE`, [key]);
    return () => client.end();
  },
  waiting: (server) =>
    numberOf(server, "SELECT count(*) AS number FROM pg_stat_activity WHERE wait_event_type = 'Lock'"),
  connections: (server) =>
    numberOf(
      server,
      "SELECT count(*) AS number FROM pg_stat_activity WHERE application_name = 'flotilla sessions'",
    ),
  change: /UPDATE/,
};

describeSqlTroubles(kind);
