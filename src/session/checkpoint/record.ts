/**
 * One session as a line of a checkpoint (docs/session-operations.md), which other programs read and write too:
 *
 *   {"key":"QkD0vR...","owner":"a","idleTimeoutMs":1800000,"idleMs":1234,"ageMs":60000,"absoluteTimeoutMs":43200000,
 *    "data":{"cart":[1]},"marked":{"since":{"$date":0}}}
 *
 * `data` is plain JSON by top-level key; `marked` has the keys whose values need more than JSON, in the form of value.ts.
 * What is read may come from anybody: nothing of it is believed, and nothing of a session's values stands in a message.
 */
import { codeOf } from "../../support/errors.ts";
import { session as limits } from "../../support/limits.ts";
import { visible } from "../../support/words.ts";
import type { LivingSession } from "../admin/session-admin.ts";
import { Cookie, type CookieSettings } from "../cookie.ts";
import { bytesOf, Entry, type SessionEntries } from "../entry.ts";
import { isKey } from "../id.ts";
import { reservedKeys } from "../session.ts";
import { decode } from "../value.ts";

const marker = "$";
/** A server's letter and, where it has several processes, which of them: "a", "a2". */
const ownerShape = /^[a-zA-Z0-9][0-9]{0,2}$/;
const fields: ReadonlySet<string> = new Set([
  ...["key", "owner", "idleTimeoutMs", "idleMs", "ageMs", "absoluteTimeoutMs", "data", "marked"],
]);

/** What a line says. */
export interface SessionRecord {
  readonly session: LivingSession;
  /** Where ids said that it was kept, when it was written; "": not known. */
  readonly owner: string;
}

/** Why a line is no session, for a person. */
export class RecordProblem extends Error {}

/** The line's text. The values are not parsed: their texts are JSON. */
export function recordText(session: LivingSession, owner: string): string {
  const { key, entries, idleTimeoutMs, idleForMs, ageMs, absoluteTimeoutMs } = session;
  let data = "";
  let marked = "";
  for (const [name, { text }] of entries) {
    if (text.startsWith(marker)) marked += `,${JSON.stringify(name)}:${text.slice(marker.length)}`;
    else data += `,${JSON.stringify(name)}:${text}`;
  }
  const from = owner === "" ? "" : `"owner":${JSON.stringify(owner)},`;
  const beyond = marked === "" ? "" : `,"marked":{${marked.slice(1)}}`;
  const end = Number.isFinite(absoluteTimeoutMs) ? `"absoluteTimeoutMs":${absoluteTimeoutMs},` : "";
  return (
    `{"key":"${key}",${from}"idleTimeoutMs":${idleTimeoutMs},"idleMs":${Math.round(idleForMs)},` +
    `"ageMs":${Math.round(ageMs)},${end}"data":{${data.slice(1)}}${beyond}}`
  );
}

/** @throws RecordProblem */
export function readRecord(value: unknown): SessionRecord {
  if (!isObject(value)) throw new RecordProblem("it is no JSON object");
  const unknown = Object.keys(value).find((name) => !fields.has(name));
  if (unknown !== undefined) throw new RecordProblem(`it has ${named(unknown)}, which no session has`);
  const { key, owner = "", idleTimeoutMs, idleMs = 0, ageMs = 0, data, marked = {} } = value;
  const { absoluteTimeoutMs = Number.POSITIVE_INFINITY } = value;
  if (typeof key !== "string" || !isKey(key))
    throw new RecordProblem('"key" is not 24 characters of A-Z a-z 0-9 - _');
  if (typeof owner !== "string" || (owner !== "" && !ownerShape.test(owner)))
    throw new RecordProblem('"owner" is no letter of a server');
  if (!isTime(idleTimeoutMs) || idleTimeoutMs === 0)
    throw new RecordProblem(`"idleTimeoutMs" is not between 1 and ${limits.idleTimeoutMsMax}`);
  if (!isTime(idleMs)) throw new RecordProblem(`"idleMs" is not between 0 and ${limits.idleTimeoutMsMax}`);
  if (!isAge(ageMs)) throw new RecordProblem('"ageMs" is no time');
  if (
    absoluteTimeoutMs !== Number.POSITIVE_INFINITY &&
    (!isAge(absoluteTimeoutMs) || absoluteTimeoutMs === 0)
  )
    throw new RecordProblem('"absoluteTimeoutMs" is no time');
  if (!isObject(data)) throw new RecordProblem('"data" is no JSON object');
  if (!isObject(marked)) throw new RecordProblem('"marked" is no JSON object');
  const entries = entriesOf(data, marked);
  return { session: { key, entries, idleTimeoutMs, idleForMs: idleMs, ageMs, absoluteTimeoutMs }, owner };
}

function entriesOf(
  data: Readonly<Record<string, unknown>>,
  marked: Readonly<Record<string, unknown>>,
): SessionEntries {
  const entries = new Map<string, Entry>();
  for (const [name, value] of Object.entries(data))
    entries.set(
      name,
      entryOf(name, () => value),
    );
  for (const [name, value] of Object.entries(marked)) {
    if (entries.has(name)) throw new RecordProblem(`${named(name)} is in "data" and in "marked"`);
    // As text: `decode` works on what JSON.parse has just made.
    entries.set(
      name,
      entryOf(name, () => decode(marker + JSON.stringify(value))),
    );
  }
  if (bytesOf(entries) > limits.dataBytesMax)
    throw new RecordProblem(`it holds more than ${limits.dataBytesMax} bytes`);
  return entries;
}

function entryOf(name: string, value: () => unknown): Entry {
  if (name === "cookie") return cookieEntry(value);
  if (reservedKeys.has(name)) throw new RecordProblem(`${named(name)} is a name of the session's own`);
  try {
    return Entry.of(name, value());
  } catch (error) {
    const isLarge = codeOf(error) === "FLOTILLA_SESSION_TOO_LARGE";
    throw new RecordProblem(
      `${named(name)} ${isLarge ? `holds more than ${limits.dataBytesMax} bytes` : "is no value that a session can hold"}`,
    );
  }
}

/** Settings that the session's cookie was given: they go into a header with the next response. */
function cookieEntry(value: () => unknown): Entry {
  try {
    const settings = value();
    if (!isObject(settings)) throw new TypeError();
    const cookie = new Cookie(settings as CookieSettings);
    cookie.check();
    return Entry.of("cookie", cookie.settings());
  } catch {
    throw new RecordProblem('"cookie" holds what can\'t stand in a Set-Cookie header');
  }
}

/** How deep lists and objects are in each other, in a JSON text; asked before it is parsed. */
export function depthOf(text: string): number {
  let [depth, deepest, isInString] = [0, 0, false];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x22) isInString = !isInString;
    else if (isInString) {
      if (code === 0x5c) i++;
    } else if (code === 0x7b || code === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (code === 0x7d || code === 0x5d) depth--;
  }
  return deepest;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= limits.idleTimeoutMsMax;
}

/** Of a session that may be older than it can be idle. */
function isAge(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}

/** Whether it has ended by now, were it as it was. */
export function hasExpired({ idleForMs, idleTimeoutMs, ageMs, absoluteTimeoutMs }: LivingSession): boolean {
  return idleForMs >= idleTimeoutMs || ageMs >= absoluteTimeoutMs;
}

/** A name as it may be printed. */
function named(name: string): string {
  const shown = name.length > 60 ? `${name.slice(0, 60)}...` : name;
  return visible(JSON.stringify(shown));
}
