/** `flotilla/session/mysql`: sessions in a table of MySQL or MariaDB (docs/session-stores.md). */
import type { ConnectionOptions } from "node:tls";
import { hostInWords } from "../../../config/engine-url.ts";
import type { EngineTls, MysqlAddress, MysqlStoreSettings } from "../../../config/model.ts";
import { parseMysqlUrl } from "../../../config/mysql-url.ts";
import { readTlsFiles } from "../../../config/tls-files.ts";
import type { SessionEngine } from "../engine.ts";
import { SqlOptions, type SqlStoreOptions } from "../sql/options.ts";
import { MysqlEngine } from "./engine.ts";
import type { MysqlPool as CorePool } from "./pool.ts";

export type { TlsOption } from "../driver.ts";
export type { SessionEngine } from "../engine.ts";
export type { SqlStoreOptions } from "../sql/options.ts";

/** A pool of the package `mysql2`, or of `mysql2/promise`. */
export interface MysqlPool {
  // biome-ignore lint/suspicious/noExplicitAny: of one it takes a callback, of the other it gives a promise
  getConnection(...parameters: any[]): any;
}

export interface MysqlStoreOptions extends SqlStoreOptions {
  /** "mysql://user@10.0.0.5:3306/shop?ssl-mode=verify-identity". Needs the package `mysql2`. */
  url?: string;
  /** In place of `url`: your own `mysql.createPool(...)`. It is never ended here. */
  pool?: MysqlPool;
  /** Of the column `data`. Default "longtext". */
  dataType?: "longtext" | "longblob" | "json";
}

/** @throws FlotillaError FLOTILLA_SESSION_OPTION */
export function mysqlStore(options: MysqlStoreOptions): SessionEngine {
  const given: SqlOptions = new SqlOptions("mysqlStore", options);
  const wanted = { table: given.table, dataType: given.dataType(["longtext", "longblob", "json"]) };
  if (options.pool !== undefined) {
    const pool = corePoolOf(options.pool);
    if (pool === null) given.refuse("pool", 'it is what createPool() of "mysql2" or "mysql2/promise" gives');
    return new MysqlEngine({ pool, place: placeOfPool(pool) }, wanted);
  }
  const { tls } = given;
  const url = given.url(parseMysqlUrl);
  const { host, database, user, password } = url;
  const address: MysqlAddress = {
    ...{ host, database, user, password },
    tlsMode: url.tlsMode ?? (tls === null ? "disabled" : "verify-identity"),
  };
  if (tls !== null && address.tlsMode === "disabled") given.refuse("tls", "the url has ssl-mode=DISABLED");
  const withMode = async (): Promise<ConnectionOptions> => {
    const own = (await tls?.()) ?? {};
    return { rejectUnauthorized: isVerified(address) || own.ca !== undefined, ...own };
  };
  return new MysqlEngine({ address, connectionsMax: given.connectionsMax, tls: withMode }, wanted);
}

/** As the file of a cluster says it. */
export function mysqlStoreOf(settings: MysqlStoreSettings): SessionEngine {
  const { address, connectionsMax, table, dataType } = settings;
  const tls = (): Promise<ConnectionOptions> => tlsOf(address, settings.tls);
  return new MysqlEngine({ address, connectionsMax, tls }, { table, dataType });
}

/** Null: it is none. */
function corePoolOf(pool: unknown): CorePool | null {
  if (typeof pool !== "object" || pool === null) return null;
  const core = ("pool" in pool ? pool.pool : pool) as CorePool | null;
  if (typeof core !== "object" || typeof core?.getConnection !== "function") return null;
  // Of the package `mysql` there are no prepared statements; a connection is no pool.
  return "execute" in core && typeof core.end === "function" ? core : null;
}

function placeOfPool({ config }: CorePool): string {
  const { host, port, socketPath } = config?.connectionConfig ?? {};
  if (socketPath !== undefined) return socketPath;
  return host === undefined ? "the host of the pool" : hostInWords({ host, port: port ?? 3_306 });
}

function isVerified({ tlsMode }: MysqlAddress): boolean {
  return tlsMode === "verify-ca" || tlsMode === "verify-identity";
}

async function tlsOf(address: MysqlAddress, tls: EngineTls | null): Promise<ConnectionOptions> {
  const texts = await readTlsFiles(tls);
  return {
    rejectUnauthorized: isVerified(address) || texts.ca !== undefined,
    ...texts,
    ...(tls?.serverName != null && { servername: tls.serverName }),
  };
}
