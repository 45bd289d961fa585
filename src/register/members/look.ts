/** A look at the register: what one round of questions, without a promise or a sync, tells of the committed state. */
import type { Clock } from "../../support/clock.ts";
import { changeOf } from "../recent.ts";
import type { VoterAnswer } from "./messages.ts";
import type { Patience } from "./patience.ts";
import { Round } from "./round.ts";
import { type Accepted, compareBallots, noBallot, type RegisterState } from "./state.ts";
import { canFork, type Standing, tally } from "./voters.ts";

export class Look {
  readonly #known: Accepted | null;
  readonly #isForChange: boolean;
  readonly #round: Round;
  #voters = 0;

  /**
   * @param known the newest state known here, committed.
   * @param isForChange not for a read.
   * @param onEnd called once, with the committed state or null, and the round that showed it.
   */
  constructor(
    patience: Patience,
    clock: Clock,
    known: Accepted | null,
    isForChange: boolean,
    onEnd: (committed: Accepted | null, round: Round) => void,
  ) {
    this.#known = known;
    this.#isForChange = isForChange;
    this.#round = new Round(patience, clock, (round) => {
      if (round.over) return;
      const committed = this.#committed();
      if (committed === null && !this.#hasSeenEnough()) return;
      round.end();
      onEnd(committed, round);
    });
  }

  ask(voters: ReadonlySet<string>): void {
    this.#voters = voters.size;
    const have = this.#known?.ballot ?? noBallot;
    this.#round.ask(voters, () => ({ kind: "query", have }));
  }

  end(): void {
    this.#round.end();
  }

  /** A change can be proposed instead: it does not wait for a silent voter. */
  #hasSeenEnough(): boolean {
    const { complete, late } = this.#round;
    return complete || late || (this.#isForChange && [...this.#round.answers()].length * 2 > this.#voters);
  }

  /**
   * A state that enough of its own voters have accepted under one ballot: it is committed. A read wants to know too that
   * no older proposal can still become its successor: then they must have promised nothing above. A change does not: what
   * is committed in its place stays. (Of two voters one may decide alone, and is asked as strictly as for a read.)
   */
  #committed(): Accepted | null {
    for (const [, answer] of this.#round.answers()) {
      const accepted = acceptedOf(answer, this.#known);
      if (accepted === null || this.#isBehind(accepted.state)) continue;
      const isLenient = this.#isForChange && !canFork(accepted.state.voters);
      const verdict = tally(accepted.state.voters, (voter): Standing => {
        const standing = this.#round.standing(voter);
        const other = standing === "yes" ? this.#round.answer(voter.name) : null;
        return other === null || hasAccepted(other, accepted, isLenient) ? standing : "refused";
      });
      if (verdict === "yes") return accepted;
    }
    return null;
  }

  /** What one of two voters says after a cut; a proposal will end the fork. */
  #isBehind(state: RegisterState): boolean {
    const known = this.#known?.state;
    if (known === undefined || state.version > known.version) return false;
    return state.version < known.version || changeOf(state, state.version) !== changeOf(known, known.version);
  }
}

/** What a voter has accepted, of the register that is known here. */
export function acceptedOf(answer: VoterAnswer, known: Accepted | null): Accepted | null {
  if (known === null) return answer.accepted;
  if (compareBallots(answer.acceptedBallot, known.ballot) === 0) return known;
  return answer.accepted?.state.world === known.state.world ? answer.accepted : null;
}

function hasAccepted(answer: VoterAnswer, { ballot }: Accepted, mayHavePromisedMore: boolean): boolean {
  if (compareBallots(answer.acceptedBallot, ballot) !== 0) return false;
  return mayHavePromisedMore || compareBallots(answer.promised, ballot) === 0;
}
