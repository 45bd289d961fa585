/**
 * What the addresses of databases (`postgres://`, `mysql://`, `redis://`) have in common: RFC 3986 with a user and a password in it,
 * so that no message may show any of the text.
 */
import type { DatabaseHost } from "./model.ts";

/** The parts of "scheme://user:password@hosts/path?query", decoded where they are one text. */
export interface EngineUrl {
  /** Null: not said. */
  readonly user: string | null;
  readonly password: string | null;
  /** As written: "10.0.0.5:5432,10.0.0.6". */
  readonly hosts: string;
  /** What stands behind the first "/" behind the hosts. */
  readonly path: string;
  /** "sslmode=require&x=y", as written. */
  readonly query: string;
}

const uri = /^([a-z]+):\/\/(?:([^@/?#]*)@)?([^@/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/;

/**
 * @param schemes that it may have.
 * @param example an address as it should be, in quotes.
 * @returns what is wrong with it, for the end of a sentence; what the text says is not in it.
 */
export function parseEngineUrl(
  text: string,
  schemes: readonly string[],
  example: string,
): EngineUrl | string {
  if (/[\s\p{Cc}]/u.test(text))
    return "has a blank in it; one that belongs to a name or password is written %20";
  const match = uri.exec(text);
  if (match === null || !schemes.includes(match[1]!))
    return `is no address of a database, as ${example} is (in a user or password, % @ : / ? # are written %25 %40 %3A %2F %3F %23)`;
  const [, , credentials = "", hosts = "", rawPath = "", query = ""] = match;
  const colon = credentials.indexOf(":");
  const user = decoded(colon < 0 ? credentials : credentials.slice(0, colon));
  const password = colon < 0 ? "" : decoded(credentials.slice(colon + 1));
  const path = decoded(rawPath);
  if (user === null || password === null || path === null)
    return "has a % that does not begin the code of a character; itself it is written %25";
  return { user: user || null, password: password || null, hosts, path, query };
}

/** "10.0.0.5:5432", "[fd00::5]", "%2Frun%2Fpostgresql". @returns what is wrong with it, as above. */
export function readDatabaseHost(text: string, defaultPort: number): DatabaseHost | string {
  const [, bracketed, plain, portText = String(defaultPort)] =
    /^(?:\[([\da-fA-F:.]+)\]|([^:,]*))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = decoded(bracketed ?? plain ?? "");
  const port = Number(portText);
  if (host === null || host === "")
    return 'has no host, or one that can\'t be read; IPv6 is written "[fd00::5]"';
  if (port < 1 || port > 65_535) return `has the port ${portText}; ports are 1 to 65535`;
  return { host, port };
}

/** "10.0.0.5:5432", "[fd00::5]:5432", "/run/mysqld/mysqld.sock". */
export function hostInWords({ host, port }: DatabaseHost): string {
  if (host.startsWith("/")) return host;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The parameters of a query, decoded; null of one without a value. */
export function readParameters(query: string): Map<string, string | null> {
  const found = new Map<string, string | null>();
  for (const part of query.split("&").filter((each) => each !== "")) {
    const name = part.split("=", 1)[0]!;
    found.set(name, decoded(part.slice(name.length + 1)) || null);
  }
  return found;
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
