/**
 * The frames of the cluster port: numbers, sizes and which of them may stand where (docs/link.md). One frame is
 *
 *     u8 type | u8 flags | u16 payload length | u32 stream id | payload        (big-endian)
 *
 * Nothing here keeps state; decoder.ts reads frames and sender.ts writes them.
 */
import * as limits from "../support/limits.ts";

export const FrameType = {
  /** Who speaks; the first frame in each direction. */
  hello: 1,
  /** "I end this link because ...": instead of a hello, or at any time later. */
  refuse: 2,
  /** Begins a stream: u8 kind, u32 credit for the answer, metadata (latin1). */
  open: 3,
  data: 4,
  /** Metadata (latin1) that ends a direction after its body. */
  trailer: 5,
  /** u32 more bytes that the receiver of this frame may send on the stream. */
  credit: 6,
  /** u16 code, text (from version 2 on). Ends the stream in both directions. */
  reset: 7,
  /** 8 bytes, sent back in a pong. */
  ping: 8,
  pong: 9,
  /** Open no more streams towards me. */
  goAway: 10,
} as const;

/** The only flag: this frame ends its direction of the stream. On open and data. */
export const flagEnd = 1;

export const headerBytes = 8;
export const payloadBytesMax: number = limits.link.frameBytesMax - headerBytes;
/** kind and credit in front of the metadata of an open frame. */
export const openBytes = 5;
export const metaBytesMax = 60_000;
export const helloBytesMax = 1_024;
/** Texts for a person (refuse, reset), in UTF-8. */
export const textBytesMax = 500;
/** Largest credit a sender may hold, and largest window. */
export const creditMax = 0x7fff_ffff;

/** Ids are 31 bits; after the last one they begin again at 1 or 2. */
export const streamIdMask = 0x7fff_ffff;

interface FrameRule {
  readonly name: string;
  readonly least: number;
  readonly most: number;
  readonly flags: number;
  readonly onStream: boolean;
}

const rules: readonly (FrameRule | null)[] = [
  null,
  { name: "HELLO", least: 17, most: helloBytesMax, flags: 0, onStream: false },
  { name: "REFUSE", least: 0, most: textBytesMax, flags: 0, onStream: false },
  { name: "OPEN", least: openBytes, most: openBytes + metaBytesMax, flags: flagEnd, onStream: true },
  { name: "DATA", least: 0, most: payloadBytesMax, flags: flagEnd, onStream: true },
  { name: "TRAILER", least: 0, most: metaBytesMax, flags: 0, onStream: true },
  { name: "CREDIT", least: 4, most: 4, flags: 0, onStream: true },
  { name: "RESET", least: 2, most: 2 + textBytesMax, flags: 0, onStream: true },
  { name: "PING", least: 8, most: 8, flags: 0, onStream: false },
  { name: "PONG", least: 8, most: 8, flags: 0, onStream: false },
  { name: "GOAWAY", least: 0, most: 0, flags: 0, onStream: false },
];

/** @returns what is wrong with a frame's header, or "". */
export function headerProblem(type: number, flags: number, length: number, id: number): string {
  const rule = rules[type];
  if (rule === undefined || rule === null) return `a frame of unknown type ${type}`;
  if (length < rule.least || length > rule.most) return `${rule.name} of ${length} bytes`;
  if ((flags & ~rule.flags) !== 0) return `${rule.name} with unknown flags ${flags}`;
  if (rule.onStream !== id > 0 || id > streamIdMask) return `${rule.name} with stream id ${id}`;
  if (length === 0 && flags === 0 && type === FrameType.data) return "an empty DATA that ends nothing";
  return "";
}

export function readUint16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** Plain index reads: on this path they are faster than Buffer's checked methods. */
export function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

export function writeUint16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Text of the other side, fit for a log line: one line, no control characters (A47), at most 500 characters. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, "?").slice(0, textBytesMax);
}
