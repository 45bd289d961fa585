/** One `flotilla restart` of a cluster after the other: each web server grants the turn to one at a time, for some seconds anew. */
import type { Clock } from "../support/clock.ts";
import { FlotillaError } from "../support/errors.ts";
import { operations as limits } from "../support/limits.ts";

/** The content of the question `turn`. */
export interface TurnWish {
  /** Of the command that asks, made by chance. */
  readonly id: string;
  /** Servers that it has to do with. */
  readonly what: string;
  /** It is over. */
  readonly isOver: boolean;
}

export class Turn {
  readonly #clock: Clock;
  #id = "";
  #what = "";
  #beganAt = 0;
  #until = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws FlotillaError FLOTILLA_RESTART_REFUSED: somebody else has it. */
  take(content: unknown): object {
    const { id, what, isOver } = readWish(content);
    const now = this.#clock.now();
    if (this.#id !== id && now < this.#until)
      throw new FlotillaError(
        "FLOTILLA_RESTART_REFUSED",
        `another flotilla restart (${this.#what}) is under way for ${Math.round((now - this.#beganAt) / 1_000)} s; ` +
          "wait until it is over",
      );
    if (this.#id !== id || now >= this.#until) this.#beganAt = now;
    this.#id = id;
    this.#what = what;
    this.#until = isOver ? Number.NEGATIVE_INFINITY : now + limits.turnMs;
    return {};
  }
}

function readWish(content: unknown): TurnWish {
  const { id, what, isOver } = (content ?? {}) as Partial<Record<keyof TurnWish, unknown>>;
  if (typeof id !== "string" || typeof what !== "string")
    throw new FlotillaError("FLOTILLA_RESTART_REFUSED", "that is no wish of a restart");
  return { id, what, isOver: isOver === true };
}
