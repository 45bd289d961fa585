/**
 * One top-level key of a session as committed. The text is the truth; the values beside it are a cache of it.
 * An entry never changes its text: a new value is a new entry, so whoever holds an old one can tell what it saw.
 */
import { decode, encode, isSame } from "./value.ts";

/** A session's committed data. Never written to: a commit makes a new one. */
export type SessionEntries = ReadonlyMap<string, Entry>;
/** What one commit changes: a new entry, or null for a key that goes. Keys it does not name stay as they are. */
export type SessionChanges = ReadonlyMap<string, Entry | null>;

export const noEntries: SessionEntries = new Map();

/** Of the text of a number, a boolean or a string whose value is kept beside it for as long as the entry lives. */
const primitiveCharsMax = 256;

export class Entry {
  readonly text: string;
  /** Key and text in UTF-8. */
  readonly bytes: number;
  readonly #primitive: boolean;
  // Two copies: one is lent to a request, which may write to it; the other only serves to tell whether it did.
  #lent = true;
  /** While lent: the last value found unchanged. */
  #value: unknown;
  #pristine: unknown;

  constructor(key: string, text: string) {
    this.text = text;
    this.bytes = Buffer.byteLength(key) + Buffer.byteLength(text);
    const first = text.charAt(0);
    // A long text would be kept twice.
    const isShort = text.length <= primitiveCharsMax;
    this.#primitive = isShort && first !== "{" && first !== "[" && first !== "$";
    this.#value = this.#primitive ? decode(text) : undefined;
  }

  /** @throws FlotillaError FLOTILLA_SESSION_NOT_SERIALIZABLE */
  static of(key: string, value: unknown): Entry {
    return new Entry(key, encode(value, key));
  }

  /** The value, for the caller to keep and to write to: the cached one when nobody has it, else a new copy. */
  take(): unknown {
    if (this.#primitive) return this.#value;
    if (this.#lent) return decode(this.text);
    this.#lent = true;
    return this.#value;
  }

  /** Whether a value, taken here or not, certainly still has this text; false may mean "can't say". */
  holds(value: unknown): boolean {
    if (this.#primitive) return value === this.#value;
    this.#pristine ??= decode(this.text);
    const same = isSame(value, this.#pristine);
    if (this.#lent) this.#value = same ? value : undefined;
    return same;
  }

  /** Keeps a value for the next request, provided that it was the last one found to be unchanged. */
  giveBack(value: unknown): void {
    if (!this.#primitive && value !== undefined && value === this.#value) this.#lent = false;
  }
}

/** Of the names and values, as stored. */
export function bytesOf(changes: SessionChanges): number {
  let bytes = 0;
  for (const entry of changes.values()) if (entry !== null) bytes += entry.bytes;
  return bytes;
}

// The request that makes a change and the store that keeps it ask for the same, one right after the other.
let lastEntries: SessionEntries = noEntries;
let lastChanges: SessionChanges = noEntries;
let lastApplied: SessionEntries = noEntries;

/** The entries after a commit. */
export function applied(entries: SessionEntries, changes: SessionChanges): SessionEntries {
  if (changes.size === 0) return entries;
  if (entries === lastEntries && changes === lastChanges) return lastApplied;
  const next = new Map(entries);
  for (const [key, entry] of changes) {
    if (entry === null) next.delete(key);
    else next.set(key, entry);
  }
  lastEntries = entries;
  lastChanges = changes;
  lastApplied = next;
  return next;
}
