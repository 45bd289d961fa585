/** `listen:` of an app cluster: browsers, or a balancer that is not ours, reach the same http.Server on HTTP (R74). */
import { readFileSync } from "node:fs";
import type http from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { Listener } from "../config/model.ts";
import { listenError } from "../support/listen-error.ts";

export class DirectListener {
  readonly #settings: Listener;
  readonly #server: http.Server;
  readonly #port: Server;
  readonly #sockets: Set<Socket> = new Set();

  /** @param counter its `requests` is raised by one for every request that comes here. */
  constructor(server: http.Server, settings: Listener, counter: { requests: number }) {
    this.#server = server;
    this.#settings = settings;
    server.on("request", (req) => {
      if (this.#sockets.has(req.socket)) counter.requests++;
    });
    const accept = (socket: Socket): void => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      // Node's documented way to give a connection to an http.Server.
      server.emit("connection", socket);
    };
    const { tls } = settings;
    // Half-open and without delay, as http.Server makes its own connections.
    const options = { allowHalfOpen: true, noDelay: true };
    this.#port =
      tls === null
        ? createServer(options, accept)
        : createTlsServer(
            { ...options, cert: readFileSync(tls.certPath), key: readFileSync(tls.keyPath) },
            accept,
          );
  }

  get url(): string {
    const { scheme, address, port } = this.#settings;
    return `${scheme}://${address.includes(":") ? `[${address}]` : address}:${port}`;
  }

  /** @throws FlotillaError when the port can't be had. */
  async listen(): Promise<void> {
    const { address, port } = this.#settings;
    await new Promise<void>((resolve, reject) => {
      const onError = (error: Error): void =>
        reject(listenError(error, "the address under listen:", address, port));
      this.#port.once("error", onError);
      this.#port.listen({ host: address, port }, () => {
        this.#port.removeListener("error", onError);
        resolve();
      });
    });
  }

  /** Accepts nothing new; a connection ends with the answer that is on its way. */
  drain(): void {
    this.#port.close();
    this.#server.prependListener("request", (_req, res) => {
      res.shouldKeepAlive = false;
    });
  }

  async closed(): Promise<void> {
    if (this.#sockets.size === 0) return;
    await new Promise<void>((resolve) => {
      for (const socket of this.#sockets) {
        socket.once("close", () => {
          if (this.#sockets.size === 0) resolve();
        });
      }
    });
  }
}
