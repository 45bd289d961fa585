/**
 * `flotilla/store/koa-session`: `app.use(session({ store: new FlotillaStore(), ... }, app))`. docs/moving-in.md tells what changes
 * with it. The moment at which a session ends (`_expire`) is the middleware's own and kept as it is: it compares it itself.
 */
import { type Fields, type ForeignSessions, type GivenSession, isOf } from "./foreign-sessions.ts";
import { type FlotillaStoreOptions, foreignSessions } from "./options.ts";
import { promised } from "./tell.ts";

export type { FlotillaStoreOptions } from "./options.ts";

/** What the middleware says beside a session: its request. */
export interface KoaSessionHint {
  ctx?: object;
}

// biome-ignore-start lint/suspicious/noExplicitAny: a session is whatever the application keeps in it.
export class FlotillaStore {
  readonly #sessions: ForeignSessions;
  /** By the request, or, where none is named, by the object that `get` gave. */
  readonly #given: WeakMap<object, GivenSession> = new WeakMap();

  /** @throws FlotillaError FLOTILLA_SESSION_OPTION */
  constructor(options?: FlotillaStoreOptions) {
    this.#sessions = foreignSessions(options);
  }

  /** What there is, as JSON has it; undefined where there is nothing. Counts as a use. */
  get(key: string, _maxAge?: number | "session", hint: KoaSessionHint = {}): Promise<any> {
    return promised((done) =>
      this.#sessions.load(key, (error, given) => {
        const session = given?.fields();
        if (session !== undefined) this.#given.set(hint.ctx ?? session, given!);
        done(error, session);
      }),
    );
  }

  /**
   * Saves what differs from what the request was given; an object that was given to none is the whole session.
   * @param maxAge unused for so many ms it ends; "session": for as long as the store's options say.
   */
  set(key: string, session: any, maxAge?: number | "session", hint: KoaSessionHint = {}): Promise<void> {
    const by = hint.ctx ?? session;
    const given = this.#given.get(by);
    const idleTimeoutMs = typeof maxAge === "number" ? maxAge : this.#sessions.idleTimeoutMs;
    return promised((done) => {
      const known = isOf(given, key) ? given : null;
      const saved = this.#sessions.save(key, session as Fields, known, idleTimeoutMs, done);
      if (saved !== null) this.#given.set(by, saved);
    });
  }

  /** Ends it for all requests, also for those that save it later. */
  destroy(key: string): Promise<void> {
    return promised((done) => this.#sessions.destroy(key, done));
  }
}
// biome-ignore-end lint/suspicious/noExplicitAny: until here.
