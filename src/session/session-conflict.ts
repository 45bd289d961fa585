/**
 * `session({ onConflict })`: what a request changed is stored only if its keys are still as it found them; where they are
 * not, the application's function makes one value of both. Compared and set by the session's owner, as `session.update` is, so that
 * nothing is lost between the two, whichever servers the requests run on. Whoever has no such function pays for none of it.
 */
import { AsyncResource } from "node:async_hooks";
import { systemClock } from "../support/clock.ts";
import { FlotillaError, messageOf } from "../support/errors.ts";
import { session as limits } from "../support/limits.ts";
import { checkSize } from "./changes.ts";
import type { SessionData } from "./data.ts";
import { applied, Entry, type SessionChanges, type SessionEntries } from "./entry.ts";
import type { VerifiedId } from "./id.ts";
import type { Session } from "./session.ts";
import { type Done, type Expected, isContended, type SessionStore, sessionGone } from "./store.ts";
import { decode } from "./value.ts";

/** Two requests changed the same key at the same time. The values are copies; undefined: the key is absent. */
export interface SessionConflict<Value = unknown> {
  /** What this request began with. */
  readonly base: Value | undefined;
  /** What it made of it. */
  readonly mine: Value | undefined;
  /** What others have stored meanwhile. */
  readonly theirs: Value | undefined;
}

/** Each key with the type of its values, as far as the application has declared `SessionData`. */
type ConflictArguments = keyof SessionData extends never
  ? [key: string, conflict: SessionConflict]
  : {
      [Key in keyof SessionData]-?: [key: Key, conflict: SessionConflict<SessionData[Key]>];
    }[keyof SessionData];

/**
 * Makes one value of two; undefined: the key goes. It is called again when the key is changed once more meanwhile, so it should do
 * nothing else. It can't wait for anything: what it returns is the value, no promise.
 */
export type ConflictHook = (...args: ConflictArguments) => unknown;

/** What a request made of the session it began with. */
export interface ConflictingCommit {
  readonly id: VerifiedId;
  readonly base: SessionEntries;
  readonly changes: SessionChanges;
  readonly idleTimeoutMs: number;
}

/** @param stored what was written instead of the commit's changes; null: nothing. */
type Committed = (failure: FlotillaError | null, stored: SessionChanges | null) => void;

/** The commits of one request, one after the other: each has to know what became of the one before. */
export class ConflictMerges {
  readonly #store: SessionStore;
  readonly #hook: ConflictHook;
  readonly #waiting: (() => void)[] = [];
  #isBusy = false;

  constructor(store: SessionStore, hook: ConflictHook) {
    this.#store = store;
    this.#hook = hook;
  }

  commit(commit: ConflictingCommit, done: Committed): void {
    // The store calls back in a context of its own; the function is the request's (A50).
    const context = new AsyncResource("FlotillaConflict");
    const begin = (): void => {
      this.#isBusy = true;
      const over: Committed = (failure, stored) => {
        try {
          done(failure, stored);
        } finally {
          // Whoever is called back may throw.
          this.#isBusy = false;
          this.#waiting.shift()?.();
        }
      };
      new Merge(this.#store, this.#hook, commit, context, over).begin();
    };
    if (this.#isBusy) this.#waiting.push(begin);
    else begin();
  }
}

/**
 * The request goes on with what was stored, but for keys that it has changed once more: those will be merged again.
 * @param entries the request's, with the changes that it had handed over. @returns them as they are now.
 */
export function takeStored(
  session: Session,
  entries: SessionEntries,
  changes: SessionChanges,
  stored: SessionChanges,
): SessionEntries {
  const data = session as unknown as Record<string, unknown>;
  const merged = new Map<string, Entry | null>();
  for (const [key, entry] of stored) {
    const mine = changes.get(key) ?? null;
    if (entry === mine || (entries.get(key) ?? null) !== mine) continue;
    const isUnchanged = mine === null ? data[key] === undefined : mine.holds(data[key]);
    if (!isUnchanged) continue;
    merged.set(key, entry);
    if (entry === null) delete data[key];
    else data[key] = entry.take();
  }
  return applied(entries, merged);
}

/** What is to be stored now, and in place of what. */
interface Merged {
  readonly changes: SessionChanges;
  readonly expected: Expected;
}

class Merge {
  readonly #store: SessionStore;
  readonly #hook: ConflictHook;
  readonly #commit: ConflictingCommit;
  readonly #context: AsyncResource;
  readonly #done: Committed;
  readonly #startedAt: number = systemClock.now();
  #triesLeft: number = limits.updateTriesMax;

  constructor(
    store: SessionStore,
    hook: ConflictHook,
    commit: ConflictingCommit,
    context: AsyncResource,
    done: Committed,
  ) {
    this.#store = store;
    this.#hook = hook;
    this.#commit = commit;
    this.#context = context;
    this.#done = done;
  }

  begin(): void {
    const { base, changes } = this.#commit;
    const expected = new Map<string, string | null>();
    for (const key of changes.keys()) if (isData(key)) expected.set(key, base.get(key)?.text ?? null);
    this.#set(changes, expected);
  }

  #set(changes: SessionChanges, expected: Expected): void {
    const { id, idleTimeoutMs } = this.#commit;
    const done: Done = (failure) => {
      if (failure === null) this.#done(null, changes);
      else if (isContended(failure)) this.#again(failure);
      else this.#done(failure, null);
    };
    this.#store.compareAndSet(id, changes, expected, idleTimeoutMs, done);
  }

  #again(failure: FlotillaError): void {
    if (--this.#triesLeft <= 0) return this.#done(failure, null);
    this.#store.load(this.#commit.id, (error, entries) => {
      if (entries === null) return this.#done(error ?? sessionGone(), null);
      const merged = this.#merged(entries);
      if (merged instanceof FlotillaError) this.#done(merged, null);
      else this.#set(merged.changes, merged.expected);
    });
  }

  #merged(now: SessionEntries): Merged | FlotillaError {
    try {
      return this.#context.runInAsyncScope(this.#merge, this, now);
    } catch (thrown) {
      if (thrown instanceof FlotillaError) return thrown;
      const [key] = this.#commit.changes.keys();
      return unresolved(key!, `what it returned can't be read: ${messageOf(thrown)}`, thrown);
    }
  }

  /** @throws FlotillaError, and what a value's own toJSON throws. */
  #merge(now: SessionEntries): Merged {
    const { base, changes: mine } = this.#commit;
    const changes = new Map<string, Entry | null>();
    const expected = new Map<string, string | null>();
    let asked = "";
    for (const [key, entry] of mine) {
      const theirs = now.get(key);
      changes.set(key, entry);
      if (!isData(key)) continue;
      expected.set(key, theirs?.text ?? null);
      // Also where both made the same of it: of two that count, each has counted.
      if (theirs?.text === base.get(key)?.text) continue;
      asked = key;
      changes.set(key, this.#ask(key, base.get(key), entry, theirs));
    }
    const tookMs = systemClock.now() - this.#startedAt;
    // The response is refused by now, or about to be: what is not written must not be written later.
    if (tookMs >= limits.commitTimeoutMs) throw unresolved(asked, `that took ${Math.round(tookMs)} ms`);
    checkSize(applied(now, changes));
    return { changes, expected };
  }

  #ask(key: string, base: Entry | undefined, mine: Entry | null, theirs: Entry | undefined): Entry | null {
    const conflict = { base: copyOf(base), mine: copyOf(mine), theirs: copyOf(theirs) };
    let value: unknown;
    try {
      value = (this.#hook as (key: string, conflict: SessionConflict) => unknown)(key, conflict);
    } catch (error) {
      throw unresolved(key, `it threw: ${messageOf(error)}`, error);
    }
    if (isThenable(value)) {
      // Nobody else will hear of it.
      value.then(undefined, () => {});
      throw unresolved(key, "it returned a promise, and has to return the value itself");
    }
    return value === undefined ? null : Entry.of(key, value);
  }
}

/** The cookie's settings are nobody's data: the later ones win. */
function isData(key: string): boolean {
  return key !== "cookie";
}

function copyOf(entry: Entry | null | undefined): unknown {
  return entry === null || entry === undefined ? undefined : decode(entry.text);
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function"
  );
}

function unresolved(key: string, why: string, cause?: unknown): FlotillaError {
  return new FlotillaError(
    "FLOTILLA_SESSION_CONFLICT",
    `two requests changed req.session[${JSON.stringify(key.slice(0, 100))}] at the same time, and onConflict made no value of both: ` +
      `${why}; nothing was written`,
    { source: "server", cause },
  );
}
