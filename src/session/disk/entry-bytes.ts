/**
 * A session's entries as the database keeps them: for each one the lengths of name and text in UTF-8, and both. The reader takes only
 * what the writer makes; that the bytes are those that were written is for the checksum beside them.
 */
import { isUtf8 } from "node:buffer";
import { Entry, type SessionEntries } from "../entry.ts";

const headBytes = 8;

/** More than `writeEntries` takes: no character has more bytes than that. */
export function entryBytesMax(entries: SessionEntries): number {
  let bytes = 0;
  for (const [name, { text }] of entries) bytes += headBytes + 3 * (name.length + text.length);
  return bytes;
}

/** @returns where they end. */
export function writeEntries(to: Buffer, at: number, entries: SessionEntries): number {
  let end = at;
  for (const [name, { text }] of entries) {
    const nameBytes = to.write(name, end + headBytes);
    const textBytes = to.write(text, end + headBytes + nameBytes);
    to.writeUInt32LE(nameBytes, end);
    to.writeUInt32LE(textBytes, end + 4);
    end += headBytes + nameBytes + textBytes;
  }
  return end;
}

/** @throws Error when no writer made them. */
export function readEntries(data: Uint8Array): SessionEntries {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const entries = new Map<string, Entry>();
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < headBytes) throw new Error("its data are cut off");
    const textAt = at + headBytes + bytes.readUInt32LE(at);
    const end = textAt + bytes.readUInt32LE(at + 4);
    if (end > bytes.length) throw new Error("its data are cut off");
    const name = textOf(bytes, at + headBytes, textAt);
    if (entries.has(name)) throw new Error("it has a name twice");
    entries.set(name, new Entry(name, textOf(bytes, textAt, end)));
    at = end;
  }
  return entries;
}

function textOf(bytes: Buffer, from: number, to: number): string {
  if (!isUtf8(bytes.subarray(from, to))) throw new Error("its data are no text");
  return bytes.toString("utf8", from, to);
}
