/**
 * One socket of the pool to a plain HTTP server. While it serves a request it behaves as a stream of the link:
 * body bytes in, the answer's bytes out, credit, reset; so the request path knows no difference.
 */
import { connect, type Socket } from "node:net";
import type { Server, Timeouts } from "../config/model.ts";
import { ResetCode } from "../link/api.ts";
import { codeOf, messageOf } from "../support/errors.ts";
import { http as httpLimits } from "../support/limits.ts";
import { type TimerWheel, WheelEntry } from "../support/timer-wheel.ts";
import { trailerLines } from "./answer-head.ts";
import { CopiedWrites } from "./copied-writes.ts";
import type { UpstreamRequest, UpstreamStream } from "./upstream.ts";

const sharedBuffer = Buffer.allocUnsafeSlow(httpLimits.readBytes);
const goOn = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n", "latin1");

/** The pool, as its connections see it. */
export interface HttpPool {
  readonly server: Server;
  readonly timeouts: Timeouts;
  readonly wheel: TimerWheel;
  /** The connection was established. */
  connected(): void;
  /** The connection could not be established. @param refused at once: to try costs nothing. */
  unreachable(reason: string, refused: boolean): void;
  /** A kept connection was closed by the server: those kept beside it are no better. */
  closeIdle(): void;
  closed(connection: HttpConnection): void;
}

export class HttpConnection implements UpstreamStream {
  readonly #upstream: HttpPool;
  readonly #socket: Socket;
  readonly #copied: CopiedWrites;
  readonly #deadline: WheelEntry;
  #request: UpstreamRequest | null = null;
  #connected = false;
  #chunking = false;
  #expectsGoOn = false;
  #reused = false;
  #answering = false;
  #unreadBytes = 0;
  #failure = "";
  #refused = false;

  constructor(upstream: HttpPool) {
    this.#upstream = upstream;
    this.#deadline = new WheelEntry(() => this.#expired());
    this.#socket = connect({
      host: upstream.server.address,
      port: upstream.server.port,
      noDelay: true,
      allowHalfOpen: true,
      onread: {
        buffer: sharedBuffer,
        callback: (bytes: number) => {
          this.#received(sharedBuffer.subarray(0, bytes));
          return true;
        },
      },
    });
    this.#socket.on("connect", () => this.#established());
    this.#socket.on("drain", () => this.#request?.onDrain(this));
    this.#socket.on("end", () => this.#ended());
    this.#copied = new CopiedWrites(this.#socket);
    this.#socket.on("error", (error) => {
      this.#failure = messageOf(error);
      this.#refused = codeOf(error) === "ECONNREFUSED";
    });
    this.#socket.on("close", () => this.#closed());
    upstream.wheel.start(this.#deadline, upstream.timeouts.connectTimeoutMs);
  }

  get pendingBytes(): number {
    // What waits for the connection itself is no reason to hold the body: no `drain` would end that.
    return this.#socket.writableNeedDrain ? this.#socket.writableLength : 0;
  }

  /** Can serve another request. A socket that was destroyed tells `close` only later. */
  get alive(): boolean {
    return !this.#socket.destroyed;
  }

  /** It was kept idle, and ended before a byte of the answer came: the server had closed it meanwhile, most likely. */
  get wasStale(): boolean {
    return this.#reused && !this.#answering;
  }

  /** Sends the head; waits for the connection by itself if need be. */
  begin(request: UpstreamRequest): void {
    this.#request = request;
    this.#expectsGoOn = this.#answering = false;
    this.#chunking = !request.bodyless && request.bodyLength < 0;
    this.#socket.write(this.#head(request), "latin1");
    if (!this.#connected) return;
    this.#upstream.wheel.stop(this.#deadline);
    if (this.#expectsGoOn) process.nextTick(() => this.#goOn());
  }

  #head(request: UpstreamRequest): string {
    const parts = request.upstreamFields.split("\n");
    let text = `${request.method} ${request.target} HTTP/1.1\r\n`;
    let hasHost = false;
    for (let at = parts[0] === "" ? 1 : 0; at + 1 < parts.length; at += 2) {
      // Few servers answer 100 in time: we say it for them, which an intermediary may (RFC 9110, 10.1.1).
      if (parts[at] === "Expect") this.#expectsGoOn = true;
      else text += `${parts[at]}: ${parts[at + 1]}\r\n`;
      hasHost ||= parts[at]!.length === 4 && parts[at]!.toLowerCase() === "host";
    }
    // Of HTTP/1.0 clients only; HTTP/1.1 can't do without.
    return hasHost ? `${text}\r\n` : `${text}Host: ${this.#upstream.server.authority}\r\n\r\n`;
  }

  write(data: Uint8Array | string): boolean {
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

  end(trailer = ""): void {
    if (this.#request?.upgrading) this.#socket.end();
    else if (this.#chunking) this.#socket.write(`0\r\n${trailerLines(trailer)}\r\n`, "latin1");
  }

  reset(): void {
    this.#request = null;
    this.destroy();
  }

  consumed(bytes: number): void {
    this.#unreadBytes = Math.max(0, this.#unreadBytes - bytes);
    if (this.#unreadBytes < httpLimits.answerBufferBytesMax / 2 && this.#socket.isPaused())
      this.#socket.resume();
  }

  /** The request is over. @returns true when the connection can serve another. */
  release(): boolean {
    this.#request = null;
    if (!this.#socket.writable || !this.#socket.readable || this.#socket.writableLength > 0) return false;
    this.#unreadBytes = 0;
    this.#reused = true;
    if (this.#socket.isPaused()) this.#socket.resume();
    this.#upstream.wheel.start(this.#deadline, this.#upstream.timeouts.upstreamIdleTimeMs);
    return true;
  }

  destroy(): void {
    this.#request = null;
    this.#socket.destroy();
  }

  #established(): void {
    this.#connected = true;
    this.#upstream.wheel.stop(this.#deadline);
    this.#upstream.connected();
    if (this.#expectsGoOn) this.#goOn();
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
    if (this.#unreadBytes > httpLimits.answerBufferBytesMax) this.#socket.pause();
  }

  #ended(): void {
    const request = this.#request;
    if (request === null) return this.destroy();
    if (this.wasStale) this.#upstream.closeIdle();
    request.onEnd(this, "");
    if (this.#request === request && !request.upgrading) this.destroy();
  }

  #closed(): void {
    const request = this.#request;
    this.#request = null;
    this.#upstream.wheel.stop(this.#deadline);
    this.#upstream.closed(this);
    if (!this.#connected && request !== null)
      this.#upstream.unreachable(this.#failure || "connection refused", this.#refused);
    // A tunnel whose two directions came to their ends: both sides know already.
    if (request === null || (request.upgrading && this.#failure === "" && this.#socket.readableEnded)) return;
    if (this.wasStale) this.#upstream.closeIdle();
    const message = this.#failure || "the connection was closed";
    request.onReset(this, this.#connected ? ResetCode.linkLost : ResetCode.refused, message);
  }

  #expired(): void {
    if (!this.#connected)
      this.#failure = `no connection within ${this.#upstream.timeouts.connectTimeoutMs} ms`;
    this.#socket.destroy();
  }
}
