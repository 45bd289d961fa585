/**
 * One request and its session, from the cookie to the commit: READ FIRST.
 *
 *   begin       the cookie's id -> load -> `req.session`        (unknown or forged: a new id, nothing kept yet; moving-from.ts:
 *               cookies of another library, of before)
 *   beforeHead  changes are found and handed to the store; Set-Cookie where the browser does not know the id, or knows
 *               it with the letters of servers that keep the session no longer
 *   atEnd       changes made after the head
 *   update      one key, with no other change in between (session-update.ts)
 *   onConflict  one value of this request's and of what others stored meanwhile (session-conflict.ts)
 *
 * The response's head, and after later changes its last byte, leaves when all that was handed to the store is
 * committed (`response-hold.ts` waits for `whenSettled`). Committed text is the truth: a request compares with the
 * entries it was given and commits only the keys that it changed, so that concurrent requests do not undo
 * each other. A session that was destroyed meanwhile stays destroyed: updates never create.
 */
import { systemClock } from "../support/clock.ts";
import { FlotillaError } from "../support/errors.ts";
import { session as limits } from "../support/limits.ts";
import { changesOf, checkSize, fill, giveBack, takenBack } from "./changes.ts";
import { Cookie, type CookieSettings } from "./cookie.ts";
import { applied, Entry, noEntries, type SessionChanges, type SessionEntries } from "./entry.ts";
import { idOfKey, type VerifiedId } from "./id.ts";
import type { Keeper } from "./keeper.ts";
import { isSecure, type SessionRequest } from "./request.ts";
import { type Callback, keyReserved, reservedKeys, Session, type SessionBackstage } from "./session.ts";
import { ConflictMerges, takeStored } from "./session-conflict.ts";
import { type SessionUpdate, updateInTurn } from "./session-update.ts";
import { isGone, sessionGone } from "./store.ts";
import { UnderWay } from "./under-way.ts";
import { decode } from "./value.ts";

export class RequestSession implements SessionBackstage {
  readonly req: SessionRequest;
  readonly #keeper: Keeper;
  #session: Session | null = null;
  /** Null for a new session until somebody asks: most visitors without a cookie never write, and signing costs. */
  #id: VerifiedId | null = null;
  /** The browser sent this id. */
  #isKnownToBrowser = false;
  /** The store has it, or was told to create it. */
  #isCreated = false;
  /** Made by `regenerate`: kept even when empty, because the application asked for it. */
  #isWanted = false;
  #isChanged = false;
  #isCookieChanged = false;
  /** What this request was given, and what it made of it as far as handed to the store. */
  #loaded: SessionEntries = noEntries;
  #entries: SessionEntries = noEntries;
  #cookieBefore: Cookie;
  /** When it ends, whatever its use; on our clock. */
  #endsAt: number = Number.POSITIVE_INFINITY;
  /** Its servers know that this request used it. */
  #isUseSaved = false;
  #merges: ConflictMerges | null = null;
  #isLoading = false;
  /** When the store last heard of a use. */
  #usedAt: number = Number.NEGATIVE_INFINITY;
  readonly underWay: UnderWay = new UnderWay();

  constructor(keeper: Keeper, req: SessionRequest) {
    this.#keeper = keeper;
    this.req = req;
    this.#cookieBefore = keeper.plainCookie;
  }

  /** @param done called when `req.session` is there, or with why it can't be. */
  begin(cookieHeader: string | undefined, done: (error: FlotillaError | null) => void): void {
    const { place, habits } = this.#keeper;
    const ours = cookieHeader === undefined ? null : place.ids.fromCookie(cookieHeader, habits.name);
    const id = ours ?? (cookieHeader === undefined ? null : this.#movedId(cookieHeader));
    if (id === null) {
      this.#startNew();
      done(null);
      return;
    }
    this.#isLoading = true;
    this.#usedAt = systemClock.now();
    place.store.load(id, (error, entries, ageMs, absoluteTimeoutMs) => {
      this.#isLoading = false;
      if (entries !== null && ageMs < this.#keeper.newLife.absoluteTimeoutMs) {
        done(this.#adopt(id, entries, ours !== null, ageMs, absoluteTimeoutMs));
        return;
      }
      if (error === null) this.#startNew();
      // It began when it might become older.
      if (entries !== null) place.store.destroy(id, () => {});
      done(error);
    });
  }

  /**
   * Hands over what was changed. @returns the Set-Cookie value, or null.
   * @throws FlotillaError when the session can't be kept as it is.
   */
  beforeHead(): string | null {
    const session = this.#current();
    if (session === null) return null;
    const { habits } = this.#keeper;
    this.underWay.forgetFailure();
    this.#submit(session, this.#isWanted || habits.saveUninitialized);
    const renewed = this.#isCreated ? this.#keeper.place.store.renewed(this.#identify()) : null;
    if (renewed === null && !this.#needsCookie(session.cookie)) return null;
    if (session.cookie.secure && !isSecure(this.req, habits.proxy)) {
      this.#keeper.tellInsecure();
      return null;
    }
    session.cookie.resetMaxAge();
    const leftMs =
      this.#endsAt === Number.POSITIVE_INFINITY ? this.#endsAt : this.#endsAt - systemClock.now();
    return session.cookie.serialize(habits.name, (renewed ?? this.#identify()).text, leftMs);
  }

  /** The last look at the session. @throws as `beforeHead` */
  atEnd(isHeadOut: boolean): void {
    const session = isHeadOut ? this.#current() : this.#session;
    if (session === null) return;
    if (isHeadOut) {
      this.underWay.forgetFailure();
      this.#submit(session, this.#isWanted);
    }
    this.#touch(session);
    giveBack(session, this.#loaded, this.#entries);
  }

  /** The store has not answered yet. */
  get isLoading(): boolean {
    return this.#isLoading;
  }

  // What `req.session`'s methods do. `session` is the object they were called on: one that was replaced
  // (regenerate, reload, destroy) must not write any more.

  idText(session: Session): string {
    return session === this.#session ? this.#identify().text : "";
  }

  save(session: Session, done: Callback): void {
    this.#attempt(session, done, () => {
      this.#submit(session, true);
      this.#touch(session);
      this.underWay.whenSettled(done);
    });
  }

  touch(session: Session): void {
    this.#usedAt = Number.NEGATIVE_INFINITY;
    this.#touch(session);
  }

  regenerate(session: Session, done: Callback): void {
    this.#attempt(session, done, () =>
      this.#destroyStored((failure) => {
        if (failure === null) {
          this.#startNew();
          this.#isWanted = true;
        }
        done(failure);
      }),
    );
  }

  destroy(session: Session, done: Callback): void {
    this.#attempt(session, done, () => {
      this.#session = null;
      this.req.session = undefined;
      this.#destroyStored(done);
    });
  }

  reload(session: Session, done: Callback): void {
    this.#attempt(session, done, () =>
      this.#keeper.place.store.load(this.#identify(), (error, entries, ageMs, absoluteTimeoutMs) => {
        if (entries === null) {
          done(error ?? sessionGone());
          return;
        }
        done(this.#adopt(this.#identify(), entries, this.#isKnownToBrowser, ageMs, absoluteTimeoutMs));
      }),
    );
  }

  async update(session: Session, key: string, fn: (value: unknown) => unknown): Promise<unknown> {
    if (typeof key !== "string" || typeof fn !== "function") {
      const found = `(${typeof key}, ${typeof fn})`;
      throw new TypeError(`req.session.update(key, fn) takes a string and a function, not ${found}`);
    }
    if (reservedKeys.has(key)) throw keyReserved(key);
    await session.save();
    const update: SessionUpdate = {
      place: this.#keeper.place,
      id: this.#identify(),
      session,
      isInUse: () => session === this.#session,
      idleTimeoutMs: () => this.#idleTimeoutMs(),
      launch: (done) => this.underWay.launch(done),
      onCommitted: (changes) => {
        this.#entries = applied(this.#entries, changes);
        this.#isChanged = true;
      },
    };
    return updateInTurn(update, key, fn);
  }

  #touch(session: Session): void {
    if (session !== this.#session || !this.#isCreated) return;
    const now = systemClock.now();
    const isRecent = now - this.#usedAt < limits.touchAfterMs;
    if (!isRecent) this.#usedAt = now;
    this.#keeper.place.store.touch(this.#identify(), this.#idleTimeoutMs(), isRecent);
  }

  /** Runs it for the session in use; what it throws goes to the caller of the method like any other failure. */
  #attempt(session: Session, done: Callback, run: () => void): void {
    if (session !== this.#session) {
      done(sessionGone());
      return;
    }
    try {
      run();
    } catch (error) {
      done(error);
    }
  }

  /** The session to save, or null when the application took it away. */
  #current(): Session | null {
    const session = this.req.session;
    if (session === this.#session) return this.#session;
    if (session === undefined || session === null) {
      if (this.#keeper.habits.unset === "destroy" && this.#session !== null) this.#destroyStored(() => {});
      this.#session = null;
      return null;
    }
    throw new FlotillaError(
      "FLOTILLA_SESSION_REPLACED",
      "req.session was replaced by another object; set keys of it, or call req.session.regenerate().",
      { source: "server" },
    );
  }

  /** A new, empty session, of which the store knows nothing yet. */
  #startNew(): void {
    this.#id = null;
    this.#begin(noEntries, false, false);
    this.#limit(0, this.#keeper.newLife.absoluteTimeoutMs);
    Object.defineProperty(this.req, "sessionID", {
      get: () => this.#identify().text,
      configurable: true,
      enumerable: true,
    });
  }

  /** @returns why it can't be had: an application with another library's sessions stored a key whose name is the session's own. */
  #adopt(
    id: VerifiedId,
    entries: SessionEntries,
    isKnownToBrowser: boolean,
    ageMs: number,
    absoluteTimeoutMs: number,
  ): FlotillaError | null {
    this.#id = id;
    try {
      this.#begin(entries, isKnownToBrowser, true);
    } catch (error) {
      return error as FlotillaError;
    }
    this.#limit(ageMs, Math.min(absoluteTimeoutMs, this.#keeper.newLife.absoluteTimeoutMs));
    if (this.req.sessionID !== id.text) this.req.sessionID = id.text;
    return null;
  }

  /** Its cookie is not to outlive it. */
  #limit(ageMs: number, absoluteTimeoutMs: number): void {
    const isEndless = absoluteTimeoutMs === Number.POSITIVE_INFINITY;
    this.#endsAt = isEndless ? absoluteTimeoutMs : systemClock.now() + absoluteTimeoutMs - ageMs;
  }

  #begin(entries: SessionEntries, isKnownToBrowser: boolean, isCreated: boolean): void {
    const session = new Session(this, this.#makeCookie(entries));
    fill(session, entries);
    this.#loaded = this.#entries = entries;
    this.#isKnownToBrowser = isKnownToBrowser;
    this.#isCreated = isCreated;
    this.#isWanted = this.#isChanged = this.#isCookieChanged = this.#isUseSaved = false;
    this.req.session = this.#session = session;
  }

  /** Of a visitor with a cookie of before: an id of ours over the key of his session. Its letters are put right when it is sent. */
  #movedId(cookieHeader: string): VerifiedId | null {
    const { place, habits } = this.#keeper;
    const key = habits.movingFrom?.keyIn(cookieHeader);
    if (!key) return null;
    const { owner, backup, processIndex } = place.store.newId();
    return place.ids.reissue(idOfKey(key), owner, backup, processIndex);
  }

  #identify(): VerifiedId {
    this.#id ??= this.#keeper.place.store.newId();
    return this.#id;
  }

  #makeCookie(entries: SessionEntries): Cookie {
    const { habits, plainCookie, secureCookie } = this.#keeper;
    const stored = entries.get("cookie");
    if (stored !== undefined) {
      this.#cookieBefore = new Cookie(decode(stored.text) as CookieSettings);
      return this.#cookieBefore.copy();
    }
    const { secure, sameSite } = habits.cookie;
    const isAuto = secure === "auto" || sameSite === "auto";
    this.#cookieBefore = isAuto && isSecure(this.req, habits.proxy) ? secureCookie : plainCookie;
    return this.#cookieBefore.copy();
  }

  #needsCookie(cookie: Cookie): boolean {
    if (!this.#isCreated) return false;
    if (!this.#isKnownToBrowser || this.#keeper.habits.rolling || this.#isCookieChanged) return true;
    return this.#isChanged && cookie.expires !== null;
  }

  /** By the settings that were handed over last: those were checked. */
  #idleTimeoutMs(): number {
    return this.#keeper.idleTimeoutMsOf(this.#cookieBefore);
  }

  /** Finds the changes and hands them to the store; a session never seen there is created when `wanted` or changed. */
  #submit(session: Session, wanted: boolean): void {
    const data = changesOf(session, this.#entries);
    if (!this.#isCreated && data === null && !wanted) return;
    if (!(session.cookie instanceof Cookie)) {
      throw new FlotillaError(
        "FLOTILLA_SESSION_COOKIE",
        "req.session.cookie was replaced by another object; set its properties instead.",
        { source: "server" },
      );
    }
    const isCookieChanged = !session.cookie.hasSettingsOf(this.#cookieBefore);
    if (this.#isCreated && data === null && !isCookieChanged) {
      if (this.#keeper.savesUse && !this.#isUseSaved) this.#saveUse();
      return;
    }
    // Here and not when it is sent: what is answered with a 500 must not have been stored before.
    if (isCookieChanged) session.cookie.check();
    const changes = data ?? new Map<string, Entry | null>();
    if (isCookieChanged) changes.set("cookie", Entry.of("cookie", session.cookie.settings()));
    checkSize(applied(this.#entries, changes));
    if (isCookieChanged) this.#cookieBefore = session.cookie.copy();
    this.#isCookieChanged ||= isCookieChanged;
    this.#commit(changes);
  }

  #saveUse(): void {
    this.#isUseSaved = true;
    this.#usedAt = systemClock.now();
    const { store } = this.#keeper.place;
    store.update(
      this.#identify(),
      noEntries,
      this.#idleTimeoutMs(),
      this.underWay.launch(() => {}),
    );
  }

  #commit(changes: SessionChanges): void {
    const { store } = this.#keeper.place;
    const id = this.#identify();
    const before = this.#entries;
    const isNew = !this.#isCreated;
    // Taken as committed from here on, so that the next look finds only what is new since.
    this.#entries = applied(before, changes);
    this.#isCreated = this.#isChanged = this.#isUseSaved = true;
    this.#usedAt = systemClock.now();
    const done = this.underWay.launch((failure) => {
      if (failure === null || id !== this.#id || isGone(failure)) return;
      this.#entries = takenBack(this.#entries, before, changes);
      if (isNew) this.#isCreated = false;
    });
    const idleTimeoutMs = this.#idleTimeoutMs();
    const { onConflict } = this.#keeper.habits;
    if (isNew) store.create(id, changes, idleTimeoutMs, this.#keeper.newLife, done);
    else if (onConflict === null) store.update(id, changes, idleTimeoutMs, done);
    else {
      this.#merges ??= new ConflictMerges(store, onConflict);
      this.#merges.commit({ id, base: before, changes, idleTimeoutMs }, (failure, stored) => {
        if (stored !== null && id === this.#id && this.#session !== null)
          this.#entries = takeStored(this.#session, this.#entries, changes, stored);
        done(failure);
      });
    }
  }

  #destroyStored(done: (failure: FlotillaError | null) => void): void {
    if (!this.#isCreated) {
      done(null);
      return;
    }
    this.#isCreated = false;
    const settled = this.underWay.launch((failure) => {
      // It may live on: what `regenerate` could not end is not created anew by a later change.
      if (failure !== null) this.#isCreated = true;
      done(failure);
    });
    this.#keeper.place.store.destroy(this.#identify(), settled);
  }
}
