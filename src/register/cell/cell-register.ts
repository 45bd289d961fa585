/**
 * A register in a cell of an engine outside of the servers (cell.ts). One operation runs at a time.
 *
 * A change whose answer was lost may still be on its way, and a later read alone does not stop it. But it can only happen
 * while the cell has the revision that it expects. So a read that finds this revision writes the same state once more:
 * after that the change can never happen, and what the read shows is settled. No clock decides that, and it costs one
 * write after an answer that was lost.
 *
 * An engine may lose changes that it had answered: a standby that lagged is promoted, a backup is restored. Then the history of
 * what the cell holds lacks a change that is known here, and others may have built on it. Whoever finds that joins the two.
 */
import type { Clock, Random } from "../../support/clock.ts";
import { FlotillaError } from "../../support/errors.ts";
import { register as limits } from "../../support/limits.ts";
import {
  type ChangeOperation,
  type Operation,
  OperationQueue,
  type ReadOperation,
} from "../operation-queue.ts";
import { changeOf } from "../recent.ts";
import {
  type CasOutcome,
  encoded,
  type ReadDone,
  type Register,
  type ValueCodec,
  type Versioned,
} from "../register.ts";
import { unreachable } from "../unreachable.ts";
import { type Cell, type CellStore, type SwapOutcome, SwapRefused } from "./cell.ts";
import { type CellState, decodeCell, encodeCell, nextState } from "./cell-state.ts";

export interface CellRegisterOptions<V> {
  readonly store: CellStore;
  /** For messages: "the key /flotilla/app in etcd". */
  readonly where: string;
  /** This start of this process, "app-a#4tZ..": two proposers never share it. */
  readonly node: string;
  readonly codec: ValueCodec<V>;
  /** Of two branches of the history: the value to go on with, made of the one that is kept. */
  readonly afterFork: (kept: V, lost: readonly V[]) => V;
  readonly clock: Clock;
  readonly random: Random;
  /** For the log: two branches were joined. */
  readonly onFork: (message: string) => void;
  /** After each read and change: null when the engine answered as it should. */
  readonly onEnd: (error: FlotillaError | null, isChange: boolean) => void;
}

interface Known<V> {
  readonly revision: string;
  readonly state: CellState;
  readonly versioned: Versioned<V>;
}

interface Change<V> {
  readonly id: string;
  readonly expected: number;
  /** Of a register that comes from elsewhere; null: as the chain goes on. */
  readonly origin: Origin | null;
  readonly value: V;
  readonly bytes: Buffer;
}

interface Origin {
  readonly world: string;
  readonly version: number;
}

/** For the revision of a cell that does not exist. */
const none = "";

export class CellRegister<V> implements Register<V> {
  readonly #options: CellRegisterOptions<V>;
  readonly #listeners: Set<(state: Versioned<V>) => void> = new Set();
  readonly #operations: OperationQueue<V, Change<V>>;
  /** Expected revisions of changes that may still happen, and what the last such change would write. */
  readonly #unsettled: Map<string, Buffer> = new Map();
  #known: Known<V> | null = null;
  #changes = 0;
  #changeTrouble: string | null = null;

  constructor(options: CellRegisterOptions<V>) {
    this.#options = options;
    this.#operations = new OperationQueue(options.clock, (operation) => void this.#run(operation));
    options.store.watch((cell) => this.#hear(cell));
  }

  get known(): Versioned<V> | null {
    return this.#known?.versioned ?? null;
  }

  /** Which register this is: made with its first version. */
  get world(): string | null {
    return this.#known?.state.world ?? null;
  }

  /** Why the last change that was asked for could not be made; null when it could, or nothing has been changed yet. */
  get changeTrouble(): string | null {
    return this.#changeTrouble;
  }

  read(done: ReadDone<V>): void {
    this.#operations.read(done);
  }

  /** @throws RangeError when the value is too large. */
  compareAndSet(expected: number, value: V, done: (outcome: CasOutcome<V>) => void): void {
    this.#change(expected, value, null, done);
  }

  /** The first version, of a register that was elsewhere before; "conflict" shows the one that is there. */
  begin(
    { world, version, value }: Origin & { readonly value: V },
    done: (outcome: CasOutcome<V>) => void,
  ): void {
    this.#change(0, value, { world, version }, done);
  }

  #change(expected: number, value: V, origin: Origin | null, done: (outcome: CasOutcome<V>) => void): void {
    const bytes = encoded(this.#options.codec, value);
    if (this.#known !== null && expected < this.#known.state.version) {
      done({ kind: "conflict", state: this.#known.versioned });
      return;
    }
    const change = { id: `${this.#options.node}.${++this.#changes}`, expected, origin, value, bytes };
    this.#operations.change(change, done);
  }

  watch(listener: (state: Versioned<V>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends without another word: whoever waits is not called any more. */
  stop(): void {
    this.#operations.stop();
    this.#options.store.stop();
  }

  async #run(operation: Operation<V, Change<V>>): Promise<void> {
    if (operation.change === null) await this.#runRead(operation);
    else await this.#runChange(operation);
  }

  async #runRead(operation: ReadOperation<V>): Promise<void> {
    const { untilMs } = operation;
    const { error, result } = await this.#tries(untilMs, () => this.#readSettled(untilMs));
    if (this.#operations.isStopped) return;
    this.#options.onEnd(error, false);
    this.#operations.endRead(operation, error, result?.versioned ?? null);
  }

  async #runChange(operation: ChangeOperation<V, Change<V>>): Promise<void> {
    const { change, untilMs } = operation;
    const { error, result } = await this.#tries(untilMs, () => this.#try(change, untilMs));
    if (this.#operations.isStopped) return;
    this.#changeTrouble = error === null ? null : error.message;
    this.#options.onEnd(error, true);
    this.#operations.endChange(operation, error === null ? result : { kind: "unknown", error });
  }

  /** Until one succeeds, with pauses. What another try can't mend ends it at once. */
  async #tries<R>(
    untilMs: number,
    once: () => Promise<R>,
  ): Promise<{ error: FlotillaError; result: null } | { error: null; result: R }> {
    const { clock, random } = this.#options;
    for (let tries = 0; ; tries++) {
      try {
        return { error: null, result: await once() };
      } catch (error) {
        if (!(error instanceof FlotillaError)) throw error;
        const most = Math.min(limits.backoffMaxMs, limits.backoffMinMs * 2 ** Math.min(tries, 10));
        const pauseMs = limits.backoffMinMs + random() * most;
        if (this.#operations.isStopped || error.retry === "no" || clock.now() + pauseMs >= untilMs)
          return { error, result: null };
        await new Promise<void>((resolve) => clock.after(pauseMs, resolve));
      }
    }
  }

  /** @throws FlotillaError when there is no time left. */
  #timeout(untilMs: number): number {
    const leftMs = untilMs - this.#options.clock.now();
    if (leftMs <= 0 || this.#operations.isStopped)
      throw unreachable(`no time was left to ask for ${this.#options.where}`);
    return Math.min(leftMs, this.#options.store.attemptTimeoutMs);
  }

  /** What the cell holds, with no change of ours that may still happen to it. */
  async #readSettled(untilMs: number): Promise<Known<V> | null> {
    const { store } = this.#options;
    const before = this.#known;
    let cell = await store.get(this.#timeout(untilMs));
    await this.#take(cell, before, untilMs);
    const pending = this.#unsettled.get(cell?.revision ?? none);
    if (pending !== undefined) {
      const bytes = cell?.bytes ?? pending;
      const outcome = await store.swap(cell?.revision ?? null, bytes, this.#timeout(untilMs));
      cell = outcome.isDone ? { revision: outcome.revision, bytes } : outcome.cell;
      await this.#take(cell, before, untilMs);
    }
    this.#unsettled.clear();
    return this.#known;
  }

  async #try(change: Change<V>, untilMs: number): Promise<CasOutcome<V>> {
    const { store, where } = this.#options;
    // Whoever hears nothing must change nothing: it would take slots that it does not know it has. What was answered a
    // moment ago is heard; and the revision is the newest.
    const before = this.#known;
    await this.#take(await store.get(this.#timeout(untilMs)), before, untilMs);
    const base = this.#known;
    const version = base?.state.version ?? 0;
    if (version > change.expected) return this.#outcomeOf(change, base!);
    if (version < change.expected)
      throw unreachable(`${where} has version ${version}, and somebody knows version ${change.expected}`);
    const state =
      base === null
        ? { ...(change.origin ?? { world: change.id, version: 1 }), recent: [change.id], value: change.bytes }
        : nextState(base.state, change.id, change.bytes);
    const bytes = encodeCell(state);
    const revision = base?.revision ?? none;
    const outcome = await this.#swap(revision, bytes, untilMs);
    if (!outcome.isDone) {
      await this.#take(outcome.cell, base, untilMs);
      const now = this.#known;
      if (now !== null && now.state.version > change.expected) return this.#outcomeOf(change, now);
      throw unreachable(`${where} is being written by another server`);
    }
    const versioned: Versioned<V> = Object.freeze({ version: state.version, value: change.value });
    this.#adopt({ revision: outcome.revision, state, versioned });
    return { kind: "done", state: versioned };
  }

  /** @param known a later state than the one that the change expects. */
  #outcomeOf({ id, expected, origin, value }: Change<V>, { state, versioned }: Known<V>): CasOutcome<V> {
    if (origin !== null) return { kind: "conflict", state: versioned };
    const made = changeOf(state, expected + 1);
    if (made === id) return { kind: "done", state: { version: expected + 1, value } };
    if (made !== null) return { kind: "conflict", state: versioned };
    return { kind: "unknown", error: unreachable("the change is too old to tell what became of it") };
  }

  /** As `#learn`, and joins what has forked. */
  async #take(cell: Cell | null, before: Known<V> | null, untilMs: number): Promise<void> {
    const lost = this.#learn(cell, before);
    if (lost !== null) await this.#join(cell!, lost, untilMs);
  }

  /**
   * @param cell an answer of the engine, for which nobody may be told anything older than `before`.
   * @returns what the cell holds where its history lacks what is known; else null.
   * @throws FlotillaError when it never was this register.
   */
  #learn(cell: Cell | null, before: Known<V> | null): CellState | null {
    const { where } = this.#options;
    if (cell === null) {
      if (before !== null) throw replaced(`${where} is gone`);
      return null;
    }
    if (cell.revision === this.#known?.revision) return null;
    const state = decodeCell(cell.bytes, where);
    const known = this.#known;
    if (known !== null) {
      if (state.world !== known.state.world) throw replaced(`${where} holds another register than before`);
      if (state.version < (before ?? known).state.version) return before === null ? null : state;
      if (state.version < known.state.version) return null;
      if (!continues(state, known.state)) return state;
      if (state.version === known.state.version) {
        this.#known = { ...known, revision: cell.revision };
        return null;
      }
    }
    const versioned = Object.freeze({
      version: state.version,
      value: this.#options.codec.decode(state.value),
    });
    this.#adopt({ revision: cell.revision, state, versioned });
    return null;
  }

  /** The longer branch goes on, on top of both. */
  async #join(cell: Cell, found: CellState, untilMs: number): Promise<void> {
    const { codec, afterFork, node, where, onFork } = this.#options;
    const known = this.#known!;
    const isFoundKept = found.version >= known.state.version;
    const foundValue = codec.decode(found.value);
    const [kept, lost] = isFoundKept
      ? [foundValue, known.versioned.value]
      : [known.versioned.value, foundValue];
    const value = afterFork(kept, [lost]);
    const bytes = codec.encode(value);
    if (found.version > known.state.version && bytes.equals(found.value)) {
      // Somebody has joined them already.
      this.#adopt({
        revision: cell.revision,
        state: found,
        versioned: Object.freeze({ version: found.version, value }),
      });
      return;
    }
    const base = isFoundKept ? found : known.state;
    const state = nextState(base, `${node}.${++this.#changes}`, bytes);
    const outcome = await this.#swap(cell.revision, encodeCell(state), untilMs);
    if (!outcome.isDone) throw unreachable(`${where} is being written by another server`);
    onFork(
      `${where} had lost changes (it held version ${found.version}; this server knew version ${known.state.version}): it was ` +
        "restored, or a standby that lagged was promoted. It goes on from what the servers know; what was answered meanwhile may be lost",
    );
    this.#adopt({
      revision: outcome.revision,
      state,
      versioned: Object.freeze({ version: state.version, value }),
    });
  }

  /** Remembers it as long as it may still happen. */
  async #swap(revision: string, bytes: Buffer, untilMs: number): Promise<SwapOutcome> {
    const isSettledBefore = !this.#unsettled.has(revision);
    this.#unsettled.set(revision, bytes);
    try {
      const expected = revision === none ? null : revision;
      const outcome = await this.#options.store.swap(expected, bytes, this.#timeout(untilMs));
      // The revision is another one now, and never will be that one again.
      this.#unsettled.delete(revision);
      return outcome;
    } catch (error) {
      if (error instanceof SwapRefused && isSettledBefore) this.#unsettled.delete(revision);
      throw error;
    }
  }

  #adopt(known: Known<V>): void {
    if (this.#known !== null && known.state.version <= this.#known.state.version) return;
    this.#known = known;
    for (const listener of [...this.#listeners]) listener(known.versioned);
  }

  /** From the watch, which may be late: what can't be taken is left to the next read. */
  #hear(cell: Cell): void {
    if (this.#operations.isStopped) return;
    try {
      if (this.#learn(cell, null) !== null) this.read(() => {});
    } catch (error) {
      if (!(error instanceof FlotillaError)) throw error;
    }
  }
}

/** Whether the known state is that state, or in its history, as far as that is remembered. */
function continues(state: CellState, known: CellState): boolean {
  const made = changeOf(state, known.version);
  return made === null || made === changeOf(known, known.version);
}

/** Removed, or written by somebody else. Servers that run must not go back. */
function replaced(what: string): FlotillaError {
  return new FlotillaError(
    "FLOTILLA_REGISTER_REPLACED",
    `${what}: it was removed, or taken for another site; stop all app servers in order and start them again`,
    { source: "server" },
  );
}
