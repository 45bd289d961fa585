/**
 * `postgres://user:password@10.0.0.5:5432,10.0.0.6/database?sslmode=verify-full`: the connection URI of PostgreSQL's own programs
 * (libpq, "Connection URIs"), as far as one primary has to be found. A password never gets into a message.
 */
import { postgres as limits } from "../support/limits.ts";
import type { PostgresAddress, PostgresHost } from "./model.ts";

export type TlsMode = PostgresAddress["tlsMode"];

/** What the text says, and what of it the section may say instead. */
export interface PostgresUrl {
  readonly hosts: readonly PostgresHost[];
  readonly database: string;
  /** Null: not said. */
  readonly user: string | null;
  readonly password: string | null;
  readonly tlsMode: TlsMode | null;
}

const uri = /^postgres(?:ql)?:\/\/(?:([^@/?#]*)@)?([^@/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/;
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
  if (/[\s\p{Cc}]/u.test(text))
    return "has a blank in it; one that belongs to a name or password is written %20";
  const match = uri.exec(text);
  if (match === null)
    return `is no address of a database, as ${example} is (in a user or password, % @ : / ? # are written %25 %40 %3A %2F %3F %23)`;
  const [, credentials = "", hostList = "", path = "", query = ""] = match;
  const colon = credentials.indexOf(":");
  const user = decoded(colon < 0 ? credentials : credentials.slice(0, colon));
  const password = colon < 0 ? "" : decoded(credentials.slice(colon + 1));
  const database = decoded(path);
  const parameters = readParameters(query);
  if (typeof parameters === "string") return parameters;
  if (user === null || password === null || database === null)
    return "has a % that does not begin the code of a character; itself it is written %25";
  if (database === "") return `names no database; its name stands at the end, as in ${example}`;
  const hosts = readHosts(parameters.get("host") ?? hostList);
  if (typeof hosts === "string") return hosts;
  const tlsMode = parameters.get("sslmode") ?? null;
  if (tlsMode !== null && !tlsModes.includes(tlsMode))
    return `has an sslmode that is not known; known are ${tlsModes.join(", ")}`;
  return {
    hosts,
    database,
    user: user || null,
    password: password || null,
    tlsMode: tlsMode as TlsMode | null,
  };
}

function readParameters(query: string): Map<string, string> | string {
  const found = new Map<string, string>();
  for (const part of query.split("&").filter((each) => each !== "")) {
    const name = part.split("=", 1)[0]!;
    const value = decoded(part.slice(name.length + 1));
    if (/^ssl(?:rootcert|cert|key)$/.test(name))
      return `has ${name}; files of certificates are named in tls: beside it`;
    if (!["sslmode", "host", "target_session_attrs"].includes(name))
      return "has a parameter that has no meaning here; known are sslmode, host and target_session_attrs";
    if (value === null || value === "") return `has the parameter ${name} without a value`;
    found.set(name, value);
  }
  const wanted = found.get("target_session_attrs") ?? "primary";
  if (wanted !== "read-write" && wanted !== "primary")
    return "has a target_session_attrs that lets standbys in; only a primary can keep the register, and is looked for anyway";
  return found;
}

function readHosts(list: string): PostgresHost[] | string {
  const parts = list.split(",");
  if (parts.length > limits.hostsMax) return `names ${parts.length} hosts; ${limits.hostsMax} are the most`;
  const hosts: PostgresHost[] = [];
  for (const part of parts) {
    const [, bracketed, plain, portText = "5432"] =
      /^(?:\[([\da-fA-F:.]+)\]|([^:]*))(?::(\d{1,5}))?$/.exec(part) ?? [];
    const host = decoded(bracketed ?? plain ?? "");
    const port = Number(portText);
    if (host === null || host === "")
      return 'has no host, or one that can\'t be read; IPv6 is written "[fd00::5]"';
    if (port < 1 || port > 65_535) return `has the port ${portText}; ports are 1 to 65535`;
    hosts.push({ host, port });
  }
  return hosts;
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
