/**
 * Changes of one session's keys on their way into its row: merged into the data as this process knows them, put in the place of that very
 * version, and where that is not the row's version any more, read and merged again. Nobody's keys are lost but those that the change
 * names, and a session that is gone stays so.
 */
import type { FlotillaError } from "../../support/errors.ts";
import { sessionStores as limits, session } from "../../support/limits.ts";
import { applied, bytesOf, type SessionEntries } from "../entry.ts";
import { contended, sessionGone, tooLarge } from "../store.ts";
import type { Copy } from "./copies.ts";
import type { Replaced } from "./engine.ts";
import type { Failure } from "./guard.ts";
import type { Operation } from "./operation.ts";
import type { RowAccess } from "./row-access.ts";
import { writeRowData } from "./row-data.ts";
import { errorOf, readErrorOf, unavailable } from "./store-errors.ts";

/** @param written what a statement of this change made; null: gone; undefined: none did. */
type Over = (operations: readonly Operation[], error: FlotillaError | null, written?: Copy | null) => void;

/** Sent, and nobody knows what became of it. */
interface Lost {
  readonly version: number;
  readonly entries: SessionEntries;
  readonly failure: Failure;
}

export class RowChange {
  readonly #row: RowAccess;
  readonly #over: Over;
  readonly #deadline: number;
  /** Those that are neither refused nor done. */
  #operations: readonly Operation[];
  #merges = 0;
  #retries: number = limits.retriesMax;
  #lost: Lost | null = null;

  /** @param operations updates in their order, or one compareAndSet. */
  constructor(row: RowAccess, operations: readonly Operation[], over: Over) {
    this.#row = row;
    this.#over = over;
    this.#operations = operations;
    this.#deadline = operations[0]!.deadline;
  }

  begin(): void {
    const known = this.#row.context.copies.get(this.#row.key);
    if (known === undefined) this.#read();
    else this.#merge(known, false);
  }

  #read(): void {
    const { context, key } = this.#row;
    const read = () => context.engine.read(key);
    this.#row.ask(this.#deadline, read, (failure, row) => {
      if (failure !== null) return this.#giveUp(readErrorOf(failure, key, context.engine.name));
      let copy: Copy | null;
      try {
        copy = this.#row.take(row);
      } catch (error) {
        return this.#giveUp(error as FlotillaError);
      }
      if (copy === null) this.#over(this.#operations, sessionGone());
      else if (this.#isDoneBy(copy)) this.#over(this.#operations, null);
      else this.#merge(copy, true);
    });
  }

  /** What was lost on the way has arrived. */
  #isDoneBy({ version, entries }: Copy): boolean {
    return this.#lost !== null && version === this.#lost.version + 1 && isEqual(entries, this.#lost.entries);
  }

  /** @param isCurrent it was read for this change: what it says against it is so. */
  #merge(base: Copy, isCurrent: boolean): void {
    const refused: [Operation, FlotillaError][] = [];
    let entries = base.entries;
    for (const operation of this.#operations) {
      const next = applied(entries, operation.changes);
      const problem = problemOf(operation, entries, next);
      if (problem === null) entries = next;
      else if (!isCurrent) return this.#read();
      else refused.push([operation, problem]);
    }
    for (const [operation, problem] of refused) operation.end(problem);
    if (refused.length > 0)
      this.#operations = this.#operations.filter((one) => !refused.some(([other]) => other === one));
    if (this.#operations.length === 0) this.#over([], null);
    else this.#replace(base, entries);
  }

  #replace(base: Copy, entries: SessionEntries): void {
    const { context, key } = this.#row;
    const { id, idleTimeoutMs } = this.#operations.at(-1)!;
    const data = entries === base.entries && base.data !== "" ? base.data : writeRowData(entries);
    const write = this.#row.writeBy(id, data, idleTimeoutMs, base.holder);
    const { version, createdAt, absoluteTimeoutMs } = base;
    const replace = (): Promise<Replaced> => context.engine.replace(key, version, write);
    const done = (failure: Failure | null, replaced: Replaced | null): void => {
      if (failure !== null) return this.#failed(failure, { version, entries, failure });
      if (replaced === "changed") return this.#again();
      if (replaced === "gone") {
        context.copies.delete(key);
        return this.#over(this.#operations, sessionGone(), null);
      }
      const { sentAt } = this.#row;
      const row = { ...write, version: version + 1, ageMs: sentAt - createdAt, absoluteTimeoutMs };
      context.touches.forget(key);
      this.#over(this.#operations, null, this.#row.keep(entries, data, row, sentAt));
    };
    this.#row.ask(this.#deadline, replace, done, "never");
  }

  #failed(failure: Failure, lost: Lost): void {
    const { copies } = this.#row.context;
    if (failure.outcome === "unknown") {
      copies.doubt(this.#row.key, lost.version);
      this.#lost = lost;
    }
    // Of a comparison that may have been made nobody can tell whether it was: what it wrote, another one may have written too.
    const isKnown = failure.outcome !== "unknown" || this.#operations[0]!.expected === null;
    if (!isKnown || !failure.isWorthRetrying || this.#retries === 0)
      return this.#giveUp(
        errorOf(
          failure,
          this.#operations.flatMap(({ changes }) => [...changes.keys()]),
        ),
      );
    const pauseMs = limits.retryMs * 2 ** (limits.retriesMax - this.#retries--);
    this.#row.pause(pauseMs, () => this.#read());
  }

  /** Somebody else wrote meanwhile. */
  #again(): void {
    const { context, key } = this.#row;
    context.copies.delete(key);
    const isLate = context.clock.now() >= this.#deadline;
    if (isLate || ++this.#merges > limits.mergesMax)
      this.#giveUp(unavailable("others write to the session again and again"));
    else if (this.#merges === 1) this.#read();
    else this.#row.pause(limits.mergePauseMs * Math.min(this.#merges, 8), () => this.#read());
  }

  #giveUp(error: FlotillaError): void {
    this.#over(this.#operations, this.#lost === null ? error : errorOf(this.#lost.failure));
  }
}

function problemOf(
  { expected, changes }: Operation,
  entries: SessionEntries,
  next: SessionEntries,
): FlotillaError | null {
  if (expected !== null)
    for (const [key, text] of expected) if ((entries.get(key)?.text ?? null) !== text) return contended(key);
  return bytesOf(next) > session.dataBytesMax ? tooLarge(changes) : null;
}

function isEqual(one: SessionEntries, other: SessionEntries): boolean {
  if (one.size !== other.size) return false;
  for (const [key, { text }] of one) if (other.get(key)?.text !== text) return false;
  return true;
}
