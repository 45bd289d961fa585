/**
 * What this tier uses of Node's http module beyond its documented interface: it does what Node's own
 * `parserOnIncoming` and `resOnFinish` (lib/_http_server.js) do, and these reach into their own classes. All of
 * it stands here; node-internals.test.ts fails when a version of Node no longer has it. The symbols are not
 * exported by Node and are found by their description, once; a symbol that a version lacks is a feature it lacks.
 */
import http from "node:http";
import https from "node:https";
import type { Socket } from "node:net";

/** `https.Server` is no subclass of `http.Server`; what it does with requests is the same. */
export type HttpServer = http.Server | https.Server;

export function isHttpServer(value: unknown): value is HttpServer {
  return value instanceof http.Server || value instanceof https.Server;
}

type RequestClass = new (socket: Socket) => http.IncomingMessage;
type ResponseClass = new (req: http.IncomingMessage, options: ResponseOptions) => http.ServerResponse;

interface ResponseOptions {
  readonly highWaterMark: number;
  readonly rejectNonStandardBodyWrites: boolean;
}

export interface NodeRequest extends http.IncomingMessage {
  joinDuplicateHeaders: boolean;
  upgrade: boolean;
  /** Somebody reads the body. */
  readonly _consuming: boolean;
  readonly _dumped: boolean;
  readonly _readableState: { readonly resumeScheduled: boolean };
  /** Before `complete` these are the header fields, after it the trailers. */
  _addHeaderLines(fields: readonly string[], length: number): void;
  /** Reads the rest of the body and throws it away. */
  _dump(): void;
}

export interface NodeResponse extends http.ServerResponse {
  /** The connection ends after this answer. */
  readonly _last: boolean;
  _expect_continue: boolean;
  _closed: boolean;
  destroyed: boolean;
}

export interface NodeServer extends http.Server {
  readonly rejectNonStandardBodyWrites: boolean;
  readonly joinDuplicateHeaders: boolean | undefined;
  /** Node 24.9 and later. */
  readonly shouldUpgradeCallback?: (req: http.IncomingMessage) => boolean;
  /** `listening`, `address()` and `close()` of net.Server rest on these three. */
  _handle: unknown;
  _connections: number;
  _emitCloseIfDrained(): void;
}

const plainServer = new http.Server();
const plainRequest = new http.IncomingMessage(null as unknown as Socket);
const serverSymbols = Object.getOwnPropertySymbols(plainServer);
const requestClassKey = named(serverSymbols, "IncomingMessage");
const responseClassKey = named(serverSymbols, "ServerResponse");
const uniqueHeadersKey = named(serverSymbols, "kUniqueHeaders");
const needDrainKey = named(Object.getOwnPropertySymbols(new http.ServerResponse(plainRequest)), "kNeedDrain");
const detachSignalKey = named(
  Object.getOwnPropertySymbols(http.IncomingMessage.prototype),
  "kDetachAbortSignal",
);

/** The listener that gives a connection of an http.Server to Node's parser. */
export const nodeConnectionListener: (this: http.Server, socket: unknown) => void = plainServer.listeners(
  "connection",
)[0] as (this: http.Server, socket: unknown) => void;

/** The listeners that an http.Server, or https.Server, itself has for `connection`. */
export function ownConnectionListeners(server: HttpServer): readonly ((...args: unknown[]) => void)[] {
  const fresh = server instanceof http.Server ? plainServer : new https.Server();
  return fresh.listeners("connection") as ((...args: unknown[]) => void)[];
}

function named(symbols: readonly symbol[], description: string): symbol | null {
  return symbols.find((symbol) => symbol.description === description) ?? null;
}

function propertyOf(target: object, key: symbol | null): unknown {
  return key === null ? undefined : (target as Record<symbol, unknown>)[key];
}

/** The request class of the server: `http.createServer({ IncomingMessage })`. */
export function requestClassOf(server: http.Server): RequestClass {
  return (propertyOf(server, requestClassKey) as RequestClass | undefined) ?? http.IncomingMessage;
}

/** The response class of the server: `http.createServer({ ServerResponse })`. */
export function responseClassOf(server: http.Server): ResponseClass {
  return (propertyOf(server, responseClassKey) as ResponseClass | undefined) ?? http.ServerResponse;
}

/** Hands `http.createServer({ uniqueHeaders })` on to one response. */
export function passUniqueHeaders(server: http.Server, res: http.ServerResponse): void {
  const unique = propertyOf(server, uniqueHeadersKey);
  if (unique) (res as unknown as Record<symbol, unknown>)[uniqueHeadersKey!] = unique;
}

/** The answer is out: `req.signal` shall not abort any more when the socket closes (Node 24.16 and later). */
export function detachAbortSignal(req: http.IncomingMessage): void {
  if (detachSignalKey !== null) (req as unknown as Record<symbol, () => void>)[detachSignalKey]!();
}

/** Tells a response that waits for `drain` that its socket has taken everything (socketOnDrain). */
export function drainResponse(res: http.ServerResponse): void {
  if (!res.writableNeedDrain || res.writableLength !== 0) return;
  if (needDrainKey !== null) (res as unknown as Record<symbol, unknown>)[needDrainKey] = false;
  res.emit("drain");
}

/** Whether an answer is to come, or on its way, on a connection of an http.Server. */
export function isAnswering(socket: Socket): boolean {
  return ((socket as { _httpMessage?: unknown })._httpMessage ?? null) !== null;
}
