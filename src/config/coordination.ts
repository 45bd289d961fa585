/** `coordination:` -> who keeps the register of a cluster's sessions, and what it takes to reach it. */
import type { Context, Placed } from "./context.ts";
import { buildTls } from "./engine-tls.ts";
import { isLoopback } from "./local.ts";
import type { CoordinationSettings, PostgresSettings, Server } from "./model.ts";
import { parsePostgresUrl } from "./postgres-url.ts";
import { quote } from "./problems.ts";
import { parsePlainServer } from "./scalars.ts";
import type { Section } from "./section.ts";

/** Engines outside of the servers, each with the keys that go with it besides its own. */
const outside = {
  etcd: { keys: ["from", "prefix", "user", "password", "tls"], example: 'etcd: ["http://10.0.0.5:2379"]' },
  postgres: {
    keys: ["from", "table", "user", "password", "tls"],
    example: "postgres: postgres://user@10.0.0.5/shop",
  },
} as const;

type Outside = keyof typeof outside;
const outsideNames = Object.keys(outside) as Outside[];

/**
 * @param section the cluster.
 * @param elsewhere its servers are on other machines: files are not looked for here.
 */
export function buildCoordination(
  section: Section,
  witness: Placed<Server> | null,
  elsewhere: boolean,
  context: Context,
): CoordinationSettings {
  const coordination = section.section("coordination");
  const named = coordination.text("engine") as Outside | "members" | null;
  const engine = named ?? outsideNames.find((name) => coordination.has(name)) ?? "members";
  refuseKeys(coordination, engine, context);
  if (engine === "members") return { engine };
  if (!coordination.has(engine)) {
    context.problems.error(
      coordination.atOf("engine"),
      `${coordination.where}: ${engine} needs its address: coordination: { ${outside[engine].example} }`,
    );
    return { engine: "members" };
  }
  if (!coordination.has("from")) refuseWitness(witness, engine, context);
  if (engine === "etcd") return buildEtcd(coordination, elsewhere, context);
  return buildPostgres(coordination, elsewhere, context) ?? { engine: "members" };
}

function refuseKeys(coordination: Section, engine: Outside | "members", { problems }: Context): void {
  const refuse = (key: string, why: string): void =>
    problems.error(coordination.atOf(key), `${coordination.where}: ${key}: ${why}`);
  for (const name of outsideNames)
    if (name !== engine && coordination.has(name)) refuse(name, `does not go with ${engine}`);
  const own: readonly string[] = engine === "members" ? [] : outside[engine].keys;
  for (const key of new Set(outsideNames.flatMap((name): readonly string[] => outside[name].keys))) {
    if (own.includes(key) || !coordination.has(key)) continue;
    const users = outsideNames.filter((name) => (outside[name].keys as readonly string[]).includes(key));
    refuse(key, `goes with ${users.map((name) => `${name}:`).join(" or ")}`);
  }
}

/** Its vote would count nowhere. */
function refuseWitness(witness: Placed<Server> | null, engine: string, { problems }: Context): void {
  if (witness === null) return;
  problems.error(
    witness.at,
    `${witness.value.name} would have nothing to vote on: with coordination: ${engine} the servers of ${engine} decide; remove witness:, or coordination:`,
  );
}

function buildEtcd(section: Section, elsewhere: boolean, context: Context): CoordinationSettings {
  const { problems } = context;
  const urls = section.scalarItems("etcd");
  const endpoints: string[] = [];
  for (const { at, value } of urls) {
    const target = parsePlainServer(String(value))!;
    const endpoint = `${target.scheme}://${target.authority}`;
    if (target.scheme === "unix")
      problems.error(
        at,
        `${section.where}: etcd has no Unix socket; allowed is "http://host:port" or "https://host:port"`,
      );
    else if (endpoints.includes(endpoint))
      problems.error(at, `${section.where}: ${quote(endpoint)} stands twice`);
    else endpoints.push(endpoint);
  }
  const user = section.text("user");
  const password = section.text("password");
  if (section.has("user") !== section.has("password"))
    problems.error(
      section.atOf(section.has("user") ? "user" : "password"),
      `${section.where}: user: and password: go together`,
    );
  const isPlain = endpoints.every((endpoint) => endpoint.startsWith("http:"));
  if (isPlain && section.has("tls"))
    problems.error(section.atOf("tls"), `${section.where}: tls: goes with https:// in etcd:`);
  if (password !== null && !endpoints.every((endpoint) => endpoint.startsWith("https:")))
    problems.warning(
      section.atOf("password"),
      `${section.where}: the password goes over the network as it is, with http://; who listens there can read and change who keeps which session`,
    );
  return {
    engine: "etcd",
    isMoving: section.has("from"),
    endpoints,
    prefix: section.text("prefix") ?? "",
    user: password === null ? null : user,
    password: user === null ? null : password,
    tls: section.has("tls") ? buildTls(section.section("tls"), elsewhere, context) : null,
  };
}

/** Null: nothing of it can be used. */
function buildPostgres(section: Section, elsewhere: boolean, context: Context): PostgresSettings | null {
  const { problems } = context;
  const text = section.text("postgres");
  if (text === null) return null;
  const at = section.atOf("postgres");
  const fail = (what: string, key: string = "postgres"): void =>
    problems.error(section.atOf(key), `${section.where}.${key} ${what}`);
  const url = parsePostgresUrl(text);
  if (typeof url === "string") {
    fail(url);
    return null;
  }
  for (const key of ["user", "password"] as const)
    if (url[key] !== null && section.has(key)) fail(`stands in postgres: too`, key);
  const user = section.text("user") ?? url.user;
  if (user === null) fail("names no user: write postgres://user@..., or user: beside it");
  const tlsMode = url.tlsMode ?? (section.has("tls") ? "verify-full" : "prefer");
  if (tlsMode === "disable" && section.has("tls")) fail("has sslmode=disable; tls: goes with the others");
  if (tlsMode === "verify-ca" && section.section("tls").text("ca") === null)
    fail("has sslmode=verify-ca, which needs the authority's file: tls: { ca: ... }");
  const isUnchecked = tlsMode === "disable" || tlsMode === "prefer" || tlsMode === "require";
  if (
    isUnchecked &&
    !section.has("tls") &&
    url.hosts.some(({ host }) => !isLoopback(host) && !host.startsWith("/"))
  )
    problems.warning(
      at,
      `${section.where}: with sslmode=${tlsMode} whoever stands between may be taken for PostgreSQL, and change who keeps which session; sslmode=verify-full checks its certificate`,
    );
  return {
    engine: "postgres",
    isMoving: section.has("from"),
    address: {
      hosts: url.hosts,
      database: url.database,
      user: user ?? "",
      password: section.text("password") ?? url.password,
      tlsMode,
    },
    table: section.text("table") ?? "",
    tls: section.has("tls") ? buildTls(section.section("tls"), elsewhere, context) : null,
  };
}
