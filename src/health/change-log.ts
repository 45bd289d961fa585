/** The lines of one server that comes and goes: each change is told once. */
import type { Clock } from "../support/clock.ts";
import { FewLines } from "../support/few-lines.ts";
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
  readonly #lines: FewLines;

  constructor(log: Log, clock: Clock) {
    this.#lines = new FewLines(log, clock);
  }

  /** The server has come into another state. Tries of one that is out are no news. */
  changed(server: ChangedServer, { before, outMs, isToldElsewhere }: Change): void {
    const { name, state, reason, settings } = server;
    if (state === "down" || state === "recovering") {
      if (outMs === null && !isToldElsewhere) this.#lines.tell("warn", `${name} is down: ${reason}`);
    } else if (state === "draining" || state === "maintenance") {
      const what = state === "draining" ? "draining" : "in maintenance";
      if (!isToldElsewhere) this.#lines.tell("info", `${name} is ${what}: ${reason}`);
    } else if (state === "slow-start" || before !== "slow-start") {
      const after = outMs === null ? "" : ` after ${(outMs / 1_000).toFixed(1)} s`;
      const grows = `; its share of requests grows for ${settings.slowStartMs / 1_000} s`;
      this.#lines.tell("info", `${name} is up again${after}${state === "slow-start" ? grows : ""}`);
    }
  }
}
