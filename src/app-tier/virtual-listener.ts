/**
 * Lets an http.Server listen on the cluster port: `listening`, `address()`, `close(callback)`, `getConnections`
 * and the events `listening` and `close` are net.Server's own; it is only given a handle which is no socket.
 */
import type { AddressInfo } from "node:net";
import { HttpService } from "./http-service.ts";
import { LinkDuplex } from "./link-duplex.ts";
import {
  type HttpServer,
  type NodeServer,
  nodeConnectionListener,
  ownConnectionListeners,
} from "./node-internals.ts";
import { VirtualSocket } from "./virtual-socket.ts";

/** In the place of Node's TCP handle. */
export class VirtualHandle {
  readonly fd = -1;
  readonly #address: string;
  readonly #port: number;
  readonly #onClose: () => void;

  constructor(address: string, port: number, onClose: () => void) {
    this.#address = address;
    this.#port = port;
    this.#onClose = onClose;
  }

  getsockname(into: Partial<AddressInfo>): number {
    into.address = this.#address;
    into.family = this.#address.includes(":") ? "IPv6" : "IPv4";
    into.port = this.#port;
    return 0;
  }

  close(): void {
    this.#onClose();
  }

  /** The link's listener keeps the process alive, or not. */
  ref(): void {}

  unref(): void {}

  hasRef(): boolean {
    return true;
  }
}

/**
 * @param server listens nowhere yet.
 * @param onClose the application called `server.close()`.
 * @returns the service whose streams reach the server.
 */
export function attachServer(
  server: HttpServer,
  options: {
    /** What `server.address()` tells. */
    readonly address: string;
    readonly port: number;
    readonly counter: { requests: number };
    readonly compat: boolean;
    readonly onClose: () => void;
  },
): HttpService {
  const target = server as unknown as NodeServer;
  const service = new HttpService(target, options.counter, options.compat);
  target._handle = new VirtualHandle(options.address, options.port, () => {
    service.accepting = false;
    options.onClose();
  });
  // Everybody who listens for `connection` hears of virtual sockets, except Node's parser, which has nothing to parse;
  // and TLS, where the server is one for https: whatever comes here is in the clear already.
  for (const listener of ownConnectionListeners(target)) target.removeListener("connection", listener);
  target.prependListener("connection", function giveToParser(this: NodeServer, socket: unknown): void {
    if (!isVirtual(socket)) nodeConnectionListener.call(this, socket);
  });
  const closeAllConnections = server.closeAllConnections;
  server.closeAllConnections = function closeAll(): void {
    closeAllConnections.call(this);
    service.destroyAll();
  };
  return service;
}

function isVirtual(socket: unknown): boolean {
  return socket instanceof VirtualSocket || (socket instanceof LinkDuplex && !socket.parsed);
}
