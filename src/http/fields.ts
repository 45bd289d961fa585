/**
 * The bytes of HTTP/1.1: what each byte may stand for (RFC 9110 section 5.5 and 5.6, RFC 3986), the loops that
 * copy while they check, and the names that the tiers themselves understand.
 */

export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SPACE = 0x20;
export const COLON = 0x3a;
export const COMMA = 0x2c;

/** What a byte may be part of; bits. */
export const ByteClass = {
  /** A field name, without "_": names with one are dropped, see `KnownField.dropped`. */
  name: 1,
  /** token (RFC 9110 section 5.6.2). */
  token: 2,
  /** field-vchar, space and tab; obs-text (over 0x7f) is passed on untouched. */
  value: 4,
  /** A path character that needs no second look: pchar without "%" and ".", and without "/". */
  path: 8,
  /** In a path: visible ASCII that RFC 3986 wants percent-encoded; the canonical form does it. */
  encode: 16,
  /** In a query: everything visible except "#". Browsers leave [ ] | \ and stray % as they are. */
  query: 32,
  digit: 64,
  /** A host name: letters, digits, "-", "." and "_". */
  host: 128,
} as const;

const classes = classTable();
export const byteClasses: Uint8Array = classes;

function classTable(): Uint8Array {
  const table = new Uint8Array(256);
  const mark = (bits: number, bytes: string) => {
    for (let i = 0; i < bytes.length; i++) table[bytes.charCodeAt(i)]! |= bits;
  };
  const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  mark(ByteClass.name, `${alphanumeric}!#$%&'*+-.^\`|~`);
  mark(ByteClass.token, `${alphanumeric}!#$%&'*+-.^_\`|~`);
  mark(ByteClass.path, `${alphanumeric}-_~!$&'()*+,;=:@`);
  mark(ByteClass.encode, '"<>[]^`{|}');
  mark(ByteClass.digit, "0123456789");
  mark(ByteClass.host, `${alphanumeric}-._`);
  for (let byte = 0x21; byte < 0x7f; byte++) if (byte !== 0x23) table[byte]! |= ByteClass.query;
  for (let byte = 0x20; byte < 0x100; byte++) if (byte !== 0x7f) table[byte]! |= ByteClass.value;
  table[TAB]! |= ByteClass.value;
  return table;
}

/** Heads above this are refused whatever the limits say: it is what `scratch` has room for. */
export const headBytesCeiling = 131_072;

/**
 * Where heads are written to while they are checked; one slice makes the strings at the end. Shared by all
 * connections: parsing a head is one synchronous call. Room for a head, a space per field of an answer, and a
 * rewritten target; of one size for ever, because a constant array makes the loops nearly twice as fast. (Constant for
 * the compiler is what the module itself declares and does not export: hence the second names here and elsewhere.)
 */
const room = new Uint8Array(2 * headBytesCeiling);
export const scratch: Uint8Array = room;
const scratchText: Latin1Source = Buffer.from(scratch.buffer) as Buffer & Latin1Source;

/** Public on every Buffer but missing in its types; `toString("latin1")` does the same at twice the cost. */
interface Latin1Source {
  latin1Slice(from: number, to: number): string;
}

/** The text of `scratch[from, to)`. */
export function scratchSlice(from: number, to: number): string {
  return scratchText.latin1Slice(from, to);
}

/** Writes `text` (latin1) to the front of `scratch`. */
export function writeScratch(text: string): void {
  for (let at = 0; at < text.length; at++) scratch[at] = text.charCodeAt(at);
}

/**
 * Copies to `scratch[to]` while bytes are of the class.
 * @returns the place of the first byte that is not, or `stop`.
 */
export function copyWhile(mask: number, bytes: Buffer, at: number, stop: number, to: number): number {
  const offset = to - at;
  for (; at < stop; at++) {
    const byte = bytes[at]!;
    if ((classes[byte]! & mask) === 0) break;
    room[at + offset] = byte;
  }
  return at;
}

/** @returns the place of the first byte that is neither space nor tab, or `stop`. */
export function skipBlanks(bytes: Buffer, at: number, stop: number): number {
  while (at < stop && (bytes[at] === SPACE || bytes[at] === TAB)) at++;
  return at;
}

/** @returns the end of `scratch[from, to)` without spaces and tabs at its end. */
export function trimmedEnd(from: number, to: number): number {
  while (to > from && (scratch[to - 1] === SPACE || scratch[to - 1] === TAB)) to--;
  return to;
}

/** One decimal number of at most 16 digits that a double holds exactly, or -1. */
export function decimal(bytes: Uint8Array, from: number, to: number): number {
  if (to === from || to - from > 16) return -1;
  let value = 0;
  for (let at = from; at < to; at++) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : -1;
}

/** Names that mean something to the tiers themselves. */
export const KnownField = {
  none: 0,
  /** In a request: forged by definition, never goes on. */
  dropped: 1,
  te: 2,
  via: 3,
  host: 4,
  cookie: 5,
  expect: 6,
  referer: 7,
  upgrade: 8,
  trailer: 9,
  connection: 10,
  userAgent: 11,
  requestId: 12,
  contentLength: 13,
  transferEncoding: 14,
  forwardedFor: 15,
  forwardedHost: 16,
  forwardedProto: 17,
  date: 18,
  keepAlive: 19,
  proxyConnection: 20,
  range: 21,
  forwarded: 22,
} as const;
export type KnownField = (typeof KnownField)[keyof typeof KnownField];

const knownNames: readonly (readonly [string, KnownField])[] = [
  ["te", KnownField.te],
  ["via", KnownField.via],
  ["host", KnownField.host],
  ["date", KnownField.date],
  // A script would find it as HTTP_PROXY in its environment ("httpoxy").
  ["proxy", KnownField.dropped],
  ["range", KnownField.range],
  ["cookie", KnownField.cookie],
  ["expect", KnownField.expect],
  ["referer", KnownField.referer],
  ["upgrade", KnownField.upgrade],
  ["trailer", KnownField.trailer],
  ["forwarded", KnownField.forwarded],
  ["x-real-ip", KnownField.dropped],
  ["connection", KnownField.connection],
  ["user-agent", KnownField.userAgent],
  ["keep-alive", KnownField.keepAlive],
  ["x-request-id", KnownField.requestId],
  ["content-length", KnownField.contentLength],
  ["http2-settings", KnownField.dropped],
  ["proxy-connection", KnownField.proxyConnection],
  ["transfer-encoding", KnownField.transferEncoding],
];

/** By length (below 32) and the low five bits of the first letter: at most one name each, so one comparison decides. */
const candidates: Uint8Array = new Uint8Array(1024);
const candidateBytes: Uint8Array[] = [new Uint8Array(0)];
const candidateFields: Uint8Array = new Uint8Array(knownNames.length + 1);
for (const [name, field] of knownNames) {
  const slot = (name.length << 5) | (name.charCodeAt(0) & 31);
  if (candidates[slot] !== 0) throw new Error(`two known fields share a slot: ${name}`);
  candidates[slot] = candidateBytes.length;
  candidateFields[candidateBytes.length] = field;
  candidateBytes.push(Buffer.from(name, "latin1"));
}
const forwardedPrefix: Uint8Array = Buffer.from("x-forwarded-", "latin1");
/** Who a client is by its certificate: said by the web tier alone. */
const certificatePrefix: Uint8Array = Buffer.from("x-client-cert-", "latin1");
const X = 0x78;

/** Which known field the name in `bytes[from, to)` is; the name must have been checked to be a token. */
export function knownField(bytes: Buffer, from: number, to: number): KnownField {
  const length = to - from;
  const first = bytes[from]! | 0x20;
  if (length < 32) {
    const candidate = candidates[(length << 5) | (first & 31)]!;
    if (candidate !== 0 && startsWith(bytes, from, candidateBytes[candidate]!))
      return candidateFields[candidate] as KnownField;
  }
  if (first === X && length > 12 && startsWith(bytes, from, forwardedPrefix))
    return forwardedField(bytes.toString("latin1", from + 12, to).toLowerCase());
  if (first === X && length > 14 && startsWith(bytes, from, certificatePrefix)) return KnownField.dropped;
  return KnownField.none;
}

function forwardedField(rest: string): KnownField {
  if (rest === "for") return KnownField.forwardedFor;
  if (rest === "host") return KnownField.forwardedHost;
  if (rest === "proto") return KnownField.forwardedProto;
  return KnownField.dropped;
}

/** Compares without regard to case; only for tokens, where setting the case bit maps nothing onto a letter but a letter. */
export function startsWith(bytes: Uint8Array, from: number, lowerCase: Uint8Array): boolean {
  for (let i = 0; i < lowerCase.length; i++) if ((bytes[from + i]! | 0x20) !== lowerCase[i]) return false;
  return true;
}

/**
 * Where the head that begins at `start` may be over: just behind the first empty line at or after `from`, or -1.
 * A caller whose parse returned 0 keeps the bytes and calls again only when this finds an end, each time `from`
 * three bytes before the last `end`: then a head that comes byte by byte costs linear time, not quadratic. Empty
 * lines made of bare LF count too, so that such a head is refused at once instead of waited for.
 */
export function findHeadEnd(bytes: Buffer, from: number, end: number): number {
  for (let at = from; at < end; at++) {
    if (bytes[at] !== LF) continue;
    if (at + 1 < end && bytes[at + 1] === LF) return at + 2;
    if (at + 2 < end && bytes[at + 1] === CR && bytes[at + 2] === LF) return at + 3;
  }
  return -1;
}
