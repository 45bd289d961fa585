/** `listen:` of an app cluster: browsers, or a balancer that is not ours, reach the same http.Server on HTTP (R74). */
import { readFileSync } from "node:fs";
import type http from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { Listener } from "../config/model.ts";
import { http as limits } from "../support/limits.ts";
import { listenOn, urlOf } from "../support/listen.ts";
import type { Log } from "../support/log.ts";
import { isAnswering } from "./node-internals.ts";

export class DirectListener {
  readonly #settings: Listener;
  readonly #server: http.Server;
  readonly #port: Server;
  readonly #log: Log;
  readonly #sockets: Set<Socket> = new Set();

  /** @param counter its `requests` is raised by one for every request that comes here. */
  constructor(server: http.Server, settings: Listener, counter: { requests: number }, log: Log) {
    this.#server = server;
    this.#settings = settings;
    this.#log = log;
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
            {
              ...options,
              cert: readFileSync(tls.certPath),
              key: readFileSync(tls.keyPath),
              minVersion: "TLSv1.2",
              handshakeTimeout: limits.headTimeoutMs,
            },
            accept,
          );
  }

  get url(): string {
    const { scheme, address, port } = this.#settings;
    return urlOf(scheme, address, port);
  }

  get openRequests(): number {
    let open = 0;
    for (const socket of this.#sockets) if (isAnswering(socket)) open++;
    return open;
  }

  /** @throws FlotillaError when the port can't be had. */
  listen(): Promise<void> {
    const { address: host, port } = this.#settings;
    const options = { host, port, backlog: limits.backlog };
    return listenOn(this.#port, "the address under listen:", options, this.#log);
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
