/** What the web tier's own parsers make of the bytes of one connection, however they are cut into reads. */
import { BodyDecoder, type BodyKind } from "../../src/http/body.ts";
import { findHeadEnd, type HeadLimits, parseRequestHead, RequestHead } from "../../src/http/request-head.ts";
import { parseResponseHead, ResponseHead, responseBodyKind } from "../../src/http/response-head.ts";

/** Small, so that the edges are met often. */
export const limits: HeadLimits = { headBytesMax: 1_000, fieldsMax: 12, targetBytesMax: 200 };
/** As in request-path.ts. */
const interimsMax = 16;

export interface OurRequest {
  readonly method: string;
  readonly target: string;
  readonly host: string;
  readonly versionMinor: number;
  /** Name, value, ...: what goes on. */
  readonly fields: readonly string[];
  readonly framing: "none" | "length" | "chunked";
  readonly upgrade: string;
  body: string;
  trailer: readonly string[];
  whole: boolean;
  /** Where its first byte stands. */
  readonly from: number;
  /** Where its body begins. */
  readonly bodyFrom: number;
}

export interface Reading {
  readonly requests: readonly OurRequest[];
  /**
   * more: the bytes end between requests or inside one. closed: the last request is the connection's last. Else the code
   * of a refusal, without "FLOTILLA_HTTP_".
   */
  readonly end: "more" | "closed" | string;
  /** Where the first byte stands that belongs to no whole request, nor to the head of the last one. */
  readonly at: number;
}

/** @param cuts ascending places at which the bytes are cut into reads. */
export function readRequests(text: string, cuts: readonly number[] = []): Reading {
  const reader = new RequestReader();
  for (const piece of pieces(text, cuts)) reader.push(piece);
  return { requests: reader.requests, end: reader.end, at: reader.at };
}

/**
 * Whether what follows the whole requests is a head whose end has not come. Such a head is refused by what one read of it
 * shows, but when it comes in several reads, or behind another request, it is parsed when its end has come: so a
 * refusal may be told now, or the end waited for.
 */
export function waitsForHead(text: string, { requests, at, end }: Reading): boolean {
  if (end === "closed" || requests.at(-1)?.whole === false) return false;
  const rest = Buffer.from(text.slice(at), "latin1");
  return rest.length < limits.headBytesMax && findHeadEnd(rest, 0, rest.length) < 0;
}

export function pieces(text: string, cuts: readonly number[]): Buffer[] {
  const bytes = Buffer.from(text, "latin1");
  const edges = [0, ...cuts, bytes.length];
  const all: Buffer[] = [];
  for (let at = 1; at < edges.length; at++) all.push(bytes.subarray(edges[at - 1], edges[at]));
  return all;
}

class RequestReader {
  readonly requests: OurRequest[] = [];
  end = "more";
  at = 0;
  readonly #head = new RequestHead();
  readonly #body = new BodyDecoder();
  #current: OurRequest | null = null;
  #bodyBytes = 0;
  #waiting: Buffer = Buffer.alloc(0);

  push(bytes: Buffer): void {
    const before = this.#waiting.length;
    const all = Buffer.concat([this.#waiting, bytes]);
    this.#waiting = Buffer.alloc(0);
    // As the web tier does: a head that comes in pieces is parsed when its end may be there, or it is too long.
    if (
      before > 0 &&
      all.length < limits.headBytesMax &&
      findHeadEnd(all, Math.max(0, before - 3), all.length) < 0
    ) {
      this.#waiting = all;
      return;
    }
    for (let at = 0; at < all.length && this.end === "more"; ) {
      const used = this.#current === null ? this.#readHead(all, at) : this.#readBody(all, at);
      if (used === 0) {
        this.#waiting = all.subarray(at);
        return;
      }
      at += used;
    }
  }

  #readHead(bytes: Buffer, at: number): number {
    const head = this.#head;
    const length = parseRequestHead(bytes, at, bytes.length, limits, head);
    if (length <= 0) {
      if (length < 0) this.end = head.error!.code.slice("FLOTILLA_HTTP_".length);
      return Math.max(0, length);
    }
    const framing = head.chunked ? "chunked" : head.contentLength > 0 ? "length" : "none";
    this.#body.begin(framing, head.contentLength);
    this.#current = {
      method: head.method,
      target: head.target,
      host: head.host,
      versionMinor: head.versionMinor,
      fields: head.fields === "" ? [] : head.fields.split("\n"),
      framing,
      upgrade: head.upgrade,
      body: "",
      trailer: [],
      whole: false,
      from: this.at,
      bodyFrom: this.at + length,
    };
    this.requests.push(this.#current);
    this.at += length;
    if (this.#body.done) this.#finish();
    return length;
  }

  #readBody(bytes: Buffer, at: number): number {
    const used = this.#body.push(bytes, at, bytes.length, {
      onBodyBytes: (part) => {
        this.#current!.body += part.toString("latin1");
      },
    });
    if (used < 0) {
      this.end = "BAD_BODY";
      return bytes.length - at;
    }
    this.#bodyBytes += used;
    if (this.#body.done) this.#finish();
    return used;
  }

  #finish(): void {
    const current = this.#current!;
    current.whole = true;
    current.trailer = this.#body.trailer === "" ? [] : this.#body.trailer.split("\n");
    this.#current = null;
    this.at += this.#bodyBytes;
    this.#bodyBytes = 0;
    // An upgrade is the last request too, unless it is accepted: then no request follows either.
    if (!this.#head.keepAlive || current.upgrade !== "") this.end = "closed";
  }
}

/** What we make of the bytes of an app server's connection, for one request, when the connection ends behind them. */
export interface AnswerReading {
  /** whole: may be delivered. wrong: 502, or the client's answer is cut off. */
  readonly end: "whole" | "wrong";
  /** Why it is wrong. */
  readonly error: string;
  readonly status: number;
  readonly kind: BodyKind;
  /** Lines as they go on. */
  readonly fields: string;
  readonly body: string;
  readonly trailer: readonly string[];
  /** Heads of interim answers before it. */
  readonly interims: number;
  /** The server wants the connection to go on. */
  readonly keepAlive: boolean;
  /** Where the head begins that was read last, or could not be read; and what is behind it, if it was read. */
  readonly from: number;
  readonly bodyFrom: number;
}

export const bytesBehind: string = "bytes after the end of the answer";
export const unasked: string = "101 to a request that asked for no upgrade";
export const brokenOff: string = "the connection ended in the middle of the answer";

export function readAnswer(
  method: string,
  text: string,
  cuts: readonly number[] = [],
  answerLimits: HeadLimits = limits,
): AnswerReading {
  const reader = new AnswerReader(method, answerLimits);
  for (const piece of pieces(text, cuts)) reader.push(piece);
  return reader.finish();
}

class AnswerReader {
  readonly #method: string;
  readonly #limits: HeadLimits;
  readonly #head = new ResponseHead();
  readonly #body = new BodyDecoder();
  #waiting: Buffer = Buffer.alloc(0);
  #inBody = false;
  #kind: BodyKind = "none";
  #interims = 0;
  #text = "";
  #error = "";
  #headFrom = 0;
  #headTo = 0;

  constructor(method: string, answerLimits: HeadLimits) {
    this.#method = method;
    this.#limits = answerLimits;
  }

  push(bytes: Buffer): void {
    let all: Buffer = bytes;
    let at = 0;
    while (this.#error === "" && !this.#inBody) {
      if (at === 0) all = Buffer.concat([this.#waiting, bytes]);
      const used = parseResponseHead(all, at, all.length, this.#limits, this.#head);
      if (used < 0) this.#error = this.#head.error;
      if (used === 0) {
        this.#waiting = all.subarray(at);
        return;
      }
      at += Math.max(0, used);
      if (used > 0) this.#takeHead(used);
    }
    if (this.#error !== "") return;
    const used = this.#body.push(all, at, all.length, {
      onBodyBytes: (part) => {
        this.#text += part.toString("latin1");
      },
    });
    if (used < 0) this.#error = this.#body.error;
    else if (at + used < all.length) this.#error = bytesBehind;
  }

  #takeHead(length: number): void {
    const { status } = this.#head;
    this.#headFrom = this.#headTo;
    this.#headTo += length;
    if (status === 101) this.#error = unasked;
    else if (status >= 200) {
      this.#inBody = true;
      this.#kind = responseBodyKind(this.#method, this.#head);
      this.#body.begin(this.#kind, this.#head.contentLength);
    } else if (++this.#interims > interimsMax) this.#error = "too many interim answers";
  }

  finish(): AnswerReading {
    if (this.#error === "" && !(this.#inBody && this.#body.closeEnd())) this.#error = brokenOff;
    return {
      end: this.#error === "" ? "whole" : "wrong",
      error: this.#error,
      status: this.#head.status,
      kind: this.#kind,
      fields: this.#head.fields,
      body: this.#text,
      trailer: this.#body.trailer === "" ? [] : this.#body.trailer.split("\n"),
      interims: this.#interims,
      keepAlive: this.#head.keepAlive,
      from: this.#inBody || this.#error === unasked ? this.#headFrom : this.#headTo,
      bodyFrom: this.#headTo,
    };
  }
}
