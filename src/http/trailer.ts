/**
 * Trailer fields (RFC 9112 section 7.1.2): read as strictly as a head; those that frame, route, authenticate or
 * otherwise tell what to do with a message are dropped (RFC 9110 section 6.5.1), and what remains is handed on
 * apart from the head, never merged into it.
 */
import {
  ByteClass,
  COLON,
  CR,
  copyWhile,
  LF,
  scratch,
  scratchSlice,
  skipBlanks,
  trimmedEnd,
} from "./fields.ts";

/** What a sender must not put into trailers, and what an application might take for the head's. */
const forbidden: ReadonlySet<string> = new Set([
  ...["age", "authorization", "cache-control", "connection", "content-disposition", "content-encoding"],
  ...[
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "etag",
    "expect",
  ],
  ...[
    "expires",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "last-modified",
    "location",
    "max-forwards",
  ],
  ...["origin", "pragma", "proxy", "proxy-authenticate", "proxy-authorization", "proxy-connection", "range"],
  ...[
    "referer",
    "retry-after",
    "set-cookie",
    "strict-transport-security",
    "te",
    "trailer",
    "transfer-encoding",
  ],
  ...["upgrade", "user-agent", "vary", "via", "warning", "www-authenticate", "x-real-ip", "x-request-id"],
]);
const forbiddenPrefixes: readonly string[] = [
  "access-control-",
  "if-",
  "sec-",
  "x-client-cert-",
  "x-forwarded-",
];

/**
 * @param bytes lines, each ended by CR LF, in `[0, length)`; at least one.
 * @returns "name LF value LF name LF value" of those that go on, or null when a line is not a field.
 */
export function readTrailer(bytes: Buffer, length: number): string | null {
  let written = 0;
  for (let at = 0; at < length; ) {
    const nameEnd = copyWhile(ByteClass.token, bytes, at, length, written);
    if (nameEnd === length || nameEnd === at || bytes[nameEnd] !== COLON) return null;
    let to = written + nameEnd - at;
    const allowed = isAllowed(scratchSlice(written, to).toLowerCase());
    scratch[to++] = LF;
    const valueFrom = skipBlanks(bytes, nameEnd + 1, length);
    const valueEnd = copyWhile(ByteClass.value, bytes, valueFrom, length, to);
    if (valueEnd + 1 >= length || bytes[valueEnd] !== CR || bytes[valueEnd + 1] !== LF) return null;
    to = trimmedEnd(to, to + valueEnd - valueFrom);
    scratch[to] = LF;
    if (allowed) written = to + 1;
    at = valueEnd + 2;
  }
  return scratchSlice(0, Math.max(0, written - 1));
}

function isAllowed(name: string): boolean {
  return (
    !forbidden.has(name) &&
    !name.includes("_") &&
    !forbiddenPrefixes.some((prefix) => name.startsWith(prefix))
  );
}
