/** One question to several voters at the same time, and who stands how. */
import { afterAwake, type Clock, type Timer } from "../../support/clock.ts";
import { register as limits } from "../../support/limits.ts";
import type { VoterAnswer, VoterRequest } from "./messages.ts";
import type { Patience } from "./patience.ts";
import { anyMarker, type Standing, type Voter } from "./voters.ts";

export class Round {
  /** By the voter's name; null: it can't be asked. */
  readonly #results: Map<string, VoterAnswer | null> = new Map();
  readonly #asked: Set<string> = new Set();
  readonly #patience: Patience;
  readonly #changed: (round: Round) => void;
  readonly #timers: Timer[];
  #late = false;
  #over = false;
  #lastError = "";

  /** @param changed called after each answer, failure and time limit; during `ask` too, when a voter answers at once. */
  constructor(patience: Patience, clock: Clock, changed: (round: Round) => void) {
    this.#patience = patience;
    this.#changed = changed;
    // While this process stood still nobody was silent: their answers lie unread.
    const after = (delayMs: number, callback: () => void): Timer =>
      afterAwake(clock, delayMs, limits.awakeStepMs, callback);
    this.#timers = [
      after(limits.pairPatienceMs, () => {
        this.#late = true;
        for (const name of this.#unheard()) this.#patience.missed(name);
        this.#changed(this);
      }),
      after(limits.voteTimeoutMs, () => {
        for (const name of this.#unheard()) this.#results.set(name, null);
        this.#changed(this);
      }),
    ];
  }

  /** Asks each voter once. */
  ask(names: Iterable<string>, requestFor: (name: string) => VoterRequest): void {
    const fresh = [...names].filter((name) => !this.#asked.has(name));
    // Before the first is sent: one that can't be reached answers at once, and is not all that there are.
    for (const name of fresh) this.#asked.add(name);
    for (const name of fresh) {
      if (this.#over) return;
      this.#patience.send(name, requestFor(name), (error, answer) => {
        if (this.#over || this.#results.has(name)) return;
        if (error !== null) this.#lastError = error.message;
        this.#results.set(name, answer);
        this.#changed(this);
      });
    }
  }

  /** Nothing is heard after it; late answers fall away. */
  end(): void {
    this.#over = true;
    for (const timer of this.#timers) timer.cancel();
  }

  get over(): boolean {
    return this.#over;
  }

  /** Why a voter could not be asked, for a person; "" when none failed. */
  get lastError(): string {
    return this.#lastError;
  }

  /** Everybody has answered or failed. */
  get complete(): boolean {
    return this.#results.size === this.#asked.size;
  }

  /** No healthy voter takes so long. */
  get late(): boolean {
    if (this.#late) return true;
    const unheard = this.#unheard();
    return unheard.length > 0 && unheard.every((name) => this.#patience.isSilent(name));
  }

  #unheard(): string[] {
    return [...this.#asked].filter((name) => !this.#results.has(name));
  }

  /** Somebody knows a higher ballot, and those who might not are silent: another try is quicker than waiting for them. */
  get hopeless(): boolean {
    if (!this.late) return false;
    for (const answer of this.#results.values()) if (answer !== null && !answer.ok) return true;
    return false;
  }

  answer(name: string): VoterAnswer | null {
    return this.#results.get(name) ?? null;
  }

  *answers(): Generator<[string, VoterAnswer]> {
    for (const [name, answer] of this.#results) if (answer !== null) yield [name, answer];
  }

  standing(voter: Voter): Standing {
    const answer = this.#results.get(voter.name);
    if (answer === null) return "lost";
    if (answer === undefined) return this.#late || this.#patience.isSilent(voter.name) ? "late" : "waiting";
    if (voter.marker !== anyMarker && answer.marker !== voter.marker) return "lost";
    return answer.ok ? "yes" : "refused";
  }
}
