/**
 * Sessions of other people's middleware, kept where this process keeps its own: READ FIRST of this folder.
 *
 *   load    the middleware's id -> a key (key-of-sid.ts) -> what is committed; remembered as what this request was given
 *   save    what differs from that, key by key, and nothing else: concurrent requests do not undo each other, and a session that was
 *           destroyed meanwhile stays destroyed, as with `session()` (request-session.ts). An object that no request was given is the
 *           whole session.
 *   touch   it was used
 *
 * Such a middleware knows nothing of this: it hands over whole sessions. How each of them is led from a session that it saves
 * to what it was given is all that its own file is about. Values are JSON, as with the stores that they were written for.
 */
import { systemClock } from "../../support/clock.ts";
import { FlotillaError, messageOf } from "../../support/errors.ts";
import { session as limits } from "../../support/limits.ts";
import { checkSize, takenBack } from "../changes.ts";
import { applied, Entry, noEntries, type SessionChanges, type SessionEntries } from "../entry.ts";
import { idOfKey, type VerifiedId } from "../id.ts";
import type { SessionPlace } from "../keeper.ts";
import { isGone } from "../store.ts";
import { toldFailure } from "../told-failure.ts";
import { keyOfSid } from "./key-of-sid.ts";

export type Fields = Record<string, unknown>;

export type Saved = (error: FlotillaError | null) => void;
/** Null: there is no such session. */
export type Given = (error: FlotillaError | null, given: GivenSession | null) => void;

/** What a request was given, and what it made of it as far as handed to the store. */
export class GivenSession {
  readonly id: VerifiedId;
  entries: SessionEntries;
  /** The store has it, or was told to create it. */
  isCreated: boolean;
  /** When the store last heard of a use. */
  usedAt: number;

  constructor(id: VerifiedId, entries: SessionEntries, isCreated: boolean, usedAt: number) {
    this.id = id;
    this.entries = entries;
    this.isCreated = isCreated;
    this.usedAt = usedAt;
  }

  /** Copies for the application to keep and to write to. */
  fields(): Fields {
    const fields: Fields = {};
    for (const [name, entry] of this.entries) if (name !== "__proto__") fields[name] = entry.take();
    return fields;
  }
}

export class ForeignSessions {
  readonly place: SessionPlace;
  /** Of sessions that say nothing of it. */
  readonly idleTimeoutMs: number;

  constructor(place: SessionPlace, idleTimeoutMs: number | null = null) {
    this.place = place;
    this.idleTimeoutMs = idleTimeoutMs ?? place.idleTimeoutMs;
  }

  /** Counts as a use of it. */
  load(sid: string, done: Given): void {
    const { store, absoluteTimeoutMs } = this.place;
    const id = idOf(sid);
    const usedAt = systemClock.now();
    store.load(id, (error, entries, ageMs) => {
      if (entries === null) return done(toldFailure(error), null);
      if (ageMs < absoluteTimeoutMs) return done(null, new GivenSession(id, entries, true, usedAt));
      // It began when it might become older.
      store.destroy(id, () => {});
      done(null, null);
    });
  }

  /**
   * @param given to the request that saves; null: to none, and `fields` is the whole session.
   * @param idleTimeoutMs not positive: it ends at once.
   * @returns what the request has from now on; null: it could not be handed over, and `done` was told.
   */
  save(
    sid: string,
    fields: Fields,
    given: GivenSession | null,
    idleTimeoutMs: number,
    done: Saved,
  ): GivenSession | null {
    const saving = given ?? new GivenSession(idOf(sid), noEntries, false, Number.NEGATIVE_INFINITY);
    try {
      const changes = changesOf(fields, saving.entries);
      if (!(idleTimeoutMs > 0)) this.#end(saving.id, done);
      else if (changes.size === 0 && saving.isCreated) this.touch(saving, idleTimeoutMs, done);
      else this.change(saving, changes, idleTimeoutMs, done);
      return saving;
    } catch (error) {
      done(error as FlotillaError);
      return null;
    }
  }

  /** @throws FlotillaError FLOTILLA_SESSION_TOO_LARGE */
  change(given: GivenSession, changes: SessionChanges, idleTimeoutMs: number, done: Saved): void {
    const { store, absoluteTimeoutMs } = this.place;
    const { id, entries: before, isCreated } = given;
    checkSize(applied(before, changes));
    // Taken as committed from here on: what is saved next is compared with it.
    given.entries = applied(before, changes);
    given.isCreated = true;
    given.usedAt = systemClock.now();
    const over = (failure: FlotillaError | null): void => {
      // It was ended by another request: as if this one had come just before that.
      if (failure === null || isGone(failure)) return done(null);
      given.entries = takenBack(given.entries, before, changes);
      if (!isCreated) given.isCreated = false;
      done(toldFailure(failure));
    };
    if (isCreated) store.update(id, changes, idleTimeoutMs, over);
    else store.create(id, changes, idleTimeoutMs, { ageMs: 0, absoluteTimeoutMs }, over);
  }

  touch(given: GivenSession, idleTimeoutMs: number, done: Saved): void {
    if (!(idleTimeoutMs > 0)) return this.#end(given.id, done);
    if (this.place.save === "always") return this.change(given, noEntries, idleTimeoutMs, done);
    const now = systemClock.now();
    const isRecent = now - given.usedAt < limits.touchAfterMs;
    if (!isRecent) given.usedAt = now;
    this.place.store.touch(given.id, idleTimeoutMs, isRecent);
    done(null);
  }

  /** Of a session that no request was given. */
  touchBySid(sid: string, idleTimeoutMs: number, done: Saved): void {
    this.touch(new GivenSession(idOf(sid), noEntries, true, Number.NEGATIVE_INFINITY), idleTimeoutMs, done);
  }

  destroy(sid: string, done: Saved): void {
    this.#end(idOf(sid), done);
  }

  #end(id: VerifiedId, done: Saved): void {
    this.place.store.destroy(id, (failure) => done(toldFailure(failure)));
  }
}

/** Whether what was given belongs to this id: after `regenerate` a middleware may go on with an object of the session before. */
export function isOf(given: GivenSession | undefined, sid: string): given is GivenSession {
  return given !== undefined && given.id.key === keyOfSid(sid);
}

/** @throws FlotillaError FLOTILLA_SESSION_NOT_SERIALIZABLE */
export function changesOf(fields: Fields, entries: SessionEntries): SessionChanges {
  const changes = new Map<string, Entry | null>();
  const gone = new Set(entries.keys());
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    const entry = entries.get(name);
    const text = entry?.holds(value) ? entry.text : jsonOf(name, value);
    // As in JSON, what has no text is not there. Nor is what would take an object's methods away.
    if (text === undefined || name === "__proto__") continue;
    gone.delete(name);
    if (text !== entry?.text) changes.set(name, new Entry(name, text));
  }
  for (const name of gone) changes.set(name, null);
  return changes;
}

function idOf(sid: string): VerifiedId {
  return idOfKey(keyOfSid(sid));
}

function jsonOf(name: string, value: unknown): string | undefined {
  try {
    // In UTF-8 it would be another name, on the other servers.
    if (!name.isWellFormed()) throw new Error("its name has half a character (a lone surrogate)");
    return JSON.stringify(value);
  } catch (error) {
    throw new FlotillaError(
      "FLOTILLA_SESSION_NOT_SERIALIZABLE",
      `${JSON.stringify(name.slice(0, 100))} of the session can't be kept: ${messageOf(error)}. Keep plain data in the session.`,
      { source: "server", cause: error },
    );
  }
}
