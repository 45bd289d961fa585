/** The libraries that speak to databases: whoever keeps sessions in one installs its library, nobody else has to. */
import type { ConnectionOptions } from "node:tls";
import { codeOf, FlotillaError } from "../../support/errors.ts";

/**
 * `tls` of a store's factory, of `node:tls`: ca, cert, key (their text), servername. As a function it is asked for each connection (Redis), or for
 * each pool of them: files are replaced.
 */
export type TlsOption = ConnectionOptions | (() => ConnectionOptions | Promise<ConnectionOptions>);

/**
 * @param name of the package. @param load `() => import("pg")`
 * @throws FlotillaError FLOTILLA_SESSION_STORE_DRIVER: it is not installed.
 */
export async function loadDriver<T>(name: "pg" | "mysql2" | "redis", load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const isMissing = codeOf(error) === "ERR_MODULE_NOT_FOUND" || codeOf(error) === "MODULE_NOT_FOUND";
    if (!isMissing) throw error;
    throw new FlotillaError(
      "FLOTILLA_SESSION_STORE_DRIVER",
      `the package "${name}" is not installed where Flotilla looks for it: npm install ${name}`,
      { source: "server", cause: error },
    );
  }
}
