/**
 * One stream of a link as a real stream.Duplex that looks like a net.Socket: what an `upgrade` listener gets.
 * WebSocket libraries use all of a Duplex (unshift, read, cork, half-close, both states), so nothing less will do;
 * it is made once per connection, not per message.
 */

import { AsyncResource } from "node:async_hooks";
import type { AddressInfo } from "node:net";
import { Duplex } from "node:stream";
import { type LinkStream, ResetCode, type StreamHandler } from "../link/api.ts";
import { type Endpoints, familyOf } from "./endpoints.ts";
import type { NodeServer } from "./node-internals.ts";

type WriteCallback = (error?: Error | null) => void;
interface PendingWrite {
  readonly chunk: Buffer;
  readonly encoding: BufferEncoding;
}

export class LinkDuplex extends Duplex implements StreamHandler {
  server: NodeServer;
  bytesRead = 0;
  timeout = 0;
  readonly connecting: boolean = false;
  readonly pending: boolean = false;
  parser: unknown = null;
  /** Node's parser reads it (compat-connection.ts); else it has been given to an `upgrade` listener. */
  readonly parsed: boolean = false;
  _paused = false;

  readonly #stream: LinkStream;
  readonly #endpoints: Endpoints;
  readonly #context: AsyncResource = new AsyncResource("FLOTILLAUPGRADE");
  #timer: NodeJS.Timeout | null = null;
  #owedBytes = 0;
  #inputOver = false;
  #outputOver = false;
  #bytesSent = 0;
  /** A write that waits for credit. */
  #blockedWrite: WriteCallback | null = null;

  constructor(stream: LinkStream, endpoints: Endpoints, server: NodeServer) {
    super({ allowHalfOpen: true });
    this.#stream = stream;
    this.#endpoints = endpoints;
    this.server = server;
  }

  /** Runs a function in this connection's own asynchronous context; see VirtualSocket.enter. */
  enter(run: () => void): void {
    this.#context.runInAsyncScope(() => {
      try {
        run();
      } catch (error) {
        process.nextTick(() => {
          throw error;
        });
      }
    });
  }

  // --- Reading ------------------------------------------------------------------------------------------------

  override _read(): void {
    const owed = this.#owedBytes;
    this.#owedBytes = 0;
    if (owed > 0 && !this.#inputOver) this.#stream.consumed(owed);
  }

  onData(stream: LinkStream, bytes: Buffer): void {
    this.#timer?.refresh();
    this.bytesRead += bytes.length;
    if (this.destroyed) {
      stream.consumed(bytes.length);
      return;
    }
    this.#owedBytes += bytes.length;
    // The link's view ends with this call.
    const copy = Buffer.from(bytes);
    this.enter(() => {
      if (this.receive(copy)) this._read();
    });
  }

  onEnd(_stream: LinkStream, trailer: string): void {
    this.enter(() => {
      this.receiveEnd(trailer);
      this.#inputOver = true;
    });
  }

  /** @returns false when the buffer is full: `_read` gives the credit then. */
  protected receive(bytes: Buffer): boolean {
    return this.push(bytes);
  }

  protected receiveEnd(_trailer: string): void {
    this.push(null);
  }

  /** No error is raised, whoever ended it: a web server that dies must not crash an application that listens only for `close`. */
  onReset(_stream: LinkStream, _code: ResetCode, _message: string): void {
    this.#inputOver = true;
    this.#outputOver = true;
    this.enter(() => this.destroy());
  }

  // --- Writing ------------------------------------------------------------------------------------------------

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: WriteCallback): void {
    this.#timer?.refresh();
    this.#bytesSent += chunk.length;
    if (this.#stream.write(chunk)) done();
    else this.#blockedWrite = done;
  }

  override _writev(chunks: PendingWrite[], done: WriteCallback): void {
    this.#timer?.refresh();
    let accepted = true;
    for (const { chunk } of chunks) {
      this.#bytesSent += chunk.length;
      if (!this.#stream.write(chunk)) accepted = false;
    }
    if (accepted) done();
    else this.#blockedWrite = done;
  }

  onDrain(_stream: LinkStream): void {
    this.#timer?.refresh();
    const done = this.#blockedWrite;
    this.#blockedWrite = null;
    if (done !== null) this.enter(done);
  }

  override _final(done: WriteCallback): void {
    if (!this.#outputOver) {
      this.#outputOver = true;
      this.#stream.end();
    }
    done();
  }

  override _destroy(error: Error | null, done: WriteCallback): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (!this.#outputOver || !this.#inputOver) {
      this.#outputOver = true;
      this.#inputOver = true;
      this.#stream.reset(ResetCode.cancel, "the application closed the connection");
    }
    done(error);
    this.server._connections--;
    this.server._emitCloseIfDrained();
  }

  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once("finish", this.destroy);
  }

  resetAndDestroy(): this {
    return this.destroy();
  }

  // --- As net.Socket ------------------------------------------------------------------------------------------

  get bytesWritten(): number {
    // A write that waits for credit is counted in both.
    return this.#blockedWrite === null ? this.#bytesSent + this.writableLength : this.#bytesSent;
  }

  get bufferSize(): number {
    return this.writableLength;
  }

  get readyState(): "open" | "readOnly" | "writeOnly" | "closed" {
    if (this.readable) return this.writable ? "open" : "readOnly";
    return this.writable ? "writeOnly" : "closed";
  }

  get encrypted(): true | undefined {
    return this.#endpoints.encrypted || undefined;
  }

  get authorized(): false | undefined {
    return this.#endpoints.encrypted ? false : undefined;
  }

  get remoteAddress(): string {
    return this.#endpoints.remoteAddress;
  }

  get remotePort(): number {
    return this.#endpoints.remotePort;
  }

  get remoteFamily(): string {
    return familyOf(this.#endpoints.remoteAddress);
  }

  get localAddress(): string {
    return this.#endpoints.localAddress;
  }

  get localPort(): number {
    return this.#endpoints.localPort;
  }

  get localFamily(): string {
    return familyOf(this.#endpoints.localAddress);
  }

  address(): AddressInfo {
    return { address: this.localAddress, family: this.localFamily, port: this.localPort };
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  /** As net.Socket: emits `timeout` after so many milliseconds of silence; the listener decides what follows. */
  setTimeout(delayMs: number, callback?: () => void): this {
    if (this.destroyed) return this;
    this.timeout = delayMs;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = delayMs > 0 ? setTimeout(() => this.emit("timeout"), delayMs).unref() : null;
    if (callback !== undefined) {
      if (delayMs > 0) this.once("timeout", callback);
      else this.removeListener("timeout", callback);
    }
    return this;
  }
}
