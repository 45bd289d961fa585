/** Why a port can't be opened, for a person. */
import { codeOf, FlotillaError, messageOf } from "./errors.ts";

/** @param what "the cluster port" or "the address under listen:"; it begins the message. */
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
