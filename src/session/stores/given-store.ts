/** What an application gave as `session({ store })`: an engine, or something for which people take it; then, what to write instead. */
import type { SessionEngine } from "./engine.ts";

const methods = [
  ...["open", "read", "insert", "replace", "touch", "remove"],
  ...["removeExpired", "list", "count", "listen", "close"],
];

interface Kind {
  readonly module: string;
  readonly factory: string;
}

const postgres: Kind = { module: "postgres", factory: "postgresStore" };
const mysql: Kind = { module: "mysql", factory: "mysqlStore" };
const redis: Kind = { module: "redis", factory: "redisStore" };

/** @returns why it is none, and what to write; null: it is a SessionEngine. */
export function whyNoEngine(store: unknown): string | null {
  if (typeof store === "string") return whyNoText(store);
  if (typeof store === "function") return `it is a function: call it, as in ${use(postgres, "{ url }")}`;
  if (typeof store !== "object" || store === null)
    return `it is what ${use(postgres, "{ url }")} gives, not ${String(store)}`;
  const has = (...names: readonly string[]): boolean =>
    names.every((name) => typeof (store as Record<string, unknown>)[name] === "function");
  const name = store.constructor?.name ?? "object";
  // One of node-redis has get, set and destroy, too.
  if (has("sendCommand")) return `it is a client: write ${use(redis, "{ client }")}`;
  if (has("get", "set", "destroy")) return whyNoStore(name);
  if (has(...methods)) return whyNoWords(store as SessionEngine);
  // Pools and clients of pg, mysql2, node-redis and ioredis.
  if (has("connect", "query") && "totalCount" in store)
    return `it is a pool: write ${use(postgres, "{ pool }")}`;
  if (has("getConnection")) return `it is a pool: write ${use(mysql, "{ pool }")}`;
  const missing = methods.filter((method) => !has(method));
  if (missing.length < methods.length) return `it is no whole engine: it has no ${missing.join(", ")}`;
  return `it is what ${use(postgres, "{ url }")} gives, or mysqlStore, redisStore or fileStore`;
}

/** The rest of what has the methods. */
function whyNoWords({ name, proveIntervalMs }: SessionEngine): string | null {
  if (typeof name !== "string" || name === "") return "it is no whole engine: its name is no text";
  // Without it there would be one proof after the other.
  if (typeof proveIntervalMs === "number" && proveIntervalMs >= 1) return null;
  return "it is no whole engine: its proveIntervalMs is no number of milliseconds";
}

/** A Store of express-session. */
function whyNoStore(name: string): string {
  const kinds: readonly [RegExp, string][] = [
    [/redis|valkey/i, use(redis, "{ client }")],
    [/pg|postgres/i, use(postgres, "{ pool }")],
    [/my ?sql|maria/i, use(mysql, "{ pool }")],
  ];
  const [, instead] = kinds.find(([pattern]) => pattern.test(name)) ?? [];
  const cure =
    instead ??
    (name === "MemoryStore" ? "nothing: without it sessions are in memory" : use(postgres, "{ pool }"));
  return `${name} is a store of express-session, which writes whole sessions over each other; write ${cure}`;
}

/** The text is not shown: it may hold a password. */
function whyNoText(text: string): string {
  const kinds: readonly [RegExp, Kind][] = [
    [/^postgres(?:ql)?:/, postgres],
    [/^(?:mysql|mariadb):/, mysql],
    [/^(?:rediss?|valkeys?):/, redis],
  ];
  const [, kind] = kinds.find(([pattern]) => pattern.test(text)) ?? [];
  return `it is no text: write ${use(kind ?? postgres, "{ url }")}`;
}

function use({ module, factory }: Kind, options: string): string {
  return `${factory}(${options}) of "flotilla/session/${module}"`;
}
