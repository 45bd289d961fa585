/** A session's entries as bytes, as they travel in frames (frame-writer.ts): their count, and of each key and text behind their lengths. */
import { Entry, type SessionEntries } from "../entry.ts";

/** Between key and text in frames: the key stays (0: it goes). */
const isKept = 1;

/** There is room for what `recordBytes` counts. */
export function writeEntries(buffer: Buffer, from: number, entries: SessionEntries): void {
  let at = buffer.writeUInt32BE(entries.size, from);
  for (const [key, { text }] of entries) {
    at = writeText(buffer, at, key);
    buffer[at++] = isKept;
    at = writeText(buffer, at, text);
  }
}

export function readEntries(buffer: Buffer, from: number): SessionEntries {
  const entries = new Map<string, Entry>();
  let at = from + 4;
  for (let count = buffer.readUInt32BE(from); count > 0; count--) {
    const keyEnd = at + 4 + buffer.readUInt32BE(at);
    const key = buffer.toString("utf8", at + 4, keyEnd);
    const textAt = keyEnd + 5;
    at = textAt + buffer.readUInt32BE(keyEnd + 1);
    entries.set(key, new Entry(key, buffer.toString("utf8", textAt, at)));
  }
  return entries;
}

function writeText(buffer: Buffer, at: number, text: string): number {
  const bytes = buffer.write(text, at + 4, "utf8");
  buffer.writeUInt32BE(bytes, at);
  return at + 4 + bytes;
}
