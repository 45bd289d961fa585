/** What all requests of one `session()` share. */
import type { FlotillaError } from "../support/errors.ts";
import { session as limits } from "../support/limits.ts";
import type { Log } from "../support/log.ts";
import { Seldom } from "../support/seldom.ts";
import type { CookieOptions } from "./cookie.ts";
import { Cookie } from "./cookie.ts";
import type { SessionIds } from "./id.ts";
import type { OldCookies } from "./moving-from.ts";
import type { ConflictHook } from "./session-conflict.ts";
import type { SessionLife } from "./snapshot.ts";
import type { SessionStore } from "./store.ts";

/** Where sessions are kept: one for all of a cluster's `session()` calls in a process. */
export interface SessionPlace {
  readonly store: SessionStore;
  readonly ids: SessionIds;
  /** Of sessions without a `cookie.maxAge`. */
  readonly idleTimeoutMs: number;
  /** Infinity: they live as long as they are used. */
  readonly absoluteTimeoutMs: number;
  /** Of applications that do not say. */
  readonly save: "on-change" | "always";
  readonly log: Log;
  /** `session.update` runs one after the other: the last one of each session, by its key. */
  readonly updates: Map<string, Promise<unknown>>;
}

export interface SessionHabits {
  readonly name: string;
  readonly cookie: CookieOptions;
  /** Whether X-Forwarded-Proto counts; undefined: what Express says (`req.secure`). */
  readonly proxy: boolean | undefined;
  readonly rolling: boolean;
  readonly saveUninitialized: boolean;
  readonly unset: "keep" | "destroy";
  /** Null, here and below: as the place says. */
  readonly idleTimeoutMs: number | null;
  readonly absoluteTimeoutMs: number | null;
  readonly save: "on-change" | "always" | null;
  readonly onConflict: ConflictHook | null;
  /** Null: none is looked for. */
  readonly movingFrom: OldCookies | null;
  /** Of a request whose session can't be loaded. */
  readonly whenUnavailable: "refuse" | "proceed";
}

export class Keeper {
  readonly place: SessionPlace;
  readonly habits: SessionHabits;
  /** What the cookie of a session is that never changed it; only compared with. */
  readonly plainCookie: Cookie;
  readonly secureCookie: Cookie;
  /** Of a session that begins. */
  readonly newLife: SessionLife;
  /** A request that changed nothing tells the session's servers that it used it, and waits until they know. */
  readonly savesUse: boolean;
  #toldInsecure = false;
  readonly #unavailable: Seldom = new Seldom(limits.refusedComplaintIntervalMs);

  constructor(place: SessionPlace, habits: SessionHabits) {
    this.place = place;
    this.habits = habits;
    this.newLife = { ageMs: 0, absoluteTimeoutMs: habits.absoluteTimeoutMs ?? place.absoluteTimeoutMs };
    this.savesUse = (habits.save ?? place.save) === "always";
    this.plainCookie = new Cookie(settled(habits.cookie, false));
    this.secureCookie = new Cookie(settled(habits.cookie, true));
  }

  /**
   * What comes first: `maxAge` that the application gave to this session alone, `idleTimeout` and `cookie.maxAge` of its options, the file.
   * A cookie that is to go takes its session with it.
   */
  idleTimeoutMsOf({ originalMaxAge }: Cookie): number {
    const { habits, place, plainCookie } = this;
    const isOwn = originalMaxAge !== plainCookie.originalMaxAge;
    if (isOwn && originalMaxAge !== null) return Math.max(1, originalMaxAge);
    return habits.idleTimeoutMs ?? Math.max(1, originalMaxAge ?? place.idleTimeoutMs);
  }

  /** A request could not have its session; an outage brings thousands of them. */
  tellUnavailable({ code, message }: FlotillaError): void {
    const count = this.#unavailable.add();
    if (count === 0) return;
    const who = count === 1 ? "a request" : `${count} requests`;
    const what =
      this.habits.whenUnavailable === "proceed"
        ? `${who} went on without a session`
        : `${who} ${count === 1 ? "was" : "were"} answered 503, for want of the session`;
    this.place.log.error({ code, count }, `${what}: ${message}`);
  }

  tellInsecure(): void {
    if (this.#toldInsecure) return;
    this.#toldInsecure = true;
    this.place.log.warn(
      { code: "FLOTILLA_SESSION_COOKIE_INSECURE" },
      `the cookie "${this.habits.name}" is set to secure, but a request came over plain HTTP: it gets no cookie and ` +
        `no lasting session. Use https, or secure: "auto"; behind a TLS proxy of another make set proxy: true.`,
    );
  }
}

/** What "auto" means for a request. */
function settled(cookie: CookieOptions, isSecure: boolean): CookieOptions {
  const { secure, sameSite } = cookie;
  return {
    ...cookie,
    secure: secure === "auto" ? isSecure : secure,
    sameSite: sameSite === "auto" ? (isSecure ? "none" : "lax") : sameSite,
  };
}
