/**
 * The operations on one session in one process: one after the other, in the order of the calls. A lane lives while there are any.
 * Loads that wait together are one read, updates that wait together one write (row-change.ts), and a load behind a write is answered
 * from what that made.
 */
import type { FlotillaError } from "../../support/errors.ts";
import { sessionStores as limits } from "../../support/limits.ts";
import type { SessionChanges, SessionEntries } from "../entry.ts";
import type { Copy } from "./copies.ts";
import { type SessionRow, touchIntervalMs } from "./engine.ts";
import type { Failure } from "./guard.ts";
import type { Kind, Operation } from "./operation.ts";
import { RowAccess, type StoreContext } from "./row-access.ts";
import { RowChange } from "./row-change.ts";
import { writeRowData } from "./row-data.ts";
import { errorOf, isUnfit, outcomeUnknown, readErrorOf, unavailable } from "./store-errors.ts";

/** A session that is made anew in the place of one that is there. */
const createTriesMax = 3;

export class Lane {
  readonly #row: RowAccess;
  readonly #context: StoreContext;
  readonly #onIdle: (key: string) => void;
  readonly #waiting: Operation[] = [];
  #isBusy = false;

  constructor(key: string, context: StoreContext, onIdle: (key: string) => void) {
    this.#row = new RowAccess(key, context);
    this.#context = context;
    this.#onIdle = onIdle;
  }

  get isFull(): boolean {
    return this.#waiting.length >= limits.operationsPerSessionMax;
  }

  add(operation: Operation): void {
    this.#waiting.push(operation);
    if (!this.#isBusy) this.#next(undefined);
  }

  /** Somebody else has written to the session. */
  notice(): void {
    this.#row.isNoticed = true;
  }

  /** @param written what the last statement made; null: gone; undefined: it made nothing. */
  readonly #over = (
    operations: readonly Operation[],
    error: FlotillaError | null,
    written?: Copy | null,
  ): void => {
    // A value that can't be kept is the fault of one request.
    if (error !== null && operations.length > 1 && isUnfit(error)) this.#eachAlone(operations);
    else for (const operation of operations) operation.end(error);
    this.#next(written);
  };

  #next(written: Copy | null | undefined): void {
    this.#isBusy = true;
    const now = this.#context.clock.now();
    for (;;) {
      const operation = this.#waiting[0];
      if (operation === undefined) break;
      if (operation.deadline <= now) {
        this.#waiting.shift();
        operation.end(unavailable(`${this.#context.engine.name} was too slow for what came before`));
      } else if (operation.kind === "load" && written !== undefined && this.#shows(operation, written, now)) {
        this.#waiting.shift();
        operation.answer(written, now);
      } else return this.#begin(operation);
    }
    this.#isBusy = false;
    this.#onIdle(this.#row.key);
  }

  /** Others may have written behind it before the load was asked for: unless we would know, or it was asked for before the write. */
  #shows(load: Operation, written: Copy | null, now: number): boolean {
    if (written === null || load.askedAt <= this.#row.sentAt) return true;
    return written.mayServe && this.#context.notices!.isFresh(now);
  }

  #begin(operation: Operation): void {
    switch (operation.kind) {
      case "load":
        return this.#load(this.#takeAll("load"));
      case "update":
        return new RowChange(this.#row, this.#takeAll("update"), this.#over).begin();
      case "compareAndSet":
        return new RowChange(this.#row, this.#takeOne(), this.#over).begin();
      case "create":
        return this.#create(operation, this.#takeOne(), createTriesMax);
      case "destroy":
        return this.#destroy(operation, this.#takeOne());
    }
  }

  #takeOne(): Operation[] {
    return this.#waiting.splice(0, 1);
  }

  /** Those in front. */
  #takeAll(kind: Kind): Operation[] {
    let count = 1;
    while (this.#waiting[count]?.kind === kind && !this.#waiting[count - 1]!.isAlone) count++;
    return this.#waiting.splice(0, count);
  }

  #eachAlone(operations: readonly Operation[]): void {
    for (const operation of operations) operation.isAlone = true;
    this.#waiting.unshift(...operations);
  }

  #load(loads: readonly Operation[]): void {
    const { engine, clock } = this.#context;
    const read = (): Promise<SessionRow | null> => engine.read(this.#row.key);
    this.#row.ask(loads[0]!.deadline, read, (failure, row) => {
      if (failure !== null) return this.#over(loads, readErrorOf(failure, this.#row.key, engine.name));
      let copy: Copy | null;
      try {
        copy = this.#row.take(row);
      } catch (error) {
        return this.#over(loads, error as FlotillaError);
      }
      const now = clock.now();
      if (copy !== null) this.#use(copy, now);
      for (const load of loads) load.answer(copy, now);
      this.#next(undefined);
    });
  }

  #use(copy: Copy, now: number): void {
    copy.usedAt = now;
    if (now - copy.toldAt < touchIntervalMs(copy.idleTimeoutMs)) return;
    copy.toldAt = now;
    this.#context.touches.note(this.#row.key, copy.idleTimeoutMs);
  }

  /** What is there already is of an attempt whose outcome was unknown, or of another life of the same session: its place is taken. */
  #create(operation: Operation, operations: readonly Operation[], triesLeft: number): void {
    const { id, changes, idleTimeoutMs, life, deadline } = operation;
    const row = this.#row;
    const entries = presentOf(changes);
    const data = writeRowData(entries);
    const write = row.writeBy(id, data, idleTimeoutMs, "");
    const insert = (): Promise<boolean> => this.#context.engine.insert(row.key, write, life);
    const done = (failure: Failure | null, isNew: boolean | null): void => {
      if (failure !== null) return this.#failed(operations, failure);
      if (isNew)
        return this.#over(
          operations,
          null,
          row.keep(entries, data, { ...write, ...life, version: 1 }, row.sentAt),
        );
      if (triesLeft === 0) return this.#over(operations, outcomeUnknown("others create the same session"));
      this.#remove(deadline, (problem) => {
        if (problem !== null) this.#failed(operations, problem);
        else this.#create(operation, operations, triesLeft - 1);
      });
    };
    // One that may still be made is not made again: it would bring back a session that was destroyed meanwhile.
    row.ask(deadline, insert, done, "unmade");
  }

  #destroy(operation: Operation, operations: readonly Operation[]): void {
    this.#remove(operation.deadline, (failure) => {
      if (failure === null) this.#over(operations, null, null);
      else this.#failed(operations, failure);
    });
  }

  #remove(deadline: number, done: (failure: Failure | null) => void): void {
    const { engine, copies, touches } = this.#context;
    const { key } = this.#row;
    // By nobody, so that the holder is told also where that is this process: of one that comes late it would not know.
    const remove = (): Promise<void> => engine.remove(key, "");
    copies.delete(key);
    this.#row.ask(deadline, remove, (failure) => {
      copies.delete(key);
      touches.forget(key);
      done(failure);
    });
  }

  #failed(operations: readonly Operation[], failure: Failure): void {
    this.#context.copies.delete(this.#row.key);
    this.#over(operations, errorOf(failure, operations[0]!.changes.keys()));
  }
}

function presentOf(changes: SessionChanges): SessionEntries {
  const entries = new Map();
  for (const [key, entry] of changes) if (entry !== null) entries.set(key, entry);
  return entries;
}
