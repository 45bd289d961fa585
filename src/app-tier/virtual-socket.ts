/**
 * The socket of one request that came over a link. Node's own IncomingMessage and ServerResponse sit on it and
 * find what they find on a net.Socket of an http.Server; behind it is one stream of the link. It takes the
 * place of Node's socket, parser and `connectionListener` together, so the order of events here follows
 * lib/_http_server.js, whose functions are named in the comments.
 *
 * It is an EventEmitter and no stream.Duplex: the streams' state machine twice per request would cost more than
 * all the rest of this tier. What becomes of a connection after an upgrade is a real Duplex (link-duplex.ts).
 */
import { AsyncResource } from "node:async_hooks";
import { channel } from "node:diagnostics_channel";
import { type LinkStream, ResetCode, type StreamHandler } from "../link/api.ts";
import { detachAbortSignal, type NodeRequest, type NodeResponse, type NodeServer } from "./node-internals.ts";
import type { ListedSocket, SocketList } from "./socket-list.ts";
import { SocketOutput, streamDestroyed } from "./socket-output.ts";

const finishChannel = channel("http.server.response.finish");

export class VirtualSocket extends SocketOutput implements StreamHandler, ListedSocket {
  readonly server: NodeServer;
  req: NodeRequest | null = null;
  /** Node's parser stands here; some libraries ask whether there is one. */
  readonly parser: null = null;

  readable = true;
  closed = false;
  readonly readableHighWaterMark: number = this.writableHighWaterMark;
  bytesRead = 0;
  /** IncomingMessage asks for it before it resumes the socket. */
  _paused = false;

  /** Neighbours in the list of living sockets (socket-list.ts). */
  previous: ListedSocket | null = null;
  next: ListedSocket | null = null;

  readonly #sockets: SocketList;
  /** One asynchronous context per request: what `enterWith` does in one is not seen in the next. */
  readonly #context: AsyncResource = new AsyncResource("FLOTILLAREQUEST");
  /** Request bytes delivered to the application's buffer and not yet credited to the sender. */
  #owedBytes = 0;
  /** The request has wholly arrived, or nothing more of it will. */
  #inputOver = false;
  /** Nobody wants the rest of the request: it is thrown away as it comes. */
  #discarding = false;
  /** The answer is out: `resOnFinish` has run. */
  #answered = false;
  /** Stands in the list of sockets that close at the end of this turn. */
  #closing = false;
  /** The list counts it as one that answers. */
  #answering = true;

  constructor(stream: LinkStream, head: readonly string[], server: NodeServer, sockets: SocketList) {
    super(stream);
    this.head = head;
    this.server = server;
    this.#sockets = sockets;
    sockets.add(this);
  }

  /** Runs a function in the request's own asynchronous context; what it throws surfaces as an uncaught exception. */
  enter<A, B>(run: (socket: VirtualSocket, a: A, b: B) => void, a: A, b: B): void {
    this.#context.runInAsyncScope(guarded, undefined, run, this, a, b);
  }

  // --- What Node's streams and messages ask of a socket's state ---------------------------------------------

  get readableEnded(): boolean {
    return this.#inputOver;
  }

  get readableFlowing(): boolean {
    return !this._paused;
  }

  get _hadError(): boolean {
    return this.errored !== null;
  }

  get autoDestroy(): boolean {
    return true;
  }

  /** As net.Socket, whose `close` is its own and no stream's: stream.finished does not wait for it. */
  get emitClose(): boolean {
    return false;
  }

  get allowHalfOpen(): boolean {
    return true;
  }

  /** socketOnTimeout */
  override onIdle(): void {
    this.idleTimer?.refresh();
    const req = this.req;
    const taken = req !== null && !req.complete && req.emit("timeout", this);
    const takenByResponse = this._httpMessage?.emit("timeout", this) === true;
    const takenByServer = this.server.emit("timeout", this);
    this.emit("timeout");
    if (!taken && !takenByResponse && !takenByServer) this.destroy();
  }

  // --- Reading: the request's body ----------------------------------------------------------------------------

  /** IncomingMessage wants more (`readStart`), or the application lets the connection flow. */
  resume(): this {
    this._paused = false;
    if (this.#owedBytes > 0) this.#giveCredit(0);
    return this;
  }

  pause(): this {
    this._paused = true;
    return this;
  }

  isPaused(): boolean {
    return this._paused;
  }

  onData(_stream: LinkStream, bytes: Buffer): void {
    this.idleTimer?.refresh();
    this.bytesRead += bytes.length;
    if (this.#discarding || this.#inputOver) this.linkStream.consumed(bytes.length);
    else this.enter(deliverBody, bytes, null);
  }

  /** Pushes one piece of the body: parserOnBody. */
  pushBody(bytes: Buffer): void {
    const req = this.req!;
    if (req._dumped || req.destroyed) {
      this.#giveCredit(bytes.length);
      return;
    }
    this.#owedBytes += bytes.length;
    // The link's view ends with this call. When the buffer is full, `_read` resumes and gives the credit.
    if (req.push(Buffer.from(bytes)) && !this._paused) this.#giveCredit(0);
  }

  #giveCredit(moreBytes: number): void {
    const bytes = this.#owedBytes + moreBytes;
    this.#owedBytes = 0;
    if (!this.#inputOver) this.linkStream.consumed(bytes);
  }

  onEnd(_stream: LinkStream, trailer: string): void {
    if (this.#inputOver) return;
    if (this.#discarding) this.#inputOver = true;
    else this.enter(deliverEnd, trailer, null);
  }

  /** The request has wholly arrived: parserOnMessageComplete. */
  endBody(trailer: string): void {
    this.#inputOver = true;
    const req = this.req!;
    req.complete = true;
    if (trailer !== "") {
      const fields = trailer.split("\n");
      req._addHeaderLines(fields, fields.length);
    }
    req.push(null);
    if (this.#answered) this.#closeLater();
  }

  onDrain(_stream: LinkStream): void {
    this.blocked = false;
    if (this.outputOver) this.sendEnd();
    this.idleTimer?.refresh();
    this.enter(afterWrite, null, null);
  }

  // --- The end of the answer, of the request, of the socket ----------------------------------------------------

  /**
   * `prefinish`: the last byte of the answer was written. The end follows it at once, most often in the same
   * frame; at `finish`, a tick later, the frames of other answers would stand between them.
   */
  answerWritten(): void {
    if (!this.blocked && !this.destroyed) this.sendEnd();
  }

  protected override sendEnd(): void {
    super.sendEnd();
    this.#leaveAnswering();
  }

  #leaveAnswering(): void {
    if (!this.#answering) return;
    this.#answering = false;
    this.#sockets.answered(this.linkStream);
  }

  /** `finish` of the response: resOnFinish. */
  answerFinished(res: NodeResponse): void {
    const req = this.req!;
    if (finishChannel.hasSubscribers) {
      finishChannel.publish({ request: req, response: res, socket: this, server: this.server });
    }
    this.#answered = true;
    detachAbortSignal(req);
    if (!req._consuming && !req._readableState.resumeScheduled) req._dump();
    res.detachSocket(this as never);
    process.nextTick(emitResponseClose, res);
    if (!this.outputOver && !this.destroyed) this.endOutput();
    // Node closes the connection here after `Connection: close`; otherwise it reads the rest of the request.
    if (res._last) this.#discarding = true;
    if (this.#inputOver || this.#discarding) this.#closeLater();
  }

  #closeLater(): void {
    if (!this.destroyed && !this.#closing) {
      this.#closing = true;
      this.#sockets.closeLater(this);
    }
  }

  /** The turn is over: `close`. Not destroyed yet when both directions ended in good order. */
  close(): void {
    if (!this.destroyed) this.#shut(null);
    // Most requests end with nobody listening.
    if (this.#answered && this.listenerCount("close") === 0) this.#forget();
    else this.enter(emitClose, null, null);
  }

  onReset(_stream: LinkStream, _code: ResetCode, _message: string): void {
    const cutShort = !this.#inputOver && !this.#discarding;
    this.#inputOver = true;
    this.outputOver = true;
    this.endSent = true;
    if (this.destroyed) return;
    // A browser that leaves in the middle of its upload is a client error for Node, one that leaves later is not.
    this.enter(destroyReset, cutShort && !this.#answered ? connectionReset() : undefined, null);
  }

  /** Ends this request's stream and nothing else: an answer that is complete still goes out. */
  destroy(error?: Error | null): this {
    if (this.destroyed) return this;
    if (!this.endSent) {
      this.outputOver = true;
      this.#inputOver = true;
      this.linkStream.reset(ResetCode.internal, "the application closed the connection");
    } else if (!this.#inputOver) {
      // Reset would take the answer back. What still comes of the request is thrown away.
      this.#discarding = true;
      if (this.#owedBytes > 0) this.#giveCredit(0);
    }
    this.#shut(error ?? null);
    process.nextTick(emitError, this);
    if (!this.#closing) this.#sockets.closeLater(this);
    this.#closing = true;
    return this;
  }

  #shut(error: Error | null): void {
    this.destroyed = true;
    this.readable = false;
    this.writable = false;
    this.errored = error;
    this.stopIdleTimer();
  }

  /** Closes when what was written is out; then the rest of the request is of no interest. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once("finish", this.destroy);
  }

  /** As net.Socket: the peer sees a reset instead of an end. */
  resetAndDestroy(): this {
    if (!this.destroyed) {
      this.endSent = true;
      this.outputOver = true;
      this.#inputOver = true;
      this.linkStream.reset(ResetCode.internal, "the application reset the connection");
    }
    return this.destroy();
  }

  /** What waits to be written fails; then socketOnError. */
  emitError(): void {
    const error = this.errored;
    this.runCallbacks(error ?? streamDestroyed());
    if (error === null) return;
    this.server.emit("clientError", error, this);
    if (this.listenerCount("error") > 0) this.emit("error", error);
  }

  /** socketOnClose, abortIncoming, then everybody's `close`. */
  announceClose(): void {
    if (this.closed) return;
    this.#forget();
    if (!this.#answered && this.req !== null && !this.req.destroyed) this.req.destroy(aborted());
    this.emit("close", this._hadError);
  }

  #forget(): void {
    this.closed = true;
    this.#leaveAnswering();
    this.#sockets.remove(this);
    if (--this.server._connections === 0) this.server._emitCloseIfDrained();
  }
}

/** Listener of every response's `prefinish`. */
export function onResponsePrefinish(this: NodeResponse): void {
  (this.socket as unknown as VirtualSocket).answerWritten();
}

/** Listener of every response's `finish`. */
export function onResponseFinish(this: NodeResponse): void {
  (this.socket as unknown as VirtualSocket).answerFinished(this);
}

/** emitCloseNT of _http_server.js */
function emitResponseClose(res: NodeResponse): void {
  if (res._closed) return;
  res.destroyed = true;
  res._closed = true;
  res.emit("close");
}

function afterWrite(socket: VirtualSocket): void {
  socket.afterWrite();
}

function deliverBody(socket: VirtualSocket, bytes: Buffer): void {
  socket.pushBody(bytes);
}

function deliverEnd(socket: VirtualSocket, trailer: string): void {
  socket.endBody(trailer);
}

function destroyReset(socket: VirtualSocket, error: Error | undefined): void {
  socket.destroy(error);
}

function emitError(socket: VirtualSocket): void {
  socket.emitError();
}

function emitClose(socket: VirtualSocket): void {
  socket.announceClose();
}

/**
 * What a handler throws surfaces as an uncaught exception, as it does under node:http, but only after the link's
 * read is over: the frames of other requests that came in the same read are not lost.
 */
function guarded<A, B>(
  run: (socket: VirtualSocket, a: A, b: B) => void,
  socket: VirtualSocket,
  a: A,
  b: B,
): void {
  try {
    run(socket, a, b);
  } catch (error) {
    process.nextTick(rethrow, error);
  }
}

function rethrow(error: unknown): never {
  throw error;
}

function connectionReset(): Error {
  return Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET", syscall: "read" });
}

/** ConnResetException("aborted") */
function aborted(): Error {
  return Object.assign(new Error("aborted"), { code: "ECONNRESET" });
}
