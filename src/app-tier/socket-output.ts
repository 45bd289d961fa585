/**
 * The writing half of a virtual socket: what net.Socket's Writable does for an answer, straight onto the stream of a
 * link. `write` says false at the high-water mark; `drain` and the callbacks follow when the bytes have left the
 * stream's queue.
 */
import { EventEmitter } from "node:events";
import { getDefaultHighWaterMark } from "node:stream";
import type { LinkStream } from "../link/api.ts";
import { drainResponse, type NodeResponse } from "./node-internals.ts";
import { type WithSocketLikeness, withSocketLikeness } from "./socket-likeness.ts";

/** `null` (or undefined) when the bytes went out, else why they did not. */
type WriteCallback = (error?: Error | null) => void;

const defaultHighWaterMark = getDefaultHighWaterMark(false);

const Base: WithSocketLikeness<typeof EventEmitter> = withSocketLikeness(EventEmitter);

export class SocketOutput extends Base {
  /** The response that is being written; Node's assignSocket and detachSocket keep it. */
  _httpMessage: NodeResponse | null = null;
  writable = true;
  destroyed = false;
  errored: Error | null = null;
  readonly writableHighWaterMark: number = defaultHighWaterMark;
  bytesWritten = 0;
  /** `_writableState.corked`: how often cork() was called. */
  corked = 0;
  needDrain = false;
  protected readonly linkStream: LinkStream;
  /** Nothing more is to be written: `end()`, or the answer is complete. */
  protected outputOver = false;
  /** The stream has been told that our direction is over. */
  protected endSent = false;
  /** Bytes wait in the stream, for credit or for their turn, until onDrain. */
  protected blocked = false;
  /** Bytes written since cork(); they count against the high-water mark as Node's buffered ones do. */
  #corkedBytes = 0;
  #afterWriteScheduled = false;
  /** Callbacks of writes; most requests have exactly one, of `res.end(text)`. */
  #writeCallback: WriteCallback | null = null;
  #moreWriteCallbacks: WriteCallback[] | null = null;

  constructor(stream: LinkStream) {
    super();
    this.linkStream = stream;
  }

  /** OutgoingMessage sets `corked` here; stream.finished reads the rest. One object less per request. */
  get _writableState(): this {
    return this;
  }

  get writableCorked(): number {
    return this.corked;
  }

  get writableLength(): number {
    return this.blocked ? Math.max(this.#corkedBytes, this.linkStream.pendingBytes) : this.#corkedBytes;
  }

  /** As stream states name it. */
  get length(): number {
    return this.writableLength;
  }

  get writableNeedDrain(): boolean {
    return this.needDrain && !this.destroyed && this.writable;
  }

  get writableEnded(): boolean {
    return this.outputOver;
  }

  get writableFinished(): boolean {
    return this.outputOver && !this.blocked && this.#writeCallback === null;
  }

  cork(): void {
    this.corked++;
  }

  uncork(): void {
    if (this.corked === 0) return;
    this.corked--;
    if (this.corked > 0) return;
    this.#corkedBytes = 0;
    if (this.#writeCallback !== null || this.needDrain) this.#scheduleAfterWrite();
  }

  /** As Writable.write: false when as many bytes wait as the high-water mark says; then `drain` follows. */
  write(
    data: string | Uint8Array,
    encodingOrCallback?: BufferEncoding | WriteCallback | null,
    callback?: WriteCallback | null,
  ): boolean {
    const encoding = typeof encodingOrCallback === "function" ? undefined : encodingOrCallback;
    const done = typeof encodingOrCallback === "function" ? encodingOrCallback : callback;
    if (this.outputOver || this.destroyed) return this.#refuseWrite(done);
    const bytes = this.#send(data, encoding);
    this.bytesWritten += bytes;
    if (this.idleTimer !== null) this.idleTimer.refresh();
    let buffered = bytes;
    if (this.corked > 0) buffered = this.#corkedBytes += bytes;
    // The link may want to wait before that: what waits is kept, as much as Node's own buffer would keep.
    if (this.blocked) buffered = Math.max(buffered, this.linkStream.pendingBytes);
    const accepted = buffered < this.writableHighWaterMark;
    if (!accepted) this.needDrain = true;
    if (done) this.#keepCallback(done);
    if (this.corked === 0 && (this.needDrain || this.#writeCallback !== null)) this.#scheduleAfterWrite();
    return accepted;
  }

  /** @returns how many bytes it was. */
  #send(data: string | Uint8Array, encoding: BufferEncoding | null | undefined): number {
    if (data.length === 0) return 0;
    if (typeof data !== "string") {
      if (!this.linkStream.write(data)) this.blocked = true;
      return data.length;
    }
    switch (encoding) {
      case undefined:
      case null:
      case "utf8":
      case "utf-8":
        if (!this.linkStream.write(data, "utf8")) this.blocked = true;
        return Buffer.byteLength(data);
      case "latin1":
      case "binary":
      case "ascii":
        if (!this.linkStream.write(data, "latin1")) this.blocked = true;
        return data.length;
      default: {
        const bytes = Buffer.from(data, encoding);
        if (!this.linkStream.write(bytes)) this.blocked = true;
        return bytes.length;
      }
    }
  }

  #refuseWrite(done: WriteCallback | null | undefined): boolean {
    const ended = { code: "ERR_STREAM_WRITE_AFTER_END" };
    const error = this.destroyed ? streamDestroyed() : Object.assign(new Error("write after end"), ended);
    if (done) process.nextTick(done, error);
    return false;
  }

  #keepCallback(done: WriteCallback): void {
    if (this.#writeCallback === null) this.#writeCallback = done;
    else if (this.#moreWriteCallbacks === null) this.#moreWriteCallbacks = [done];
    else this.#moreWriteCallbacks.push(done);
  }

  #scheduleAfterWrite(): void {
    if (this.#afterWriteScheduled || this.blocked) return;
    this.#afterWriteScheduled = true;
    process.nextTick(afterWrite, this);
  }

  /** All that was written has its credit: `drain`, then the callbacks, as Writable's afterWrite. */
  afterWrite(): void {
    this.#afterWriteScheduled = false;
    if (this.blocked || this.corked > 0 || this.destroyed) return;
    if (this.needDrain && !this.outputOver) {
      this.needDrain = false;
      if (this._httpMessage !== null) drainResponse(this._httpMessage);
      this.emit("drain");
    }
    this.runCallbacks(null);
  }

  protected runCallbacks(error: Error | null): void {
    const first = this.#writeCallback;
    if (first === null) return;
    const more = this.#moreWriteCallbacks;
    this.#writeCallback = null;
    this.#moreWriteCallbacks = null;
    first(error);
    if (more !== null) for (const done of more) done(error);
  }

  /** Ends our direction, as net.Socket.end. */
  end(
    data?: string | Uint8Array | WriteCallback | null,
    encodingOrCallback?: BufferEncoding | WriteCallback | null,
    callback?: WriteCallback,
  ): this {
    const done = [data, encodingOrCallback, callback].find((argument) => typeof argument === "function");
    if (data !== undefined && data !== null && typeof data !== "function") {
      this.write(data, typeof encodingOrCallback === "function" ? undefined : encodingOrCallback);
    }
    if (done !== undefined) this.once("finish", done);
    if (this.outputOver || this.destroyed) return this;
    this.endOutput();
    this.#keepCallback(() => this.emit("finish"));
    this.#scheduleAfterWrite();
    return this;
  }

  /** Bytes that wait for credit go first: the stream tells of their going only until it is ended. */
  protected endOutput(): void {
    this.outputOver = true;
    this.writable = false;
    if (!this.blocked) this.sendEnd();
  }

  protected sendEnd(): void {
    if (this.endSent) return;
    this.endSent = true;
    this.linkStream.end();
  }
}

function afterWrite(output: SocketOutput): void {
  output.afterWrite();
}

export function streamDestroyed(): Error {
  return Object.assign(new Error("Cannot call write after a stream was destroyed"), {
    code: "ERR_STREAM_DESTROYED",
  });
}
