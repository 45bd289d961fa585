/**
 * Step "send": a request's body on its way to an app server. It is passed on as it comes, with what came so far kept for
 * another server while it is short; or it is taken whole first, where the route wants that.
 */
import type { AnswerHead, Client } from "./client.ts";
import { KeptBody } from "./kept-body.ts";
import type { UpstreamStream } from "./upstream.ts";
import { type BodyFolder, WholeBody, type WholeBodyOwner } from "./whole-body.ts";

const goOn: AnswerHead = { status: 100, reason: "Continue", fields: "", contentLength: -1, hasDate: true };

/** Of a request that no server has room for yet: its client has to wait with the rest of the body. */
const nowhere: Pick<UpstreamStream, "write" | "end"> = { write: () => false, end: () => {} };

export interface RequestBodyOwner {
  bodyIsWhole(): void;
  bodyTooLong(): void;
  /** It was to be taken whole, and can't be kept. */
  bodyFailed(error: Error): void;
}

/** Made once per connection and used for one request after the other. */
export class RequestBody implements WholeBodyOwner {
  bytesMax: number = Number.POSITIVE_INFINITY;
  receivedBytes = 0;
  /** All of it has come. */
  ended = true;
  endedAtMs = 0;
  /** Null: it is passed on as it comes. */
  whole: WholeBody | null = null;
  #trailer = "";
  readonly #kept: KeptBody = new KeptBody();
  #stream: Pick<UpstreamStream, "write" | "end"> | null = null;
  readonly #client: Client;
  readonly #owner: RequestBodyOwner;

  constructor(client: Client, owner: RequestBodyOwner) {
    this.#client = client;
    this.#owner = owner;
  }

  /** Who sends slowly keeps no app server busy. */
  takeWhole(folder: BodyFolder): void {
    this.whole = new WholeBody(folder, this);
    if (this.#client.head.expectContinue) this.#client.sendInterim(goOn);
  }

  /** It can be sent once more. */
  get repeatable(): boolean {
    return this.#kept.complete;
  }

  /** A stream that it was sent to has not got its end. */
  get open(): boolean {
    return !this.ended || this.whole?.sending === true;
  }

  /** What came so far, and then the rest, goes there. */
  sendTo(stream: UpstreamStream): void {
    this.#stream = stream;
    if (this.whole !== null) return this.whole.sendTo(stream);
    this.#kept.sendTo(stream);
    if (this.ended) stream.end(this.#trailer);
    else this.#client.holdRequestBody(stream.pendingBytes > 0);
  }

  /** No server has room yet: what comes meanwhile, which is little, is kept. */
  wait(): void {
    if (this.whole === null) this.#stream = nowhere;
  }

  /** The view is valid during the call. @param answering the answer has begun: no other server will get it. */
  received(bytes: Buffer, answering: boolean): void {
    this.receivedBytes += bytes.length;
    if (this.receivedBytes > this.bytesMax) return this.#owner.bodyTooLong();
    if (this.whole !== null) {
      if (!this.whole.add(bytes)) this.#client.holdRequestBody(true);
      return;
    }
    if (!answering) this.#kept.add(bytes, this.#stream === nowhere);
    if (this.#stream !== null && !this.#stream.write(bytes)) this.#client.holdRequestBody(true);
  }

  end(trailer: string): void {
    this.ended = true;
    this.endedAtMs = performance.now();
    this.#trailer = trailer;
    if (this.whole !== null) this.whole.end(trailer);
    else this.#stream?.end(trailer);
  }

  /** The stream has room again. */
  drained(): void {
    if (this.whole !== null) this.whole.goOn();
    else this.#client.holdRequestBody(false);
  }

  /** No other server will get it. */
  answered(): void {
    this.#kept.drop();
  }

  /** The attempt is over. */
  stop(): void {
    this.#stream = null;
    this.whole?.stop();
  }

  bodyIsWhole(): void {
    this.#owner.bodyIsWhole();
  }

  bodyGoesOn(): void {
    this.#client.holdRequestBody(false);
  }

  bodyFailed(error: Error): void {
    this.#owner.bodyFailed(error);
  }

  reset(): void {
    this.whole?.clear();
    this.whole = null;
    this.#stream = null;
    this.#kept.clear();
    this.receivedBytes = 0;
    this.bytesMax = Number.POSITIVE_INFINITY;
    this.ended = true;
    this.#trailer = "";
  }
}
