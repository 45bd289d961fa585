/** An app server as the web tier sees it: reached over the link or over plain HTTP, the request path does not care. */
import type { Candidate } from "../balance/policy.ts";
import type { Server } from "../config/model.ts";
import type { ServerHealth } from "../health/server-health.ts";
import type { Waiting } from "../health/waiting-list.ts";
import type { LinkStream, ResetCode } from "../link/api.ts";
import type { LoadFigures } from "../load/figures.ts";

/** One request's way to an app server and back. A stream of the link is one; a pooled HTTP socket behaves as one. */
export type UpstreamStream = Pick<LinkStream, "write" | "end" | "reset" | "consumed" | "pendingBytes">;

/** A request on its way, as a connection sees it; answers and failures are told to it as to any stream's handler. */
export interface SentRequest {
  readonly method: string;
  readonly target: string;
  /** Opening metadata for the link (http/link-request.ts). */
  readonly linkMeta: string;
  /** "name\nvalue\n..." as the application shall see them, framing included. */
  readonly upstreamFields: string;
  /** The body comes with this length, -1 for chunked. */
  readonly bodyLength: number;
  /** No body follows. */
  readonly bodyless: boolean;
  /** Upgrade requested: the stream stays open in both directions. */
  readonly upgrading: boolean;
  /** So many bytes of the answer may come before they are `consumed`. */
  readonly answerBufferBytesMax: number;
  /** As a link's StreamHandler, for streams of either kind. */
  onData(stream: UpstreamStream, bytes: Buffer): void;
  onEnd(stream: UpstreamStream, trailer: string): void;
  onReset(stream: UpstreamStream, code: ResetCode, message: string): void;
  onDrain(stream: UpstreamStream): void;
  /** No connection is there: one is opened, and `onConnected` tells when it is. For the access log. */
  onConnecting(): void;
  onConnected(): void;
}

/** The same as an upstream sees it: until its answer's head is there it is one of those that wait. */
export interface UpstreamRequest extends SentRequest, Waiting {}

/** Requests of one cluster that wait for room. */
export interface Waiters {
  readonly isEmpty: boolean;
  /** Those that any of its servers may get. */
  readonly length: number;
  /** A place is free there. */
  serve(upstream: Upstream): void;
}

export interface Upstream extends Candidate {
  readonly server: Server;
  readonly health: ServerHealth;
  /** What the server, or its machine, says of itself. */
  readonly load: LoadFigures;
  /** Takes a request of those that it keeps, which one that drains does too. */
  readonly keeps: boolean;
  /** One word on why it is not usable, for the log and pages; "" when it is. */
  readonly unusableReason: string;
  inFlight: number;
  /** Takes requests, were there room for one more. */
  readonly full: boolean;
  /** Requests that wait until there is, for they may go nowhere else. */
  waiting: number;
  /** Who is told when a place is free: the requests of its cluster that wait for one. */
  queue: Waiters | null;
  /** Sends the request's head. @returns null when nothing was sent: another server may be tried. */
  send(request: UpstreamRequest): UpstreamStream | null;
  /** The head of its answer is there. @param nowMs as of `performance.now()`. */
  answered(request: UpstreamRequest, status: number, nowMs: number): void;
  /** The attempt failed because a kept connection had been closed meanwhile: a new one to the same server may do. */
  worthAnother(stream: UpstreamStream): boolean;
  /** The request is over. `complete`: the answer came to its end and the connection may serve another one. */
  done(request: UpstreamRequest, stream: UpstreamStream, complete: boolean): void;
  close(): void;
}

/** A request that may go nowhere else can wait for room there. */
export function mayWaitAt(upstream: Upstream): boolean {
  return upstream.full && upstream.waiting < upstream.server.waitingMax;
}

const idempotent: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** May be sent twice without harm (RFC 9110, 9.2.2). */
export function isIdempotent(method: string): boolean {
  return idempotent.has(method);
}
