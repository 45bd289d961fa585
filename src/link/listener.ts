/** The accepting side of the cluster port: from an accepted socket to a link, and no further for strangers. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { TLSSocket, Server as TlsServer } from "node:tls";
import { type Clock, systemClock, type Timer } from "../support/clock.ts";
import { codeOf } from "../support/errors.ts";
import * as limits from "../support/limits.ts";
import { listenOn } from "../support/listen.ts";
import type { Log } from "../support/log.ts";
import type { LinkObserver, StreamKind, StreamService } from "./api.ts";
import { Complaints } from "./complaints.ts";
import { LinkConnection, type LinkSelf } from "./connection.ts";
import type { VersionRange } from "./hello.ts";
import type { LinkKeys } from "./keys.ts";
import { acceptFailure, greetingOf, handshakeCut, secureServer } from "./secure.ts";
import { SocketTransport } from "./socket-transport.ts";

export interface LinkListenerOptions {
  readonly self: LinkSelf;
  readonly address: string;
  /** 0 for any free one. */
  readonly port: number;
  readonly keys: LinkKeys;
  /** Whether a server or tool ("@cli") of this name may connect. It holds the key already. */
  readonly knows: (name: string) => boolean;
  readonly services: ReadonlyMap<StreamKind, StreamService>;
  readonly observer?: LinkObserver;
  readonly log: Log;
  readonly clock?: Clock;
  readonly versions?: VersionRange;
}

/** An accepted connection that is no link yet. */
interface Handshake {
  readonly raw: Socket;
  readonly remote: string;
  readonly timer: Timer;
  /** The key id that the client named; "" before. */
  offered: string;
}

export class LinkListener {
  readonly #options: LinkListenerOptions;
  readonly #clock: Clock;
  readonly #server: Server;
  readonly #tls: TlsServer;
  readonly #complaints: Complaints;
  readonly #handshakes: Map<string, Handshake> = new Map();
  readonly #links: Set<LinkConnection> = new Set();
  #goingAway = false;

  constructor(options: LinkListenerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#complaints = new Complaints(options.log, this.#clock);
    this.#server = createServer({ noDelay: true }, (raw) => this.#accept(raw));
    this.#tls = secureServer(options.keys, (socket, keyId) => {
      const handshake = this.#handshakes.get(remoteOf(socket));
      if (handshake !== undefined) handshake.offered = keyId;
    });
    this.#tls.on("secureConnection", (socket) => this.#secured(socket));
    this.#tls.on("tlsClientError", (error, socket) => {
      const handshake = this.#handshakes.get(remoteOf(socket));
      if (handshake === undefined) return;
      const text = acceptFailure(error, options.keys, handshake.offered);
      this.#fail(handshake, codeOf(error), text);
    });
  }

  /** @throws FlotillaError FLOTILLA_PORT_IN_USE, FLOTILLA_NO_PERMISSION, FLOTILLA_ADDRESS_NOT_HERE, FLOTILLA_LISTEN_FAILED. */
  listen(): Promise<void> {
    const { address: host, port, log } = this.#options;
    return listenOn(this.#server, "the cluster port", { host, port }, log);
  }

  /** The port that is really open, when 0 was asked for. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Tells the servers at the other ends to open no more streams here. Tools ("@cli") may go on asking. */
  goAway(): void {
    this.#goingAway = true;
    for (const link of this.#links) this.#tellGoAway(link);
  }

  /** Sends what this turn has gathered, for a process whose last turn it is: no `setImmediate` comes any more. */
  flush(): void {
    for (const link of this.#links) link.sender.flush();
  }

  /** Stops listening and ends all links, after what they have to send (at most a second). */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const handshake of [...this.#handshakes.values()]) {
      this.#settle(handshake);
      handshake.raw.destroy();
    }
    for (const link of [...this.#links]) link.destroy(`"${this.#options.self.name}" stops`);
    await closed;
  }

  #accept(raw: Socket): void {
    const remote = remoteOf(raw);
    raw.on("error", () => {}); // `close` follows, and tells.
    if (this.#handshakes.size >= limits.link.handshakesMax) {
      // The oldest makes room: a server needs milliseconds, so strangers who hold theirs open can't keep it out.
      const oldest: Handshake = this.#handshakes.values().next().value!;
      this.#fail(
        oldest,
        "room",
        `was closed to make room: ${limits.link.handshakesMax} handshakes are unfinished`,
      );
    }
    const timer = this.#clock.after(limits.link.handshakeTimeoutMs, () =>
      this.#fail(
        handshake,
        "time",
        `did not finish the handshake in ${limits.link.handshakeTimeoutMs / 1_000} s`,
      ),
    );
    const handshake: Handshake = { raw, remote, timer, offered: "" };
    this.#handshakes.set(remote, handshake);
    raw.once("close", () => this.#fail(handshake, "closed", handshakeCut));
    raw.write(greetingOf(this.#options.keys));
    this.#tls.emit("connection", raw);
  }

  #secured(socket: TLSSocket): void {
    const handshake = this.#handshakes.get(remoteOf(socket));
    if (handshake === undefined) {
      socket.destroy();
      return;
    }
    const { self, knows, services, log, versions } = this.#options;
    const { remote } = handshake;
    const transport = new SocketTransport(socket);
    const connection: LinkConnection = new LinkConnection(
      transport,
      {
        ...{ self, knows, services, log, remote, expected: null, clock: this.#clock },
        ...(versions === undefined ? {} : { versions }),
      },
      {
        up: () => this.#up(connection, handshake),
        changed: () => this.#options.observer?.onChange(connection),
        ended: (reason) => this.#ended(connection, handshake, reason),
      },
    );
    transport.carry(connection);
  }

  #up(link: LinkConnection, handshake: Handshake): void {
    this.#settle(handshake);
    this.#links.add(link);
    if (this.#goingAway) this.#tellGoAway(link);
    this.#options.observer?.onUp(link);
  }

  #ended(link: LinkConnection, handshake: Handshake, reason: string): void {
    if (this.#links.delete(link)) this.#options.observer?.onDown(link, reason);
    else if (this.#settle(handshake))
      this.#complaints.say(handshake.remote, reason, `got no link: ${reason}`);
  }

  #tellGoAway(link: LinkConnection): void {
    if (!link.peer.name.startsWith("@")) link.goAway();
  }

  #fail(handshake: Handshake, kind: string, text: string): void {
    if (!this.#settle(handshake)) return;
    this.#complaints.say(handshake.remote, kind, text);
    handshake.raw.destroy();
  }

  /** @returns false when it was over before. */
  #settle(handshake: Handshake): boolean {
    if (this.#handshakes.get(handshake.remote) !== handshake) return false;
    handshake.timer.cancel();
    return this.#handshakes.delete(handshake.remote);
  }
}

function remoteOf(socket: Socket): string {
  return `${socket.remoteAddress ?? "?"}:${socket.remotePort ?? 0}`;
}
