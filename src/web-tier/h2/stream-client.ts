/**
 * One stream of HTTP/2 as the request path's client: one request and its answer. Windows take the place of a paused
 * socket, RST_STREAM that of a cut connection. What belongs to a request is used again for another stream
 * (stream-pool.ts), once this one is closed.
 */
import { constants, type ServerHttp2Stream } from "node:http2";
import type { HeadError } from "../../http/refusals.ts";
import { RequestHead, versionOf } from "../../http/request-head.ts";
import { readTrailer } from "../../http/trailer.ts";
import { messageOf } from "../../support/errors.ts";
import { http2 as limits } from "../../support/limits.ts";
import { WheelEntry } from "../../support/timer-wheel.ts";
import { refusedEntry } from "../access-lines.ts";
import type { AnswerBody, AnswerHead, Client } from "../client.ts";
import type { ClientOrigin } from "../forwarded.ts";
import { Exchange } from "../request-path.ts";
import type { Site } from "../site.ts";
import { withTransportSecurity } from "../transport-security.ts";
import { answerFields, interimFields, trailerFields } from "./answer.ts";
import { readHead, trailerBytes } from "./request.ts";

/** The connection, as one of its streams sees it. */
export interface StreamOwner {
  readonly origin: ClientOrigin;
  /** The client gave the request up, or broke the rules of its stream, before the answer was complete. */
  streamReset(): void;
  streamClosed(client: StreamClient): void;
}

/** body: the request's body comes. wait: the request is complete, its answer is not. flush: the answer is complete, but not all of it sent. */
type Phase = "closed" | "body" | "wait" | "flush";

/** Node's stream, with ours on it: so its listeners are functions made once, not one per stream. */
interface CarryingStream extends ServerHttp2Stream {
  client?: StreamClient | null;
}

const endStream = { endStream: true, sendDate: false };
const bodyFollows = { sendDate: false };
const trailerMayFollow = { waitForTrailers: true, sendDate: false };

export class StreamClient implements Client {
  readonly head: RequestHead = new RequestHead();
  readonly headStartedAtMs: number = 0;
  readonly answerBufferBytesMax: number = limits.answerBufferBytesMax;
  readonly #site: Site;
  readonly #exchange: Exchange;
  readonly #deadline: WheelEntry;
  #owner: StreamOwner | null = null;
  #stream: CarryingStream | null = null;
  #phase: Phase = "closed";
  #requestEnded = true;
  #requestTrailer = "";
  #bodyHeld = false;
  #answerTrailer = "";
  #trailerMayFollow = false;
  #writtenBytes = 0;
  /** How much of it was sent when the client was last found slow. */
  #takenBytes = 0;
  #cut = false;

  constructor(site: Site) {
    this.#site = site;
    this.head.http2 = true;
    this.#exchange = new Exchange(site, this);
    this.#deadline = new WheelEntry(() => this.#expired());
  }

  get origin(): ClientOrigin {
    return this.#owner!.origin;
  }

  /** A new stream. @param raw its head's fields: name, value, ... @param ended no body follows. */
  open(owner: StreamOwner, stream: ServerHttp2Stream, raw: readonly string[], ended: boolean): void {
    this.#owner = owner;
    this.#stream = stream;
    this.#stream.client = this;
    this.#requestEnded = ended;
    this.#phase = ended ? "wait" : "body";
    stream.on("aborted", onAborted);
    stream.on("close", onClose);
    const error = readHead(raw, !ended, this.#site.limits, this.head);
    if (error !== null) return this.#refuseHead(error);
    const { bodySilenceTimeoutMs, requestTimeoutMs } = this.#site.timeouts;
    this.#site.wheel.start(this.#deadline, ended ? requestTimeoutMs : bodySilenceTimeoutMs);
    if (!ended) {
      stream.on("data", onData);
      stream.on("trailers", onTrailers);
      stream.on("end", onEnd);
    }
    this.#exchange.begin();
  }

  #refuseHead({ status, message, code }: HeadError): void {
    const page = this.#site.pages.page(status, message, "");
    // Node ends our direction of a HEAD itself; the parser may not have come to the method.
    const text = this.#stream!.writableEnded ? "" : page.text;
    const entry = refusedEntry(this.origin, versionOf(this.head), status, text.length, 0, code);
    this.#site.accessLog.write(entry);
    const head = withTransportSecurity(page.head, this.origin.hstsLine);
    this.sendAnswer(head, text === "" ? "none" : "length", text);
    this.answered();
  }

  /** @internal */
  received(bytes: Buffer): void {
    if (this.#phase !== "body") return;
    if (!this.#bodyHeld) this.#site.wheel.start(this.#deadline, this.#site.timeouts.bodySilenceTimeoutMs);
    this.#exchange.requestBytes(bytes);
  }

  /** @internal Fields behind the body; its end follows. */
  receivedTrailer(raw: readonly string[]): void {
    const bytes = trailerBytes(raw);
    const trailer = bytes === null ? null : bytes.length === 0 ? "" : readTrailer(bytes, bytes.length);
    if (trailer !== null) this.#requestTrailer = trailer;
    else if (this.#phase === "body") this.#exchange.refuse(400, "The body's trailers are wrong.");
  }

  /** @internal */
  receivedEnd(): void {
    this.#requestEnded = true;
    if (this.#phase !== "body") return;
    this.#phase = "wait";
    this.#site.wheel.start(this.#deadline, this.#exchange.timeoutMs);
    // A length of 0 was no body from the start.
    if (this.head.chunked || this.head.contentLength > 0) this.#exchange.requestEnd(this.#requestTrailer);
  }

  sendInterim(answer: AnswerHead): void {
    const stream = this.#sendable();
    if (stream === null) return;
    try {
      stream.additionalHeaders(interimFields(answer));
    } catch (error) {
      this.#refuseAnswer(error);
    }
  }

  beginAnswer(answer: AnswerHead, body: AnswerBody): void {
    const stream = this.#sendable();
    if (stream === null) return;
    this.#trailerMayFollow = body === "stream";
    if (this.#trailerMayFollow) stream.on("wantTrailers", onWantTrailers);
    this.#respond(stream, answer, body, optionsFor(body));
  }

  sendAnswer(answer: AnswerHead, body: AnswerBody, text: string): void {
    const stream = this.#sendable();
    if (stream === null) return;
    this.#respond(stream, answer, body, text === "" ? endStream : bodyFollows);
    if (text === "" || this.#cut) return;
    this.#writtenBytes += text.length;
    stream.end(text, "latin1");
  }

  /** The stream, while anything can be sent on it. */
  #sendable(): CarryingStream | null {
    const stream = this.#stream;
    return stream === null || stream.closed || stream.destroyed || this.#cut ? null : stream;
  }

  #respond(stream: CarryingStream, answer: AnswerHead, body: AnswerBody, options: object): void {
    try {
      stream.respond(answerFields(answer, body), options);
    } catch (error) {
      this.#refuseAnswer(error);
    }
  }

  /** Node's http2 throws at what HTTP/2 does not know: a status above 599, some names. */
  #refuseAnswer(error: unknown): void {
    const { method, target } = this.head;
    this.#site.log.warn(`an answer to ${method} ${target} can't be sent in HTTP/2: ${messageOf(error)}`);
    this.destroy();
  }

  sendBytes(bytes: Buffer): boolean {
    const stream = this.#sendable();
    if (stream === null) return true;
    this.#writtenBytes += bytes.length;
    const flowing = stream.write(Buffer.from(bytes));
    if (flowing) return true;
    if (stream.listenerCount("drain") === 0) stream.on("drain", onDrain);
    this.#slow(stream);
    return false;
  }

  endAnswer(trailer: string): void {
    this.#answerTrailer = trailer;
    this.#sendable()?.end();
  }

  /** @internal */
  sendTrailer(stream: ServerHttp2Stream): void {
    stream.sendTrailers(this.#answerTrailer === "" ? {} : trailerFields(this.#answerTrailer));
    // Trailers leave at the end of this turn.
    if (!this.#requestEnded) setImmediate(closeAnswered, stream);
  }

  // nghttp2 sends at the end of the turn what came in it.
  cork(): void {}
  uncork(): void {}

  holdRequestBody(hold: boolean): void {
    if (hold === this.#bodyHeld) return;
    this.#bodyHeld = hold;
    if (this.#phase === "body") {
      const { socketTimeoutMs, bodySilenceTimeoutMs } = this.#site.timeouts;
      this.#site.wheel.start(this.#deadline, hold ? socketTimeoutMs : bodySilenceTimeoutMs);
    }
    if (hold) this.#stream?.pause();
    else this.#stream?.resume();
  }

  answerGoesOn(silenceMs: number): void {
    if (this.#phase === "wait") this.#site.wheel.start(this.#deadline, silenceMs);
  }

  answered(): void {
    const stream = this.#stream;
    if (stream === null) return;
    this.#phase = "flush";
    this.#slow(stream);
    this.holdRequestBody(false);
    // RFC 9113, 8.1: the answer is complete, the rest of the request is not wanted.
    if (!this.#requestEnded && !this.#trailerMayFollow) closeAnswered(stream);
  }

  // Upgrades do not exist in HTTP/2: no head asks for one, so the path begins no tunnel.
  beginTunnel(): void {
    this.destroy();
  }
  sendTunnelBytes(): boolean {
    return true;
  }
  endTunnel(): void {}

  destroy(): void {
    if (this.#stream === null || this.#cut) return;
    this.#cut = true;
    // Not at once: whoever calls has not come to its end.
    process.nextTick(cut, this.#stream);
  }

  /** @internal */
  drained(): void {
    if (this.#exchange.active) this.#exchange.clientDrained();
  }

  /** The client has to read some of what is written in time. */
  #slow(stream: CarryingStream): void {
    this.#takenBytes = this.#writtenBytes - stream.writableLength;
    this.#site.wheel.start(this.#deadline, this.#site.timeouts.writeSilenceTimeoutMs);
  }

  #expired(): void {
    const stream = this.#stream!;
    if (stream.writableLength > 0 || this.#phase === "flush") return this.#expiredWriting(stream);
    if (this.#phase === "wait" || this.#bodyHeld) this.#exchange.timedOut();
    else this.#exchange.refuse(408, "The request's body did not arrive in time.");
  }

  #expiredWriting(stream: CarryingStream): void {
    if (this.#writtenBytes - stream.writableLength > this.#takenBytes) return this.#slow(stream);
    this.#cut = true;
    cut(stream);
  }

  /** @internal The client, or we, gave up the stream. */
  aborted(): void {
    this.#leave();
    // After RST_STREAM with NO_ERROR Node waits for what nobody will read or write any more. Not at once: this is in its midst.
    process.nextTick(cut, this.#stream);
  }

  /** @internal */
  closed(): void {
    const owner = this.#owner!;
    this.#leave();
    this.#stream!.client = null;
    this.#stream = this.#owner = null;
    this.#phase = "closed";
    this.#requestTrailer = this.#answerTrailer = "";
    this.#bodyHeld = this.#cut = this.#trailerMayFollow = false;
    this.#writtenBytes = this.#takenBytes = 0;
    owner.streamClosed(this);
  }

  #leave(): void {
    if (this.#exchange.active && !this.#cut) this.#owner!.streamReset();
    this.#site.wheel.stop(this.#deadline);
    this.#phase = "flush";
    this.#exchange.clientGone();
  }
}

function optionsFor(body: AnswerBody): object {
  if (body === "none") return endStream;
  return body === "stream" ? trailerMayFollow : bodyFollows;
}

const broken = new Error("the answer broke off");

/** RST_STREAM with INTERNAL_ERROR. Node's `close` with a code would send END_STREAM before it: a broken answer would be a whole one. */
function cut(stream: ServerHttp2Stream): void {
  stream.destroy(broken);
}

/**
 * RST_STREAM with NO_ERROR, once the answer is sent. Node's `close` would wait for that too, but a stream that is cut while it
 * waits leaves without RST_STREAM: nghttp2 keeps it, and packs empty DATA for it for ever as soon as its window opens.
 */
function closeAnswered(stream: ServerHttp2Stream): void {
  if (stream.writableFinished) closeSent.call(stream);
  else stream.once("finish", closeSent);
}

function closeSent(this: ServerHttp2Stream): void {
  if (!this.destroyed) this.close(constants.NGHTTP2_NO_ERROR);
}

function onAborted(this: CarryingStream): void {
  this.client?.aborted();
}

function onClose(this: CarryingStream): void {
  this.client?.closed();
}

function onData(this: CarryingStream, bytes: Buffer): void {
  this.client?.received(bytes);
}

function onTrailers(this: CarryingStream, _fields: object, _flags: number, raw: readonly string[]): void {
  this.client?.receivedTrailer(raw);
}

function onEnd(this: CarryingStream): void {
  this.client?.receivedEnd();
}

function onDrain(this: CarryingStream): void {
  this.client?.drained();
}

function onWantTrailers(this: CarryingStream): void {
  this.client?.sendTrailer(this);
}
