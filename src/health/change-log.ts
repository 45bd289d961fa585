/** The lines of one server that comes and goes: each change is told once, and one that flaps does not fill the log. */
import type { Clock } from "../support/clock.ts";
import { serverHealth as limits } from "../support/limits.ts";
import type { Log } from "../support/log.ts";
import type { HealthState } from "./server-news.ts";

interface ChangedServer {
  readonly name: string;
  readonly state: HealthState;
  readonly reason: string;
  readonly settings: { readonly slowStartMs: number };
}

interface Change {
  readonly before: HealthState;
  /** For how long it had been down, or null when it was not. */
  readonly outMs: number | null;
  /** Why it is so is in the log already. */
  readonly isToldElsewhere: boolean;
}

export class ChangeLog {
  readonly #log: Log;
  readonly #clock: Clock;
  #sinceMs = Number.NEGATIVE_INFINITY;
  #lines = 0;
  #untold = 0;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** The server has come into another state. Tries of one that is out are no news. */
  changed(server: ChangedServer, { before, outMs, isToldElsewhere }: Change): void {
    const { name, state, reason, settings } = server;
    if (state === "down" || state === "recovering") {
      if (outMs === null && !isToldElsewhere) this.#tell("warn", `${name} is down: ${reason}`);
    } else if (state === "draining" || state === "maintenance") {
      const what = state === "draining" ? "draining" : "in maintenance";
      if (!isToldElsewhere) this.#tell("info", `${name} is ${what}: ${reason}`);
    } else if (state === "slow-start" || before !== "slow-start") {
      const after = outMs === null ? "" : ` after ${(outMs / 1_000).toFixed(1)} s`;
      const grows = `; its share of requests grows for ${settings.slowStartMs / 1_000} s`;
      this.#tell("info", `${name} is up again${after}${state === "slow-start" ? grows : ""}`);
    }
  }

  #tell(level: "info" | "warn", line: string): void {
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
