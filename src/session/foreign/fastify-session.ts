/**
 * `flotilla/store/fastify-session`: `app.register(fastifySession, { store: new FlotillaStore(), ... })`. docs/moving-in.md tells what
 * changes with it.
 */
import { CookieSessions } from "./cookie-sessions.ts";
import { type GivenSession, isOf } from "./foreign-sessions.ts";
import { type FlotillaStoreOptions, foreignSessions } from "./options.ts";
import { answer, type Callback } from "./tell.ts";

export type { FlotillaStoreOptions } from "./options.ts";

/**
 * What a request was given travels with the settings of its cookie: @fastify/session makes an object of its own class of what `get`
 * found, of which it keeps values by name, and the cookie's settings as a copy, symbols included.
 */
const given: unique symbol = Symbol("flotilla.given");
type Carrier = Record<PropertyKey, unknown> & { [given]?: GivenSession };

// The library names types of Fastify's that sites extend by theirs.
// biome-ignore-start lint/suspicious/noExplicitAny: as just said.
export class FlotillaStore {
  readonly #sessions: CookieSessions;
  /** By the object, of sessions that began here. */
  readonly #saved: WeakMap<object, GivenSession> = new WeakMap();

  /** @throws FlotillaError FLOTILLA_SESSION_OPTION */
  constructor(options?: FlotillaStoreOptions) {
    this.#sessions = new CookieSessions(foreignSessions(options));
  }

  /** What there is, as JSON has it; null where there is nothing. Counts as a use. Without a callback a promise, here and below. */
  get(sid: string): Promise<any>;
  get(sid: string, callback: Callback): void;
  get(sid: string, callback?: Callback): Promise<any> | undefined {
    return answer(callback, (done) =>
      this.#sessions.load(sid, (error, session, found) => {
        if (session !== null) session.cookie = { ...(session.cookie as object), [given]: found };
        done(error, session);
      }),
    );
  }

  /** Saves what differs from what the request was given; an object that was given to none is the whole session. */
  set(sid: string, session: any): Promise<void>;
  set(sid: string, session: any, callback?: Callback): void;
  set(sid: string, session: any, callback?: Callback): Promise<void> | undefined {
    return answer(callback, (done) => {
      const found = this.#saved.get(session) ?? givenWith(session);
      const saved = this.#sessions.save(sid, session, isOf(found, sid) ? found : null, done);
      if (saved !== null) this.#saved.set(session, saved);
    });
  }

  /** Ends it for all requests, also for those that save it later. */
  destroy(sid: string): Promise<void>;
  destroy(sid: string, callback?: Callback): void;
  destroy(sid: string, callback?: Callback): Promise<void> | undefined {
    return answer(callback, (done) => this.#sessions.destroy(sid, done));
  }
}
// biome-ignore-end lint/suspicious/noExplicitAny: until here.

function givenWith(session: Carrier): GivenSession | undefined {
  const direct = carriedBy(session.cookie);
  if (direct !== undefined) return direct;
  for (const symbol of Object.getOwnPropertySymbols(session)) {
    const found = carriedBy(session[symbol]);
    if (found !== undefined) return found;
  }
  return undefined;
}

function carriedBy(value: unknown): GivenSession | undefined {
  return typeof value === "object" && value !== null ? (value as Carrier)[given] : undefined;
}
