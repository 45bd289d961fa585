/** Opens ports, and says for a person why one can't be opened. */
import type { ListenOptions, Server } from "node:net";
import { codeOf, FlotillaError, messageOf } from "./errors.ts";
import type { Log } from "./log.ts";

/**
 * Resolves when the port is open. What goes wrong later (accept(2) without a free descriptor) is logged and ends nothing.
 * @param what "the cluster port" or "the address under listen:"; it begins the messages.
 * @param handle of a socket that is bound to this address already.
 * @throws FlotillaError FLOTILLA_PORT_IN_USE, FLOTILLA_NO_PERMISSION, FLOTILLA_ADDRESS_NOT_HERE, FLOTILLA_LISTEN_FAILED
 */
export function listenOn(
  server: Server,
  what: string,
  options: ListenOptions & { readonly host: string; readonly port: number },
  log: Log,
  handle?: object,
): Promise<void> {
  const { host, port, backlog } = options;
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => reject(listenError(error, what, host, port));
    server.once("error", onError);
    const onListening = (): void => {
      server.removeListener("error", onError);
      server.on("error", (error) => log.error(`${what} ${host}:${port}: ${error.message}`));
      resolve();
    };
    if (handle === undefined) server.listen(options, onListening);
    else server.listen(handle, backlog, onListening);
  });
}

/** "http://[::]:8080" */
export function urlOf(scheme: string, address: string, port: number): string {
  return `${scheme}://${address.includes(":") ? `[${address}]` : address}:${port}`;
}

export function listenError(error: unknown, what: string, address: string, port: number): FlotillaError {
  const at = `${what} ${address}:${port}`;
  switch (codeOf(error)) {
    case "EADDRINUSE":
      return new FlotillaError(
        "FLOTILLA_PORT_IN_USE",
        `${at} is in use: another process listens there; stop it, or give this server another port`,
        { cause: error },
      );
    case "EACCES":
    case "EPERM":
      return new FlotillaError(
        "FLOTILLA_NO_PERMISSION",
        `${at} may not be opened by this user: ports below 1024 need the right CAP_NET_BIND_SERVICE; take a higher port or give the right`,
        { cause: error },
      );
    case "EADDRNOTAVAIL":
      return new FlotillaError(
        "FLOTILLA_ADDRESS_NOT_HERE",
        `${at} can't be opened: ${address} is no address of this machine; start this server on its own machine, or correct its address`,
        { cause: error },
      );
    default:
      return new FlotillaError("FLOTILLA_LISTEN_FAILED", `${at} can't be opened: ${messageOf(error)}`, {
        cause: error,
      });
  }
}
