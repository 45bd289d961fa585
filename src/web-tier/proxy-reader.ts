/** Reads the PROXY header from an accepted connection, before TLS and before HTTP. */
import type { Socket } from "node:net";
import { proxyProtocol as limits } from "../support/limits.ts";
import type { Log } from "../support/log.ts";
import { Seldom } from "../support/seldom.ts";
import { type TimerWheel, WheelEntry } from "../support/timer-wheel.ts";
import { plainAddress } from "./networks.ts";
import { type Ends, parseProxyHeader } from "./proxy-header.ts";

/** @param ends null: the connection's own. @param rest bytes behind the header that were read with it. */
export type Announced = (socket: Socket, ends: Ends | null, rest: Buffer) => void;

const nothing = Buffer.alloc(0);

export class ProxyReaders {
  /** Connections that have not told yet. */
  readonly #open = new Set<ProxyReader>();
  readonly #wheel: TimerWheel;
  readonly #timeoutMs: number;
  readonly #log: Log;
  readonly #refusals = new Seldom(limits.complaintIntervalMs);

  constructor(wheel: TimerWheel, timeoutMs: number, log: Log) {
    this.#wheel = wheel;
    this.#timeoutMs = timeoutMs;
    this.#log = log;
  }

  get size(): number {
    return this.#open.size;
  }

  read(socket: Socket, announced: Announced): void {
    const reader = new ProxyReader(socket, announced, (why) => {
      this.#open.delete(reader);
      this.#wheel.stop(reader.deadline);
      if (why !== "") this.refuse(socket, why);
    });
    this.#open.add(reader);
    this.#wheel.start(reader.deadline, this.#timeoutMs);
    reader.start();
  }

  /** Closes it, and tells the operator now and then: a balancer that is set up wrongly looks like a site that is down. */
  refuse(socket: Socket, why: string): void {
    const from = plainAddress(socket.remoteAddress ?? "a client that is gone");
    socket.destroy();
    const times = this.#refusals.add();
    if (times === 0) return;
    const others = times > 1 ? ` (${times} connections since the last such line)` : "";
    this.#log.warn(`a connection from ${from} was closed: ${why}${others}`);
  }

  close(): void {
    for (const reader of this.#open) reader.destroy();
  }
}

class ProxyReader {
  readonly deadline: WheelEntry;
  readonly #socket: Socket;
  readonly #announced: Announced;
  readonly #over: (why: string) => void;
  #bytes: Buffer = nothing;

  constructor(socket: Socket, announced: Announced, over: (why: string) => void) {
    this.#socket = socket;
    this.#announced = announced;
    this.#over = over;
    this.deadline = new WheelEntry(() => this.#end("its PROXY header did not come in time"));
  }

  start(): void {
    this.#socket.on("readable", this.#read);
    // A balancer that only looks whether the port is open.
    this.#socket.on("end", this.#ended);
    this.#socket.on("error", this.#gone);
    this.#socket.on("close", this.#gone);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  readonly #ended = (): void => void this.#socket.destroy();
  readonly #gone = (): void => this.#end("");

  readonly #read = (): void => {
    for (let more = this.#socket.read(); more !== null; more = this.#socket.read())
      this.#bytes = this.#bytes.length === 0 ? more : Buffer.concat([this.#bytes, more]);
    const header = parseProxyHeader(this.#bytes);
    if (typeof header === "string") return this.#end(header);
    if (header === null) return;
    this.#end("");
    this.#announced(this.#socket, header.ends, this.#bytes.subarray(header.length));
  };

  #end(why: string): void {
    this.#socket.off("readable", this.#read);
    this.#socket.off("end", this.#ended);
    this.#socket.off("error", this.#gone);
    this.#socket.off("close", this.#gone);
    this.#over(why);
  }
}
