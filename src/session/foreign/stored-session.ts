/**
 * A session as stores of other libraries have it, one JSON object, as the record of a checkpoint (checkpoint/record.ts):
 *
 *   express-session    {"cookie":{"originalMaxAge":60000,"expires":"2026-...","httpOnly":true,"path":"/"},"user":42}
 *   @fastify/session   the same, with more nulls in the cookie
 *   koa-session        {"user":42,"_expire":1795388948466,"_maxAge":60000}
 *
 * When a session ends is the store's to say: a touch moves the end there, and rewrites no JSON.
 */
import { sessionAdmin as adminLimits, session as limits } from "../../support/limits.ts";
import { depthOf, RecordProblem, readRecord } from "../checkpoint/record.ts";
import type { CookieSettings } from "../cookie.ts";
import { keyOfSid } from "./key-of-sid.ts";

type Fields = Readonly<Record<string, unknown>>;

export interface StoredSession {
  /** As the library hands it to its store. */
  readonly sid: string;
  readonly text: string;
  /** So long it has left; Infinity: the store does not end it. */
  readonly leftMs: number;
}

export interface ForeignRecord {
  readonly key: string;
  readonly idleTimeoutMs: number;
  readonly data: Fields;
}

/** Why it is no session to its library either; a RecordProblem is of one that we can't hold. */
export class NoSession extends Error {}

/**
 * @param idleTimeoutMs of one that nothing ends.
 * @returns null: it has ended.
 * @throws NoSession, RecordProblem: not a word of its values.
 */
export function recordOfStored(
  { sid, text, leftMs }: StoredSession,
  idleTimeoutMs: number,
  now: number,
): ForeignRecord | null {
  if (isTooDeep(text)) throw new RecordProblem("it is nested too deep");
  const fields = fieldsOf(text);
  const left = Math.min(leftMs, endOf(fields, leftMs) - now);
  if (left < 1) return null;
  const idle = Math.min(left === Number.POSITIVE_INFINITY ? idleTimeoutMs : left, limits.idleTimeoutMsMax);
  return { key: keyOfSid(sid), idleTimeoutMs: Math.ceil(idle), data: withCookie(fields) };
}

/** That servers will take it: they look at it once more. @throws RecordProblem */
export function checkRecord(record: ForeignRecord): void {
  readRecord(record);
}

/** Asked before it is parsed, and written again: the latter would end in a stack that is full. */
function isTooDeep(text: string): boolean {
  const max = adminLimits.lineDepthMax;
  // Most have fewer of these than would be needed.
  return openings(text, "{", max) + openings(text, "[", max) > max && depthOf(text) > max;
}

/** How often a character is there; no more than one more than `max` are counted. */
function openings(text: string, opening: string, max: number): number {
  let found = 0;
  for (let at = text.indexOf(opening); at !== -1 && found <= max; at = text.indexOf(opening, at + 1)) found++;
  return found;
}

function fieldsOf(text: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // What JSON.parse says quotes the text.
    throw new NoSession("it is no JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new NoSession("it is no JSON object");
  return value as Fields;
}

/** When it ends by what it says itself; Infinity: it does not say. @param leftMs of its store. */
function endOf({ cookie, _expire }: Fields, leftMs: number): number {
  if (typeof _expire === "number") return _expire;
  if (leftMs !== Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
  const expires = isObject(cookie) ? cookie.expires : null;
  const end = typeof expires === "string" ? Date.parse(expires) : Number.NaN;
  return Number.isNaN(end) ? Number.POSITIVE_INFINITY : end;
}

/** With its cookie's settings as we keep them; what is not said there means no, as it does to its library. */
function withCookie(fields: Fields): Fields {
  if (!Object.hasOwn(fields, "cookie") || !isObject(fields.cookie)) return fields;
  const { originalMaxAge, path, domain, httpOnly, secure, sameSite, partitioned, priority } = fields.cookie;
  const settings = {
    originalMaxAge: typeof originalMaxAge === "number" ? originalMaxAge : null,
    path: path ?? "/",
    httpOnly: httpOnly ?? true,
    secure: secure ?? false,
    sameSite: sameSite ?? false,
    ...(domain ? { domain } : {}),
    ...(partitioned ? { partitioned } : {}),
    ...(priority ? { priority } : {}),
  } as CookieSettings;
  return { ...fields, cookie: settings };
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
