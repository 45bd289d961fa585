/** `flotilla/session/redis`: sessions in Redis or Valkey (docs/session-stores.md). */
import { hostInWords } from "../../../config/engine-url.ts";
import { parseRedisUrl } from "../../../config/redis-url.ts";
import { refuseOption, refuseUnknown } from "../../refused-option.ts";
import { loadDriver, type TlsOption } from "../driver.ts";
import type { SessionEngine } from "../engine.ts";
import type { RedisSource } from "./client.ts";
import { RedisEngine } from "./engine.ts";
import { type IoredisClusterLike, type IoredisLike, ioredisClusterSource, ioredisSource } from "./ioredis.ts";
import {
  clientSource,
  clusterSource,
  type NodeRedisClusterLike,
  type NodeRedisLike,
  type NodeRedisOptions,
  optionsOf,
  placeOf,
} from "./node-redis.ts";

export type { TlsOption } from "../driver.ts";
export type { SessionEngine } from "../engine.ts";

export interface RedisStoreOptions {
  /** "redis://10.0.0.5:6379/0", or "rediss://..." with TLS; user and password may stand in it. Needs the package `redis`. */
  url?: string;
  user?: string;
  password?: string;
  tls?: TlsOption;
  /**
   * In place of `url`: your own client or cluster of `redis` or `ioredis`. It is a pattern: the store makes connections of its own with its
   * settings (two, or one for each node), and never uses or ends yours.
   */
  client?: NodeRedisLike | NodeRedisClusterLike | IoredisLike | IoredisClusterLike;
  /** In front of all keys and channels; default "flotilla:". */
  prefix?: string;
}

const factory = "redisStore";
const known = ["url", "user", "password", "tls", "client", "prefix"];
const defaultPrefix = "flotilla:";

/** @throws FlotillaError FLOTILLA_SESSION_OPTION */
export function redisStore(options: RedisStoreOptions): SessionEngine {
  if (typeof options === "string") refuse("url", "it is to stand in braces, as here");
  if (typeof (options as { on?: unknown } | undefined)?.on === "function")
    refuse("client", "it is to stand in braces, as here");
  refuseUnknown(factory, options ?? {}, known);
  const { url, client, prefix = defaultPrefix } = options ?? {};
  if (typeof prefix !== "string") refuse("prefix", "it is a text");
  if ((url === undefined) === (client === undefined)) refuse("url", "give either a url or a client");
  if (client === undefined) return new RedisEngine(urlSource(options), prefix);
  for (const name of ["user", "password", "tls"] as const)
    if (options[name] !== undefined) refuse(name, "the client says it");
  return new RedisEngine(sourceOf(client), prefix);
}

function urlSource({ url, user, password, tls }: RedisStoreOptions): RedisSource {
  const parsed = typeof url === "string" ? parseRedisUrl(url) : "is a text";
  if (typeof parsed === "string") refuse("url", `it ${parsed}`);
  const { host: socket, database, isEncrypted } = parsed;
  if (tls !== undefined && !isEncrypted)
    refuse("tls", 'the url says no TLS; it begins with "rediss://" then');
  for (const [name, value] of Object.entries({ user, password }))
    if (value !== undefined && parsed[name as "user" | "password"] !== null)
      refuse(name, "it stands in the url, too");
  const credentials = {
    username: user ?? parsed.user ?? undefined,
    password: password ?? parsed.password ?? undefined,
  };
  return clientSource(
    `Redis at ${hostInWords(socket)}`,
    async () => {
      const { createClient } = await loadDriver("redis", () => import("redis"));
      const secure = isEncrypted ? { tls: true, ...(typeof tls === "function" ? await tls() : tls) } : {};
      const own: NodeRedisOptions = { ...credentials, database, socket: { ...secure, ...socket } };
      return createClient(optionsOf(own) as Parameters<typeof createClient>[0]);
    },
    "",
  );
}

function sourceOf(client: object): RedisSource {
  const can = (name: string): boolean => typeof (client as Record<string, unknown>)[name] === "function";
  if (typeof client !== "object" || client === null || !can("duplicate")) refuse("client", whatItIs(client));
  if (can("call") && "status" in client)
    return can("nodes")
      ? ioredisClusterSource(client as IoredisClusterLike)
      : ioredisSource(client as IoredisLike);
  if (can("nodeClient") && "masters" in client) return clusterSource(client as NodeRedisClusterLike);
  // Pools and sentinels of node-redis have the same methods, and more.
  if (can("sendCommand") && "isReady" in client && !can("execute") && !can("acquire")) {
    const own = client as NodeRedisLike;
    const given = (own.options ?? {}) as NodeRedisOptions;
    return clientSource(
      `Redis at ${placeOf(given.url as string | undefined, given.socket)}`,
      () => Promise.resolve(own.duplicate(optionsOf(given))),
      given.keyPrefix ?? "",
    );
  }
  refuse("client", whatItIs(client));
}

function whatItIs(client: unknown): string {
  const name = typeof client === "object" && client !== null ? client.constructor?.name : typeof client;
  return `it is what createClient() or createCluster() of "redis" give, or a Redis or Cluster of "ioredis", not ${name}`;
}

function refuse(name: string, reason: string): never {
  refuseOption(factory, name, reason);
}
