/** One try to make a link to a server: connect, greeting, TLS, hello, all within one time limit. */
import { connect, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { type Clock, systemClock, type Timer } from "../support/clock.ts";
import { codeOf, messageOf } from "../support/errors.ts";
import type { Log } from "../support/log.ts";
import type { StreamKind, StreamService } from "./api.ts";
import { LinkConnection, type LinkSelf } from "./connection.ts";
import type { VersionRange } from "./hello.ts";
import type { LinkKeys } from "./keys.ts";
import { dialFailure, greetingBytesMax, keyFor, parseGreeting, secureClient } from "./secure.ts";
import { SocketTransport } from "./socket-transport.ts";
import { printable } from "./wire.ts";

export interface DialOptions {
  readonly self: LinkSelf;
  /** The name of the server that is to be reached. */
  readonly expected: string;
  readonly address: string;
  readonly port: number;
  readonly keys: LinkKeys;
  readonly services: ReadonlyMap<StreamKind, StreamService>;
  readonly log: Log;
  readonly clock?: Clock;
  readonly versions?: VersionRange;
}

export type LinkFailureCode =
  | "FLOTILLA_LINK_UNREACHABLE"
  | "FLOTILLA_LINK_WRONG_KEY"
  | "FLOTILLA_LINK_REFUSED";

export interface AttemptEvents {
  up(link: LinkConnection): void;
  changed(link: LinkConnection): void;
  /** There is no link, and there will be none. `message` is for a person. */
  failed(code: LinkFailureCode, message: string): void;
  /** The link, which was up, has ended. */
  down(reason: string): void;
}

export class LinkAttempt {
  readonly #options: DialOptions;
  readonly #events: AttemptEvents;
  readonly #where: string;
  readonly #raw: Socket;
  readonly #timer: Timer;
  #greeting = "";
  /** Key ids of the other side. */
  #keyIds: readonly string[] = [];
  #link: LinkConnection | null = null;
  #isUp = false;
  #ended = false;

  constructor(options: DialOptions, timeoutMs: number, events: AttemptEvents) {
    this.#options = options;
    this.#events = events;
    this.#where = `${options.expected} (${options.address}:${options.port})`;
    const clock = options.clock ?? systemClock;
    this.#timer = clock.after(timeoutMs, () => this.#timedOut(timeoutMs));
    this.#raw = connect({ host: options.address, port: options.port, noDelay: true });
    this.#raw.on("readable", this.#onGreeting);
    this.#raw.on("error", (error) => this.#fail("FLOTILLA_LINK_UNREACHABLE", this.#unreachable(error)));
    this.#raw.on("close", () =>
      this.#fail(
        "FLOTILLA_LINK_UNREACHABLE",
        `${this.#where} closed the connection before the handshake was over`,
      ),
    );
  }

  /** Gives up, or ends the link that came of it. */
  abort(reason: string): void {
    if (this.#link !== null) this.#link.destroy(reason);
    this.#fail("FLOTILLA_LINK_UNREACHABLE", reason);
  }

  readonly #onGreeting = (): void => {
    while (!this.#greeting.endsWith("\n") && this.#greeting.length < greetingBytesMax) {
      const byte: Buffer | null = this.#raw.read(1);
      if (byte === null) return;
      this.#greeting += byte.toString("latin1");
    }
    const keyIds = parseGreeting(this.#greeting);
    if (keyIds === null) {
      const said = printable(this.#greeting);
      this.#fail(
        "FLOTILLA_LINK_REFUSED",
        `what answers at ${this.#where} is no cluster port; it says "${said}"`,
      );
      return;
    }
    this.#keyIds = keyIds;
    this.#raw.off("readable", this.#onGreeting);
    const socket = secureClient(this.#raw, keyFor(this.#options.keys, keyIds));
    socket.once("secureConnect", () => this.#secured(socket));
    socket.on("error", (error) => {
      const text = dialFailure(error, this.#options.keys, keyIds);
      if (text === "") this.#fail("FLOTILLA_LINK_UNREACHABLE", this.#unreachable(error));
      else this.#fail("FLOTILLA_LINK_WRONG_KEY", `${this.#where} ${text}`);
    });
  };

  #secured(socket: TLSSocket): void {
    if (this.#ended) return;
    const { self, expected, services, log, clock, versions } = this.#options;
    const transport = new SocketTransport(socket);
    const link: LinkConnection = new LinkConnection(
      transport,
      {
        ...{ self, expected, services, log, knows: () => false },
        remote: `${this.#options.address}:${this.#options.port}`,
        ...(clock === undefined ? {} : { clock }),
        ...(versions === undefined ? {} : { versions }),
      },
      {
        up: () => {
          this.#timer.cancel();
          this.#isUp = true;
          this.#events.up(link);
        },
        changed: () => this.#events.changed(link),
        ended: (reason) => {
          if (this.#isUp) this.#events.down(reason);
          else this.#end("FLOTILLA_LINK_REFUSED", reason);
        },
      },
    );
    this.#link = link;
    transport.carry(link);
  }

  #timedOut(timeoutMs: number): void {
    if (this.#link !== null) {
      this.#link.destroy(`${this.#where} did not finish the handshake in ${timeoutMs / 1_000} s`);
      return;
    }
    const what = this.#raw.connecting
      ? "does not answer (no TCP connection)"
      : this.#keyIds.length === 0
        ? "accepts connections and says nothing: it is stuck, or it is no cluster port"
        : "did not finish the handshake";
    this.#fail("FLOTILLA_LINK_UNREACHABLE", `${this.#where} ${what} in ${timeoutMs / 1_000} s`);
  }

  #unreachable(error: unknown): string {
    switch (codeOf(error)) {
      case "ECONNREFUSED":
        return `nothing listens at ${this.#where}: the server is not started, or its address in the file is wrong`;
      case "EHOSTUNREACH":
      case "ENETUNREACH":
        return `there is no way to ${this.#where}: the machine is down, or the network between is (${codeOf(error)})`;
      case "ENOTFOUND":
      case "EAI_AGAIN":
        return `the address of ${this.#where} can't be found by name (${codeOf(error)})`;
      case "ECONNRESET":
        return `${this.#where} closed the connection before the handshake was over`;
      case "ETIMEDOUT":
        return `${this.#where} does not answer (ETIMEDOUT)`;
      default:
        return `${this.#where} can't be reached: ${messageOf(error)}`;
    }
  }

  /** For what fails before there is a link: afterwards the link tells of its end itself. */
  #fail(code: LinkFailureCode, message: string): void {
    if (this.#link === null) this.#end(code, message);
  }

  #end(code: LinkFailureCode, message: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#timer.cancel();
    if (this.#link === null) this.#raw.destroy();
    this.#events.failed(code, message);
  }
}
