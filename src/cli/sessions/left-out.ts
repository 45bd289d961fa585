/** Sessions of another store that are not taken: how many, why, and the first characters of the ids of some. */
import { sessionImport as limits } from "../../support/limits.ts";
import { count, visible } from "../../support/words.ts";

export interface Reason {
  readonly why: string;
  count: number;
  /** Begins of ids: enough to find them by, and not enough for whoever reads a log to be one of them. */
  readonly examples: string[];
  /** Their visitors were known to the old site. */
  readonly isLoss: boolean;
}

const otherReasons = "other reasons";

export class LeftOut {
  readonly #reasons: Map<string, Reason> = new Map();

  /** The most frequent first. */
  get reasons(): readonly Reason[] {
    const inOrder = (one: Reason, other: Reason): number =>
      other.count - one.count || (one.why < other.why ? -1 : 1);
    return [...this.#reasons.values()].sort(inOrder);
  }

  /** Nobody is logged out by what is left out. */
  get isHarmless(): boolean {
    return this.reasons.every(({ isLoss }) => !isLoss);
  }

  add(sid: string, why: string, isLoss: boolean): void {
    let reason = this.#reasons.get(why);
    if (reason === undefined) {
      const isOneTooMany = this.#reasons.size >= limits.reasonsMax;
      if (isOneTooMany && why !== otherReasons) return this.add(sid, otherReasons, isLoss);
      reason = { why, count: 0, examples: [], isLoss };
      this.#reasons.set(why, reason);
    }
    reason.count++;
    if (reason.examples.length < limits.examplesMax) reason.examples.push(beginOf(sid));
  }

  /** A line for each reason. */
  get lines(): string[] {
    return this.reasons.map(
      ({ why, count: many, examples }) =>
        `${count(many, "session")} left out: ${why} (${examples.join(", ")}${many > examples.length ? ", ..." : ""})`,
    );
  }
}

function beginOf(sid: string): string {
  return `${visible(sid.slice(0, Math.min(limits.exampleChars, sid.length >>> 1)))}...`;
}
