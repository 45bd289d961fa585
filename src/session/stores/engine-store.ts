/**
 * Sessions in a database that others may use too: what `session()` asks for, made of a `SessionEngine`'s statements. READ FIRST.
 *
 *   engine-store   what is asked; a load of a session that this process holds is answered from its copy, at once
 *   lane           all else: one operation after the other on each session; reads, creates, removes (row-access: its statements)
 *   row-change     changes of keys, merged and compared-and-set, so that nobody's are lost
 *   copies         sessions as read or written last; notices: whether a copy may be served
 *   touches        uses, told seldom and many at once; cleaning: rows that have ended
 *   guard          bounds, deadlines, and whether the database is up
 *
 * The row is the truth. No process relies on what it remembers of it: a change is compared with the row's version, and a copy is served
 * only while it is proven that others' writes are told.
 */
import { AsyncResource } from "node:async_hooks";
import type { Clock, Random } from "../../support/clock.ts";
import type { FlotillaError } from "../../support/errors.ts";
import { session as limits } from "../../support/limits.ts";
import type { Log } from "../../support/log.ts";
import type { SessionChanges } from "../entry.ts";
import { type Letter, type SessionIds, slotCount, type VerifiedId } from "../id.ts";
import type { SessionLife } from "../snapshot.ts";
import {
  checkedIdleTimeoutMs,
  type Done,
  type Expected,
  type Loaded,
  noIdleTimeout,
  type SessionStore,
} from "../store.ts";
import { Cleaning } from "./cleaning.ts";
import { Copies, type Copy } from "./copies.ts";
import { type SessionEngine, touchIntervalMs } from "./engine.ts";
import { type Failure, Guard } from "./guard.ts";
import { Lane } from "./lane.ts";
import { Notices } from "./notices.ts";
import { type Kind, Operation, Pending } from "./operation.ts";
import type { StoreContext } from "./row-access.ts";
import { errorOf, tooMany } from "./store-errors.ts";
import { Touches } from "./touches.ts";

export interface EngineStoreOptions {
  readonly engine: SessionEngine;
  readonly ids: SessionIds;
  /** Of this process, as in the ids of sessions that begin here. */
  readonly letter: Letter;
  readonly processIndex: number;
  /** This process's name in rows that it holds: no other process has it. */
  readonly holder: string;
  /** `cached`: a session that this process holds is read once, then served from memory. `always`: each load reads. */
  readonly load: "cached" | "always";
  /** Of all servers in the file. An id with another letter is made anew. */
  readonly letters: ReadonlySet<Letter>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly copiesMax?: number;
  readonly copiesBytesMax?: number;
}

export class EngineStore implements SessionStore {
  readonly engine: SessionEngine;
  readonly #options: EngineStoreOptions;
  readonly #clock: Clock;
  readonly #guard: Guard;
  readonly #copies: Copies;
  readonly #touches: Touches;
  readonly #notices: Notices | null;
  readonly #cleaning: Cleaning;
  readonly #context: StoreContext;
  readonly #lanes: Map<string, Lane> = new Map();
  readonly #pending: Pending = new Pending();

  constructor(options: EngineStoreOptions) {
    const { engine, random, log, letter, processIndex } = options;
    this.engine = engine;
    this.#options = options;
    const clock = ownClock(options.clock);
    this.#clock = clock;
    this.#guard = new Guard({ engine, clock, random, log, onOpened: () => this.#begin() });
    this.#copies = new Copies(options.copiesMax, options.copiesBytesMax);
    this.#touches = new Touches(engine, this.#guard, clock);
    this.#cleaning = new Cleaning(engine, this.#guard, clock, random);
    this.#notices = options.load === "always" ? null : this.#listener();
    this.#context = {
      ...{ engine, clock, random, guard: this.#guard, copies: this.#copies, touches: this.#touches },
      notices: this.#notices,
      holder: this.#notices === null ? "" : options.holder,
      isMine: (id) => id.owner === letter && id.processIndex === processIndex,
    };
  }

  /** It answers from copies in memory. */
  get isCaching(): boolean {
    return this.#notices !== null;
  }

  /** Those that it holds and has in memory; only the database knows of all. */
  get count(): number {
    return this.#copies.held;
  }

  /** Why sessions can't be had now, for a person; null: they can. */
  get trouble(): string | null {
    return this.#guard.trouble;
  }

  /** Since when: milliseconds. 0: they can be had. */
  get troubleForMs(): number {
    return this.#guard.downForMs;
  }

  /**
   * One that concerns no request, within the same bounds: for operators.
   * @param inWords what is thrown, where that is not as of one that writes.
   * @throws FlotillaError FLOTILLA_SESSION_UNAVAILABLE, FLOTILLA_SESSION_UNKNOWN
   */
  statement<Answer>(
    begin: (engine: SessionEngine) => Promise<Answer>,
    inWords: (failure: Failure) => FlotillaError = errorOf,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const deadline = this.#clock.now() + limits.commitTimeoutMs;
      this.#guard.run(
        deadline,
        () => begin(this.engine),
        (failure, answer) => {
          if (failure === null) return resolve(answer as Answer);
          reject(inWords(failure));
        },
      );
    });
  }

  /**
   * Opens the database, as the first operation does otherwise.
   * @param done with what the engine threw at the first attempt, or null; it is tried again until it succeeds.
   */
  start(done: (error: unknown) => void = () => {}): void {
    this.#guard.open(done);
  }

  /** Tells the database of all uses. @param done also when it can't be told. */
  flush(done: () => void): void {
    this.#touches.flush(done);
  }

  /** Refuses everything from now on. The engine stays open. */
  stop(): void {
    this.#cleaning.stop();
    this.#notices?.stop();
    this.#touches.stop();
    this.#guard.stop();
  }

  newId(): VerifiedId {
    const { ids, letter, processIndex, random } = this.#options;
    return ids.verify(ids.create(letter, "-", Math.floor(random() * slotCount), processIndex))!;
  }

  renewed(id: VerifiedId): VerifiedId | null {
    const { ids, letter, letters, processIndex } = this.#options;
    return letters.has(id.owner) ? null : ids.reissue(id, letter, "-", processIndex);
  }

  load(id: VerifiedId, done: Loaded): void {
    const { key } = id;
    const now = this.#clock.now();
    const copy = this.#notices?.isFresh(now) && !this.#lanes.has(key) ? this.#copies.get(key) : undefined;
    if (copy?.mayServe && isAlive(copy, now)) {
      this.#use(key, copy, copy.idleTimeoutMs, now);
      done(null, copy.entries, now - copy.createdAt, copy.absoluteTimeoutMs);
      return;
    }
    const operation = new Operation("load", id, now);
    operation.loaded = done;
    this.#add(operation);
  }

  create(
    id: VerifiedId,
    changes: SessionChanges,
    idleTimeoutMs: number,
    life: SessionLife,
    done: Done,
  ): void {
    const timeoutMs = checkedIdleTimeoutMs(idleTimeoutMs);
    if (timeoutMs === null) return done(noIdleTimeout(idleTimeoutMs));
    const operation = this.#change("create", id, changes, timeoutMs, done);
    operation.life = life;
    this.#add(operation);
  }

  update(id: VerifiedId, changes: SessionChanges, idleTimeoutMs: number, done: Done): void {
    const timeoutMs = checkedIdleTimeoutMs(idleTimeoutMs);
    if (timeoutMs === null) return done(noIdleTimeout(idleTimeoutMs));
    this.#add(this.#change("update", id, changes, timeoutMs, done));
  }

  compareAndSet(
    id: VerifiedId,
    changes: SessionChanges,
    expected: Expected,
    idleTimeoutMs: number,
    done: Done,
  ): void {
    const timeoutMs = checkedIdleTimeoutMs(idleTimeoutMs);
    if (timeoutMs === null) return done(noIdleTimeout(idleTimeoutMs));
    const operation = this.#change("compareAndSet", id, changes, timeoutMs, done);
    operation.expected = expected;
    this.#add(operation);
  }

  touch({ key }: VerifiedId, idleTimeoutMs: number, isRecent: boolean): void {
    const timeoutMs = checkedIdleTimeoutMs(idleTimeoutMs);
    if (timeoutMs === null) return;
    const copy = this.#copies.get(key);
    if (copy !== undefined) this.#use(key, copy, Math.ceil(timeoutMs), this.#clock.now());
    // One that was loaded a moment ago was told of then, where that was due.
    else if (!isRecent) this.#touches.note(key, Math.ceil(timeoutMs));
  }

  destroy(id: VerifiedId, done: Done): void {
    const operation = new Operation("destroy", id, this.#clock.now());
    operation.done = done;
    this.#add(operation);
  }

  #begin(): void {
    this.#cleaning.start();
    this.#notices?.start();
  }

  #change(kind: Kind, id: VerifiedId, changes: SessionChanges, idleTimeoutMs: number, done: Done): Operation {
    const operation = new Operation(kind, id, this.#clock.now(), changes);
    // Databases keep whole numbers.
    operation.idleTimeoutMs = Math.ceil(idleTimeoutMs);
    operation.done = done;
    return operation;
  }

  #add(operation: Operation): void {
    const { key } = operation.id;
    let lane = this.#lanes.get(key);
    if (lane?.isFull || !this.#pending.add(operation)) return operation.end(tooMany(this.engine.name));
    operation.pending = this.#pending;
    if (lane === undefined) {
      lane = new Lane(key, this.#context, this.#onIdle);
      this.#lanes.set(key, lane);
    }
    lane.add(operation);
  }

  #use(key: string, copy: Copy, idleTimeoutMs: number, now: number): void {
    copy.usedAt = now;
    const isLonger = idleTimeoutMs > copy.idleTimeoutMs;
    if (!isLonger && now - copy.toldAt < touchIntervalMs(copy.idleTimeoutMs)) return;
    if (isLonger) copy.idleTimeoutMs = idleTimeoutMs;
    copy.toldAt = now;
    this.#touches.note(key, copy.idleTimeoutMs);
  }

  readonly #onIdle = (key: string): void => {
    this.#lanes.delete(key);
  };

  #listener(): Notices {
    const { engine, holder, random, log } = this.#options;
    return new Notices({
      ...{ engine, holder, clock: this.#clock, random, log },
      isUp: () => this.#guard.isUp,
      onChanged: (key) => {
        this.#copies.delete(key);
        this.#lanes.get(key)?.notice();
      },
      onBegin: () => this.#copies.clear(),
    });
  }
}

/** What goes on here for ever is begun within some request, whose context (A50) it is not to keep. */
function ownClock(clock: Clock): Clock {
  const own = new AsyncResource("FlotillaStore");
  return {
    now: () => clock.now(),
    after: (delayMs, callback) => own.runInAsyncScope(() => clock.after(delayMs, callback)),
  };
}

/** As far as this process knows: one that others use meanwhile may live longer. */
function isAlive({ usedAt, idleTimeoutMs, createdAt, absoluteTimeoutMs }: Copy, now: number): boolean {
  return now - usedAt < idleTimeoutMs && now - createdAt < absoluteTimeoutMs;
}
