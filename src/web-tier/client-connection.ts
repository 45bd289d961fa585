/**
 * A browser's connection: HTTP/1.1 read strictly and in order. It parses a head, lets the Exchange work, decodes
 * the request's body for it, and reads the next head when the answer is over: pipelined requests wait their turn
 * in a bounded buffer. Every phase has its deadline on the one wheel.
 */
import type { Socket } from "node:net";
import { BodyDecoder, type BodySink } from "../http/body.ts";
import { type HeadError, refusals } from "../http/refusals.ts";
import { parseRequestHead, RequestHead } from "../http/request-head.ts";
import { http as limits } from "../support/limits.ts";
import { WheelEntry } from "../support/timer-wheel.ts";
import { refusedEntry } from "./access-lines.ts";
import { answerHead, interimHead, switchingHead } from "./answer-head.ts";
import type { AnswerBody, AnswerHead, Client } from "./client.ts";
import type { ClientOrigin } from "./forwarded.ts";
import { Http1Output } from "./http1-output.ts";
import { Exchange } from "./request-path.ts";
import type { Site } from "./site.ts";
import { withTransportSecurity } from "./transport-security.ts";
import { WaitingBytes } from "./waiting-bytes.ts";

/**
 * head: between requests or inside a head. body: inside a request's body. drop: the same, after the answer; the
 * rest of the body is read and dropped. wait: the request is complete, its answer is not. flush: the answer is
 * complete, the client has not read enough of it for a next request. tunnel: after 101. linger: our last answer is sent; what still comes is dropped, so that the client can read the answer.
 */
type Phase = "head" | "body" | "drop" | "wait" | "flush" | "tunnel" | "linger" | "closed";

const ignoreBytes: BodySink = { onBodyBytes: () => {} };

export class ClientConnection implements Client, BodySink {
  readonly head: RequestHead = new RequestHead();
  readonly origin: ClientOrigin;
  headStartedAtMs = 0;
  readonly answerBufferBytesMax: number = limits.answerBufferBytesMax;
  readonly #site: Site;
  readonly #socket: Socket;
  readonly #output: Http1Output;
  readonly #onClosed: (connection: ClientConnection) => void;
  readonly #exchange: Exchange;
  readonly #deadline: WheelEntry;
  readonly #requestBody = new BodyDecoder();
  #phase: Phase = "head";
  /** A part of a head, or pipelined requests. */
  readonly #waiting = new WaitingBytes();
  #consuming = false;
  #bodyHeld = false;
  #clientEnded = false;
  #droppedBytes = 0;
  /** `takenBytes` when the client was last found slow. */
  #takenBytes = 0;

  constructor(
    site: Site,
    socket: Socket,
    origin: ClientOrigin,
    onClosed: (connection: ClientConnection) => void,
  ) {
    this.#site = site;
    this.#socket = socket;
    this.#output = new Http1Output(socket);
    this.origin = origin;
    this.#onClosed = onClosed;
    this.#exchange = new Exchange(site, this);
    this.#deadline = new WheelEntry(() => this.#expired());
    socket.on("drain", () => this.#drained());
    socket.on("end", () => this.#ended());
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#closed());
    site.wheel.start(this.#deadline, site.timeouts.headTimeoutMs);
  }

  /** Being read, answered or upgraded. */
  get openRequests(): number {
    return this.idle ? 0 : 1;
  }

  /** Nothing is being asked or answered: may be closed at any time. */
  get idle(): boolean {
    return this.#phase === "head" && this.#waiting.length === 0;
  }

  /** Bytes from the socket; the buffer may be reused when this returns. */
  received(bytes: Buffer): void {
    if (this.#waiting.length === 0) {
      const used = this.#consume(bytes, 0, bytes.length);
      if (used < bytes.length) this.#stash(bytes, used);
    } else {
      this.#stash(bytes, 0);
      this.#consumeWaiting();
    }
  }

  #stash(bytes: Buffer, from: number): void {
    if (this.#phase === "closed" || this.#phase === "linger") return;
    this.#waiting.add(bytes, from);
    if (this.#phase !== "head" && this.#waiting.length > limits.pipelinedBytesMax) this.#socket.pause();
  }

  #consumeWaiting(): void {
    if (this.#consuming || this.#waiting.length === 0) return;
    if (this.#phase === "wait" || this.#phase === "flush") return;
    if (this.#phase === "head" && this.#waiting.length < this.#site.limits.headBytesMax) {
      if (!this.#waiting.holdHead()) return this.#readOn();
    }
    const bytes = this.#waiting.take();
    const used = this.#consume(bytes, 0, bytes.length);
    // A copy: a slice would keep all of it.
    if (used < bytes.length) this.#stash(bytes, used);
    this.#readOn();
  }

  /** There is room again for what the client sends. */
  #readOn(): void {
    if (this.#waiting.length > limits.pipelinedBytesMax && this.#phase !== "head") return;
    if (this.#socket.isPaused() && !this.#bodyHeld) this.#socket.resume();
  }

  /** @returns how far it came; the rest has to wait. */
  #consume(bytes: Buffer, start: number, end: number): number {
    let at = start;
    this.#consuming = true;
    while (at < end) {
      const before = at;
      at = this.#step(bytes, at, end);
      if (at === before) break;
    }
    this.#consuming = false;
    return at;
  }

  #step(bytes: Buffer, at: number, end: number): number {
    switch (this.#phase) {
      case "head":
        return this.#readHead(bytes, at, end);
      case "body":
      case "drop":
        return this.#readBody(bytes, at, end);
      case "tunnel":
        this.#exchange.tunnelBytes(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
        this.#site.wheel.start(this.#deadline, limits.tunnelSilenceTimeoutMs);
        return end;
      case "wait":
      case "flush":
        return at;
      case "linger":
      case "closed":
        return end;
    }
  }

  #readHead(bytes: Buffer, at: number, end: number): number {
    const { head } = this;
    const headBytes = parseRequestHead(bytes, at, end, this.#site.limits, head);
    if (headBytes < 0) {
      this.#refuseHead(head.error!);
      return end;
    }
    if (headBytes === 0) {
      // The first byte of a head starts its deadline; a slow one is not prolonged by the next bytes.
      if (this.#waiting.length === 0) {
        this.headStartedAtMs = performance.now();
        this.#site.wheel.start(this.#deadline, this.#site.timeouts.headTimeoutMs);
      }
      return at;
    }
    const hasBody = head.chunked || head.contentLength > 0;
    if (head.chunked && !this.#chunksAreSound(bytes, at + headBytes, end)) return end;
    if (hasBody) this.#requestBody.begin(head.chunked ? "chunked" : "length", head.contentLength);
    this.#phase = hasBody ? "body" : "wait";
    this.#site.wheel.start(
      this.#deadline,
      hasBody ? this.#site.timeouts.bodySilenceTimeoutMs : this.#site.timeouts.requestTimeoutMs,
    );
    this.#exchange.begin();
    return at + headBytes;
  }

  /** Looks at the chunks that came with the head, before anything is sent: most damaged bodies reach nobody (A9 to A12). */
  #chunksAreSound(bytes: Buffer, at: number, end: number): boolean {
    this.#requestBody.begin("chunked", -1);
    if (this.#requestBody.push(bytes, at, end, ignoreBytes) >= 0) return true;
    this.#refuseHead(refusals.badBody);
    return false;
  }

  #readBody(bytes: Buffer, at: number, end: number): number {
    const used = this.#requestBody.push(bytes, at, end, this);
    if (used < 0) {
      this.#refuseBody();
      return end;
    }
    if (this.#requestBody.done) this.#bodyDone();
    else if (this.#phase === "body" && !this.#bodyHeld)
      this.#site.wheel.start(this.#deadline, this.#site.timeouts.bodySilenceTimeoutMs);
    return at + used;
  }

  onBodyBytes(bytes: Buffer): void {
    if (this.#phase === "body") return this.#exchange.requestBytes(bytes);
    this.#droppedBytes += bytes.length;
    if (this.#droppedBytes > limits.drainBytesMax) this.#linger();
  }

  #bodyDone(): void {
    if (this.#phase === "drop") this.#nextRequest();
    else if (this.#phase === "body") {
      this.#phase = "wait";
      this.#site.wheel.start(this.#deadline, this.#exchange.timeoutMs);
      this.#exchange.requestEnd(this.#requestBody.trailer);
    }
  }

  #refuseBody(): void {
    if (this.#phase === "drop") return this.#linger();
    this.#phase = "linger";
    this.#exchange.refuse(400, `The body's framing is wrong: ${this.#requestBody.error}`);
  }

  /** A head that is not HTTP as we read it: answered, and the connection closed, for what follows can't be trusted. */
  #refuseHead({ status, message, code }: HeadError): void {
    const page = this.#site.pages.page(status, message, "");
    const headMs = this.headStartedAtMs === 0 ? 0 : performance.now() - this.headStartedAtMs;
    this.#site.accessLog.write(refusedEntry(this.origin, "1.1", status, page.text.length, headMs, code));
    const head = withTransportSecurity(page.head, this.origin.hstsLine);
    this.#flows(this.#output.text(answerHead(head, false, false, 1) + page.text));
    this.#linger();
  }

  /** May another request follow on this connection when the answer ends now? */
  get #reusable(): boolean {
    if (this.#clientEnded && this.#waiting.length === 0 && !this.#consuming) return false;
    if (this.#phase === "wait") return true;
    // The rest of an unread body is read and dropped if it is short enough, and nobody waits for our 100.
    const { head } = this;
    const rest = head.contentLength - this.#requestBody.receivedBytes;
    return this.#phase === "body" && !head.chunked && !head.expectContinue && rest <= limits.drainBytesMax;
  }

  answered(): void {
    if (!this.#output.keepOpen || this.#phase === "linger") return this.#linger();
    if (this.#phase === "closed") return;
    this.holdRequestBody(false);
    if (this.#phase === "body") {
      this.#phase = "drop";
      this.#droppedBytes = 0;
      this.#site.wheel.start(this.#deadline, this.#site.timeouts.bodySilenceTimeoutMs);
    } else this.#nextRequest();
  }

  #nextRequest(): void {
    if (this.#socket.writableNeedDrain) {
      // Who reads no answers gets no more of them, however many requests are pipelined.
      this.#phase = "flush";
      this.#slow();
      return;
    }
    const { headTimeoutMs, keepAliveTimeoutMs } = this.#site.timeouts;
    this.#phase = "head";
    this.headStartedAtMs = 0;
    this.#site.wheel.start(this.#deadline, this.#waiting.length > 0 ? headTimeoutMs : keepAliveTimeoutMs);
    if (this.#waiting.length > 0) this.#consumeWaiting();
    if (this.#consuming) return;
    const phase = this.#phase as Phase;
    // Neither the rest of a head can come any more, nor, when the web server stops, should another request.
    if (phase === "head" && (this.#clientEnded || (this.#site.draining && this.idle))) this.#linger();
    // A body that was read ahead, behind which the client ended: its rest will not come either.
    else if (this.#clientEnded && (phase === "body" || phase === "drop")) this.#ended();
  }

  /** Our direction ends; the client's is read for a while and dropped, else a reset could destroy our last answer. */
  #linger(): void {
    if (this.#phase === "closed") return;
    this.#phase = "linger";
    this.#waiting.clear();
    if (this.#clientEnded) this.#socket.destroySoon();
    else
      this.#socket.end(() => {
        if (this.#phase === "linger") this.#site.wheel.start(this.#deadline, limits.lingerTimeoutMs);
      });
    if (this.#socket.isPaused()) this.#socket.resume();
    this.#site.wheel.start(this.#deadline, this.#site.timeouts.writeSilenceTimeoutMs);
  }

  sendInterim(answer: AnswerHead): void {
    if (this.head.versionMinor === 1) this.#flows(this.#output.text(interimHead(answer)));
  }

  beginAnswer(answer: AnswerHead, body: AnswerBody): void {
    this.sendAnswer(answer, body, "");
  }

  sendAnswer(answer: AnswerHead, body: AnswerBody, text: string): void {
    const reusable = !this.#site.draining && this.#reusable;
    this.#flows(this.#output.text(this.#output.frame(answer, body, this.head, reusable) + text));
  }

  sendBytes(bytes: Buffer): boolean {
    return this.#flows(this.#output.piece(bytes));
  }

  endAnswer(trailer: string): void {
    this.#flows(this.#output.end(trailer));
  }

  sendTunnelBytes(bytes: Buffer): boolean {
    return this.#flows(this.#output.bytes(bytes));
  }

  #flows(flowing: boolean): boolean {
    if (!flowing) this.#slow();
    return flowing;
  }

  /** The kernel takes no more for now: the client has to read some of it in time. */
  #slow(): void {
    this.#takenBytes = this.#output.takenBytes;
    this.#site.wheel.start(this.#deadline, this.#site.timeouts.writeSilenceTimeoutMs);
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  holdRequestBody(hold: boolean): void {
    if (hold === this.#bodyHeld) return;
    this.#bodyHeld = hold;
    if (this.#phase === "body") {
      const { socketTimeoutMs, bodySilenceTimeoutMs } = this.#site.timeouts;
      this.#site.wheel.start(this.#deadline, hold ? socketTimeoutMs : bodySilenceTimeoutMs);
    }
    if (hold) this.#socket.pause();
    else {
      this.#socket.resume();
      this.#consumeWaiting();
    }
  }

  beginTunnel(answer: AnswerHead, upgrade: string): void {
    this.#flows(this.#output.text(switchingHead(answer, upgrade)));
    this.#phase = "tunnel";
    this.#socket.setKeepAlive(true, limits.tunnelProbeAfterMs);
    this.#site.wheel.start(this.#deadline, limits.tunnelSilenceTimeoutMs);
    this.#consumeWaiting();
    if (this.#clientEnded) this.#exchange.tunnelEnd();
  }

  endTunnel(): void {
    this.#socket.end();
    if (this.#clientEnded) this.#socket.destroySoon();
  }

  destroy(): void {
    // For HTTP/1.0 an orderly end would make a broken answer a whole one.
    if (this.head.versionMinor === 0 && this.origin.scheme === "http") this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }

  #drained(): void {
    if (this.#phase === "flush") return this.#nextRequest();
    if (this.#exchange.active) this.#exchange.clientDrained();
  }

  answerGoesOn(silenceMs: number): void {
    if (this.#phase === "wait") this.#site.wheel.start(this.#deadline, silenceMs);
    else if (this.#phase === "tunnel") this.#site.wheel.start(this.#deadline, limits.tunnelSilenceTimeoutMs);
  }

  /** The client has ended its direction; a request that came whole is still answered. */
  #ended(): void {
    this.#clientEnded = true;
    switch (this.#phase) {
      case "head":
        this.#socket.end();
        break;
      case "body":
        this.#exchange.clientGone();
        this.#socket.destroy();
        break;
      case "tunnel":
        this.#exchange.tunnelEnd();
        break;
      case "drop":
      case "linger":
        this.#socket.destroySoon();
        break;
      case "wait":
      case "flush":
      case "closed":
        break;
    }
  }

  #closed(): void {
    this.#phase = "closed";
    this.#waiting.clear();
    this.#site.wheel.stop(this.#deadline);
    this.#exchange.clientGone();
    this.#onClosed(this);
  }

  #expired(): void {
    if (this.#socket.writableLength > 0 && this.#phase !== "closed") return this.#expiredWriting();
    switch (this.#phase) {
      case "head":
        // Between requests it is closed without a word: an answer would be taken for that of the next request.
        if (this.#waiting.length > 0) this.#refuseHead(refusals.headTimeout);
        else this.#socket.destroySoon();
        break;
      case "body":
        if (this.#bodyHeld) return this.#exchange.timedOut();
        // The rest of the body is not waited for any more, however short it may be.
        this.#phase = "linger";
        this.#exchange.refuse(408, "The request's body did not arrive in time.");
        break;
      case "wait":
        this.#exchange.timedOut();
        break;
      case "flush":
        this.#nextRequest();
        break;
      case "drop":
      case "tunnel":
      case "linger":
        this.#socket.destroy();
        break;
      case "closed":
        break;
    }
  }

  #expiredWriting(): void {
    if (this.#output.takenBytes > this.#takenBytes) this.#slow();
    else this.#socket.destroy();
  }

  /** The web server stops: an idle connection closes now, another after its answer. */
  drain(): void {
    if (this.idle) this.#socket.destroySoon();
  }
}
