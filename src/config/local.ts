/** Which addresses belong to this machine. */
import { createServer, isIP } from "node:net";
import { hostname, networkInterfaces } from "node:os";
import { codeOf } from "../support/errors.ts";

/** What a bind answers when the address is another machine's, or none at all. */
const notHere = new Set(["EADDRNOTAVAIL", "ENOTFOUND", "EAI_AGAIN", "EAI_NODATA", "EINVAL", "EAFNOSUPPORT"]);

/**
 * Whether the address (or host name) is this machine's: whether it can be bound.
 * @throws system errors that say nothing about the address (no file descriptors left)
 */
export function isLocalAddress(address: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error) => (notHere.has(codeOf(error)) ? resolve(false) : reject(error)));
    server.listen({ host: address, port: 0, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** What is known of this machine at once, without binding or asking the name service. */
export interface Machine {
  /** True only when it surely is this machine's; a host name may be ours without our knowing. */
  owns(address: string): boolean;
  /** Where a listener without an address listens: both families where the machine has IPv6. */
  readonly anyAddress: "::" | "0.0.0.0";
}

export function thisMachine(): Machine {
  const interfaces = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const own = new Set(interfaces.map(({ address }) => address));
  const ownName = hostname().toLowerCase();
  return {
    owns: (address) =>
      own.has(address) ||
      isLoopback(address) ||
      address === ownName ||
      (isIP(address) === 0 && address.startsWith(`${ownName}.`)),
    anyAddress: interfaces.some(({ family }) => family === "IPv6") ? "::" : "0.0.0.0",
  };
}

export function isLoopback(address: string): boolean {
  return address === "localhost" || address === "::1" || (isIP(address) === 4 && address.startsWith("127."));
}
