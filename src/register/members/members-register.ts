/**
 * `coordination: members`: the register kept by voters among the servers themselves. Every server has one of
 * these and may read and propose; the voters' answers decide (proposer.ts, acceptor.ts).
 *
 * One operation runs at a time. A read asks the voters once, without a promise or a sync (look.ts): when enough of them
 * have accepted the same ballot and promised none above, its state is committed and no older proposal can ever be.
 * Otherwise, and for every change, the full two rounds are taken, with a randomized pause before each new try.
 */
import type { Clock, Random, Timer } from "../../support/clock.ts";
import { FlotillaError } from "../../support/errors.ts";
import { register as limits } from "../../support/limits.ts";
import { changeOf } from "../recent.ts";
import type { CasOutcome, Register, ValueCodec, Versioned } from "../register.ts";
import { unreachable } from "../unreachable.ts";
import { Formation } from "./formation.ts";
import { acceptedOf, Look } from "./look.ts";
import type { VoterAnswer } from "./messages.ts";
import type { VoterTransport } from "./patience.ts";
import { Patience } from "./patience.ts";
import { Attempt, type AttemptResult } from "./proposer.ts";
import type { Round } from "./round.ts";
import { type Accepted, higher, type RegisterState, successor } from "./state.ts";
import { anyOf, namesOf, type VoterSet } from "./voters.ts";

export interface MembersOptions<V> {
  /** This start of this process, "app-a#4tZ..": two proposers never share it. */
  readonly node: string;
  /** By the file; asked only as long as no newer set is known (chooseVoters). */
  readonly fileVoters: readonly string[];
  readonly codec: ValueCodec<V>;
  /** The value of the first version, should this process be the one that makes it. */
  readonly first: () => V;
  /** Of two voters that went on alone and meet again: the value to go on with, made of the one that is kept. */
  readonly afterFork: (kept: V, lost: readonly V[]) => V;
  readonly transport: VoterTransport;
  readonly clock: Clock;
  readonly random: Random;
}

type ReadDone<V> = (error: FlotillaError | null, state: Versioned<V> | null) => void;

/** What is waiting or running. A change of voters is a change that keeps the value. */
interface Operation<V> {
  /** Null for a read. */
  readonly change: Change | null;
  readonly untilMs: number;
  readonly onEnd: ((error: FlotillaError | null, committed: Known<V> | null) => void)[];
  tries: number;
  /** Since the last proposal, at voters that disagreed. */
  looks: number;
}

interface Change {
  readonly id: string;
  readonly expected: number;
  readonly value: Buffer | null;
  readonly voters: VoterSet | null;
}

interface Known<V> {
  readonly accepted: Accepted;
  readonly versioned: Versioned<V>;
}

export class MembersRegister<V> implements Register<V> {
  readonly #options: MembersOptions<V>;
  readonly #listeners: Set<(state: Versioned<V>) => void> = new Set();
  readonly #waiting: Operation<V>[] = [];
  readonly #formation: Formation;
  readonly #patience: Patience;
  #running: Operation<V> | null = null;
  #lookUnderWay: Look | null = null;
  #attempt: Attempt | null = null;
  #pause: Timer | null = null;
  #known: Known<V> | null = null;
  /** The accepted state with the highest ballot that any voter told, committed or not. */
  #shown: Accepted | null = null;
  #counter = 0;
  #changes = 0;
  #why = "";
  #changeTrouble: string | null = null;
  #stopped = false;

  constructor(options: MembersOptions<V>) {
    this.#options = options;
    this.#patience = new Patience(options.transport, options.clock);
    this.#formation = new Formation(options.fileVoters, options.clock);
  }

  get known(): Versioned<V> | null {
    return this.#known?.versioned ?? null;
  }

  /** Of the newest state known here; null before the first. */
  get voters(): VoterSet | null {
    return this.#known?.accepted.state.voters ?? null;
  }

  /** Which register this is: made with its first version. */
  get world(): string | null {
    return this.#known?.accepted.state.world ?? null;
  }

  /** Why the last change that was asked for could not be made; null when it could, or nothing has been changed yet. */
  get changeTrouble(): string | null {
    return this.#changeTrouble;
  }

  get idle(): boolean {
    return this.#running === null;
  }

  read(done: ReadDone<V>): void {
    const onEnd = (error: FlotillaError | null, known: Known<V> | null): void =>
      done(error, known?.versioned ?? null);
    // A read that has not begun serves every caller up to its beginning.
    const next = this.#waiting.find(({ change }) => change === null);
    if (next === undefined) this.#enqueue(null, onEnd);
    else if (next.onEnd.length < limits.readersMax) next.onEnd.push(onEnd);
    else done(unreachable("too many reads of the register are waiting"), null);
  }

  /** @throws RangeError when the value is too large. */
  compareAndSet(expected: number, value: V, done: (outcome: CasOutcome<V>) => void): void {
    const bytes = this.#options.codec.encode(value);
    if (bytes.length > limits.valueBytesMax)
      throw new RangeError(`a value of ${bytes.length} bytes is larger than ${limits.valueBytesMax}`);
    this.#compareAndSet(expected, { value: bytes, voters: null }, value, done);
  }

  /** The same for the set of voters; the value stays, and "done" shows the newest state. Sets change one voter at a time: voter-changes.ts. */
  compareAndSetVoters(expected: number, voters: VoterSet, done: (outcome: CasOutcome<V>) => void): void {
    this.#compareAndSet(expected, { value: null, voters }, null, done);
  }

  watch(listener: (state: Versioned<V>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends without another word: whoever waits is not called any more. */
  stop(): void {
    this.#stopped = true;
    this.#waiting.length = 0;
    this.#pause?.cancel();
    this.#lookUnderWay?.end();
    this.#attempt?.stop();
  }

  #compareAndSet(
    expected: number,
    to: Pick<Change, "value" | "voters">,
    value: V | null,
    done: (outcome: CasOutcome<V>) => void,
  ): void {
    const known = this.#known?.versioned ?? null;
    const change: Change = { id: `${this.#options.node}.${++this.#changes}`, expected, ...to };
    if (known !== null && expected < known.version) {
      done({ kind: "conflict", state: known });
      return;
    }
    this.#enqueue(change, (error, committed) => {
      const made = committed === null ? null : changeOf(committed.accepted.state, expected + 1);
      if (made === change.id)
        done({
          kind: "done",
          state: value === null ? committed!.versioned : { version: expected + 1, value },
        });
      else if (made !== null) done({ kind: "conflict", state: committed!.versioned });
      else
        done({
          kind: "unknown",
          error: error ?? unreachable("the change is too old to tell what became of it"),
        });
    });
  }

  #enqueue(change: Change | null, onEnd: Operation<V>["onEnd"][number]): void {
    if (this.#stopped) return;
    if (this.#waiting.length >= limits.operationsMax) {
      onEnd(unreachable("too many operations of the register are waiting"), null);
      return;
    }
    const untilMs = this.#options.clock.now() + limits.operationTimeoutMs;
    this.#waiting.push({ change, untilMs, onEnd: [onEnd], tries: 0, looks: 0 });
    if (this.#running === null) this.#runNext();
  }

  #runNext(): void {
    this.#running = this.#waiting.shift() ?? null;
    if (this.#running !== null) this.#try(this.#running);
  }

  #try(operation: Operation<V>): void {
    if (this.#options.clock.now() >= operation.untilMs) {
      this.#end(
        operation,
        unreachable(`the register did not answer in time: ${this.#why || "too busy"}`),
        null,
      );
      return;
    }
    const { change, tries } = operation;
    if (change !== null && tries === 0 && change.expected < (this.#known?.versioned.version ?? 0)) {
      // Somebody was faster while it waited.
      this.#end(operation, null, this.#known);
      return;
    }
    // A proposal under way looks like disagreement: it is given time for one more look before it is overtaken. A change
    // that was not made at once may be over: a look tells that, and disturbs nobody.
    const looks = change === null ? this.#shown === null || tries < limits.readLooksMax : tries > 0;
    if (looks) this.#look(operation);
    else this.#propose(operation, null);
  }

  #tryAgain(operation: Operation<V>): void {
    operation.tries++;
    const most = Math.min(limits.backoffMaxMs, limits.backoffMinMs * 2 ** Math.min(operation.tries, 10));
    this.#pauseThenTry(operation, most);
  }

  #pauseThenTry(operation: Operation<V>, mostMs: number): void {
    const { clock, random } = this.#options;
    this.#pause = clock.after(limits.backoffMinMs + random() * mostMs, () => this.#try(operation));
  }

  #end(operation: Operation<V>, error: FlotillaError | null, committed: Known<V> | null): void {
    this.#running = null;
    if (operation.change !== null) this.#changeTrouble = error === null ? null : error.message;
    for (const onEnd of operation.onEnd) onEnd(error, committed);
    if (this.#running === null && !this.#stopped) this.#runNext();
  }

  // Reading in one round.

  #look(operation: Operation<V>): void {
    const { clock } = this.#options;
    const { change } = operation;
    const known = this.#known?.accepted ?? null;
    this.#lookUnderWay = new Look(this.#patience, clock, known, change !== null, (committed, round) => {
      this.#noteAnswers(round);
      if (committed !== null && (change === null || committed.state.version > change.expected))
        this.#learnAndEnd(operation, committed);
      else if (change === null) this.#afterLook(operation, round);
      else if (committed === null && ++operation.looks < limits.changeLooksMax)
        this.#pauseThenTry(operation, 2 * limits.backoffMinMs);
      else this.#propose(operation, null);
    });
    this.#lookUnderWay.ask(namesOf(this.#base()));
  }

  #afterLook(operation: Operation<V>, round: Round): void {
    this.#why = round.lastError || "the voters do not agree yet";
    // Whoever made a proposal meanwhile had time enough.
    if (round.late) operation.tries = Math.max(operation.tries, limits.readLooksMax - 1);
    const formation = this.#shown === null ? this.#formation.see(round) : "no";
    if (formation === "wait") this.#why = "the first version waits for voters that do not answer";
    if (formation === "yes") this.#propose(operation, round);
    else this.#tryAgain(operation);
  }

  /** What the next proposal has to be above: one below would be refused. */
  #noteAnswers(round: Round): void {
    for (const [, answer] of round.answers()) {
      this.#noteShown(acceptedOf(answer, this.#known?.accepted ?? null));
      this.#counter = Math.max(this.#counter, answer.promised.counter);
    }
  }

  #noteShown(accepted: Accepted | null): void {
    if (accepted !== null) this.#shown = higher(this.#shown, accepted);
  }

  // Proposing.

  /** @param blank the look that found only blank voters: when none that promises has a state, the first one is made. */
  #propose(operation: Operation<V>, blank: Round | null): void {
    const { clock, node } = this.#options;
    operation.looks = 0;
    const have = this.#known?.accepted ?? null;
    this.#counter = Math.max(this.#counter, have?.ballot.counter ?? 0) + 1;
    const ballot = { counter: this.#counter, node };
    const plan = {
      base: this.#base(),
      have,
      mayLeave: operation.change !== null,
      change: operation.change?.id ?? `${node}.${++this.#changes}`,
      afterFork: (kept: RegisterState, lost: readonly RegisterState[]) => this.#afterFork(kept, lost),
      next: (best: RegisterState | null, promises: ReadonlyMap<string, VoterAnswer>) => {
        if (best !== null) return next(operation.change, best);
        return blank === null ? null : this.#firstState(promises, blank);
      },
    };
    this.#attempt = new Attempt(this.#patience, clock, ballot, plan, (result) =>
      this.#onResult(operation, result),
    );
    this.#attempt.start();
  }

  #firstState(promises: ReadonlyMap<string, VoterAnswer>, blank: Round): RegisterState {
    const { node, codec, first } = this.#options;
    const id = `${node}.${++this.#changes}`;
    const voters = { current: this.#formation.voters(promises, blank), next: null };
    return { world: id, version: 1, recent: [id], voters, value: codec.encode(first()) };
  }

  #afterFork(kept: RegisterState, lost: readonly RegisterState[]): Buffer {
    const { codec, afterFork } = this.#options;
    try {
      const others = lost.map(({ value }) => codec.decode(value));
      return codec.encode(afterFork(codec.decode(kept.value), others));
    } catch (thrown) {
      // Written by a later release: whoever learns it says so.
      if (thrown instanceof FlotillaError) return kept.value;
      throw thrown;
    }
  }

  #onResult(operation: Operation<V>, result: AttemptResult): void {
    if (result.kind === "committed") {
      this.#learnAndEnd(operation, result.accepted);
      return;
    }
    this.#counter = Math.max(this.#counter, result.counter);
    this.#noteShown(result.shown);
    this.#why = result.why;
    this.#tryAgain(operation);
  }

  /**
   * A known set may be so old that its voters are gone, so the newest one that is shown is taken. Before a second
   * version every voter of the file may still make the first: then all of them are asked.
   */
  #base(): VoterSet {
    const shown = this.#shown?.state;
    const first = this.#known === null && (shown === undefined || shown.version === 1);
    return first || shown === undefined ? anyOf(this.#options.fileVoters) : shown.voters;
  }

  #learnAndEnd(operation: Operation<V>, accepted: Accepted): void {
    try {
      this.#learn(accepted);
    } catch (thrown) {
      if (!(thrown instanceof FlotillaError)) throw thrown;
      this.#end(operation, thrown, null);
      return;
    }
    if (!this.#stopped) this.#end(operation, null, this.#known);
  }

  #learn(accepted: Accepted): void {
    this.#noteShown(accepted);
    const version = accepted.state.version;
    const known = this.#known;
    if (known !== null && known.versioned.version === version) {
      this.#known = { accepted, versioned: known.versioned };
      return;
    }
    const value = this.#options.codec.decode(accepted.state.value);
    const versioned: Versioned<V> = Object.freeze({ version, value });
    this.#known = { accepted, versioned };
    for (const listener of [...this.#listeners]) listener(versioned);
  }
}

/** @param best what was accepted last; @returns it, or what the change makes of it. */
function next(change: Change | null, best: RegisterState): RegisterState {
  if (change === null || best.version !== change.expected) return best;
  const { value, voters } = change;
  return successor(best, change.id, { ...(value && { value }), ...(voters && { voters }) });
}
