/**
 * One stream of a link as a real stream.Duplex that looks like a net.Socket: what an `upgrade` listener gets.
 * WebSocket libraries use all of a Duplex (unshift, read, cork, half-close, both states), so nothing less will do;
 * it is made once per connection, not per message.
 */

import { AsyncResource } from "node:async_hooks";
import { Duplex } from "node:stream";
import { type LinkStream, ResetCode, type StreamHandler } from "../link/api.ts";
import type { NodeServer } from "./node-internals.ts";
import { type WithSocketLikeness, withSocketLikeness } from "./socket-likeness.ts";

type WriteCallback = (error?: Error | null) => void;
interface PendingWrite {
  readonly chunk: Buffer;
  readonly encoding: BufferEncoding;
}

const Base: WithSocketLikeness<typeof Duplex> = withSocketLikeness(Duplex);

export class LinkDuplex extends Base implements StreamHandler {
  server: NodeServer;
  bytesRead = 0;
  parser: unknown = null;
  /** Node's parser reads it (compat-connection.ts); else it has been given to an `upgrade` listener. */
  readonly parsed: boolean = false;
  _paused = false;

  readonly #stream: LinkStream;
  readonly #context: AsyncResource = new AsyncResource("FLOTILLAUPGRADE");
  #owedBytes = 0;
  #inputOver = false;
  #outputOver = false;
  #bytesSent = 0;
  /** A write that waits for credit. */
  #blockedWrite: WriteCallback | null = null;

  constructor(stream: LinkStream, head: readonly string[], server: NodeServer) {
    super({ allowHalfOpen: true });
    this.#stream = stream;
    this.head = head;
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
    this.idleTimer?.refresh();
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
    this.idleTimer?.refresh();
    this.#bytesSent += chunk.length;
    if (this.#stream.write(chunk)) done();
    else this.#blockedWrite = done;
  }

  override _writev(chunks: PendingWrite[], done: WriteCallback): void {
    this.idleTimer?.refresh();
    let accepted = true;
    for (const { chunk } of chunks) {
      this.#bytesSent += chunk.length;
      if (!this.#stream.write(chunk)) accepted = false;
    }
    if (accepted) done();
    else this.#blockedWrite = done;
  }

  onDrain(_stream: LinkStream): void {
    this.idleTimer?.refresh();
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
    this.stopIdleTimer();
    // As a kernel does with a closed socket: what was written goes out (`write("HTTP/1.1 401 ..."); destroy()` is common).
    if (!this.#outputOver && this.#blockedWrite === null) this.#stream.end();
    if (!this.#outputOver || !this.#inputOver)
      this.#reset(ResetCode.cancel, "the application closed the connection");
    done(error);
    this.server._connections--;
    this.server._emitCloseIfDrained();
  }

  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once("finish", this.destroy);
  }

  /** Nothing was done with what came: it may be sent elsewhere. */
  refuse(): void {
    if (!this.destroyed) this.#reset(ResetCode.refused, "the program does not listen");
    this.destroy();
  }

  resetAndDestroy(): this {
    if (!this.destroyed) this.#reset(ResetCode.internal, "the application reset the connection");
    return this.destroy();
  }

  #reset(code: ResetCode, message: string): void {
    this.#outputOver = true;
    this.#inputOver = true;
    this.#stream.reset(code, message);
  }

  /** As net.Socket: what was written, sent or not. */
  get bytesWritten(): number {
    // A write that waits for credit is counted in both.
    return this.#blockedWrite === null ? this.#bytesSent + this.writableLength : this.#bytesSent;
  }
}
