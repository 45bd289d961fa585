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
import { type Operation, OperationQueue } from "../operation-queue.ts";
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

/** A change of voters keeps the value. */
interface Change<V> {
  readonly id: string;
  readonly expected: number;
  readonly value: { readonly value: V; readonly bytes: Buffer } | null;
  readonly voters: VoterSet | null;
}

interface Known<V> {
  readonly accepted: Accepted;
  readonly versioned: Versioned<V>;
}

export class MembersRegister<V> implements Register<V> {
  readonly #options: MembersOptions<V>;
  readonly #listeners: Set<(state: Versioned<V>) => void> = new Set();
  readonly #operations: OperationQueue<V, Change<V>>;
  readonly #formation: Formation;
  readonly #patience: Patience;
  #lookUnderWay: Look | null = null;
  #attempt: Attempt | null = null;
  #pause: Timer | null = null;
  #known: Known<V> | null = null;
  /** The accepted state with the highest ballot that any voter told, committed or not. */
  #shown: Accepted | null = null;
  #counter = 0;
  #changes = 0;
  /** Of the operation that runs. */
  #tries = 0;
  /** Since its last proposal, at voters that disagreed. */
  #looks = 0;
  #why = "";
  #changeTrouble: string | null = null;

  constructor(options: MembersOptions<V>) {
    this.#options = options;
    this.#operations = new OperationQueue(options.clock, (operation) => {
      this.#tries = this.#looks = 0;
      this.#try(operation);
    });
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
    return this.#operations.isIdle;
  }

  read(done: ReadDone<V>): void {
    this.#operations.read(done);
  }

  /** @throws RangeError when the value is too large. */
  compareAndSet(expected: number, value: V, done: (outcome: CasOutcome<V>) => void): void {
    const bytes = encoded(this.#options.codec, value);
    this.#change(expected, { value: { value, bytes }, voters: null }, done);
  }

  /** The same for the set of voters; the value stays, and "done" shows the newest state. Sets change one voter at a time: voter-changes.ts. */
  compareAndSetVoters(expected: number, voters: VoterSet, done: (outcome: CasOutcome<V>) => void): void {
    this.#change(expected, { value: null, voters }, done);
  }

  watch(listener: (state: Versioned<V>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends without another word: whoever waits is not called any more. */
  stop(): void {
    this.#operations.stop();
    this.#pause?.cancel();
    this.#lookUnderWay?.end();
    this.#attempt?.stop();
  }

  #change(
    expected: number,
    to: Pick<Change<V>, "value" | "voters">,
    done: (outcome: CasOutcome<V>) => void,
  ): void {
    const known = this.#known?.versioned ?? null;
    if (known !== null && expected < known.version) done({ kind: "conflict", state: known });
    else this.#operations.change({ id: `${this.#options.node}.${++this.#changes}`, expected, ...to }, done);
  }

  #outcomeOf(
    { id, expected, value }: Change<V>,
    error: FlotillaError | null,
    committed: Known<V> | null,
  ): CasOutcome<V> {
    const made = committed === null ? null : changeOf(committed.accepted.state, expected + 1);
    if (made === null)
      return {
        kind: "unknown",
        error: error ?? unreachable("the change is too old to tell what became of it"),
      };
    const state = committed!.versioned;
    if (made !== id) return { kind: "conflict", state };
    return { kind: "done", state: value === null ? state : { version: expected + 1, value: value.value } };
  }

  #try(operation: Operation<V, Change<V>>): void {
    if (this.#options.clock.now() >= operation.untilMs) {
      this.#end(
        operation,
        unreachable(`the register did not answer in time: ${this.#why || "too busy"}`),
        null,
      );
      return;
    }
    const { change } = operation;
    const tries = this.#tries;
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

  #tryAgain(operation: Operation<V, Change<V>>): void {
    this.#tries++;
    const most = Math.min(limits.backoffMaxMs, limits.backoffMinMs * 2 ** Math.min(this.#tries, 10));
    this.#pauseThenTry(operation, most);
  }

  #pauseThenTry(operation: Operation<V, Change<V>>, mostMs: number): void {
    const { clock, random } = this.#options;
    this.#pause = clock.after(limits.backoffMinMs + random() * mostMs, () => this.#try(operation));
  }

  #end(operation: Operation<V, Change<V>>, error: FlotillaError | null, committed: Known<V> | null): void {
    if (operation.change === null) this.#operations.endRead(operation, error, committed?.versioned ?? null);
    else {
      this.#changeTrouble = error === null ? null : error.message;
      this.#operations.endChange(operation, this.#outcomeOf(operation.change, error, committed));
    }
  }

  // Reading in one round.

  #look(operation: Operation<V, Change<V>>): void {
    const { clock } = this.#options;
    const { change } = operation;
    const known = this.#known?.accepted ?? null;
    this.#lookUnderWay = new Look(this.#patience, clock, known, change !== null, (committed, round) => {
      this.#noteAnswers(round);
      if (committed !== null && (change === null || committed.state.version > change.expected))
        this.#learnAndEnd(operation, committed);
      else if (change === null) this.#afterLook(operation, round);
      else if (committed === null && ++this.#looks < limits.changeLooksMax)
        this.#pauseThenTry(operation, 2 * limits.backoffMinMs);
      else this.#propose(operation, null);
    });
    this.#lookUnderWay.ask(namesOf(this.#base()));
  }

  #afterLook(operation: Operation<V, Change<V>>, round: Round): void {
    this.#why = round.lastError || "the voters do not agree yet";
    // Whoever made a proposal meanwhile had time enough.
    if (round.late) this.#tries = Math.max(this.#tries, limits.readLooksMax - 1);
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
  #propose(operation: Operation<V, Change<V>>, blank: Round | null): void {
    const { clock, node } = this.#options;
    this.#looks = 0;
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

  #onResult(operation: Operation<V, Change<V>>, result: AttemptResult): void {
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

  #learnAndEnd(operation: Operation<V, Change<V>>, accepted: Accepted): void {
    try {
      this.#learn(accepted);
    } catch (thrown) {
      if (!(thrown instanceof FlotillaError)) throw thrown;
      this.#end(operation, thrown, null);
      return;
    }
    if (!this.#operations.isStopped) this.#end(operation, null, this.#known);
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
function next<V>(change: Change<V> | null, best: RegisterState): RegisterState {
  if (change === null || best.version !== change.expected) return best;
  const { value, voters } = change;
  return successor(best, change.id, { ...(value && { value: value.bytes }), ...(voters && { voters }) });
}
