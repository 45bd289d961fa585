/**
 * `redis://user:password@10.0.0.5:6379/0`, and `rediss://` with TLS, as redis-cli understands it (IANA, "redis" and "rediss" URI
 * schemes). A password never gets into a message.
 */
import { parseEngineUrl, readDatabaseHost } from "./engine-url.ts";
import type { DatabaseHost } from "./model.ts";

/** What the text says, and what of it the section may say instead. */
export interface RedisUrl {
  readonly host: DatabaseHost;
  readonly database: number;
  /** Null: not said. */
  readonly user: string | null;
  readonly password: string | null;
  readonly isEncrypted: boolean;
}

const example = '"redis://10.0.0.5:6379"';
/** Redis has 16 unless its file says otherwise. */
const databaseMax = 65_535;

/** @returns what is wrong with it, for the end of a sentence; what the text says is not in it. */
export function parseRedisUrl(text: string): RedisUrl | string {
  const url = parseEngineUrl(text, ["redis", "rediss", "valkey", "valkeys"], example);
  if (typeof url === "string") return url;
  if (url.query !== "") return "has parameters; what it could say stands beside it";
  if (!/^\d{0,5}$/.test(url.path) || Number(url.path) > databaseMax)
    return `has a database that is no number, as in ${example.slice(0, -1)}/0"`;
  const host = readDatabaseHost(url.hosts, 6_379);
  if (typeof host === "string") return host;
  if (host.host.startsWith("/"))
    return "has a Unix socket for a host, which such an address can't say; give the application a client of its own";
  const { user, password } = url;
  return { host, database: Number(url.path), user, password, isEncrypted: /^(?:rediss|valkeys):/.test(text) };
}
