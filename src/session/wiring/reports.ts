/** What an operator is told of sessions on two servers: of many slots at once in one line, and seldom. */
import { systemClock, type Timer } from "../../support/clock.ts";
import { session as limits } from "../../support/limits.ts";
import type { Log } from "../../support/log.ts";
import { Seldom } from "../../support/seldom.ts";
import type { ClusterObserver, Recovered } from "../cluster/context.ts";

/** Slots are recovered one after the other within a moment. */
const recoveryGatherMs = 1_000;

export class Reports implements ClusterObserver {
  readonly #log: Log;
  /** The last stop was an orderly one: that nobody serves the slots is no wonder. */
  hasSaved = false;
  /** Slots. */
  #recovered = { whole: 0, unknown: 0, lost: 0 };
  readonly #away: Set<string> = new Set();
  #recoveryTimer: Timer | null = null;
  readonly #evicted: Seldom = new Seldom(limits.complaintIntervalMs);
  readonly #events: Seldom = new Seldom(limits.refusedComplaintIntervalMs);

  constructor(log: Log) {
    this.#log = log;
  }

  onCommit(): void {}

  onRole(): void {}

  onRecovered(_slot: number, { copy, away }: Recovered): void {
    this.#recovered[copy]++;
    if (copy === "unknown") for (const server of away) this.#away.add(server);
    this.#recoveryTimer ??= systemClock.after(recoveryGatherMs, () => this.#tellRecovery());
  }

  onEvicted(count: number, sessions: number, bytes: number): void {
    const evicted = this.#evicted.add(count);
    if (evicted === 0) return;
    this.#log.warn(
      { code: "FLOTILLA_SESSIONS_FULL", evicted, sessions, bytes },
      `sessions are full (${sessions} with the copies for other servers, ${bytes} bytes): ` +
        `${evicted} of the longest idle made room; add app servers, or find out who makes so many`,
    );
  }

  onEvent(what: string): void {
    const times = this.#events.add();
    if (times > 0) this.#log.warn(times === 1 ? what : `${what} (and ${times - 1} more like it)`);
  }

  #tellRecovery(): void {
    this.#recoveryTimer = null;
    const { whole, unknown, lost } = this.#recovered;
    if (whole > 0 && this.hasSaved)
      this.#log.info(`the sessions of ${whole} slots are in use again, as the last stop saved them`);
    else if (whole > 0)
      this.#log.warn(
        `both servers of ${whole} session slots were gone at once; their newest copy is in use again`,
      );
    if (unknown > 0)
      this.#log.error(
        { code: "FLOTILLA_SESSIONS_LOST" },
        `${unknown} session slots are in use again without ${[...this.#away].sort().join(", ")}, which did not come in time ` +
          "and may have had their only whole copy: sessions in them may be lost, or be as they were before",
      );
    if (lost > 0)
      this.#log.error(
        { code: "FLOTILLA_SESSIONS_LOST" },
        `both servers of ${lost} session slots were gone at once, and came back without them: sessions that were in ` +
          "these slots are lost, or are as they were before",
      );
    this.#recovered = { whole: 0, unknown: 0, lost: 0 };
    this.#away.clear();
  }
}
