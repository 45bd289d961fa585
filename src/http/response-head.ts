/**
 * The head of an answer (RFC 9112 section 4), from an app server over the link or from any HTTP server over a
 * socket: read as strictly as a request's, because an answer whose end is in doubt would hand the next visitor
 * bytes of this one. What goes on to the client is written anew from what was understood.
 */
import { ConnectionOption, connectionOptions, namedFields, namesFraming } from "./connection.ts";
import {
  ByteClass,
  COLON,
  CR,
  copyWhile,
  decimal,
  headBytesCeiling,
  KnownField,
  knownField,
  LF,
  SPACE,
  scratch,
  scratchSlice,
  skipBlanks,
  trimmedEnd,
} from "./fields.ts";
import type { HeadLimits } from "./parsed-request.ts";

const versionText: Uint8Array = Buffer.from("HTTP/1.", "latin1");

/** Made once per connection or stream and filled anew by every parse. */
export class ResponseHead {
  /** 100 to 999. */
  status: number = 0;
  reason: string = "";
  versionMinor: 0 | 1 = 1;
  /** -1 when absent. */
  contentLength: number = -1;
  chunked: boolean = false;
  /** Whether the server wants the connection to go on. */
  keepAlive: boolean = true;
  /** The value of Upgrade when Connection says so; means something with 101 only. */
  upgrade: string = "";
  /**
   * "Name: value CR LF Name: value CR LF": end-to-end fields in the order and case as sent; hop-by-hop ones, those
   * that Connection names, Content-Length and Transfer-Encoding are gone.
   */
  fields: string = "";
  hasDate: boolean = false;
  /** Why the last parse returned -1: one line for a person, without bytes of the answer. */
  error: string = "";

  /** @internal Bytes of `scratch` that are filled. */ written: number = 0;
  /** @internal ConnectionOption bits. */ connection: number = 0;
  /** @internal Connection values with options that are not understood. */ connectionText: string = "";
}

/**
 * Reads the head in `bytes[start, end)`; bytes outside are never looked at. `targetBytesMax` of the limits is not used.
 * @returns the length of the head (above 0), 0 when it is not complete, -1 when it is refused (`head.error`). After 0,
 * ask `findHeadEnd` (fields.ts) before parsing again.
 */
export function parseResponseHead(
  bytes: Buffer,
  start: number,
  end: number,
  limits: HeadLimits,
  head: ResponseHead,
): number {
  reset(head);
  const bytesMax = Math.min(limits.headBytesMax, headBytesCeiling);
  const stop = Math.min(end, start + bytesMax);
  let at = readStatusLine(bytes, start, stop, head);
  if (at > 0) at = readFields(bytes, at, stop, limits, head);
  if (at > 0) return finish(head) ? at - start : -1;
  if (at === 0 && end - start >= bytesMax) return refuse(head, "the head is too large");
  return at;
}

/** How the body of an answer ends (RFC 9112 section 6.3). */
export function responseBodyKind(
  requestMethod: string,
  head: ResponseHead,
): "none" | "length" | "chunked" | "close" {
  if (requestMethod === "HEAD" || head.status < 200 || head.status === 204 || head.status === 304)
    return "none";
  if (head.chunked) return "chunked";
  if (head.contentLength === -1) return "close";
  return head.contentLength === 0 ? "none" : "length";
}

/** An answer that may be silent for long between two events (WHATWG HTML, 9.2). */
export function isEventStream(head: ResponseHead): boolean {
  return /^content-type: text\/event-stream(;|\s)/im.test(head.fields);
}

function refuse(head: ResponseHead, error: string): -1 {
  head.error = error;
  return -1;
}

/** "HTTP/1.1 200 OK"; the space before an absent reason may be missing, as with many servers. */
function readStatusLine(bytes: Buffer, start: number, stop: number, head: ResponseHead): number {
  for (let i = 0; i < 13; i++) {
    if (start + i >= stop) return 0;
    if (!fitsStatusLine(bytes[start + i]!, i))
      return refuse(head, "the status line is not one of HTTP/1.1 or HTTP/1.0");
  }
  head.versionMinor = bytes[start + 7] === 0x31 ? 1 : 0;
  head.status = decimal(bytes, start + 9, start + 12);
  if (head.status < 100) return refuse(head, "the status is below 100");
  const reasonFrom = start + 12;
  const reasonEnd = copyWhile(ByteClass.value, bytes, reasonFrom, stop, 0);
  if (reasonEnd === stop) return 0;
  const next = lineEnd(bytes, reasonEnd, stop, head);
  if (next > 0 && reasonEnd > reasonFrom) head.reason = reasonText(head.status, reasonEnd - reasonFrom);
  return next;
}

/** The reason in `scratch[1, to)`; making a string costs a tenth of the whole parse, and nearly all answers are 200 OK. */
function reasonText(status: number, to: number): string {
  if (status === 200 && to === 3 && scratch[1] === 0x4f && scratch[2] === 0x4b) return "OK";
  return scratchSlice(1, to);
}

/** Whether the byte may be number `i` of "HTTP/1.1 200 ". */
function fitsStatusLine(byte: number, i: number): boolean {
  if (i < 7) return byte === versionText[i];
  if (i === 7) return byte === 0x31 || byte === 0x30;
  if (i === 8) return byte === SPACE;
  if (i < 12) return byte >= 0x30 && byte <= 0x39;
  return byte === SPACE || byte === CR;
}

/** A CR LF should stand at `at`. @returns the place behind it, 0 or -1. */
function lineEnd(bytes: Buffer, at: number, stop: number, head: ResponseHead): number {
  if (bytes[at] === LF) return refuse(head, "a line ends with LF alone instead of CR LF");
  if (bytes[at] !== CR) return refuse(head, "the status line or a field value holds a control byte");
  if (at + 1 >= stop) return 0;
  return bytes[at + 1] === LF ? at + 2 : refuse(head, "a CR stands without its LF");
}

/** @returns the place behind the empty line, 0 or -1. */
function readFields(
  bytes: Buffer,
  start: number,
  stop: number,
  limits: HeadLimits,
  head: ResponseHead,
): number {
  let at = start;
  for (let lines = 0; at < stop; lines++) {
    if (bytes[at] === CR) return lineEnd(bytes, at, stop, head);
    if (lines === limits.fieldsMax) return refuse(head, "the answer has too many header fields");
    at = readField(bytes, at, stop, head);
    if (at <= 0) return at;
  }
  return 0;
}

function readField(bytes: Buffer, start: number, stop: number, head: ResponseHead): number {
  let to = head.written;
  const nameEnd = copyWhile(ByteClass.token, bytes, start, stop, to);
  if (nameEnd === stop) return 0;
  if (bytes[nameEnd] !== COLON || nameEnd === start)
    return refuse(head, "a field line does not begin with a name and a colon right behind it");
  const known = knownField(bytes, start, nameEnd);
  to += nameEnd - start;
  scratch[to++] = COLON;
  scratch[to++] = SPACE;
  const valueFrom = skipBlanks(bytes, nameEnd + 1, stop);
  const valueEnd = copyWhile(ByteClass.value, bytes, valueFrom, stop, to);
  if (valueEnd === stop) return 0;
  const next = lineEnd(bytes, valueEnd, stop, head);
  if (next <= 0) return next;
  const valueTo = trimmedEnd(to, to + valueEnd - valueFrom);
  if (known !== KnownField.none && !takeKnown(known, to, valueTo, head)) return head.error === "" ? next : -1;
  scratch[valueTo] = CR;
  scratch[valueTo + 1] = LF;
  head.written = valueTo + 2;
  return next;
}

/** @returns whether the field goes on to the client; when not, `head.error` tells why if it is a refusal. */
function takeKnown(known: KnownField, from: number, to: number, head: ResponseHead): boolean {
  switch (known) {
    case KnownField.contentLength:
      if (head.contentLength !== -1) return refused(head, "the answer has more than one Content-Length");
      if (head.chunked) return refused(head, "the answer has Content-Length and Transfer-Encoding");
      head.contentLength = decimal(scratch, from, to);
      return (
        head.contentLength === -1 && refused(head, "Content-Length is not one decimal number within bounds")
      );
    case KnownField.transferEncoding:
      return takeCoding(scratchSlice(from, to).toLowerCase(), head);
    case KnownField.connection:
      return takeConnection(from, to, head);
    case KnownField.upgrade:
      head.upgrade = scratchSlice(from, to);
      return false;
    case KnownField.date:
      head.hasDate = true;
      return true;
    case KnownField.te:
    case KnownField.keepAlive:
    case KnownField.proxyConnection:
      return false;
    default:
      return true;
  }
}

function takeCoding(value: string, head: ResponseHead): false {
  if (head.chunked) return refused(head, "the answer has more than one Transfer-Encoding");
  if (head.contentLength !== -1) return refused(head, "the answer has Content-Length and Transfer-Encoding");
  if (head.versionMinor === 0) return refused(head, "Transfer-Encoding does not exist in HTTP/1.0");
  if (value !== "chunked") return refused(head, "the only transfer coding understood here is chunked");
  head.chunked = true;
  return false;
}

function takeConnection(from: number, to: number, head: ResponseHead): false {
  const options = connectionOptions(scratch, from, to);
  if (options >= ConnectionOption.bad) return refused(head, "Connection is not a list of tokens");
  head.connection |= options;
  if (options >= ConnectionOption.other) {
    const value = scratchSlice(from, to);
    if (namesFraming(value)) return refused(head, "Connection names a framing field");
    head.connectionText = head.connectionText === "" ? value : `${head.connectionText},${value}`;
  }
  return false;
}

function refused(head: ResponseHead, error: string): false {
  head.error = error;
  return false;
}

function finish(head: ResponseHead): true {
  head.fields = scratchSlice(0, head.written);
  const { connection } = head;
  const close = (connection & ConnectionOption.close) !== 0;
  head.keepAlive = !close && (head.versionMinor === 1 || (connection & ConnectionOption.keepAlive) !== 0);
  if ((connection & ConnectionOption.upgrade) === 0) head.upgrade = "";
  if ((connection & ConnectionOption.other) !== 0) dropNamed(head);
  return true;
}

function dropNamed(head: ResponseHead): void {
  const named = namedFields(head.connectionText);
  const kept = head.fields
    .split("\r\n")
    .filter((line) => !named.has(line.slice(0, line.indexOf(":")).toLowerCase()));
  head.fields = kept.join("\r\n");
}

function reset(head: ResponseHead): void {
  head.status = head.written = head.connection = 0;
  head.contentLength = -1;
  head.chunked = head.hasDate = false;
  head.keepAlive = true;
  head.reason = head.upgrade = head.fields = head.error = head.connectionText = "";
}
