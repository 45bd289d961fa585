/** `listen:` of an app cluster: browsers, or a balancer that is not ours, reach the same http.Server on HTTP (R74). */
import type http from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import type { Listener } from "../config/model.ts";
import type { Member } from "../member/member.ts";
import { http as limits } from "../support/limits.ts";
import { listenOn, urlOf } from "../support/listen.ts";
import type { Log } from "../support/log.ts";
import { SecureServer } from "../tls/secure-server.ts";
import { isAnswering } from "./node-internals.ts";

export class DirectListener {
  readonly #settings: Listener;
  readonly #server: http.Server;
  readonly #port: Server;
  /** Null on a port without TLS. */
  readonly #secure: SecureServer | null;
  readonly #log: Log;
  readonly #sockets: Set<Socket> = new Set();

  /** @param member its `requests` is raised by one for every request that comes here. */
  constructor(server: http.Server, settings: Listener, member: Member, log: Log) {
    this.#server = server;
    this.#settings = settings;
    this.#log = log;
    server.on("request", (req) => {
      if (this.#sockets.has(req.socket)) member.requests++;
    });
    const accept = (socket: Socket): void => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      // Node's documented way to give a connection to an http.Server.
      server.emit("connection", socket);
    };
    const { tls } = settings;
    this.#secure =
      tls === null
        ? null
        : new SecureServer(
            tls,
            {
              secret: member.file.secret,
              previousSecret: member.file.previousSecret,
              clusterName: member.cluster.name,
              protocols: ["http/1.1"],
              handshakeTimeoutMs: limits.headTimeoutMs,
              log,
            },
            accept,
          );
    // Half-open and without delay, as http.Server makes its own connections.
    this.#port = createServer({ allowHalfOpen: tls === null, noDelay: true }, (socket) => {
      if (this.#secure === null) accept(socket);
      else this.#secure.accept(socket);
    });
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
    this.#secure?.close();
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
