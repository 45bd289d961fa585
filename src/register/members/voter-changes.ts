/**
 * Changes of who votes: one voter for another at a time, by way of a state under which the old and the new set must both agree.
 * A change that was begun is finished by any voter's process, and a voter whose memory was lost, or which did not
 * answer when the first version was made, is added anew by the process at its own address.
 */
import type { Clock, Random, Timer } from "../../support/clock.ts";
import type { FlotillaError } from "../../support/errors.ts";
import { register as limits } from "../../support/limits.ts";
import type { CasOutcome } from "../register.ts";
import { unreachable } from "../unreachable.ts";
import type { MembersRegister } from "./members-register.ts";
import type { VoterAnswer, VoterRequest } from "./messages.ts";
import { Patience, type VoterTransport } from "./patience.ts";
import { Round } from "./round.ts";
import { noBallot } from "./state.ts";
import { sameVoters, tally, type Voter, type VoterSet } from "./voters.ts";

export interface VoterChangesOptions {
  readonly register: Pick<
    MembersRegister<unknown>,
    "known" | "voters" | "world" | "idle" | "read" | "compareAndSetVoters"
  >;
  /** The voter at this process's address; null when it has none. */
  readonly ownVoter: string | null;
  readonly transport: VoterTransport;
  readonly clock: Clock;
  readonly random: Random;
  /** The voters by the file, which this process leads the register to, once; null: it leaves them. */
  readonly wanted: readonly string[] | null;
  /** What an operator has to know, once for each state of things. */
  readonly onProblem: (message: string) => void;
}

type Done = (error: FlotillaError | null) => void;

export class VoterChanges {
  readonly #options: VoterChangesOptions;
  readonly #patience: Patience;
  #timer: Timer | null = null;
  #said = "";
  #isAsWanted = false;
  #stopped = false;

  constructor(options: VoterChangesOptions) {
    this.#options = options;
    this.#patience = new Patience(options.transport, options.clock);
  }

  /** Begins to look after the voters, now and then; where no voter is, nothing is to be done. */
  start(): void {
    if (this.#options.ownVoter !== null) this.#later();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /**
   * One step towards these voters: the first that is missing comes in the place of the first that is too many. Not one
   * after the other: of four voters with one that nobody reaches any more, no second may be lost.
   * @param done with true: nothing is left to do. With an error: what happened is seen in the register's `voters`.
   */
  step(wanted: readonly string[], done: (error: FlotillaError | null, reached: boolean) => void): void {
    this.#current((error, current) => {
      if (current === null) return done(error, false);
      const missing = wanted.find((name) => !current.some((voter) => voter.name === name));
      const surplus = current.find(({ name }) => !wanted.includes(name));
      const end: Done = (failure) => done(failure, false);
      const rest = current.filter((voter) => voter !== surplus);
      if (missing !== undefined) this.#add(missing, current, rest, end);
      else if (surplus !== undefined) this.#change(current, rest, end);
      else done(null, true);
    });
  }

  /** The way from one set to another. */
  protected joint(current: readonly Voter[], next: readonly Voter[]): VoterSet {
    return { current, next };
  }

  #later(): void {
    const { clock, random } = this.#options;
    // Not in step: several voters have the same to do.
    const delayMs = limits.tendIntervalMs * (0.5 + random());
    if (!this.#stopped) this.#timer = clock.after(delayMs, () => this.#tend(() => this.#later()));
  }

  #tend(done: () => void): void {
    const { register, ownVoter } = this.#options;
    const voters = register.voters;
    if (voters === null) register.read(done);
    else if (!register.idle) done();
    else if (voters.next !== null) this.#finish(done);
    else {
      const pinned = voters.current.find(({ name }) => name === ownVoter);
      if (pinned === undefined) this.#tendWanted(done);
      else this.#tendOwn(pinned, () => this.#tendWanted(done));
    }
  }

  /**
   * Once only: while servers are restarted with a new file, one after the other, those with the old one must not change
   * it back.
   */
  #tendWanted(done: () => void): void {
    const { wanted } = this.#options;
    if (this.#isAsWanted || wanted === null) return done();
    this.step(wanted, (_error, reached) => {
      this.#isAsWanted = reached;
      done();
    });
  }

  #tendOwn(pinned: Voter, done: () => void): void {
    const { name } = pinned;
    this.#ask(name, { kind: "query", have: noBallot }, (_error, answer) => {
      if (answer === null || answer.marker === pinned.marker) return done();
      this.#current((_failure, current) => {
        if (current === null || !current.some((voter) => voter.name === name)) return done();
        const others = current.filter((voter) => voter.name !== name);
        this.#add(name, current, others, () => done());
      });
    });
  }

  /** The voter's marker, once it has agreed to vote for this register. */
  #marker(name: string, done: (error: FlotillaError | null, marker: string | null) => void): void {
    const world = this.#options.register.world;
    if (world === null) return done(unreachable("the register has no first version yet"), null);
    this.#ask(name, { kind: "query", have: noBallot }, (error, answer) => {
      if (answer === null) return done(error, null);
      this.#ask(name, { kind: "enlist", marker: answer.marker, world }, (enlistError, enlisted) => {
        if (enlisted?.ok) return done(null, answer.marker);
        done(enlistError ?? this.#foreign(name), null);
      });
    });
  }

  #foreign(name: string): FlotillaError {
    const message = `the voter at ${name} holds the register of another cluster, or one made while it was cut off; stop its servers and remove its file below "register" in their data folder`;
    if (this.#said !== message) this.#options.onProblem(message);
    this.#said = message;
    return unreachable(message);
  }

  /** The set in force. What is known here may be old, and then a change would be in vain. */
  #current(done: (error: FlotillaError | null, current: readonly Voter[] | null) => void): void {
    const { register } = this.#options;
    register.read((error) => {
      const { voters } = register;
      if (error !== null || voters === null) done(error, null);
      else if (voters.next !== null) done(unreachable("another change of voters is not finished"), null);
      else done(null, voters.current);
    });
  }

  /** To those that stay, under the marker that it has now. */
  #add(name: string, current: readonly Voter[], rest: readonly Voter[], done: Done): void {
    this.#marker(name, (error, marker) => {
      if (marker === null) return done(error);
      this.#change(current, [...rest, { name, marker }], done);
    });
  }

  #change(from: readonly Voter[], wanted: readonly Voter[], done: Done): void {
    if (wanted.length === 0 || wanted.length > limits.votersMax)
      return done(unreachable(`there can't be ${wanted.length} voters; 1 to ${limits.votersMax} can be`));
    this.#whetherAble(wanted, (unable) => {
      const { register } = this.#options;
      const { known, voters } = register;
      if (unable !== null) return done(unable);
      if (known === null || voters === null || !sameVoters(voters.current, from) || voters.next !== null)
        return done(changedMeanwhile());
      register.compareAndSetVoters(known.version, this.joint(from, wanted), (outcome) => {
        if (outcome.kind === "done") this.#finish(done);
        else done(failureOf(outcome));
      });
    });
  }

  /** A change that was begun has to be finished: a set that can't decide now would hold up the register. */
  #whetherAble(wanted: readonly Voter[], done: Done): void {
    const { clock } = this.#options;
    const set = { current: wanted, next: null };
    const round = new Round(this.#patience, clock, () => {
      const verdict = round.over ? "open" : tally(set, (voter) => round.standing(voter));
      if (verdict === "open") return;
      round.end();
      if (this.#stopped) return;
      const names = wanted.map(({ name }) => name).join(", ");
      const message = `too few of the new voters, ${names}, answer or have been added; ${round.lastError}`;
      done(verdict === "yes" ? null : unreachable(message));
    });
    round.ask(
      wanted.map(({ name }) => name),
      () => ({ kind: "query", have: noBallot }),
    );
  }

  /** From both sets to the new one; what is known here is committed, so the new one may stand alone. */
  #finish(done: Done): void {
    const { register } = this.#options;
    const { known, voters } = register;
    if (known === null || voters === null || voters.next === null) return done(null);
    const alone = { current: voters.next, next: null };
    register.compareAndSetVoters(known.version, alone, (outcome) => done(failureOf(outcome)));
  }

  #ask(
    name: string,
    request: VoterRequest,
    done: (error: FlotillaError | null, answer: VoterAnswer | null) => void,
  ): void {
    const { clock } = this.#options;
    const round = new Round(this.#patience, clock, () => {
      if (round.over || !round.complete) return;
      round.end();
      if (this.#stopped) return;
      const answer = round.answer(name);
      const why = round.lastError || "no answer in time";
      done(answer === null ? unreachable(`the voter at ${name} did not answer: ${why}`) : null, answer);
    });
    round.ask([name], () => request);
  }
}

function failureOf(outcome: CasOutcome<unknown>): FlotillaError | null {
  if (outcome.kind === "done") return null;
  if (outcome.kind === "unknown") return outcome.error;
  return changedMeanwhile();
}

function changedMeanwhile(): FlotillaError {
  return unreachable("the register was changed by somebody else meanwhile; try again");
}
