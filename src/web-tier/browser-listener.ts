/** Step "accept": where browsers connect, over TCP or TLS. Makes a ClientConnection of each socket. */
import { readFileSync } from "node:fs";
import { createServer, type Server as NetServer, Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { Listener } from "../config/model.ts";
import { http as limits } from "../support/limits.ts";
import { listenOn, urlOf } from "../support/listen.ts";
import { ClientConnection } from "./client-connection.ts";
import { ClientOrigin, isTrusted } from "./forwarded.ts";
import type { Site } from "./site.ts";

export class BrowserListener {
  readonly #site: Site;
  readonly #settings: Listener;
  readonly #server: NetServer;
  readonly #connections = new Set<ClientConnection>();
  #onEmpty: (() => void) | null = null;

  constructor(site: Site, settings: Listener) {
    this.#site = site;
    this.#settings = settings;
    this.#server = settings.tls === null ? this.#plain() : this.#encrypted(settings.tls);
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : this.#settings.port;
  }

  get url(): string {
    return urlOf(this.#settings.scheme, this.#settings.address, this.port);
  }

  get openRequests(): number {
    let open = 0;
    for (const connection of this.#connections) if (!connection.idle) open++;
    return open;
  }

  get connections(): number {
    return this.#connections.size;
  }

  /**
   * @param handle of a bound socket that is held elsewhere; without, one is opened.
   * @throws FlotillaError when the port can't be had.
   */
  listen(handle?: object): Promise<void> {
    const { address: host, port } = this.#settings;
    const options = { host, port, backlog: limits.backlog };
    return listenOn(this.#server, "the address under listen:", options, this.#site.log, handle);
  }

  /**
   * Accepts no more, lets answers come to their end. Resolves when the last connection is gone.
   * @param idleMs those without a request are closed only then: what is on its way on them is answered.
   */
  drain(idleMs = 0): Promise<void> {
    this.#server.close();
    if (idleMs === 0) this.#closeIdle();
    else setTimeout(() => this.#closeIdle(), idleMs).unref();
    if (this.#connections.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
    });
  }

  #closeIdle(): void {
    for (const connection of this.#connections) connection.drain();
  }

  /** Cuts what is left. */
  close(): void {
    this.#server.close();
    for (const connection of this.#connections) connection.destroy();
  }

  #plain(): NetServer {
    return createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (accepted) => {
      readShared(accepted, (socket) => this.#connected(socket));
    });
  }

  #encrypted(tls: NonNullable<Listener["tls"]>): NetServer {
    const server = createTlsServer({
      cert: readFileSync(tls.certPath),
      key: readFileSync(tls.keyPath),
      minVersion: "TLSv1.2",
      handshakeTimeout: this.#site.timeouts.headTimeoutMs,
      allowHalfOpen: true,
      noDelay: true,
      ALPNProtocols: ["http/1.1"],
    });
    // Those in the middle of their handshake count too.
    server.maxConnections = this.#site.limits.connectionsMax;
    server.on("secureConnection", (socket) => {
      const connection = this.#connected(socket);
      if (connection !== null) socket.on("data", (bytes: Buffer) => connection.received(bytes));
    });
    server.on("tlsClientError", (_error, socket) => socket.destroy());
    return server;
  }

  #connected(socket: Socket): ClientConnection | null {
    const { remoteAddress, remotePort, localAddress, localPort } = socket;
    // It was reset before we came to it, or it is one too many.
    if (remoteAddress === undefined || this.#connections.size >= this.#site.limits.connectionsMax) {
      socket.destroy();
      return null;
    }
    const client = {
      address: remoteAddress,
      port: remotePort ?? 0,
      localAddress: localAddress ?? "",
      localPort: localPort ?? 0,
    };
    const origin = new ClientOrigin(
      client,
      this.#settings.scheme,
      isTrusted(this.#site.trusted, remoteAddress),
    );
    const connection = new ClientConnection(this.#site, socket, origin, (closed) => {
      this.#connections.delete(closed);
      if (this.#connections.size === 0) this.#onEmpty?.();
    });
    this.#connections.add(connection);
    return connection;
  }
}

const sharedBuffer = Buffer.allocUnsafeSlow(limits.readBytes);

/**
 * Reads all connections into one buffer (`onread`), which costs half of what `data` events do. Node offers that
 * only for sockets which a program opens itself, so a socket is made around the accepted handle.
 */
function readShared(accepted: Socket, connect: (socket: Socket) => ClientConnection | null): void {
  const holder = accepted as unknown as { _handle: object | null };
  const handle = holder._handle;
  if (handle === null) return void accepted.destroy();
  holder._handle = null;
  let connection: ClientConnection | null = null;
  const socket = new Socket({
    handle,
    allowHalfOpen: true,
    onread: {
      buffer: sharedBuffer,
      callback: (bytes: number) => {
        connection?.received(sharedBuffer.subarray(0, bytes));
        return true;
      },
    },
  } as ConstructorParameters<typeof Socket>[0]);
  connection = connect(socket);
  socket.resume();
}
