/**
 * The proposing half of the register: one ballot, from "prepare" to "committed" or "failed".
 *
 * A state is proposed only by who has the promises of enough voters, and only the one with the highest ballot among
 * what they have accepted, or its successor. Which voters are enough is part of the state itself: promises are needed
 * under the set that the proposer knows and under the one it finds. The set changes by way of a state that names
 * both, and nobody makes a state under the new one alone before that one is committed (as in Raft), so
 * that whoever still knows the old set meets the new one in any majority of it.
 */
import type { Clock } from "../../support/clock.ts";
import { changeOf } from "../recent.ts";
import type { VoterAnswer } from "./messages.ts";
import type { Patience } from "./patience.ts";
import { Round } from "./round.ts";
import { type Accepted, type Ballot, compareBallots, higher, noBallot, type RegisterState } from "./state.ts";
import { canFork, hasVoter, namesOf, tally, type Verdict, type VoterSet, votersOf } from "./voters.ts";

export interface Plan {
  /**
   * The set of the newest state that is known, or that a voter showed, committed or not; before a second version the
   * file's voters under any marker. Every majority of it meets whatever set has come after it.
   */
  readonly base: VoterSet;
  /** The newest committed state that is known: voters need not send it again, and none may have forgotten it. */
  readonly have: Accepted | null;
  /**
   * What is found to be committed already is left at that. Not for a read: voters that have promised more than they
   * accepted make the next read take the full way again.
   */
  readonly mayLeave: boolean;
  /** Of the state that ends a fork (voters.ts), if one is found. */
  readonly change: string;
  /** The value of that state. */
  afterFork(kept: RegisterState, lost: readonly RegisterState[]): Buffer;
  /**
   * What to propose in place of the highest accepted state: it or its successor; null for nothing.
   * @param best null: nothing was ever accepted. @param promises who promised, by name.
   */
  next(best: RegisterState | null, promises: ReadonlyMap<string, VoterAnswer>): RegisterState | null;
}

export type AttemptResult =
  | { readonly kind: "committed"; readonly accepted: Accepted }
  /**
   * `counter`: the highest that a voter knows; the next ballot must be above. `shown`: the accepted state with the
   * highest ballot that any voter told; its set is worth trying next.
   */
  | {
      readonly kind: "failed";
      readonly counter: number;
      readonly shown: Accepted | null;
      readonly why: string;
    };

export class Attempt {
  readonly #patience: Patience;
  readonly #clock: Clock;
  readonly #ballot: Ballot;
  readonly #plan: Plan;
  readonly #done: (result: AttemptResult) => void;
  readonly #have: Ballot;
  #round: Round | null = null;
  #counter = 0;
  #shown: Accepted | null = null;

  constructor(
    patience: Patience,
    clock: Clock,
    ballot: Ballot,
    plan: Plan,
    done: (result: AttemptResult) => void,
  ) {
    this.#patience = patience;
    this.#clock = clock;
    this.#ballot = ballot;
    this.#plan = plan;
    this.#done = done;
    this.#have = plan.have?.ballot ?? noBallot;
  }

  start(): void {
    this.#round = new Round(this.#patience, this.#clock, (round) => this.#onPromises(round));
    this.#askPromises(this.#round, this.#plan.base);
  }

  /** No result follows. What was sent may still be accepted. */
  stop(): void {
    this.#round?.end();
  }

  #askPromises(round: Round, set: VoterSet): void {
    round.ask(namesOf(set), () => ({ kind: "prepare", ballot: this.#ballot, have: this.#have }));
  }

  #onPromises(round: Round): void {
    this.#noteAnswers(round);
    const { seen, best } = this.#statesIn(round);
    if (best !== null) this.#askPromises(round, best.state.voters);
    if (round.over) return;
    const verdict = both(
      tallyOf(this.#plan.base, round),
      best === null ? "yes" : tallyOf(best.state.voters, round),
    );
    if (verdict === "open" && !round.hopeless) return;
    round.end();
    if (verdict !== "yes") this.#fail(round, "too few voters promised");
    else this.#propose(round, best, seen);
  }

  /** The states that voters of the known set and of what they show have accepted, and the one with the highest ballot. */
  #statesIn(round: Round): { readonly seen: readonly RegisterState[]; readonly best: Accepted | null } {
    const seen: RegisterState[] = [];
    let best: Accepted | null = null;
    const counted = new Set<string>();
    for (let before = -1; before !== counted.size; ) {
      before = counted.size;
      for (const [name, answer] of round.answers()) {
        if (counted.has(name) || !answer.ok || !this.#mayCount(name, answer.marker, best)) continue;
        counted.add(name);
        const accepted = this.#acceptedOf(answer);
        if (accepted === null) continue;
        seen.push(accepted.state);
        best = higher(best, accepted);
      }
    }
    return { seen, best };
  }

  #mayCount(name: string, marker: string, best: Accepted | null): boolean {
    if (hasVoter(this.#plan.base, name, marker)) return true;
    return best !== null && hasVoter(best.state.voters, name, marker);
  }

  /** What is left of the making of another register counts as nothing. */
  #acceptedOf(answer: VoterAnswer): Accepted | null {
    const { have } = this.#plan;
    if (have !== null && compareBallots(answer.acceptedBallot, have.ballot) === 0) return have;
    if (have !== null && answer.accepted?.state.world !== have.state.world) return null;
    return answer.accepted;
  }

  #propose(round: Round, found: Accepted | null, seen: readonly RegisterState[]): void {
    const promises = new Map([...round.answers()].filter(([, answer]) => answer.ok));
    const { have } = this.#plan;
    const known = have?.state;
    // Of two voters the one that answers may have missed what the other accepted, while its disk was full, say.
    const mayHaveMissed = found !== null && have !== null && canFork(found.state.voters);
    const highest = mayHaveMissed ? higher(found, have) : found;
    const best = highest?.state ?? null;
    if (known !== undefined && (best === null || (best.version < known.version && !canFork(best.voters)))) {
      const shown = best === null ? "nothing" : `version ${best.version}`;
      this.#fail(round, `voters have forgotten version ${known.version} and show ${shown}`);
      return;
    }
    const joined = best === null ? null : this.#endFork(best, known === undefined ? seen : [...seen, known]);
    const state = joined ?? this.#plan.next(best, promises);
    if (state === null) this.#fail(round, "no voter has a first version yet");
    else if (this.#plan.mayLeave && highest !== null && state === best && isCommitted(highest, round))
      this.#done({ kind: "committed", accepted: highest });
    else this.#askAccept(state, promises);
  }

  /** @returns null when there is one chain only, as always with three voters or more. */
  #endFork(best: RegisterState, seen: readonly RegisterState[]): RegisterState | null {
    if (!canFork(best.voters)) return null;
    const rivals = seen.filter((rival) => !isOnChain(best, rival));
    if (rivals.length === 0) return null;
    const version = Math.max(best.version, ...rivals.map((rival) => rival.version)) + 1;
    const value = this.#plan.afterFork(best, rivals);
    return { ...best, version, recent: [this.#plan.change], value };
  }

  #askAccept(state: RegisterState, promises: ReadonlyMap<string, VoterAnswer>): void {
    const round = new Round(this.#patience, this.#clock, (changed) => this.#onAccepted(changed, state));
    this.#round = round;
    const pinned = votersOf(state.voters).filter(({ marker }) => marker !== "");
    const names = pinned.map(({ name }) => name);
    round.ask(names, (name) => {
      // A voter that is added anew stands in both sets under two markers; its own is the one it told.
      const told = promises.get(name)?.marker;
      const marker = pinned.findLast((voter) => voter.name === name)!.marker;
      const own = told !== undefined && hasVoter(state.voters, name, told) ? told : marker;
      return { kind: "accept", ballot: this.#ballot, marker: own, state };
    });
  }

  #onAccepted(round: Round, state: RegisterState): void {
    if (round.over) return;
    this.#noteAnswers(round);
    const verdict = tallyOf(state.voters, round);
    if (verdict === "open" && !round.hopeless) return;
    round.end();
    if (verdict !== "yes") this.#fail(round, "too few voters accepted");
    else this.#done({ kind: "committed", accepted: { ballot: this.#ballot, state } });
  }

  #noteAnswers(round: Round): void {
    for (const [, answer] of round.answers()) {
      this.#counter = Math.max(this.#counter, answer.promised.counter);
      const accepted = this.#acceptedOf(answer);
      if (accepted !== null) this.#shown = higher(this.#shown, accepted);
    }
  }

  #fail(round: Round, why: string): void {
    const reason = round.lastError === "" ? why : `${why}: ${round.lastError}`;
    this.#done({ kind: "failed", counter: this.#counter, shown: this.#shown, why: reason });
  }
}

/** Whether `state` is one that `newest` came from; so it is said where that is not remembered any more. */
function isOnChain(newest: RegisterState, state: RegisterState): boolean {
  if (state.version > newest.version) return false;
  const change = changeOf(newest, state.version);
  return change === null || change === changeOf(state, state.version);
}

/** Enough voters have accepted it under one ballot, and have now promised that nothing older follows: no need to ask again. */
function isCommitted({ ballot, state }: Accepted, round: Round): boolean {
  if (canFork(state.voters)) return false;
  const verdict = tally(state.voters, (voter) => {
    const standing = round.standing(voter);
    const answer = standing === "yes" ? round.answer(voter.name)! : null;
    return answer === null || compareBallots(answer.acceptedBallot, ballot) === 0 ? standing : "refused";
  });
  return verdict === "yes";
}

function tallyOf(set: VoterSet, round: Round): Verdict {
  return tally(set, (voter) => round.standing(voter));
}

function both(one: Verdict, other: Verdict): Verdict {
  if (one === "no" || other === "no") return "no";
  return one === "yes" && other === "yes" ? "yes" : "open";
}
