/**
 * `flotilla/store/express-session`: `app.use(expressSession({ store: new FlotillaStore(), ... }))`. docs/moving-in.md tells what
 * changes with it. The class inherits from express-session's own `Store`, as its README asks of a store; the package is the site's.
 */
import type { EventEmitter } from "node:events";
import expressSession from "express-session";
import { countAll, endAll } from "./all-sessions.ts";
import { CookieSessions } from "./cookie-sessions.ts";
import { type ForeignSessions, type GivenSession, isOf } from "./foreign-sessions.ts";
import { type FlotillaStoreOptions, foreignSessions } from "./options.ts";
import { answer, type Callback } from "./tell.ts";

export type { FlotillaStoreOptions } from "./options.ts";

// The package has types of its own, or another one has them for it: those of the site are meant, whichever they are.
// biome-ignore-start lint/suspicious/noExplicitAny: as just said.
export interface ExpressSessionStore extends EventEmitter {
  regenerate(req: any, callback: Callback): void;
  load(sid: string, callback: Callback): void;
  createSession(req: any, session: any): any;
}
const Store: new () => ExpressSessionStore = expressSession.Store;

export class FlotillaStore extends Store {
  readonly #all: ForeignSessions;
  readonly #sessions: CookieSessions;
  /** By the object that a request has; once saved, also by one that it made. */
  readonly #given: WeakMap<object, GivenSession> = new WeakMap();

  /** @throws FlotillaError FLOTILLA_SESSION_OPTION */
  constructor(options?: FlotillaStoreOptions) {
    super();
    this.#all = foreignSessions(options);
    this.#sessions = new CookieSessions(this.#all);
  }

  /** What there is, as JSON has it; null where there is nothing. Counts as a use. Without a callback a promise, here and below. */
  get(sid: string): Promise<any>;
  get(sid: string, callback: Callback): void;
  get(sid: string, callback?: Callback): Promise<any> | undefined {
    return answer(callback, (done) =>
      this.#sessions.load(sid, (error, session, given) => {
        if (session !== null) this.#given.set(session, given!);
        done(error, session);
      }),
    );
  }

  /** Saves what differs from what the request was given; an object that was given to none is the whole session. */
  set(sid: string, session: any): Promise<void>;
  set(sid: string, session: any, callback?: Callback): void;
  set(sid: string, session: any, callback?: Callback): Promise<void> | undefined {
    return answer(callback, (done) => {
      const given = this.#sessions.save(sid, session, this.#givenWith(sid, session), done);
      if (given !== null) this.#given.set(session, given);
    });
  }

  /** It was used: it lives as long again as its cookie. Data are not written. */
  touch(sid: string, session: any): Promise<void>;
  touch(sid: string, session: any, callback?: Callback): void;
  touch(sid: string, session: any, callback?: Callback): Promise<void> | undefined {
    return answer(callback, (done) =>
      this.#sessions.touch(sid, session, this.#givenWith(sid, session), done),
    );
  }

  /** Ends it for all requests, also for those that save it later. */
  destroy(sid: string): Promise<void>;
  destroy(sid: string, callback?: Callback): void;
  destroy(sid: string, callback?: Callback): Promise<void> | undefined {
    return answer(callback, (done) => this.#sessions.destroy(sid, done));
  }

  /** How many sessions there are where this store has its own; not in a cluster that keeps them itself, nor `clear`. */
  length(): Promise<number>;
  length(callback: Callback): void;
  length(callback?: Callback): Promise<number> | undefined {
    return answer(callback, (done) => {
      countAll(this.#all.place.store).then((count) => done(null, count), done);
    });
  }

  /** Ends all of them, also those of others who have theirs there. */
  clear(): Promise<void>;
  clear(callback?: Callback): void;
  clear(callback?: Callback): Promise<void> | undefined {
    return answer(callback, (done) => {
      endAll(this.#all.place.store).then(() => done(null), done);
    });
  }

  /** express-session makes the request's session of what `get` found. */
  override createSession(req: any, session: any): any {
    const given = this.#given.get(session);
    const made = super.createSession(req, session);
    if (given !== undefined) this.#given.set(made, given);
    return made;
  }

  #givenWith(sid: string, session: object): GivenSession | null {
    const given = this.#given.get(session);
    return isOf(given, sid) ? given : null;
  }
}
// biome-ignore-end lint/suspicious/noExplicitAny: until here.
