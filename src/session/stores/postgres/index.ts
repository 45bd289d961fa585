/** `flotilla/session/postgres`: sessions in a table of PostgreSQL (docs/session-stores.md). */
import type { ConnectionOptions } from "node:tls";
import { hostInWords } from "../../../config/engine-url.ts";
import type { PostgresAddress, PostgresStoreSettings } from "../../../config/model.ts";
import { parsePostgresUrl } from "../../../config/postgres-url.ts";
import { tlsOptions } from "../../../register/postgres/connection.ts";
import type { SessionEngine } from "../engine.ts";
import { SqlOptions, type SqlStoreOptions } from "../sql/options.ts";
import { PostgresEngine } from "./engine.ts";
import type { PgPool } from "./pool.ts";

export type { TlsOption } from "../driver.ts";
export type { SessionEngine } from "../engine.ts";
export type { SqlStoreOptions } from "../sql/options.ts";

/** A pool of the package `pg`. */
export interface PostgresPool {
  connect(): Promise<{ release(destroy?: boolean): void }>;
}

export interface PostgresStoreOptions extends SqlStoreOptions {
  /** "postgres://user@10.0.0.5:5432/shop?sslmode=verify-full"; several hosts with commas between them: the primary is looked for. Needs the package `pg`. */
  url?: string;
  /** In place of `url`: your own `new pg.Pool(...)`. It is never ended here. One of its clients is kept for notices. */
  pool?: PostgresPool;
  /** Of the column `data`. Default "text". */
  dataType?: "text" | "jsonb" | "bytea";
}

/** @throws FlotillaError FLOTILLA_SESSION_OPTION */
export function postgresStore(options: PostgresStoreOptions): SessionEngine {
  const given: SqlOptions = new SqlOptions("postgresStore", options);
  const wanted = { table: given.table, dataType: given.dataType(["text", "jsonb", "bytea"]) };
  if (options.pool !== undefined) {
    const pool = options.pool as unknown as PgPool;
    if (
      typeof pool?.connect !== "function" ||
      typeof pool.on !== "function" ||
      "release" in pool ||
      !("totalCount" in pool)
    )
      given.refuse("pool", 'it is what new Pool() of "pg" gives, not one of its clients');
    return new PostgresEngine({ pool, place: placeOfPool(pool) }, wanted);
  }
  const { tls } = given;
  const url = given.url(parsePostgresUrl);
  const { hosts, database, user, password } = url;
  const address: PostgresAddress = {
    ...{ hosts, database, user, password },
    tlsMode: url.tlsMode ?? (tls === null ? "prefer" : "verify-full"),
  };
  if (tls !== null && address.tlsMode === "disable") given.refuse("tls", "the url has sslmode=disable");
  const withMode = async (): Promise<ConnectionOptions> => withGiven(address, (await tls?.()) ?? {});
  return new PostgresEngine({ address, connectionsMax: given.connectionsMax, tls: withMode }, wanted);
}

/** As the file of a cluster says it. */
export function postgresStoreOf(settings: PostgresStoreSettings): SessionEngine {
  const { address, connectionsMax, table, dataType } = settings;
  return new PostgresEngine(
    { address, connectionsMax, tls: () => tlsOptions(settings) },
    { table, dataType },
  );
}

async function withGiven(address: PostgresAddress, given: ConnectionOptions): Promise<ConnectionOptions> {
  const serverName = given.servername ?? null;
  const ofMode = await tlsOptions({ address, tls: { caPath: null, certificate: null, serverName } });
  // As libpq: an authority that is named is asked, even where the mode alone would believe anybody.
  const rejectUnauthorized = ofMode.rejectUnauthorized === true || given.ca !== undefined;
  return { ...ofMode, rejectUnauthorized, ...given };
}

function placeOfPool({ options }: PgPool): string {
  const { host, port } = options ?? {};
  return host === undefined ? "the host of the pool" : hostInWords({ host, port: port ?? 5_432 });
}
