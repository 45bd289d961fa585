/**
 * A session's entries as the text of one JSON object, which a person can read in the database. Their texts stand in it as they are,
 * save for two kinds that JSON has no room for: `$...` (Date, Map, ...; value.ts) is `{"$": ...}`, and what could be taken for one
 * of these is `{"$$": ...}`.
 */
import { messageOf } from "../../support/errors.ts";
import { Entry, type SessionEntries } from "../entry.ts";
import { decode } from "../value.ts";
import type { SessionRow } from "./engine.ts";

const marker = "$";
const escaped = "$$";

export function writeRowData(entries: SessionEntries): string {
  const fields: string[] = [];
  for (const [name, { text }] of entries) fields.push(`${JSON.stringify(name)}:${written(text)}`);
  return `{${fields.join(",")}}`;
}

/** What somebody else wrote to the row may be anything. @throws Error when no session can be read from it. */
export function readRow(row: SessionRow): SessionEntries {
  checkColumns(row);
  return readRowData(row.data);
}

/** All but the data. @throws Error */
export function checkColumns(row: SessionRow): void {
  const { version, idleTimeoutMs, idleForMs, ageMs, absoluteTimeoutMs } = row;
  // Of one that is no whole number, no other one is the next.
  if (!Number.isSafeInteger(version)) throw new Error(`its version is ${version}`);
  if (!(idleTimeoutMs > 0 && idleForMs >= 0 && ageMs >= 0 && absoluteTimeoutMs > 0))
    throw new Error(`its times are none: ${[idleTimeoutMs, idleForMs, ageMs, absoluteTimeoutMs].join(", ")}`);
}

/** @throws Error when it is not the text of a JSON object. */
export function readRowData(data: string): SessionEntries {
  let fields: unknown;
  try {
    fields = JSON.parse(data);
  } catch (error) {
    throw new Error(`its data are no JSON: ${messageOf(error)}`);
  }
  if (!isObject(fields)) throw new Error("its data are no JSON object");
  const entries = new Map<string, Entry>();
  for (const name of Object.keys(fields)) entries.set(name, new Entry(name, read(fields[name])));
  return entries;
}

function written(text: string): string {
  if (text.startsWith(marker)) return `{"${marker}":${text.slice(marker.length)}}`;
  return text.startsWith(`{"${marker}`) ? `{"${escaped}":${text}}` : text;
}

function read(value: unknown): string {
  if (isObject(value)) {
    const names = Object.keys(value);
    if (names.length === 1 && names[0] === marker) return checked(marker + JSON.stringify(value[marker]));
    if (names.length === 1 && names[0] === escaped) return JSON.stringify(value[escaped]);
  }
  return JSON.stringify(value);
}

/** Whoever takes the value later could not say what to do about it. @throws Error */
function checked(text: string): string {
  try {
    decode(text);
  } catch (error) {
    throw new Error(`it has a value that is none: ${messageOf(error)}`);
  }
  return text;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
