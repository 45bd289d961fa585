/** What a request changed, found key by key (nested changes too) by comparing with what it was given. */
import { session as limits } from "../support/limits.ts";
import { bytesOf, Entry, type SessionChanges, type SessionEntries } from "./entry.ts";
import { keyReserved, reservedKeys, type Session } from "./session.ts";
import { tooLarge } from "./store.ts";

type Data = Record<string, unknown>;

/** Hands the committed data to a new `req.session`. */
export function fill(session: Session, entries: SessionEntries): void {
  const data = session as unknown as Data;
  for (const [key, entry] of entries) if (key !== "cookie") data[key] = entry.take();
}

/**
 * The changed keys, or null when there are none. The cookie is not looked at.
 * @throws FlotillaError FLOTILLA_SESSION_NOT_SERIALIZABLE, FLOTILLA_SESSION_KEY_RESERVED
 */
export function changesOf(session: Session, entries: SessionEntries): Map<string, Entry | null> | null {
  const data = session as unknown as Data;
  let changes: Map<string, Entry | null> | null = null;
  let present = entries.has("cookie") ? 1 : 0;
  for (const key of Object.keys(session)) {
    const value = data[key];
    if (value === undefined) continue;
    if (reservedKeys.has(key)) {
      refuseReserved(key, value);
      continue;
    }
    const entry = entries.get(key);
    if (entry !== undefined) {
      present++;
      if (entry.holds(value)) continue;
    }
    const next = Entry.of(key, value);
    if (next.text === entry?.text) continue;
    changes ??= new Map();
    changes.set(key, next);
  }
  if (present === entries.size) return changes;
  changes ??= new Map();
  for (const key of entries.keys()) {
    if (key !== "cookie" && (!Object.hasOwn(session, key) || data[key] === undefined)) changes.set(key, null);
  }
  return changes;
}

/** Keeps what was not changed ready for the next request. */
export function giveBack(session: Session, loaded: SessionEntries, entries: SessionEntries): void {
  const data = session as unknown as Data;
  for (const [key, entry] of loaded) {
    if (entries.get(key) === entry) entry.giveBack(data[key]);
  }
}

/** After a commit that failed: its keys count as unsaved again, unless they were changed once more meanwhile. */
export function takenBack(
  entries: SessionEntries,
  before: SessionEntries,
  changes: SessionChanges,
): SessionEntries {
  const left = new Map(entries);
  for (const [key, next] of changes) {
    if ((left.get(key) ?? null) !== next) continue;
    const old = before.get(key);
    if (old === undefined) left.delete(key);
    else left.set(key, old);
  }
  return left;
}

/** @throws FlotillaError FLOTILLA_SESSION_TOO_LARGE */
export function checkSize(entries: SessionEntries): void {
  if (bytesOf(entries) > limits.dataBytesMax) throw tooLarge(entries);
}

function refuseReserved(key: string, value: unknown): void {
  // Libraries wrap methods (`req.session.save = ...`); such a function is no data and not meant to be.
  if (typeof value === "function" || key === "cookie" || key === "__proto__") return;
  throw keyReserved(key);
}
