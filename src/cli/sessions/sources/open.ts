/** The source that an address names, connected. */
import { FlotillaError, messageOf } from "../../../support/errors.ts";
import { type SourceAddress, wrong } from "./address.ts";
import { openMysql } from "./mysql.ts";
import { openPostgres } from "./postgres.ts";
import { openRedis } from "./redis.ts";
import type { SessionSource, SourceOptions } from "./source.ts";

const openers = { redis: openRedis, postgres: openPostgres, mysql: openMysql } as const;

/** @throws FlotillaError FLOTILLA_IMPORT_FROM, FLOTILLA_IMPORT_SOURCE, FLOTILLA_SESSION_STORE_DRIVER */
export async function openSource(address: SourceAddress, options: SourceOptions): Promise<SessionSource> {
  const { prefix, keepsPrefix, table } = options;
  if (address.kind === "redis" && table !== null) throw wrong("a Redis has no tables: --table is for others");
  if (address.kind !== "redis" && (prefix !== null || keepsPrefix))
    throw wrong("--prefix and --keep-prefix are for a Redis; a table is named with --table");
  try {
    return await openers[address.kind](address, options);
  } catch (error) {
    // What the library does not understand of the URL.
    throw error instanceof FlotillaError ? error : wrong(messageOf(error));
  }
}
