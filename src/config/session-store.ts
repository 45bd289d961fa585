/** `sessions: store:` -> where a cluster's sessions are, and what it takes to reach a database. A password never gets into a message. */
import type { ClusterDraft, Context } from "./context.ts";
import { buildTls } from "./engine-tls.ts";
import { hostInWords } from "./engine-url.ts";
import type { Inherited } from "./inherited.ts";
import { isLoopback } from "./local.ts";
import type {
  DatabaseHost,
  DatabaseStoreSettings,
  EngineTls,
  MysqlStoreSettings,
  PostgresStoreSettings,
  RedisStoreSettings,
  SessionSettings,
  SessionStoreSettings,
} from "./model.ts";
import { parseMysqlUrl } from "./mysql-url.ts";
import { parsePostgresUrl } from "./postgres-url.ts";
import type { Problems } from "./problems.ts";
import { parseRedisUrl } from "./redis-url.ts";

/** Databases, each with the keys that go with it besides its own. */
const databases = {
  postgres: {
    keys: ["table", "dataType", "connections", "user", "password", "tls"],
    dataTypes: ["text", "jsonb", "bytea"],
    example: 'postgres: "postgres://user@10.0.0.5/shop"',
  },
  mysql: {
    keys: ["table", "dataType", "connections", "user", "password", "tls"],
    dataTypes: ["longtext", "longblob", "json"],
    example: 'mysql: "mysql://user@10.0.0.5/shop"',
  },
  redis: {
    keys: ["prefix", "user", "password", "tls"],
    dataTypes: [],
    example: 'redis: "redis://10.0.0.5:6379"',
  },
} as const;

type Database = keyof typeof databases;
const databaseNames = Object.keys(databases) as Database[];

/** Of a file that is refused for its store. */
const none: SessionStoreSettings = { kind: "cluster" };

export function storeKindOf(keys: Inherited): SessionStoreSettings["kind"] {
  const named = keys.text("kind") as SessionStoreSettings["kind"] | null;
  return named ?? databaseNames.find((name) => keys.has(name)) ?? "cluster";
}

/** @param elsewhere its servers are on other machines: files are not looked for here. */
export function buildStore(keys: Inherited, elsewhere: boolean, context: Context): SessionStoreSettings {
  const kind = storeKindOf(keys);
  const fail: Fail = (key, what) => context.problems.error(keys.atOf(key), `${keys.whereOf(key)}: ${what}`);
  refuseKeys(keys, kind, fail);
  if (kind === "cluster" || kind === "file") return { kind };
  const text = keys.text(kind);
  if (text === null) {
    if (!keys.has(kind)) fail("kind", `${kind} needs its address: store: { ${databases[kind].example} }`);
    return none;
  }
  const wanted: Wanted = { keys, text, elsewhere, context, fail };
  if (kind === "postgres") return buildPostgres(wanted) ?? none;
  if (kind === "mysql") return buildMysql(wanted) ?? none;
  return buildRedis(wanted) ?? none;
}

type Fail = (key: string, what: string) => void;

interface Wanted {
  readonly keys: Inherited;
  /** The database's address. */
  readonly text: string;
  readonly elsewhere: boolean;
  readonly context: Context;
  readonly fail: Fail;
}

function refuseKeys(keys: Inherited, kind: SessionStoreSettings["kind"], fail: Fail): void {
  for (const name of databaseNames)
    if (name !== kind && keys.has(name)) fail(name, `${name}: does not go with ${kind}`);
  const isDatabase = kind !== "cluster" && kind !== "file";
  const own: readonly string[] = isDatabase ? databases[kind].keys : [];
  for (const key of new Set(databaseNames.flatMap((name): readonly string[] => databases[name].keys))) {
    if (own.includes(key) || !keys.has(key)) continue;
    const users = databaseNames.filter((name) => (databases[name].keys as readonly string[]).includes(key));
    fail(key, `${key}: goes with ${users.map((name) => `${name}:`).join(" or ")}`);
  }
  const dataType = keys.text("dataType");
  const types: readonly string[] = isDatabase ? databases[kind].dataTypes : [];
  if (dataType !== null && own.includes("dataType") && !types.includes(dataType))
    fail("dataType", `dataType: ${dataType} is no type of ${kind}; allowed is ${types.join(", ")}`);
}

/** Null: nothing of it can be used. */
function buildPostgres(wanted: Wanted): PostgresStoreSettings | null {
  const { keys, text, fail } = wanted;
  const url = parsePostgresUrl(text);
  if (typeof url === "string") {
    fail("postgres", `postgres ${url}`);
    return null;
  }
  const { user, password } = credentials(wanted, "postgres", url);
  if (user === null)
    fail("postgres", "postgres names no user: write postgres://user@..., or user: beside it");
  const tlsMode = url.tlsMode ?? (keys.has("tls") ? "verify-full" : "prefer");
  if (tlsMode === "disable" && keys.has("tls"))
    fail("postgres", "postgres has sslmode=disable; tls: goes with the others");
  const tls = tlsOf(wanted);
  if (tlsMode === "verify-ca" && tls?.caPath == null)
    fail("postgres", "postgres has sslmode=verify-ca, which needs the authority's file: tls: { ca: ... }");
  if (tlsMode !== "verify-ca" && tlsMode !== "verify-full" && tls === null)
    warnUnchecked(wanted, "postgres", url.hosts, `sslmode=${tlsMode}`, "sslmode=verify-full");
  const { hosts, database } = url;
  return {
    kind: "postgres",
    address: { hosts, database, user: user ?? "", password, tlsMode },
    table: keys.text("table") ?? "",
    dataType: (keys.text("dataType") as PostgresStoreSettings["dataType"] | null) ?? "text",
    connectionsMax: keys.number("connections"),
    tls,
  };
}

/** Null: nothing of it can be used. */
function buildMysql(wanted: Wanted): MysqlStoreSettings | null {
  const { keys, text, fail } = wanted;
  const url = parseMysqlUrl(text);
  if (typeof url === "string") {
    fail("mysql", `mysql ${url}`);
    return null;
  }
  const { user, password } = credentials(wanted, "mysql", url);
  if (user === null) fail("mysql", "mysql names no user: write mysql://user@..., or user: beside it");
  const tlsMode = url.tlsMode ?? (keys.has("tls") ? "verify-identity" : "disabled");
  if (tlsMode === "disabled" && keys.has("tls"))
    fail("mysql", "mysql has ssl-mode=disabled; tls: goes with the others");
  const tls = tlsOf(wanted);
  if (tlsMode === "verify-ca" && tls?.caPath == null)
    fail("mysql", "mysql has ssl-mode=verify-ca, which needs the authority's file: tls: { ca: ... }");
  if (tlsMode !== "verify-ca" && tlsMode !== "verify-identity")
    warnUnchecked(wanted, "mysql", [url.host], `ssl-mode=${tlsMode}`, "ssl-mode=verify-identity");
  const { host, database } = url;
  return {
    kind: "mysql",
    address: { host, database, user: user ?? "", password, tlsMode },
    table: keys.text("table") ?? "",
    dataType: (keys.text("dataType") as MysqlStoreSettings["dataType"] | null) ?? "longtext",
    connectionsMax: keys.number("connections"),
    tls,
  };
}

/** Null: nothing of it can be used. */
function buildRedis(wanted: Wanted): RedisStoreSettings | null {
  const { keys, text, fail } = wanted;
  const url = parseRedisUrl(text);
  if (typeof url === "string") {
    fail("redis", `redis ${url}`);
    return null;
  }
  const { user, password } = credentials(wanted, "redis", url);
  if (user !== null && password === null) fail("redis", "redis has a user, and needs password: too");
  const { host, database, isEncrypted } = url;
  if (!isEncrypted) {
    if (keys.has("tls")) fail("tls", "tls: goes with rediss:// in redis:");
    else warnUnchecked(wanted, "redis", [host], "redis://", "rediss://");
  }
  return {
    kind: "redis",
    address: { host, database, user, password, isEncrypted },
    prefix: keys.text("prefix") ?? "",
    tls: tlsOf(wanted),
  };
}

interface Credentials {
  readonly user: string | null;
  readonly password: string | null;
}

/** Of the address, or beside it. */
function credentials({ keys, fail }: Wanted, kind: Database, url: Credentials): Credentials {
  for (const key of ["user", "password"] as const)
    if (url[key] !== null && keys.has(key)) fail(key, `${key}: stands in ${kind}: too`);
  return { user: keys.text("user") ?? url.user, password: keys.text("password") ?? url.password };
}

function tlsOf({ keys, elsewhere, context }: Wanted): EngineTls | null {
  return keys.has("tls") ? buildTls(keys.of("tls").section("tls"), elsewhere, context) : null;
}

/** Nothing leaves this machine on the loopback, and through a Unix socket. */
function warnUnchecked(
  { keys, context }: Wanted,
  kind: Database,
  hosts: readonly DatabaseHost[],
  found: string,
  cure: string,
): void {
  if (hosts.every(({ host }) => isLoopback(host) || host.startsWith("/"))) return;
  context.problems.warning(
    keys.atOf(kind),
    `${keys.whereOf(kind)}: with ${found} whoever stands between can read sessions and the password, or be taken for the database; ${cure} encrypts, and checks its certificate`,
  );
}

/** Where two clusters would have one table, the sessions of one could be counted, ended and exported with those of the other. */
export function checkTables(drafts: readonly ClusterDraft[], problems: Problems): void {
  const users = new Map<string, string>();
  for (const { cluster, entry } of drafts) {
    const store = cluster.sessions?.store;
    if (store === undefined || !isDatabase(store)) continue;
    const what = store.kind === "redis" ? `prefix: ${store.prefix}` : `table: ${store.table}`;
    const own = cluster.name.toLowerCase().replace(/[^a-z0-9_]/g, "_");
    const place = `${storeInWords(store)} ${store.address.database} ${what}`;
    const other = users.get(place);
    if (other === undefined) users.set(place, cluster.name);
    else
      problems.error(
        entry.section.has("sessions") ? entry.section.atOf("sessions") : entry.at,
        `sessions of ${cluster.name} would be in the same place as those of ${other} (${what}); give it one of its own: ` +
          `sessions: { store: { ${store.kind === "redis" ? `prefix: "${own}:"` : `table: ${own}_sessions`} } }`,
      );
  }
}

export function isDatabase(store: SessionStoreSettings): store is DatabaseStoreSettings {
  return store.kind !== "cluster" && store.kind !== "file";
}

/** "postgres at 10.0.0.5:5432". */
export function storeInWords(store: SessionStoreSettings): string {
  return isDatabase(store) ? `${store.kind} at ${storePlaces(store)}` : store.kind;
}

/** "10.0.0.5:5432". */
export function storePlaces(store: DatabaseStoreSettings): string {
  const hosts = store.kind === "postgres" ? store.address.hosts : [store.address.host];
  return hosts.map(hostInWords).join(", ");
}

/** Where and how a cluster's sessions are kept: servers for which it is not the same don't keep them together. */
export function keptInWords(sessions: SessionSettings | null): string {
  if (sessions === null) return "durability: backup";
  const { store, durability } = sessions;
  if (!isDatabase(store)) return `durability: ${durability}`;
  const { database } = store.address;
  const where = store.kind === "redis" ? `prefix ${store.prefix}` : `table ${store.table}`;
  return `store: ${storeInWords(store)}, database ${database}, ${where}`;
}
