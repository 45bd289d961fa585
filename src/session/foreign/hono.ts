/**
 * `flotilla/store/hono`, for both session middlewares of Hono: `sessionMiddleware({ store: new FlotillaStore() })` of hono-sessions, and
 * `useSessionStorage(new FlotillaStore())` of @hono/session. docs/moving-in.md tells what changes with it.
 */
import { FlotillaError } from "../../support/errors.ts";
import { session as limits } from "../../support/limits.ts";
import { Seldom } from "../../support/seldom.ts";
import { type Fields, type ForeignSessions, type GivenSession, isOf } from "./foreign-sessions.ts";
import { fieldsOf, type HonoSessionData, leftMsOf, poisoned, sessionDataOf } from "./hono-session-data.ts";
import { type FlotillaStoreOptions, foreignSessions } from "./options.ts";
import * as tell from "./tell.ts";

export type { HonoSessionData } from "./hono-session-data.ts";
export type { FlotillaStoreOptions } from "./options.ts";

/**
 * Of @hono/session: on the object that a request was given, and on copies of it, as `update((data) => ({ ...data, user }))` makes them.
 */
const given: unique symbol = Symbol("flotilla.given");

// biome-ignore-start lint/suspicious/noExplicitAny: a session is whatever the application keeps in it.
export class FlotillaStore {
  readonly #sessions: ForeignSessions;
  /** Of hono-sessions, by the object that the middleware has for a request. */
  readonly #given: WeakMap<object, GivenSession> = new WeakMap();
  readonly #failed: Seldom = new Seldom(limits.refusedComplaintIntervalMs);

  /** @throws FlotillaError FLOTILLA_SESSION_OPTION */
  constructor(options?: FlotillaStoreOptions) {
    this.#sessions = foreignSessions(options);
  }

  // hono-sessions

  getSessionById(sid?: string): Promise<HonoSessionData<any> | null> {
    return promised((done) => {
      if (typeof sid !== "string") return done(null, null);
      this.#sessions.load(sid, (error, found) => {
        if (error !== null) return done(null, poisoned(answered(error)));
        const session = found === null ? null : sessionDataOf(found);
        if (session !== null) this.#given.set(session, found!);
        done(null, session);
      });
    });
  }

  createSession(sid: string, initialData: HonoSessionData<any>): Promise<void> {
    return this.#save(sid, initialData, null);
  }

  persistSessionData(sid: string, sessionData: HonoSessionData<any>): Promise<void> {
    const found = this.#given.get(sessionData);
    return this.#save(sid, sessionData, isOf(found, sid) ? found : null);
  }

  deleteSession(sid: string): Promise<void> {
    return this.delete(sid);
  }

  #save(sid: string, session: HonoSessionData<any>, found: GivenSession | null): Promise<void> {
    const idleTimeoutMs = leftMsOf(session) ?? this.#sessions.idleTimeoutMs;
    return promised((done) => {
      const saved = this.#sessions.save(sid, fieldsOf(session, found), found, idleTimeoutMs, done);
      if (saved !== null) this.#given.set(session, saved);
    });
  }

  // @hono/session, which waits for none of these but the first

  get(sid: string): Promise<any> {
    return promised((done) =>
      this.#sessions.load(sid, (error, found) => {
        const session = found === null ? null : { ...found.fields(), [given]: found };
        done(error, session);
      }),
    );
  }

  set(sid: string, value: any): Promise<void> {
    const found = (value as { [given]?: GivenSession })[given];
    const known = isOf(found, sid) ? found : null;
    return this.#told(
      promised((done) => {
        this.#sessions.save(sid, value as Fields, known, this.#sessions.idleTimeoutMs, done);
      }),
    );
  }

  delete(sid: string): Promise<void> {
    return this.#told(promised((done) => this.#sessions.destroy(sid, done)));
  }

  /** Nobody may be waiting for it; then the log is the only one to tell. */
  #told(saving: Promise<void>): Promise<void> {
    saving.catch((error: FlotillaError) => {
      const count = this.#failed.add();
      // What is told may be for visitors.
      const { code, message } = error.cause instanceof FlotillaError ? error.cause : error;
      if (count > 0)
        this.#sessions.place.log.error({ code, count }, `a session could not be saved: ${message}`);
    });
    return saving;
  }
}
// biome-ignore-end lint/suspicious/noExplicitAny: until here.

function promised<Value>(run: (done: tell.Done<Value>) => void): Promise<Value> {
  return tell.promised((done) => run((error, value) => done(error === null ? null : answered(error), value)));
}

/** Where the application says nothing of errors, Hono answers with the response of the error, else with a 500. */
function answered(error: FlotillaError & { status?: number }): FlotillaError {
  if (error.status !== 503) return error;
  const text = `503 Service Unavailable: the session can't be reached now, try again (${error.code}).\n`;
  return Object.assign(error, { getResponse: () => new Response(text, { status: 503 }) });
}
