/**
 * `postgres://user:password@10.0.0.5:5432,10.0.0.6/database?sslmode=verify-full`: the connection URI of PostgreSQL's own programs
 * (libpq, "Connection URIs"), as far as one primary has to be found. A password never gets into a message.
 */
import { postgres as limits } from "../support/limits.ts";
import { parseEngineUrl, readDatabaseHost, readParameters } from "./engine-url.ts";
import type { DatabaseHost, PostgresAddress } from "./model.ts";

export type TlsMode = PostgresAddress["tlsMode"];

/** What the text says, and what of it the section may say instead. */
export interface PostgresUrl {
  readonly hosts: readonly DatabaseHost[];
  readonly database: string;
  /** Null: not said. */
  readonly user: string | null;
  readonly password: string | null;
  readonly tlsMode: TlsMode | null;
}

const tlsModes: readonly string[] = [
  "disable",
  "prefer",
  "require",
  "verify-ca",
  "verify-full",
] satisfies TlsMode[];
const example = '"postgres://user@10.0.0.5:5432/shop"';

/** @returns what is wrong with it, for the end of a sentence; what the text says is not in it. */
export function parsePostgresUrl(text: string): PostgresUrl | string {
  const url = parseEngineUrl(text, ["postgres", "postgresql"], example);
  if (typeof url === "string") return url;
  const parameters = checkedParameters(url.query);
  if (typeof parameters === "string") return parameters;
  if (url.path === "") return `names no database; its name stands at the end, as in ${example}`;
  const hosts = readHosts(parameters.get("host") ?? url.hosts);
  if (typeof hosts === "string") return hosts;
  const tlsMode = parameters.get("sslmode") ?? null;
  if (tlsMode !== null && !tlsModes.includes(tlsMode))
    return `has an sslmode that is not known; known are ${tlsModes.join(", ")}`;
  const { user, password } = url;
  return { hosts, database: url.path, user, password, tlsMode: tlsMode as TlsMode | null };
}

function checkedParameters(query: string): Map<string, string> | string {
  const found = new Map<string, string>();
  for (const [name, value] of readParameters(query)) {
    if (/^ssl(?:rootcert|cert|key)$/.test(name))
      return `has ${name}; files of certificates are named in tls: beside it`;
    if (!["sslmode", "host", "target_session_attrs"].includes(name))
      return "has a parameter that has no meaning here; known are sslmode, host and target_session_attrs";
    if (value === null) return `has the parameter ${name} without a value`;
    found.set(name, value);
  }
  const wanted = found.get("target_session_attrs") ?? "primary";
  if (wanted !== "read-write" && wanted !== "primary")
    return "has a target_session_attrs that lets standbys in; only a primary can be written, and is looked for anyway";
  return found;
}

function readHosts(list: string): DatabaseHost[] | string {
  const parts = list.split(",");
  if (parts.length > limits.hostsMax) return `names ${parts.length} hosts; ${limits.hostsMax} are the most`;
  const hosts: DatabaseHost[] = [];
  for (const part of parts) {
    const host = readDatabaseHost(part, 5_432);
    if (typeof host === "string") return host;
    hosts.push(host);
  }
  return hosts;
}
