/** Operations of a register: one runs at a time, the others wait in their order, and each has so much time from when it was asked for. */
import type { Clock } from "../support/clock.ts";
import type { FlotillaError } from "../support/errors.ts";
import { register as limits } from "../support/limits.ts";
import type { CasOutcome, ReadDone, Versioned } from "./register.ts";
import { unreachable } from "./unreachable.ts";

export interface ReadOperation<V> {
  readonly change: null;
  readonly untilMs: number;
  readonly readers: ReadDone<V>[];
}

export interface ChangeOperation<V, Change> {
  readonly change: Change;
  readonly untilMs: number;
  readonly onOutcome: (outcome: CasOutcome<V>) => void;
}

export type Operation<V, Change> = ReadOperation<V> | ChangeOperation<V, Change>;

export class OperationQueue<V, Change extends object> {
  readonly #clock: Clock;
  readonly #run: (operation: Operation<V, Change>) => void;
  readonly #waiting: Operation<V, Change>[] = [];
  #running: Operation<V, Change> | null = null;
  #isStopped = false;

  /** @param run begins it; `endRead` or `endChange` follows, possibly at once. */
  constructor(clock: Clock, run: (operation: Operation<V, Change>) => void) {
    this.#clock = clock;
    this.#run = run;
  }

  get isIdle(): boolean {
    return this.#running === null;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Nobody who waits is called any more. */
  stop(): void {
    this.#isStopped = true;
    this.#waiting.length = 0;
  }

  read(done: ReadDone<V>): void {
    // One that has not begun serves every caller up to its beginning.
    const next = this.#waiting.find((operation) => operation.change === null) as ReadOperation<V> | undefined;
    if (next === undefined) {
      if (this.#isFull) done(unreachable("too many operations of the register are waiting"), null);
      else this.#add({ change: null, untilMs: this.#untilMs, readers: [done] });
    } else if (next.readers.length < limits.readersMax) next.readers.push(done);
    else done(unreachable("too many reads of the register are waiting"), null);
  }

  change(change: Change, onOutcome: (outcome: CasOutcome<V>) => void): void {
    if (!this.#isFull) this.#add({ change, untilMs: this.#untilMs, onOutcome });
    else {
      const error = unreachable("too many operations of the register are waiting");
      onOutcome({ kind: "unknown", error });
    }
  }

  /** Whoever is told may ask for the next operation. */
  endRead({ readers }: ReadOperation<V>, error: FlotillaError | null, state: Versioned<V> | null): void {
    this.#running = null;
    for (const done of readers) done(error, state);
    this.#runNext();
  }

  endChange({ onOutcome }: ChangeOperation<V, Change>, outcome: CasOutcome<V>): void {
    this.#running = null;
    onOutcome(outcome);
    this.#runNext();
  }

  get #isFull(): boolean {
    return this.#waiting.length >= limits.operationsMax;
  }

  get #untilMs(): number {
    return this.#clock.now() + limits.operationTimeoutMs;
  }

  #add(operation: Operation<V, Change>): void {
    if (this.#isStopped) return;
    this.#waiting.push(operation);
    this.#runNext();
  }

  #runNext(): void {
    if (this.#running !== null) return;
    this.#running = this.#waiting.shift() ?? null;
    if (this.#running !== null) this.#run(this.#running);
  }
}
