/** When the first version of the register may be made, and with which voters. */
import type { Clock } from "../../support/clock.ts";
import { register as limits } from "../../support/limits.ts";
import type { VoterAnswer } from "./messages.ts";
import type { Round } from "./round.ts";
import { anyOf, tally, type Voter } from "./voters.ts";

export class Formation {
  readonly #fileVoters: readonly string[];
  readonly #clock: Clock;
  /** Since when a majority of the file's voters is known to be blank. */
  #blankSinceMs: number | null = null;

  constructor(fileVoters: readonly string[], clock: Clock) {
    this.#fileVoters = fileVoters;
    this.#clock = clock;
  }

  /**
   * @param round a look in which nobody showed a state.
   * @returns whether the first version may be made now. "wait": blank voters may be the rest of a register whose other
   * voters are only slow, and these get time to say so.
   */
  see(round: Round): "yes" | "wait" | "no" {
    if (tally(anyOf(this.#fileVoters), (voter) => round.standing(voter)) !== "yes") {
      this.#blankSinceMs = null;
      return "no";
    }
    this.#blankSinceMs ??= this.#clock.now();
    if ([...round.answers()].length === this.#fileVoters.length) return "yes";
    return this.#clock.now() - this.#blankSinceMs >= limits.formationPatienceMs ? "yes" : "wait";
  }

  /**
   * Of the first version. Those that were not seen have no vote until they have been added with the memory that they
   * have by then.
   */
  voters(promises: ReadonlyMap<string, VoterAnswer>, blank: Round): Voter[] {
    const markerOf = (name: string): string => (promises.get(name) ?? blank.answer(name))?.marker ?? "";
    return this.#fileVoters.map((name) => ({ name, marker: markerOf(name) }));
  }
}
