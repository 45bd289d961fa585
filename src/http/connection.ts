/**
 * The Connection field (RFC 9110 section 7.6.1), of requests and answers alike: what it says about the message,
 * and the fields that it ends at this hop.
 */
import { ByteClass, byteClasses, COMMA, SPACE, startsWith, TAB } from "./fields.ts";

export const ConnectionOption = { close: 1, keepAlive: 2, upgrade: 4, other: 8, bad: 16 } as const;

const CLOSE: Uint8Array = Buffer.from("close", "latin1");
const KEEP_ALIVE: Uint8Array = Buffer.from("keep-alive", "latin1");
const UPGRADE: Uint8Array = Buffer.from("upgrade", "latin1");

/**
 * Names that Connection cannot take out of a message: they are meant for its final recipient (RFC 9110 section
 * 7.6.1 forbids to name them), or are written by us. Ignored, so that a client cannot strip what rules rely on.
 */
const endToEnd: ReadonlySet<string> = new Set([
  ...["accept", "accept-encoding", "accept-language", "age", "authorization", "cache-control"],
  ...["content-encoding", "content-language", "content-location", "content-range", "content-type", "cookie"],
  ...["date", "etag", "expires", "forwarded", "if-match", "if-modified-since", "if-none-match", "if-range"],
  ...[
    "if-unmodified-since",
    "last-modified",
    "location",
    "origin",
    "pragma",
    "range",
    "referer",
    "set-cookie",
  ],
  ...["user-agent", "vary", "via", "www-authenticate", "x-request-id"],
]);
const framing: ReadonlySet<string> = new Set(["content-length", "host", "transfer-encoding"]);

/** @returns `ConnectionOption` bits of the value in `bytes[from, to)`. */
export function connectionOptions(bytes: Uint8Array, from: number, to: number): number {
  let options = 0;
  let at = from;
  while (at < to) {
    const byte = bytes[at]!;
    if (byte === SPACE || byte === TAB || byte === COMMA) {
      at++;
      continue;
    }
    const tokenFrom = at;
    while (at < to && (byteClasses[bytes[at]!]! & ByteClass.token) !== 0) at++;
    options |= option(bytes, tokenFrom, at);
    while (at < to && (bytes[at] === SPACE || bytes[at] === TAB)) at++;
    if (at < to && bytes[at] !== COMMA) return options | ConnectionOption.bad;
  }
  return options;
}

function option(bytes: Uint8Array, from: number, to: number): number {
  const length = to - from;
  if (length === 5 && startsWith(bytes, from, CLOSE)) return ConnectionOption.close;
  if (length === 10 && startsWith(bytes, from, KEEP_ALIVE)) return ConnectionOption.keepAlive;
  if (length === 7 && startsWith(bytes, from, UPGRADE)) return ConnectionOption.upgrade;
  return ConnectionOption.other;
}

/** Whether a Connection value names a field that frames or routes the message: there is no honest reason to. */
export function namesFraming(connection: string): boolean {
  return namesOf(connection).some((name) => framing.has(name));
}

/** @returns the lower-case names of fields that end at this hop because `connection` says so. */
export function namedFields(connection: string): Set<string> {
  return new Set(
    namesOf(connection).filter((name) => !endToEnd.has(name) && !name.startsWith("x-forwarded-")),
  );
}

function namesOf(connection: string): string[] {
  const names = connection.split(",").map((name) => name.trim().toLowerCase());
  return names.filter((name) => name !== "");
}
