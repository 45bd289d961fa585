/**
 * `mysql://user:password@10.0.0.5:3306/database?ssl-mode=verify-identity`, as MySQL's own programs understand it ("Connecting Using
 * URI-Like Strings"), `mariadb://` likewise. A password never gets into a message.
 */
import { parseEngineUrl, readDatabaseHost, readParameters } from "./engine-url.ts";
import type { DatabaseHost, MysqlAddress } from "./model.ts";

type TlsMode = MysqlAddress["tlsMode"];

/** What the text says, and what of it the section may say instead. */
export interface MysqlUrl {
  readonly host: DatabaseHost;
  readonly database: string;
  /** Null: not said. */
  readonly user: string | null;
  readonly password: string | null;
  readonly tlsMode: TlsMode | null;
}

const example = '"mysql://user@10.0.0.5:3306/shop"';
// PREFERRED of MySQL's programs is left out: it encrypts or does not, as whoever stands between likes it.
const tlsModes: readonly string[] = [
  "disabled",
  "required",
  "verify-ca",
  "verify-identity",
] satisfies TlsMode[];

/** @returns what is wrong with it, for the end of a sentence; what the text says is not in it. */
export function parseMysqlUrl(text: string): MysqlUrl | string {
  const url = parseEngineUrl(text, ["mysql", "mariadb"], example);
  if (typeof url === "string") return url;
  if (url.path === "") return `names no database; its name stands at the end, as in ${example}`;
  const parameters = readParameters(url.query);
  for (const [name, value] of parameters) {
    if (/^ssl-?(?:ca|cert|key)$/i.test(name))
      return `has ${name}; files of certificates are named in tls: beside it`;
    if (name !== "ssl-mode" && name !== "socket")
      return "has a parameter that has no meaning here; known are ssl-mode and socket";
    if (value === null) return `has the parameter ${name} without a value`;
  }
  const tlsMode = parameters.get("ssl-mode")?.toLowerCase().replaceAll("_", "-") ?? null;
  if (tlsMode !== null && !tlsModes.includes(tlsMode))
    return `has an ssl-mode that is not known; known are ${tlsModes.join(", ")}`;
  const socket = parameters.get("socket");
  const host = socket ? { host: socket, port: 3_306 } : readDatabaseHost(url.hosts, 3_306);
  if (typeof host === "string") return host;
  if (socket && !socket.startsWith("/")) return "has a socket that is no absolute path";
  const { user, password, path } = url;
  return { host, database: path, user, password, tlsMode: tlsMode as TlsMode | null };
}
