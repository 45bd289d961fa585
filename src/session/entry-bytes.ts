/**
 * A session's entries as bytes, in memory outside the heap and on disk: their count, and for each one the lengths of name and
 * text in UTF-8, and both. That the bytes are those that were written is for whoever keeps them (a checksum on disk, nothing in
 * memory); the reader makes sure only that it stays within them.
 */
import { Entry, type SessionEntries } from "./entry.ts";

const countBytes = 4;
const lengthsBytes = 8;

/** What `writeEntries` takes. */
export function entryBytes(entries: SessionEntries): number {
  let bytes = countBytes;
  for (const entry of entries.values()) bytes += lengthsBytes + entry.bytes;
  return bytes;
}

export function writeEntries(to: Buffer, from: number, entries: SessionEntries): void {
  let at = to.writeUInt32LE(entries.size, from);
  for (const [name, { text }] of entries) {
    const nameAt = at + lengthsBytes;
    const textAt = nameAt + to.write(name, nameAt);
    const end = textAt + to.write(text, textAt);
    to.writeUInt32LE(textAt - nameAt, at);
    to.writeUInt32LE(end - textAt, at + 4);
    at = end;
  }
}

/**
 * @param end nothing behind it is theirs; they may end before it.
 * @throws Error when no writer made them.
 */
export function readEntries(bytes: Buffer, from: number = 0, end: number = bytes.length): SessionEntries {
  const entries = new Map<string, Entry>();
  if (end - from < countBytes) throw new Error("its data are cut off");
  const count = bytes.readUInt32LE(from);
  let at = from + countBytes;
  for (let read = 0; read < count; read++) {
    const nameAt = at + lengthsBytes;
    if (nameAt > end) throw new Error("its data are cut off");
    const textAt = nameAt + bytes.readUInt32LE(at);
    const next = textAt + bytes.readUInt32LE(at + 4);
    if (next > end) throw new Error("its data are cut off");
    const name = bytes.toString("utf8", nameAt, textAt);
    entries.set(name, new Entry(name, bytes.toString("utf8", textAt, next)));
    at = next;
  }
  if (entries.size !== count) throw new Error("it has a name twice");
  return entries;
}
