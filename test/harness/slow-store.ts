/** A site whose session store takes its time: it answers when the test tells it to. */
import assert from "node:assert/strict";
import { Keeper, type SessionPlace } from "../../src/session/keeper.ts";
import { MemoryStore } from "../../src/session/memory-store.ts";
import { middlewareOf, type SessionMiddleware } from "../../src/session/middleware.ts";
import { habitsOf, type SessionOptions } from "../../src/session/options.ts";
import { placeAlone } from "../../src/session/place.ts";
import type { SessionStore } from "../../src/session/store.ts";
import { FlotillaError } from "../../src/support/errors.ts";
import { silentLog } from "../../src/support/log.ts";
import { type AnyMiddleware, type Browser, type Handler, SessionSite } from "./session-site.ts";

const away = new FlotillaError("FLOTILLA_TEST", "no server answered", { retry: "yes" });

/** Applies at once, answers when it is told to. */
export class SlowStore {
  readonly #inner: SessionStore;
  /** Commits that wait for their answer. */
  readonly waiting: ((failure?: FlotillaError) => void)[] = [];
  isSlow = true;
  isLoadingSlow = false;
  isAway = false;
  /** Refuses changes at once. */
  refusal: FlotillaError | null = null;
  #loads: (() => void)[] = [];
  #arrived = (): void => {};

  constructor(inner: SessionStore) {
    this.#inner = inner;
  }

  get count(): number {
    return this.#inner.count;
  }

  newId: SessionStore["newId"] = () => this.#inner.newId();
  renewed: SessionStore["renewed"] = (id) => this.#inner.renewed(id);
  touch: SessionStore["touch"] = (...use) => this.#inner.touch(...use);
  load: SessionStore["load"] = (id, done) => {
    if (this.isAway) done(away, null, 0, 0);
    else if (this.isLoadingSlow) this.#loads.push(() => this.#inner.load(id, done));
    else this.#inner.load(id, done);
  };
  create: SessionStore["create"] = (id, changes, ms, life, done) =>
    this.#inner.create(id, changes, ms, life, this.#later(done));
  update: SessionStore["update"] = (id, changes, ms, done) =>
    this.#inner.update(id, changes, ms, this.#later(done));
  compareAndSet: SessionStore["compareAndSet"] = (id, changes, expected, ms, done) =>
    this.#inner.compareAndSet(id, changes, expected, ms, this.#later(done));
  destroy: SessionStore["destroy"] = (id, done) => this.#inner.destroy(id, this.#later(done));

  /** Resolves when a commit waits. */
  async arrival(): Promise<void> {
    if (this.waiting.length > 0) return;
    await new Promise<void>((resolve) => {
      this.#arrived = resolve;
    });
  }

  /** Answers the loads that wait, as soon as there are any. @returns what their answers threw. */
  async answerLoads(): Promise<unknown[]> {
    while (this.#loads.length === 0) await new Promise((resolve) => setImmediate(resolve));
    return this.#loads.splice(0).flatMap((load) => {
      try {
        load();
        return [];
      } catch (error) {
        return [error];
      }
    });
  }

  answer(failure?: FlotillaError): void {
    for (const done of this.waiting.splice(0)) done(failure);
  }

  #later(done: (failure: FlotillaError | null) => void): (failure: FlotillaError | null) => void {
    if (this.refusal !== null) return () => done(this.refusal);
    return (failure) => {
      if (!this.isSlow) return done(failure);
      this.waiting.push((told) => done(told ?? failure));
      this.#arrived();
    };
  }
}

export interface SlowSessions {
  readonly middleware: SessionMiddleware;
  readonly store: SlowStore;
  /** Lines of the log. */
  readonly errors: readonly string[];
}

export interface SlowSite extends Omit<SlowSessions, "middleware"> {
  readonly site: SessionSite;
  readonly browser: Browser;
}

/** A `session()` with such a store. */
export function slowSessions(options: SessionOptions = {}): SlowSessions {
  const alone = placeAlone(null);
  assert.ok(alone.store instanceof MemoryStore);
  const store = new SlowStore(alone.store);
  const errors: string[] = [];
  const log = { ...silentLog, error: (_fields: unknown, line: string) => void errors.push(line) };
  const place: SessionPlace = { ...alone, store, log: log as typeof silentLog };
  return { middleware: middlewareOf(new Keeper(place, habitsOf(options, "sid"))), store, errors };
}

/** @param routes besides `/look`, which answers with the session's data. */
export async function setUpSlow(routes: Record<string, Handler>): Promise<SlowSite> {
  const { middleware, store, errors } = slowSessions();
  const site = await SessionSite.start(middleware as AnyMiddleware, {
    "/look": (req, res) => res.end(JSON.stringify({ ...req.session, cookie: undefined })),
    ...routes,
  });
  return { site, store, errors, browser: site.browser() };
}
