/**
 * `req.session.update`: one key is changed with no other change in between. Updates of one session in one process take
 * turns, so that they do not get in each other's way; a function that takes too long loses its turn. That none is lost,
 * here and on other servers, rests on the store's `compareAndSet` alone.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { systemClock } from "../support/clock.ts";
import { FlotillaError } from "../support/errors.ts";
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
  const outer = outerOf(sessionKey);
  if (outer.includes(key)) throw nested(key);
  // Within the function of another update its turn would never come.
  const before = outer.length === 0 ? updates.get(sessionKey) : undefined;
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
    const value = await called(update, key, () => fn(old === undefined ? undefined : decode(old.text)));
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

/** A call of an update's function, and the one within whose call it was made. */
interface Call {
  readonly sessionKey: string;
  readonly key: string;
  readonly outer: Call | undefined;
  isOver: boolean;
}

const calls = new AsyncLocalStorage<Call>();

async function called(update: SessionUpdate, key: string, fn: () => unknown): Promise<unknown> {
  const call: Call = { sessionKey: update.id.key, key, outer: calls.getStore(), isOver: false };
  try {
    return await calls.run(call, fn);
  } finally {
    call.isOver = true;
  }
}

/** The keys of the session whose updates wait for the function in which this is called. */
function outerOf(sessionKey: string): string[] {
  const keys: string[] = [];
  for (let call = calls.getStore(); call !== undefined; call = call.outer)
    if (!call.isOver && call.sessionKey === sessionKey) keys.push(call.key);
  return keys;
}

function nested(key: string): FlotillaError {
  return new FlotillaError(
    "FLOTILLA_SESSION_UPDATE_NESTED",
    `req.session.update(${JSON.stringify(key)}) was called within the function of another update of the same key, which waits ` +
      "for it: updates of one key can't be nested. Return the new value, and call other updates before or after; nothing was written",
    { source: "server" },
  );
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
    const changes = new Map([[key, next]]);
    const expected = new Map([[key, old?.text ?? null]]);
    place.store.compareAndSet(id, changes, expected, update.idleTimeoutMs(), (failure) => {
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
