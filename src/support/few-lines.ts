/** Lines about one thing that comes and goes: the first ones are told, and one that flaps does not fill the log. */
import type { Clock } from "./clock.ts";
import { serverHealth as limits } from "./limits.ts";
import type { Log } from "./log.ts";

export class FewLines {
  readonly #log: Log;
  readonly #clock: Clock;
  #sinceMs = Number.NEGATIVE_INFINITY;
  #lines = 0;
  #untold = 0;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  tell(level: "info" | "warn", line: string): void {
    const now = this.#clock.now();
    const before = this.#untold === 0 ? "" : ` (${this.#untold} changes before it were not told)`;
    if (now - this.#sinceMs >= limits.changeLinesMs) {
      this.#sinceMs = now;
      this.#lines = this.#untold = 0;
    }
    this.#lines++;
    if (this.#lines > limits.changeLinesMax) {
      this.#untold++;
      return;
    }
    const isLast = this.#lines === limits.changeLinesMax;
    const rest = isLast ? "; it changes often, no more is told of it for a while" : "";
    this.#log[level](`${line}${this.#lines === 1 ? before : ""}${rest}`);
  }
}
