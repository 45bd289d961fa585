/**
 * The first line of a request (RFC 9112 section 3): method, one space, target, one space, version, CR LF. The
 * target is left at the front of `scratch` when it is canonical already, as nearly every one is.
 */
import { absoluteTarget, canonicalPath } from "./canonical.ts";
import {
  ByteClass,
  byteClasses,
  CR,
  headBytesCeiling,
  LF,
  SPACE,
  scratch,
  scratchSlice,
  writeScratch,
} from "./fields.ts";
import { type HeadLimits, type RequestHead, refuse } from "./parsed-request.ts";
import { type HeadError, refusals } from "./refusals.ts";

const SLASH = 0x2f;
const DOT = 0x2e;
const STAR = 0x2a;
const PERCENT = 0x25;
const QUESTION = 0x3f;
const TLS_HANDSHAKE = 0x16;
const G = 0x47;
const E = 0x45;
const T = 0x54;
/** The longest of the IANA registry is UPDATEREDIRECTREF. */
const methodBytesMax = 24;
const versionText: Uint8Array = Buffer.from("HTTP/1.", "latin1");
const versionLength = 8;
const commonMethods: ReadonlyMap<string, string> = new Map(
  ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"].map((method) => [method, method]),
);

// See fields.ts for the second names.
const classes = byteClasses;
const room = scratch;

/** @returns the place behind the line, 0 when it is not complete, -1 when it is refused. */
export function readRequestLine(
  bytes: Buffer,
  start: number,
  stop: number,
  limits: HeadLimits,
  head: RequestHead,
): number {
  let at = start;
  if (at < stop && bytes[at] === CR) {
    at = lineEnd(bytes, at, stop, head);
    if (at <= 0) return at;
    if (at < stop && bytes[at] === CR) return refuse(head, refusals.emptyLines);
  }
  at = readMethod(bytes, at, stop, head);
  if (at <= 0) return at;
  at = readTarget(bytes, at, stop, limits, head);
  if (at <= 0) return at;
  return readVersion(bytes, at, stop, head);
}

/** CR LF at `at`. @returns the place behind it, 0 or -1. */
export function lineEnd(bytes: Buffer, at: number, stop: number, head: RequestHead): number {
  if (at + 1 >= stop) return 0;
  return bytes[at + 1] === LF ? at + 2 : refuse(head, refusals.bareCr);
}

function readMethod(bytes: Buffer, start: number, stop: number, head: RequestHead): number {
  if (start + 4 <= stop && bytes[start] === G && bytes[start + 1] === E && bytes[start + 2] === T) {
    if (bytes[start + 3] === SPACE) {
      head.method = "GET";
      return start + 4;
    }
  }
  let at = start;
  const limit = Math.min(stop, start + methodBytesMax);
  let unknown = false;
  while (at < limit && (byteClasses[bytes[at]!]! & ByteClass.token) !== 0) {
    if (!isMethodByte(bytes[at]!)) unknown = true;
    at++;
  }
  if (at === start + methodBytesMax) return refuse(head, refusals.methodUnknown);
  if (at === stop) return 0;
  if (bytes[at] !== SPACE || at === start) return refuse(head, badMethod(bytes[start]!));
  if (unknown) return refuse(head, refusals.methodUnknown);
  const method = bytes.toString("latin1", start, at);
  head.method = commonMethods.get(method) ?? method;
  if (method === "PRI") return refuse(head, refusals.http2);
  if (method === "CONNECT" || method === "TRACE") return refuse(head, refusals.methodRefused);
  return at + 1;
}

function badMethod(first: number): HeadError {
  if (first === TLS_HANDSHAKE) return refusals.tls;
  return first === LF ? refusals.bareLf : refusals.badMethod;
}

function isMethodByte(byte: number): boolean {
  return (byte >= 0x41 && byte <= 0x5a) || byte === 0x2d;
}

function readTarget(
  bytes: Buffer,
  start: number,
  stop: number,
  limits: HeadLimits,
  head: RequestHead,
): number {
  // One byte more than allowed may be looked at: it has to be the space.
  const limit = Math.min(stop, start + limits.targetBytesMax + 1);
  const pathEnd = copyPath(bytes, start, limit, head);
  const hasQuery = pathEnd < limit && bytes[pathEnd] === QUESTION;
  const at = hasQuery ? copyQuery(bytes, pathEnd, limit, pathEnd - start) : pathEnd;
  if (at - start > limits.targetBytesMax) return refuse(head, refusals.targetTooLong);
  if (at === stop) return 0;
  if (bytes[at] !== SPACE || at === start) return refuse(head, badTarget(bytes[at]!, at === start));
  head.targetLength = at - start;
  head.pathLength = pathEnd - start;
  if (bytes[start] !== SLASH || head.targetNeedsWork) return rewriteTarget(head, limits, at + 1);
  return at + 1;
}

/** @returns the place of the first byte that is not part of a path. */
function copyPath(bytes: Buffer, start: number, limit: number, head: RequestHead): number {
  let at = start;
  let previous = 0;
  for (; at < limit; at++) {
    const byte = bytes[at]!;
    if ((classes[byte]! & ByteClass.path) === 0) {
      if (byte === SLASH || byte === DOT) {
        if (previous === SLASH) head.targetNeedsWork = true;
      } else if (byte === PERCENT || (classes[byte]! & ByteClass.encode) !== 0) head.targetNeedsWork = true;
      else break;
    }
    room[at - start] = previous = byte;
  }
  return at;
}

/** `scratch` holds the path; the query goes behind it. */
function copyQuery(bytes: Buffer, from: number, limit: number, to: number): number {
  let at = from;
  while (at < limit && (classes[bytes[at]!]! & ByteClass.query) !== 0) {
    room[to++] = bytes[at]!;
    at++;
  }
  return at;
}

function badTarget(byte: number, empty: boolean): HeadError {
  if (byte === LF) return refusals.bareLf;
  if (byte === CR) return empty ? refusals.badTarget : refusals.noVersion;
  return empty ? refusals.badTarget : refusals.badTargetByte;
}

/** Everything but a canonical origin form: seldom enough to work on strings. @returns `next` or -1. */
function rewriteTarget(head: RequestHead, limits: HeadLimits, next: number): number {
  let raw = scratchSlice(0, head.targetLength);
  if (scratch[0] !== SLASH) {
    if (raw === "*" && head.method === "OPTIONS") return next;
    const absolute = scratch[0] === STAR ? null : absoluteTarget(raw, head.method);
    if (absolute === null) return refuse(head, refusals.badTarget);
    head.targetAuthority = absolute.authority;
    raw = absolute.target;
  }
  const question = raw.indexOf("?");
  const path = raw === "*" ? raw : canonicalPath(question < 0 ? raw : raw.slice(0, question));
  if (typeof path !== "string") return refuse(head, path);
  const query = question < 0 ? "" : raw.slice(question);
  if (path.length + query.length > Math.min(limits.targetBytesMax, headBytesCeiling))
    return refuse(head, refusals.targetTooLong);
  writeScratch(path + query);
  head.pathLength = path.length;
  head.targetLength = path.length + query.length;
  return next;
}

function readVersion(bytes: Buffer, at: number, stop: number, head: RequestHead): number {
  for (let i = 0; i < versionLength; i++) {
    if (at + i >= stop) return 0;
    const byte = bytes[at + i]!;
    if (i < versionLength - 1 ? byte !== versionText[i] : byte !== 0x31 && byte !== 0x30)
      return refuse(head, badVersion(i, byte));
  }
  head.versionMinor = bytes[at + 7] === 0x31 ? 1 : 0;
  const end = at + versionLength;
  if (end >= stop) return 0;
  if (bytes[end] === CR) return lineEnd(bytes, end, stop, head);
  return refuse(head, bytes[end] === LF ? refusals.bareLf : refusals.badVersion);
}

/** `found` is the first byte that differs from "HTTP/1.1", and stands behind `matched` bytes that do not. */
function badVersion(matched: number, found: number): HeadError {
  if (matched === 0 && (found === CR || found === LF)) return refusals.noVersion;
  const isDigit = (byteClasses[found]! & ByteClass.digit) !== 0;
  return isDigit && (matched === 5 || matched === 7) ? refusals.versionUnknown : refusals.badVersion;
}
