/**
 * Sessions as express-session and @fastify/session have them: the application's fields, and a `cookie` that says how long they
 * live. Of the cookie the moment of its end is not kept, where `originalMaxAge` says it: each use moves it, and a use rewrites no data.
 */
import type { FlotillaError } from "../../support/errors.ts";
import type { SessionChanges } from "../entry.ts";
import {
  changesOf,
  type Fields,
  type ForeignSessions,
  type GivenSession,
  type Saved,
} from "./foreign-sessions.ts";

type CookieFields = Record<string, unknown> & { originalMaxAge?: unknown; expires?: unknown };

/** Both libraries look at the clock twice where they set a `maxAge`, and keep what is left: this much less is no change. */
const driftMs = 1_000;

/** @param fields null: there is no such session. */
type Found = (error: FlotillaError | null, fields: Fields | null, given: GivenSession | null) => void;

export class CookieSessions {
  readonly #sessions: ForeignSessions;

  constructor(sessions: ForeignSessions) {
    this.#sessions = sessions;
  }

  load(sid: string, done: Found): void {
    this.#sessions.load(sid, (error, given) => {
      const fields = given?.fields() ?? null;
      if (isObject(fields?.cookie)) withEnd(fields.cookie);
      done(error, fields, given);
    });
  }

  /** As of ForeignSessions. */
  save(sid: string, session: object, given: GivenSession | null, done: Saved): GivenSession | null {
    const { cookie } = session as { cookie?: unknown };
    const fields = isObject(cookie) ? { ...session, cookie: keptCookie(cookie, given) } : { ...session };
    return this.#sessions.save(sid, fields, given, this.#idleTimeoutMs(cookie), done);
  }

  /** It was used; a cookie that was changed is kept, without a look at anything else. */
  touch(sid: string, session: object, given: GivenSession | null, done: Saved): void {
    const { cookie } = session as { cookie?: unknown };
    const idleTimeoutMs = this.#idleTimeoutMs(cookie);
    if (given === null) return this.#sessions.touchBySid(sid, idleTimeoutMs, done);
    const changes = isObject(cookie) ? cookieChange(keptCookie(cookie, given), given) : null;
    if (changes === null || !(idleTimeoutMs > 0)) this.#sessions.touch(given, idleTimeoutMs, done);
    else this.#sessions.change(given, changes, idleTimeoutMs, done);
  }

  destroy(sid: string, done: Saved): void {
    this.#sessions.destroy(sid, done);
  }

  /** Unused for so long it ends: with its cookie, where that has an end. */
  #idleTimeoutMs(cookie: unknown): number {
    const { expires, originalMaxAge } = (isObject(cookie) ? cookie : {}) as CookieFields;
    const leftMs = expires ? new Date(expires as Date).getTime() - Date.now() : Number.NaN;
    if (Number.isNaN(leftMs)) return this.#sessions.idleTimeoutMs;
    const isFull = typeof originalMaxAge === "number" && Math.abs(originalMaxAge - leftMs) < driftMs;
    return isFull && originalMaxAge > 0 ? originalMaxAge : leftMs;
  }
}

function cookieChange(cookie: CookieFields, { entries }: GivenSession): SessionChanges | null {
  const before = entries.get("cookie");
  if (before === undefined) return null;
  const changes = changesOf({ cookie }, new Map([["cookie", before]]));
  return changes.size === 0 ? null : changes;
}

function keptCookie(cookie: CookieFields, given: GivenSession | null): CookieFields {
  const kept = JSON.parse(JSON.stringify(cookie)) as CookieFields;
  if (typeof kept.originalMaxAge !== "number") return kept;
  delete kept.expires;
  delete kept.originalExpires;
  const before = given?.entries.get("cookie");
  const maxAgeBefore = before && (JSON.parse(before.text) as CookieFields).originalMaxAge;
  if (typeof maxAgeBefore === "number" && Math.abs(maxAgeBefore - kept.originalMaxAge) < driftMs)
    kept.originalMaxAge = maxAgeBefore;
  return kept;
}

/** It was used just now, so all of its time is left. */
function withEnd(cookie: CookieFields): void {
  if (typeof cookie.originalMaxAge === "number" && cookie.expires === undefined)
    cookie.expires = new Date(Date.now() + cookie.originalMaxAge).toISOString();
}

function isObject(value: unknown): value is CookieFields {
  return typeof value === "object" && value !== null;
}
