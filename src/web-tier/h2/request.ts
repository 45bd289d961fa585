/**
 * A request of HTTP/2 (RFC 9113, 8.3) as a head of HTTP/1.1. Its fields are written down as HTTP/1.1 and read by the
 * one strict parser, so that there is one grammar, one canonical target and one list of what goes on (A29). What HTTP/2
 * has of its own is judged here, before that: pseudo-fields, fields that belong to a connection, cookies in pieces.
 */
import { headBytesCeiling } from "../../http/fields.ts";
import type { HeadLimits } from "../../http/parsed-request.ts";
import { type HeadError, refusals } from "../../http/refusals.ts";
import { parseRequestHead, type RequestHead } from "../../http/request-head.ts";
import { http as httpLimits } from "../../support/limits.ts";

const COLON = 0x3a;
const SLASH = 0x2f;
const SPACE = 0x20;

/** Room for a head that the parser could accept, and its last lines. */
const room = Buffer.allocUnsafeSlow(headBytesCeiling);

/**
 * What would end a name, a value or the request line early. nghttp2 lets none of it through; here it would be more than
 * a wrong value. A tab is legal in HTTP/1.1 values, and of no use to anyone who speaks HTTP/2.
 */
const endsName = /[:\s]/;
const endsValue = /[\t\r\n]/;
const blank = /\s/;

/** Blanks at the ends, which HTTP/1.1 would take off: nobody writes them in HTTP/2 (RFC 9113, 8.2.1). */
function isPadded(value: string): boolean {
  return value !== "" && (value.charCodeAt(0) === SPACE || value.charCodeAt(value.length - 1) === SPACE);
}

/** Fields of an HTTP/1.1 connection (RFC 9113, 8.2.2); "te" may say "trailers". */
const ofConnection: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

/** Methods that are usually sent with a body. */
const withContent: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH"]);

/** The fields of one head, as they come and as they are written down. */
class SentHead {
  #method = "";
  #path = "";
  #scheme = "";
  #authority: string | null = null;
  #host: string | null = null;
  #cookie: string | null = null;
  #hasLength = false;
  #lines = "";

  /** @returns why it is refused, or null. */
  take(raw: readonly string[]): HeadError | null {
    this.#method = this.#path = this.#scheme = this.#lines = "";
    this.#authority = this.#host = this.#cookie = null;
    this.#hasLength = false;
    for (let at = 0; at + 1 < raw.length; at += 2) {
      const error = this.#takeField(raw[at]!, raw[at + 1]!);
      if (error !== null) return error;
    }
    return this.#whole();
  }

  /** @param bodyFollows without a length its end is the stream's, which is what chunks are to the path. */
  text(bodyFollows: boolean): string {
    const host = this.#authority ?? this.#host;
    let text = `${this.#method} ${this.#path} HTTP/1.1\r\n`;
    if (host !== null) text += `Host: ${host}\r\n`;
    text += this.#lines;
    if (this.#cookie !== null) text += `cookie: ${this.#cookie}\r\n`;
    if (!this.#hasLength) {
      if (bodyFollows) text += "Transfer-Encoding: chunked\r\n";
      // RFC 9110, 8.6: some servers answer 411 without.
      else if (withContent.has(this.#method)) text += "Content-Length: 0\r\n";
    }
    return `${text}\r\n`;
  }

  #takeField(name: string, value: string): HeadError | null {
    if (endsValue.test(value) || isPadded(value)) return refusals.badFieldValue;
    if (name.charCodeAt(0) === COLON) return this.#takePseudo(name, value);
    switch (name) {
      case "host":
        if (this.#host !== null) return refusals.twoHosts;
        this.#host = value;
        return null;
      case "cookie":
        // RFC 9113, 8.2.3: pieces of one field.
        this.#cookie = this.#cookie === null ? value : `${this.#cookie}; ${value}`;
        return null;
      case "te":
        return value.toLowerCase() === "trailers" ? null : refusals.connectionField;
      case "content-length":
        this.#hasLength = true;
        break;
      default:
        if (ofConnection.has(name)) return refusals.connectionField;
        if (endsName.test(name)) return refusals.badFieldName;
    }
    this.#lines += `${name}: ${value}\r\n`;
    return null;
  }

  #takePseudo(name: string, value: string): HeadError | null {
    switch (name) {
      case ":method":
        this.#method = value;
        return null;
      case ":path":
        this.#path = value;
        return null;
      case ":scheme":
        this.#scheme = value;
        return null;
      case ":authority":
        this.#authority = value;
        return null;
      default:
        // ":protocol": extended CONNECT, which is not offered.
        return refusals.pseudoField;
    }
  }

  /** What can be said only when all fields are there. */
  #whole(): HeadError | null {
    if (blank.test(this.#method)) return refusals.badMethod;
    if (blank.test(this.#path)) return refusals.badTargetByte;
    if (this.#method === "CONNECT") return refusals.methodRefused;
    if (this.#scheme !== "https" && this.#scheme !== "http") return refusals.pseudoField;
    // A URL in place of a path would name a host once more.
    if (this.#path.charCodeAt(0) !== SLASH && this.#path !== "*") return refusals.badTarget;
    const bothNames = this.#host !== null && this.#authority !== null;
    return bothNames && this.#host!.toLowerCase() !== this.#authority!.toLowerCase()
      ? refusals.hostMismatch
      : null;
  }
}

/** Reading a head is one synchronous call. */
const sent = new SentHead();

/**
 * @param raw name, value, name, value, ... as nghttp2 gave them: names in lower case, pseudo-fields first.
 * @param bodyFollows the stream did not end with its head.
 * @returns null, and `head` is filled; else why the request is refused.
 */
export function readHead(
  raw: readonly string[],
  bodyFollows: boolean,
  limits: HeadLimits,
  head: RequestHead,
): HeadError | null {
  const error = sent.take(raw);
  if (error !== null) return error;
  const text = sent.text(bodyFollows);
  if (text.length > room.length) return refusals.headTooLarge;
  const length = room.latin1Write(text, 0);
  const read = parseRequestHead(room, 0, length, limits, head);
  if (read < 0) return head.error;
  // Something ended the head early.
  if (read !== length) return refusals.badFieldValue;
  return bodyFollows || head.contentLength <= 0 ? null : refusals.badLength;
}

/** @param raw as for `readHead`. @returns lines for `readTrailer` (http/trailer.ts), or null. */
export function trailerBytes(raw: readonly string[]): Buffer | null {
  let lines = "";
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at]!;
    const value = raw[at + 1]!;
    if (endsName.test(name) || endsValue.test(value)) return null;
    lines += `${name}: ${value}\r\n`;
  }
  return lines.length > httpLimits.trailerBytesMax ? null : Buffer.from(lines, "latin1");
}
