/**
 * One connection of the pool to a plain HTTP server. While it serves a request it behaves as a stream of the link:
 * body bytes in, the answer's bytes out, credit, reset; so the request path knows no difference.
 */
import type { Socket } from "node:net";
import type { Server, Timeouts } from "../config/model.ts";
import { ResetCode } from "../link/api.ts";
import { connectPlain, openEvent } from "../plain/connect.ts";
import type { UpstreamTls } from "../plain/tls.ts";
import { codeOf, messageOf } from "../support/errors.ts";
import { http as httpLimits, upstream as limits } from "../support/limits.ts";
import { type TimerWheel, WheelEntry } from "../support/timer-wheel.ts";
import { trailerLines } from "./answer-head.ts";
import { CopiedWrites } from "./copied-writes.ts";
import { EarlyBody } from "./early-body.ts";
import type { SentRequest, UpstreamStream } from "./upstream.ts";
import type { Address } from "./upstream-addresses.ts";

const sharedBuffer = Buffer.allocUnsafeSlow(httpLimits.readBytes);
const goOn = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n", "latin1");
/** To be refused so costs the request nothing. */
const refusedAtOnce: ReadonlySet<string | undefined> = new Set(["ECONNREFUSED", "ENOENT", "EAGAIN"]);

/** The pool, as its connections see it. */
export interface HttpPool {
  readonly server: Server;
  readonly timeouts: Timeouts;
  readonly wheel: TimerWheel;
  /** Null: not encrypted. */
  readonly tls: UpstreamTls | null;
  /** The connection was established. */
  connected(address: Address): void;
  /** It takes longer than it should: no other request should wait with this one. */
  slow(address: Address): void;
  /** The connection could not be established; no other is waited for there. @param atOnce to try cost nothing. */
  unreachable(address: Address, reason: string, atOnce: boolean): void;
  /** Another address that may be tried, or null. */
  another(): Address | null;
  /** A kept connection was closed by the server: those kept beside it are no better. */
  closeIdle(): void;
  closed(connection: HttpConnection): void;
}

export class HttpConnection implements UpstreamStream {
  readonly #upstream: HttpPool;
  readonly #deadline: WheelEntry;
  #socket!: Socket;
  #copied!: CopiedWrites;
  #address!: Address;
  #request: SentRequest | null = null;
  #connected = false;
  /** Of the time for a connection, over all addresses tried. */
  #connectLeftMs: number;
  #stageMs = 0;
  #addressesLeft: number = limits.addressesMax;
  /** The request's body until there is a connection. */
  #early: EarlyBody | null = null;
  #chunking = false;
  #expectsGoOn = false;
  #reused = false;
  #answering = false;
  #unreadBytes = 0;
  /** Of the request being served. */
  #unreadBytesMax = 0;
  #failure = "";
  #refused = false;
  #over = false;

  constructor(upstream: HttpPool, address: Address) {
    this.#upstream = upstream;
    this.#connectLeftMs = upstream.timeouts.connectTimeoutMs;
    this.#deadline = new WheelEntry(() => this.#expired());
    this.#connect(address);
  }

  #connect(address: Address): void {
    const { server, tls } = this.#upstream;
    const onread = {
      buffer: sharedBuffer,
      callback: (bytes: number) => {
        this.#received(sharedBuffer.subarray(0, bytes));
        return true;
      },
    };
    this.#address = address;
    this.#failure = "";
    this.#refused = false;
    this.#socket = connectPlain(server, tls, address.host, onread);
    this.#copied = new CopiedWrites(this.#socket);
    this.#socket.on(openEvent(tls), () => this.#established());
    this.#socket.on("drain", () => this.#request?.onDrain(this));
    this.#socket.on("end", () => this.#ended());
    this.#socket.on("error", (error) => {
      this.#failure = messageOf(error);
      this.#refused = refusedAtOnce.has(codeOf(error));
    });
    this.#socket.on("close", () => this.#closed());
    this.#nextStage();
  }

  /** Towards the end of the time for a connection; a first stage ends when it has become slow. */
  #nextStage(): void {
    const spentMs = this.#upstream.timeouts.connectTimeoutMs - this.#connectLeftMs;
    const slowInMs = limits.slowConnectMs - spentMs;
    this.#stageMs = slowInMs > 0 ? Math.min(slowInMs, this.#connectLeftMs) : this.#connectLeftMs;
    this.#upstream.wheel.start(this.#deadline, this.#stageMs);
  }

  get address(): Address {
    return this.#address;
  }

  get pendingBytes(): number {
    if (this.#early !== null) return this.#early.full ? this.#early.bytes : 0;
    return this.#socket.writableNeedDrain ? this.#socket.writableLength : 0;
  }

  /** Can serve another request. A socket that was destroyed tells `close` only later. */
  get alive(): boolean {
    return !this.#socket.destroyed;
  }

  /** Milliseconds since it was last used, to the tick of the wheel. */
  get idleMs(): number {
    return this.#upstream.timeouts.upstreamIdleTimeMs - this.#upstream.wheel.leftMs(this.#deadline);
  }

  /** It was kept idle, and ended before a byte of the answer came: the server had closed it meanwhile, most likely. */
  get wasStale(): boolean {
    return this.#reused && !this.#answering;
  }

  /** Sends the head, now or as soon as there is a connection. */
  begin(request: SentRequest): void {
    this.#request = request;
    this.#unreadBytesMax = request.answerBufferBytesMax;
    this.#expectsGoOn = this.#answering = false;
    this.#chunking = !request.bodyless && request.bodyLength < 0;
    if (!this.#connected) {
      this.#early = new EarlyBody();
      request.onConnecting();
      return;
    }
    this.#upstream.wheel.stop(this.#deadline);
    this.#sendHead(request);
    if (this.#expectsGoOn) process.nextTick(() => this.#goOn());
  }

  #sendHead(request: SentRequest): void {
    // A tunnel may be silent for long: a server that has gone is to be noticed all the same.
    if (request.upgrading) this.#socket.setKeepAlive(true, httpLimits.tunnelProbeAfterMs);
    this.#socket.write(this.#head(request), "latin1");
  }

  #head(request: SentRequest): string {
    const { plain, authority } = this.#upstream.server;
    const ownHost = plain!.host;
    const parts = request.upstreamFields.split("\n");
    let text = `${request.method} ${request.target} HTTP/1.1\r\n`;
    let hasHost = false;
    for (let at = parts[0] === "" ? 1 : 0; at + 1 < parts.length; at += 2) {
      const isHost = parts[at]!.length === 4 && parts[at]!.toLowerCase() === "host";
      // Few servers answer 100 in time: we say it for them, which an intermediary may (RFC 9110, 10.1.1).
      if (parts[at] === "Expect") this.#expectsGoOn = true;
      else if (!isHost || ownHost === null) text += `${parts[at]}: ${parts[at + 1]}\r\n`;
      hasHost ||= isHost;
    }
    if (ownHost !== null) return `${text}Host: ${ownHost}\r\n\r\n`;
    // Of HTTP/1.0 clients only; HTTP/1.1 can't do without.
    return hasHost ? `${text}\r\n` : `${text}Host: ${authority}\r\n\r\n`;
  }

  write(data: Uint8Array | string): boolean {
    if (this.#early !== null) return this.#early.write(data);
    if (!this.#chunking) return this.#writeCopy(data);
    this.#socket.cork();
    this.#socket.write(`${data.length.toString(16)}\r\n`, "latin1");
    this.#writeCopy(data);
    const flowing = this.#socket.write("\r\n", "latin1");
    this.#socket.uncork();
    return flowing;
  }

  #writeCopy(data: Uint8Array | string): boolean {
    return typeof data === "string" ? this.#socket.write(data, "latin1") : this.#copied.write(data);
  }

  end(trailer: string = ""): void {
    if (this.#early !== null) this.#early.end(trailer);
    else if (this.#request?.upgrading) this.#socket.end();
    else if (this.#chunking) this.#socket.write(`0\r\n${trailerLines(trailer)}\r\n`, "latin1");
  }

  reset(): void {
    this.#request = null;
    this.destroy();
  }

  consumed(bytes: number): void {
    this.#unreadBytes = Math.max(0, this.#unreadBytes - bytes);
    if (this.#unreadBytes < this.#unreadBytesMax / 2 && this.#socket.isPaused()) this.#socket.resume();
  }

  /** The request is over. @returns true when the connection can serve another. */
  release(): boolean {
    this.#request = null;
    if (!this.#socket.writable || !this.#socket.readable || this.#socket.writableLength > 0) return false;
    if (this.#address.gone) return false;
    this.#unreadBytes = 0;
    this.#reused = true;
    if (this.#socket.isPaused()) this.#socket.resume();
    this.#upstream.wheel.start(this.#deadline, this.#upstream.timeouts.upstreamIdleTimeMs);
    return true;
  }

  /** The pool knows at once; the socket's `close` comes later. */
  destroy(): void {
    this.#request = this.#early = null;
    this.#finish();
    this.#socket.destroy();
  }

  /** This address can't be reached, as this connection or another one found: it is not waited for any longer. */
  giveUpConnecting(address: Address, reason: string): void {
    if (this.#connected || this.#over || address !== this.#address) return;
    this.#failure = reason;
    this.#tryAnother();
  }

  #established(): void {
    this.#connected = true;
    this.#upstream.wheel.stop(this.#deadline);
    this.#upstream.connected(this.#address);
    const request = this.#request;
    const early = this.#early;
    this.#early = null;
    if (request === null || early === null) return;
    request.onConnected();
    this.#socket.cork();
    this.#sendHead(request);
    early.sendTo(this);
    this.#socket.uncork();
    if (this.#expectsGoOn) this.#goOn();
    if (early.full && this.#request === request && !this.#socket.writableNeedDrain) request.onDrain(this);
  }

  #goOn(): void {
    this.#request?.onData(this, goOn);
  }

  #received(bytes: Buffer): void {
    // Bytes that nobody asked for: whatever they are, the next answer on this connection could not be trusted.
    if (this.#request === null) return this.destroy();
    this.#answering = true;
    this.#unreadBytes += bytes.length;
    this.#request.onData(this, bytes);
    if (this.#unreadBytes > this.#unreadBytesMax) this.#socket.pause();
  }

  #ended(): void {
    const request = this.#request;
    if (request === null) return this.destroy();
    if (!this.#connected) {
      this.#socket.destroy();
      return;
    }
    if (this.wasStale) this.#upstream.closeIdle();
    request.onEnd(this, "");
    if (this.#request === request && !request.upgrading) this.destroy();
  }

  #closed(): void {
    if (this.#over) return;
    if (!this.#connected) {
      const reason = this.#failure || "the connection was closed";
      return this.#upstream.unreachable(this.#address, reason, this.#refused);
    }
    const request = this.#request;
    this.#request = null;
    this.#finish();
    // A tunnel whose two directions came to their ends: both sides know already.
    if (request === null || (request.upgrading && this.#failure === "" && this.#socket.readableEnded)) return;
    if (this.wasStale) this.#upstream.closeIdle();
    request.onReset(this, ResetCode.linkLost, this.#failure || "the connection was closed");
  }

  /** Nothing of the request was sent: the next address of the name may have it as well. */
  #tryAnother(): void {
    const request = this.#request;
    const failure = this.#failure;
    this.#dropSocket();
    const mayGoOn = request !== null && this.#connectLeftMs > 0 && --this.#addressesLeft > 0;
    const next = mayGoOn ? this.#upstream.another() : null;
    if (next !== null) return this.#connect(next);
    this.#request = this.#early = null;
    this.#finish();
    request?.onReset(this, ResetCode.refused, failure);
  }

  /** One that was never connected: whatever it still tells is not heard. */
  #dropSocket(): void {
    this.#socket.removeAllListeners().on("error", () => {});
    this.#socket.destroy();
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#upstream.wheel.stop(this.#deadline);
    this.#upstream.closed(this);
  }

  #expired(): void {
    // Idle for long enough.
    if (this.#connected) return this.destroy();
    this.#connectLeftMs -= this.#stageMs;
    if (this.#connectLeftMs > 0) {
      this.#upstream.slow(this.#address);
      const next = this.#upstream.another();
      if (next === null) return this.#nextStage();
      this.#dropSocket();
      return this.#connect(next);
    }
    const reason = `no connection within ${this.#upstream.timeouts.connectTimeoutMs} ms`;
    this.#upstream.unreachable(this.#address, reason, false);
  }
}
