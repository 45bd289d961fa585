/** `req.session`: the application's data as properties, and what can be done with the session as methods. */
import { AsyncResource } from "node:async_hooks";
import { FlotillaError } from "../support/errors.ts";
import type { Cookie } from "./cookie.ts";
import type { SessionData } from "./data.ts";
import { toldFailure } from "./told-failure.ts";

export interface Session extends Partial<SessionData> {}

/** Without a callback a method returns a promise; with one, the session itself, and calls back in a later turn. */
export type Callback = (error?: unknown) => void;

/** What stands behind it: the request's side of the session (request-session.ts). */
export interface SessionBackstage {
  readonly req: object;
  idText(session: Session): string;
  save(session: Session, done: Callback): void;
  regenerate(session: Session, done: Callback): void;
  destroy(session: Session, done: Callback): void;
  reload(session: Session, done: Callback): void;
  update(session: Session, key: string, fn: (value: unknown) => unknown): Promise<unknown>;
  touch(session: Session): void;
}

// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the application's keys are properties, all of them optional.
export class Session {
  readonly #backstage: SessionBackstage;
  /** The cookie's settings. Changed ones are kept with the session and sent to the browser. */
  declare cookie: Cookie;

  /** @internal */
  constructor(backstage: SessionBackstage, cookie: Cookie) {
    this.#backstage = backstage;
    this.cookie = cookie;
  }

  /** What the browser's cookie carries. */
  get id(): string {
    return this.#backstage.idText(this);
  }

  set id(_value: never) {
    throw keyReserved("id");
  }

  get req(): object {
    return this.#backstage.req;
  }

  set req(_value: never) {
    throw keyReserved("req");
  }

  /**
   * Resolves when all changes made until now are committed. Streams and WebSockets need it; before the end of
   * an ordinary response it happens by itself.
   */
  save(): Promise<void>;
  save(callback: Callback): this;
  save(callback?: Callback): this | Promise<void> {
    return this.#answer(callback, (done) => this.#backstage.save(this, done));
  }

  /** Destroys the session and puts a new, empty one under a new id into `req.session`. Do it at every login. */
  regenerate(): Promise<void>;
  regenerate(callback: Callback): this;
  regenerate(callback?: Callback): this | Promise<void> {
    return this.#answer(callback, (done) => this.#backstage.regenerate(this, done));
  }

  /** Ends the session for all requests, also for those that save it later; `req.session` is gone. */
  destroy(): Promise<void>;
  destroy(callback: Callback): this;
  destroy(callback?: Callback): this | Promise<void> {
    return this.#answer(callback, (done) => this.#backstage.destroy(this, done));
  }

  /** Drops changes that are not saved: `req.session` is a new object with what is committed now. */
  reload(): Promise<void>;
  reload(callback: Callback): this;
  reload(callback?: Callback): this | Promise<void> {
    return this.#answer(callback, (done) => this.#backstage.reload(this, done));
  }

  /**
   * Changes one key with no other change in between, whichever servers the requests run on: `fn` gets the committed value
   * (undefined when there is none) and returns the new one. When somebody else changed the key meanwhile, `fn` is called
   * again with what it is now, so it should do nothing else. Unsaved changes of this request are saved first.
   * @returns the new value, which is also at `req.session[key]`.
   * @throws what `fn` throws; TypeError for a key that is no string; FlotillaError
   * FLOTILLA_SESSION_KEY_RESERVED, FLOTILLA_SESSION_UNKNOWN when nobody knows whether it was made,
   * FLOTILLA_SESSION_GONE, _CONTENDED or _UNAVAILABLE when nothing was written.
   */
  update<Key extends keyof SessionData>(
    key: Key,
    fn: (value: SessionData[Key] | undefined) => SessionData[Key] | Promise<SessionData[Key]>,
  ): Promise<SessionData[Key]>;
  update<Value>(key: string, fn: (value: Value | undefined) => Value | Promise<Value>): Promise<Value>;
  async update(key: string, fn: (value: never) => unknown): Promise<unknown> {
    try {
      return await this.#backstage.update(this, key, fn as (value: unknown) => unknown);
    } catch (error) {
      throw toldFailure(error);
    }
  }

  /** The session was used now. Happens by itself with every request; needed only during long ones. */
  touch(): this {
    this.resetMaxAge();
    this.#backstage.touch(this);
    return this;
  }

  resetMaxAge(): this {
    this.cookie.resetMaxAge();
    return this;
  }

  #answer(callback: Callback | undefined, run: (done: Callback) => void): this | Promise<void> {
    if (typeof callback === "function") {
      // The store calls back in a context of its own, or in that of another request (A50).
      const bound = AsyncResource.bind(callback);
      // Always in a later turn, whether or not the store answers at once: code behind the call runs first.
      run((error) => process.nextTick(bound, error ? toldFailure(error) : undefined));
      return this;
    }
    const promise = new Promise<void>((resolve, reject) => {
      run((error) => (error ? reject(toldFailure(error)) : resolve()));
    });
    // `req.session.save()` without await is common; nobody listening must not end the process.
    promise.catch(() => {});
    return promise;
  }
}

export function keyReserved(key: string): FlotillaError {
  return new FlotillaError(
    "FLOTILLA_SESSION_KEY_RESERVED",
    `req.session.${key} can't be data: the name belongs to the session itself. Choose another one.`,
    { source: "server" },
  );
}

/** Names that are no data. ("constructor" may be: it is a property like any other, and inert.) */
export const reservedKeys: ReadonlySet<string> = new Set(
  ["cookie", "req", "__proto__", ...Object.getOwnPropertyNames(Session.prototype)].filter(
    (n) => n !== "constructor",
  ),
);

// A key that comes from a request can be "__proto__" (A40): assigning it shall not take the methods away.
Object.defineProperty(Session.prototype, "__proto__", {
  get: () => Session.prototype,
  set: () => {},
  configurable: false,
});
