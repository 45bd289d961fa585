/**
 * The head of a request (RFC 9112), read once, strictly, in one pass over its bytes: what is not understood is
 * refused, never repaired. The pass copies what goes on to the app into one scratch buffer, as
 * "target name LF value LF ...", so that a single slice makes the text of which all strings are parts.
 *
 * The decision about a byte depends on the bytes before it alone: a head is accepted or refused in the same way
 * however it was cut into pieces. Where this is stricter than the RFC, see docs/http-strictness.md.
 */

import { http } from "../support/limits.ts";
import { ConnectionOption, connectionOptions, namedFields, namesFraming } from "./connection.ts";
import {
  ByteClass,
  COLON,
  COMMA,
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
  TAB,
  trimmedEnd,
} from "./fields.ts";
import { hostOf } from "./host.ts";
import { type HeadLimits, type RequestHead, refuse } from "./parsed-request.ts";
import { type HeadError, refusals } from "./refusals.ts";
import { lineEnd, readRequestLine } from "./request-line.ts";

export { findHeadEnd } from "./fields.ts";
export { type HeadLimits, RequestHead, versionOf } from "./parsed-request.ts";
export type { HeadError } from "./refusals.ts";

/**
 * Reads the head in `bytes[start, end)`; bytes outside are never looked at. One empty line in front of the
 * request line is skipped (RFC 9112 section 2.2), a second one is refused.
 *
 * @returns the length of the head (above 0), 0 when it is not complete, -1 when it is refused (`head.error` says why).
 * After 0, ask `findHeadEnd` (fields.ts) before parsing again, or bytes sent one by one cost quadratic time.
 */
export function parseRequestHead(
  bytes: Buffer,
  start: number,
  end: number,
  limits: HeadLimits,
  head: RequestHead,
): number {
  reset(head);
  const bytesMax = Math.min(limits.headBytesMax, headBytesCeiling);
  const stop = Math.min(end, start + bytesMax);
  let at = readRequestLine(bytes, start, stop, limits, head);
  if (at > 0) {
    head.written = head.targetLength;
    at = readFields(bytes, at, stop, limits, head);
  }
  if (at > 0) return finish(head) ? at - start : -1;
  if (at === 0 && end - start >= bytesMax)
    return refuse(head, head.targetLength === 0 ? refusals.targetTooLong : refusals.headTooLarge);
  return at;
}

/** @returns the place behind the empty line, 0 or -1. */
function readFields(
  bytes: Buffer,
  start: number,
  stop: number,
  limits: HeadLimits,
  head: RequestHead,
): number {
  let at = start;
  for (let lines = 0; at < stop; lines++) {
    if (bytes[at] === CR) return lineEnd(bytes, at, stop, head);
    if (lines === limits.fieldsMax) return refuse(head, refusals.tooManyFields);
    at = readField(bytes, at, stop, head);
    if (at <= 0) return at;
  }
  return 0;
}

function readField(bytes: Buffer, start: number, stop: number, head: RequestHead): number {
  let to = head.written;
  let nameEnd = copyWhile(ByteClass.name, bytes, start, stop, to);
  let known: KnownField = KnownField.none;
  if (nameEnd < stop && bytes[nameEnd] === COLON) known = knownField(bytes, start, nameEnd);
  else {
    // An underscore, or no name at all. "X_Forwarded_For" is X-Forwarded-For for what turns names into variables.
    nameEnd = copyWhile(ByteClass.token, bytes, nameEnd, stop, to + nameEnd - start);
    known = KnownField.dropped;
  }
  if (nameEnd === stop) return 0;
  if (bytes[nameEnd] !== COLON || nameEnd === start)
    return refuse(head, badName(bytes[nameEnd]!, nameEnd === start));
  to += nameEnd - start;
  scratch[to++] = LF;
  const valueFrom = skipBlanks(bytes, nameEnd + 1, stop);
  const valueEnd = copyWhile(ByteClass.value, bytes, valueFrom, stop, to);
  if (valueEnd === stop) return 0;
  if (bytes[valueEnd] !== CR)
    return refuse(head, bytes[valueEnd] === LF ? refusals.bareLf : refusals.badFieldValue);
  const next = lineEnd(bytes, valueEnd, stop, head);
  if (next <= 0) return next;
  const valueTo = trimmedEnd(to, to + valueEnd - valueFrom);
  if (known !== KnownField.none && !takeKnown(known, to, valueTo, head))
    return head.error === null ? next : -1;
  scratch[valueTo] = LF;
  head.written = valueTo + 1;
  head.fieldCount++;
  return next;
}

function badName(byte: number, empty: boolean): HeadError {
  if (empty && (byte === SPACE || byte === TAB)) return refusals.folded;
  if (byte === LF) return refusals.bareLf;
  return refusals.badFieldName;
}

/**
 * A field that means something here; its value is `scratch[from, to)`.
 * @returns whether it goes on to the app; when not, `head.error` tells a refusal from a field that ends here.
 */
function takeKnown(known: KnownField, from: number, to: number, head: RequestHead): boolean {
  switch (known) {
    case KnownField.host:
      if (head.hostFrom !== 0) return refused(head, refusals.twoHosts);
      head.hostFrom = from;
      head.hostTo = to;
      return true;
    case KnownField.cookie:
      if (head.cookieFrom !== 0)
        head.cookie = `${head.cookie || scratchSlice(head.cookieFrom, head.cookieTo)}; ${scratchSlice(from, to)}`;
      head.cookieFrom = from;
      head.cookieTo = to;
      return true;
    case KnownField.userAgent:
      if (head.userAgentFrom !== 0)
        head.userAgent = `${head.userAgent || scratchSlice(head.userAgentFrom, head.userAgentTo)}, ${scratchSlice(from, to)}`;
      head.userAgentFrom = from;
      head.userAgentTo = to;
      return true;
    case KnownField.referer:
      if (head.refererFrom !== 0)
        head.referer = `${head.referer || scratchSlice(head.refererFrom, head.refererTo)}, ${scratchSlice(from, to)}`;
      head.refererFrom = from;
      head.refererTo = to;
      return true;
    case KnownField.connection:
      return takeConnection(from, to, head);
    case KnownField.contentLength:
      if (head.contentLength !== -1) return refused(head, refusals.twoLengths);
      if (head.chunked) return refused(head, refusals.lengthAndCoding);
      head.contentLength = decimal(scratch, from, to);
      return head.contentLength === -1 && refused(head, refusals.badLength);
    case KnownField.transferEncoding:
      return takeCoding(scratchSlice(from, to).toLowerCase(), head);
    case KnownField.expect:
      return takeExpect(scratchSlice(from, to).toLowerCase(), head);
    case KnownField.range:
      head.ranges += rangesIn(from, to);
      return head.ranges <= http.rangesMax;
    case KnownField.date:
      return true;
    default:
      takeForwarding(known, scratchSlice(from, to), head);
      return false;
  }
}

/** Ranges that the Range value in `scratch[from, to)` asks for: each may cost the app a whole file. */
function rangesIn(from: number, to: number): number {
  let ranges = 1;
  for (let at = from; at < to; at++) if (scratch[at] === COMMA) ranges++;
  return ranges;
}

/** Fields that end here and whose values are asked for. */
function takeForwarding(known: KnownField, value: string, head: RequestHead): void {
  switch (known) {
    case KnownField.forwarded:
      head.forwarded = joined(head.forwarded, value);
      return;
    case KnownField.forwardedFor:
      head.xForwardedFor = joined(head.xForwardedFor, value);
      return;
    case KnownField.forwardedProto:
      head.xForwardedProto = joined(head.xForwardedProto, value);
      return;
    case KnownField.forwardedHost:
      head.xForwardedHost = joined(head.xForwardedHost, value);
      return;
    case KnownField.via:
      head.via = joined(head.via, value);
      return;
    case KnownField.requestId:
      head.requestId = joined(head.requestId, value);
      return;
    case KnownField.upgrade:
      head.upgradeText = joined(head.upgradeText, value);
      return;
    default:
  }
}

function joined(before: string, value: string): string {
  return before === "" ? value : `${before}, ${value}`;
}

function takeConnection(from: number, to: number, head: RequestHead): false {
  const options = connectionOptions(scratch, from, to);
  if (options >= ConnectionOption.bad) return refused(head, refusals.badConnection);
  head.connection |= options;
  if (options >= ConnectionOption.other) {
    const value = scratchSlice(from, to);
    if (namesFraming(value)) return refused(head, refusals.connectionNamesFraming);
    head.connectionText = joined(head.connectionText, value);
  }
  return false;
}

function takeCoding(value: string, head: RequestHead): false {
  if (head.chunked) return refused(head, refusals.badCoding);
  if (head.contentLength !== -1) return refused(head, refusals.lengthAndCoding);
  if (head.versionMinor === 0) return refused(head, refusals.codingOnHttp10);
  if (value !== "chunked") return refused(head, unlikeChunked(value));
  head.chunked = true;
  return false;
}

/** RFC 9112 section 6.1 and 6.3: an unknown coding before a last chunked one is 501, everything else 400. */
function unlikeChunked(value: string): HeadError {
  const codings = value.split(",").map((coding) => coding.trim());
  const last = codings.pop();
  const honest = codings.every((coding) => coding !== "" && coding !== "chunked" && coding !== "identity");
  return last === "chunked" && codings.length > 0 && honest ? refusals.codingUnknown : refusals.badCoding;
}

function takeExpect(value: string, head: RequestHead): false {
  if (value !== "100-continue" || head.expectContinue) return refused(head, refusals.expectation);
  head.expectContinue = true;
  return false;
}

function refused(head: RequestHead, error: HeadError): false {
  head.error = error;
  return false;
}

/** What can be said only about the whole head. */
function finish(head: RequestHead): boolean {
  const all = scratchSlice(0, head.written);
  head.target = all.substring(0, head.targetLength);
  head.path = head.pathLength === head.targetLength ? head.target : all.substring(0, head.pathLength);
  head.fields = all.substring(head.targetLength, Math.max(head.targetLength, head.written - 1));
  if (!finishHost(head, all)) return false;
  if (head.cookie === "") head.cookie = all.substring(head.cookieFrom, head.cookieTo);
  if (head.userAgent === "") head.userAgent = all.substring(head.userAgentFrom, head.userAgentTo);
  if (head.referer === "") head.referer = all.substring(head.refererFrom, head.refererTo);
  if ((head.connection & ConnectionOption.other) !== 0) dropNamed(head);
  finishConnection(head);
  return true;
}

// Nearly all requests of a site name the same host: what it means is worked out once.
let lastHostValue = "";
let lastHost = "";
let lastAuthority = "";

function finishHost(head: RequestHead, all: string): boolean {
  if (head.hostFrom === 0) {
    if (head.targetAuthority !== "") return refused(head, refusals.hostMismatch);
    return head.versionMinor === 0 || refused(head, refusals.noHost);
  }
  const value = all.substring(head.hostFrom, head.hostTo);
  if (value !== lastHostValue) {
    const host = hostOf(value);
    if (host === "") return refused(head, refusals.badHost);
    // Not a part of the request's text: it would keep that alive.
    lastHostValue = Buffer.from(value, "latin1").toString("latin1");
    lastAuthority = value.toLowerCase();
    lastHost = host;
  }
  head.host = lastHost;
  head.authority = lastAuthority;
  if (head.targetAuthority !== "" && head.targetAuthority.toLowerCase() !== lastAuthority)
    return refused(head, refusals.hostMismatch);
  return true;
}

function finishConnection(head: RequestHead): void {
  const { connection } = head;
  const close = (connection & ConnectionOption.close) !== 0;
  head.keepAlive = !close && (head.versionMinor === 1 || (connection & ConnectionOption.keepAlive) !== 0);
  const hasBody = head.chunked || head.contentLength > 0;
  // RFC 9110 section 10.1.1: not in HTTP/1.0, and of no use without a body.
  if (!hasBody || head.versionMinor === 0) head.expectContinue = false;
  if ((connection & ConnectionOption.upgrade) !== 0 && !hasBody && head.versionMinor === 1)
    head.upgrade = withoutHttp2(head.upgradeText);
}

/** protocol-name["/"protocol-version] (RFC 9110 section 7.8). */
const protocolPattern = /^[\w!#$%&'*+.^`|~-]+(\/[\w!#$%&'*+.^`|~-]+)?$/;

/** Protocols that would put another parser behind this one (h2c, TLS) are not passed on. */
function withoutHttp2(upgrade: string): string {
  if (upgrade === "" || upgrade === "websocket") return upgrade;
  const protocols = upgrade.split(",").map((protocol) => protocol.trim());
  return protocols
    .filter((protocol) => protocolPattern.test(protocol) && !/^(h2c?|http|tls)(\/|$)/i.test(protocol))
    .join(", ");
}

function dropNamed(head: RequestHead): void {
  const named = namedFields(head.connectionText);
  const parts = head.fields.split("\n");
  const kept: string[] = [];
  for (let at = 0; at + 1 < parts.length; at += 2)
    if (!named.has(parts[at]!.toLowerCase())) kept.push(parts[at]!, parts[at + 1]!);
  head.fields = kept.join("\n");
  head.fieldCount = kept.length / 2;
}

function reset(head: RequestHead): void {
  head.contentLength = -1;
  head.chunked = head.expectContinue = head.targetNeedsWork = false;
  head.keepAlive = true;
  head.host = head.authority = head.upgrade = head.fields = "";
  head.cookie = head.userAgent = head.referer = "";
  head.forwarded = head.xForwardedFor = head.xForwardedProto = head.xForwardedHost = "";
  head.via = head.requestId = "";
  head.targetAuthority = head.connectionText = head.upgradeText = "";
  head.error = null;
  head.fieldCount = head.written = head.targetLength = head.pathLength = head.connection = head.ranges = 0;
  head.hostFrom = head.cookieFrom = head.userAgentFrom = head.refererFrom = 0;
  head.hostTo = head.cookieTo = head.userAgentTo = head.refererTo = 0;
}
