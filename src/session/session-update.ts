/**
 * `req.session.update`: one key is changed with no other change in between. Updates of one session in one process take
 * turns, so that they do not get in each other's way; a function that takes too long loses its turn. That none is lost,
 * here and on other servers, rests on the store's `compareAndSet` alone.
 */
import { systemClock } from "../support/clock.ts";
import type { FlotillaError } from "../support/errors.ts";
import { session as limits } from "../support/limits.ts";
import { checkSize } from "./changes.ts";
import { applied, Entry, type SessionChanges, type SessionEntries } from "./entry.ts";
import type { VerifiedId } from "./id.ts";
import type { SessionPlace } from "./keeper.ts";
import type { Session } from "./session.ts";
import { contended, isContended, sessionGone } from "./store.ts";
import { decode } from "./value.ts";

/** The request's side of an update. */
export interface SessionUpdate {
  readonly place: SessionPlace;
  readonly id: VerifiedId;
  /** The object that `update` was called on. */
  readonly session: Session;
  /** It was not replaced or destroyed meanwhile. */
  isInUse(): boolean;
  idleTimeoutMs(): number;
  /** Counts an operation as under way until what is returned is called. */
  launch(done: (failure: FlotillaError | null) => void): (failure: FlotillaError | null) => void;
  onCommitted(changes: SessionChanges): void;
}

/** @returns the new value. @throws as `Session.update` */
export async function updateInTurn(
  update: SessionUpdate,
  key: string,
  fn: (value: unknown) => unknown,
): Promise<unknown> {
  const { updates } = update.place;
  const sessionKey = update.id.key;
  const before = updates.get(sessionKey);
  const mine = runAfter(before, update, key, fn);
  const over = mine.catch(() => {});
  updates.set(sessionKey, over);
  try {
    return await mine;
  } finally {
    if (updates.get(sessionKey) === over) updates.delete(sessionKey);
  }
}

async function runAfter(
  before: Promise<unknown> | undefined,
  update: SessionUpdate,
  key: string,
  fn: (value: unknown) => unknown,
): Promise<unknown> {
  if (before !== undefined) await inTime(before, limits.updateTurnMs);
  for (let tries = 0; tries < limits.updateTriesMax; tries++) {
    const entries = await load(update);
    const old = entries.get(key);
    const value = await fn(old === undefined ? undefined : decode(old.text));
    if (!update.isInUse()) throw sessionGone();
    const next = value === undefined ? null : Entry.of(key, value);
    const changes = new Map([[key, next]]);
    checkSize(applied(entries, changes));
    if (!(await compareAndSet(update, key, old, next))) continue;
    update.onCommitted(changes);
    const data = update.session as unknown as Record<string, unknown>;
    if (next === null) delete data[key];
    else data[key] = next.take();
    return data[key];
  }
  throw contended(key);
}

function load({ place, id }: SessionUpdate): Promise<SessionEntries> {
  return new Promise((resolve, reject) =>
    place.store.load(id, (error, entries) =>
      entries === null ? reject(error ?? sessionGone()) : resolve(entries),
    ),
  );
}

/** Resolves to false when the key is another one meanwhile: that is no failure, nothing was lost. */
function compareAndSet(
  update: SessionUpdate,
  key: string,
  old: Entry | undefined,
  next: Entry | null,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let isSet = true;
    const settled = update.launch((failure) => (failure === null ? resolve(isSet) : reject(failure)));
    const { id, place } = update;
    place.store.compareAndSet(id, key, old?.text ?? null, next, update.idleTimeoutMs(), (failure) => {
      isSet = failure === null;
      settled(failure !== null && isContended(failure) ? null : failure);
    });
  });
}

/** The end of a promise that never fails, or of the time. */
function inTime(promise: Promise<unknown>, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = systemClock.after(timeoutMs, resolve);
    void promise.then(() => {
      timer.cancel();
      resolve();
    });
  });
}
