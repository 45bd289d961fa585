/** Step "accept": where browsers connect, over TCP or TLS. Makes a ClientConnection of each socket, or an Http2Connection. */
import { createServer, type Server as NetServer, Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { Listener, TlsSettings } from "../config/model.ts";
import { http as limits } from "../support/limits.ts";
import { listenOn, urlOf } from "../support/listen.ts";
import { SecureServer } from "../tls/secure-server.ts";
import { ClientConnection } from "./client-connection.ts";
import { ClientOrigin, certificateFields, factsOf, type ListenerFacts } from "./forwarded.ts";
import { Http2Connection } from "./h2/connection.ts";
import { StreamPool } from "./h2/stream-pool.ts";
import { inNetworks } from "./networks.ts";
import type { Ends } from "./proxy-header.ts";
import { ProxyReaders } from "./proxy-reader.ts";
import type { Site } from "./site.ts";

export class BrowserListener {
  readonly settings: Listener;
  readonly #site: Site;
  readonly #facts: ListenerFacts;
  /** All of one socket; each accepts one connection per turn of the event loop (`acceptsPerTurn`). */
  #servers: readonly NetServer[] = [];
  /** Null on a port without TLS. */
  readonly #secure: SecureServer | null;
  readonly #streams: StreamPool;
  /** Null where connections begin with TLS or HTTP. */
  readonly #proxies: ProxyReaders | null;
  /** Over TLS: accepted and not closed, those in the middle of their handshake too. */
  #accepted = 0;
  /** What balancers said of connections whose handshake is under way. */
  readonly #announced = new WeakMap<Socket, Ends>();
  readonly #connections = new Set<ClientConnection | Http2Connection>();
  #onEmpty: (() => void) | null = null;

  constructor(site: Site, settings: Listener) {
    this.#site = site;
    this.settings = settings;
    this.#facts = factsOf(settings);
    this.#streams = new StreamPool(site);
    this.#proxies = settings.proxyProtocol
      ? new ProxyReaders(site.wheel, site.timeouts.headTimeoutMs, site.log)
      : null;
    this.#secure = settings.tls === null ? null : this.#secureServer(settings.tls);
  }

  get port(): number {
    const address = this.#servers[0]?.address();
    return typeof address === "object" && address !== null ? address.port : this.settings.port;
  }

  get url(): string {
    return urlOf(this.settings.scheme, this.settings.address, this.port);
  }

  get openRequests(): number {
    let open = 0;
    for (const connection of this.#connections) open += connection.openRequests;
    return open;
  }

  get connections(): number {
    return this.#connections.size;
  }

  /**
   * @param handles of one bound socket that is held elsewhere; without, one is opened.
   * @throws FlotillaError when the port can't be had.
   */
  async listen(handles: readonly (object | undefined)[] = [undefined]): Promise<void> {
    const { address: host, port } = this.settings;
    const accepting = { allowHalfOpen: this.#secure === null, noDelay: true, pauseOnConnect: true };
    this.#servers = handles.map(() => createServer(accepting, (accepted) => this.#accept(accepted)));
    const options = { host, port, backlog: limits.backlog };
    for (const [at, server] of this.#servers.entries())
      await listenOn(server, "the address under listen:", options, this.#site.log, handles[at]);
  }

  /**
   * Accepts no more, lets answers come to their end. Resolves when the last connection is gone.
   * @param idleMs those without a request are closed only then: what is on its way on them is answered.
   */
  drain(idleMs = 0): Promise<void> {
    this.retire();
    this.#proxies?.close();
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

  /** Accepts no more; its connections go on for as long as they would. */
  retire(): void {
    for (const server of this.#servers) server.close();
  }

  /** Cuts what is left. */
  close(): void {
    this.retire();
    this.#secure?.close();
    this.#proxies?.close();
    for (const connection of this.#connections) connection.destroy();
  }

  #accept(accepted: Socket): void {
    if (this.#proxies !== null) this.#askWho(accepted, this.#proxies);
    else if (this.#secure === null)
      readShared(accepted, nothing, (socket) => this.#connected(socket, "", null));
    else this.#beginTls(accepted, this.#secure);
  }

  #beginTls(socket: Socket, secure: SecureServer): void {
    if (this.#accepted >= this.#site.limits.connectionsMax) return void socket.destroy();
    this.#accepted++;
    socket.once("close", this.#onTlsClosed);
    secure.accept(socket);
  }

  /** Before TLS and HTTP the balancer tells for whom it connects (A17: one that is not trusted tells nothing). */
  #askWho(accepted: Socket, proxies: ProxyReaders): void {
    const { remoteAddress } = accepted;
    if (remoteAddress === undefined || !inNetworks(this.#site.trusted, remoteAddress))
      return proxies.refuse(accepted, "proxyProtocol: is on, and its address is not in trust:");
    if (proxies.size + this.#connections.size >= this.#site.limits.connectionsMax)
      return void accepted.destroy();
    proxies.read(accepted, (socket, ends, rest) => {
      if (this.#secure === null)
        return readShared(socket, rest, (shared) => this.#connected(shared, "", ends));
      if (ends !== null) this.#announced.set(socket, ends);
      if (rest.length > 0) socket.unshift(rest);
      this.#beginTls(socket, this.#secure);
    });
  }

  #secureServer(tls: TlsSettings): SecureServer {
    const { member, timeouts, log } = this.#site;
    const { secret, previousSecret } = member.file;
    const options = {
      secret,
      previousSecret,
      clusterName: member.cluster.name,
      protocols: this.settings.http2 ? ["h2", "http/1.1"] : ["http/1.1"],
      handshakeTimeoutMs: timeouts.headTimeoutMs,
      log,
    };
    const asked = tls.clientCertificates !== null;
    return new SecureServer(tls, options, (socket, client) =>
      this.#secured(socket, asked ? certificateFields(client) : ""),
    );
  }

  #secured(socket: TLSSocket, client: string): void {
    if (socket.alpnProtocol !== "h2") {
      const connection = this.#connected(socket, client, this.#endsOf(socket));
      if (connection !== null) socket.on("data", (bytes: Buffer) => connection.received(bytes));
      return;
    }
    const origin = this.#admit(socket, client, this.#endsOf(socket));
    if (origin !== null)
      this.#connections.add(new Http2Connection(this.#site, socket, origin, this.#streams, this.#onClosed));
  }

  /** What its balancer said. */
  #endsOf(socket: TLSSocket): Ends | null {
    const { _parent: raw } = socket as unknown as { _parent?: Socket };
    return raw === undefined ? null : (this.#announced.get(raw) ?? null);
  }

  /** @param client `certificateFields`, or "". @param announced null: the connection's own ends. */
  #connected(socket: Socket, client: string, announced: Ends | null): ClientConnection | null {
    const origin = this.#admit(socket, client, announced);
    if (origin === null) return null;
    const connection = new ClientConnection(this.#site, socket, origin, this.#onClosed);
    this.#connections.add(connection);
    return connection;
  }

  /** @returns null when the connection is not to be: it was reset before we came to it, or is one too many. */
  #admit(socket: Socket, client: string, announced: Ends | null): ClientOrigin | null {
    const { remoteAddress, remotePort, localAddress, localPort } = socket;
    if (remoteAddress === undefined || this.#connections.size >= this.#site.limits.connectionsMax) {
      socket.destroy();
      return null;
    }
    const ends = announced ?? {
      address: remoteAddress,
      port: remotePort ?? 0,
      localAddress: localAddress ?? "",
      localPort: localPort ?? 0,
    };
    const trusted = inNetworks(this.#site.trusted, ends.address);
    const tlsVersion = socket instanceof TLSSocket ? (socket.getProtocol() ?? "") : "";
    this.#site.accessLog.openConnections++;
    return new ClientOrigin(ends, this.#facts, trusted, tlsVersion, client);
  }

  readonly #onTlsClosed = (): void => {
    this.#accepted--;
  };

  readonly #onClosed = (closed: ClientConnection | Http2Connection): void => {
    this.#site.accessLog.openConnections--;
    this.#connections.delete(closed);
    if (this.#connections.size === 0) this.#onEmpty?.();
  };
}

const nothing = Buffer.alloc(0);
const sharedBuffer = Buffer.allocUnsafeSlow(limits.readBytes);

/**
 * Reads all connections into one buffer (`onread`), which costs half of what `data` events do. Node offers that
 * only for sockets which a program opens itself, so a socket is made around the accepted handle.
 *
 * @param first bytes that were read from it already.
 */
function readShared(
  accepted: Socket,
  first: Buffer,
  connect: (socket: Socket) => ClientConnection | null,
): void {
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
  if (first.length > 0) connection?.received(first);
  socket.resume();
}
