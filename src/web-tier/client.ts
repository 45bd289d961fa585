/**
 * What the request path needs of a browser's connection, in whatever version of HTTP it speaks. HTTP/1.1 over TCP or
 * TLS is one (client-connection.ts).
 */
import type { RequestHead } from "../http/request-head.ts";
import type { ClientOrigin } from "./forwarded.ts";

/** How an answer begins; what it looks like on the wire is the client's matter. */
export interface AnswerHead {
  readonly status: number;
  readonly reason: string;
  /** "Name: value CR LF Name: value CR LF", end-to-end fields only, without Content-Length. */
  readonly fields: string;
  /** -1 when not known. Without a body it is what a GET would get (HEAD, 304). */
  readonly contentLength: number;
  /** Date is among the fields. */
  readonly hasDate: boolean;
}

/** none: no body follows. length: `contentLength` bytes. stream: until `endAnswer`. */
export type AnswerBody = "none" | "length" | "stream";

export interface Client {
  /** The request being answered; parsed anew only after `answered`. */
  readonly head: RequestHead;
  readonly origin: ClientOrigin;
  /** When its first byte came, on the clock of `performance.now()`; 0: all of it came at once. */
  readonly headStartedAtMs: number;
  /** Of an answer that is read too slowly, no more is asked from the app server. */
  readonly answerBufferBytesMax: number;
  /** 100, 102, 103: passed on at once. */
  sendInterim(answer: AnswerHead): void;
  beginAnswer(answer: AnswerHead, body: AnswerBody): void;
  /** The same with the whole body, latin1, in one write. */
  sendAnswer(answer: AnswerHead, body: AnswerBody, text: string): void;
  /** A piece of the body, which is copied. @returns false when the client reads too slowly: `Exchange.clientDrained` follows. */
  sendBytes(bytes: Buffer): boolean;
  /** The body's end. @param trailer "name LF value LF ...", or "". */
  endAnswer(trailer: string): void;
  /** What is sent between `cork` and `uncork` leaves as one. */
  cork(): void;
  uncork(): void;
  /** Stops or resumes reading the request's body. */
  holdRequestBody(hold: boolean): void;
  /** Bytes of the answer came, or are waited for again: its deadline starts anew. @param silenceMs how long it may be until the next ones. */
  answerGoesOn(silenceMs: number): void;
  /** The answer is over, and all about it is told. */
  answered(): void;
  /** Sends 101; from now on bytes pass untouched in both directions. @param upgrade to what. */
  beginTunnel(answer: AnswerHead, upgrade: string): void;
  /** As `sendBytes`. */
  sendTunnelBytes(bytes: Buffer): boolean;
  /** Ends our direction of the tunnel. */
  endTunnel(): void;
  /** Cuts the connection, or the stream of it: the only way to say that an answer broke off. */
  destroy(): void;
}
