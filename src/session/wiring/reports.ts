/** What an operator is told of sessions on two servers: of many slots at once in one line, and seldom. */
import { ResetCode } from "../../link/api.ts";
import { systemClock, type Timer } from "../../support/clock.ts";
import { session as limits } from "../../support/limits.ts";
import type { Log } from "../../support/log.ts";
import { Seldom, SeldomEach } from "../../support/seldom.ts";
import type { ClusterObserver, Recovered } from "../cluster/context.ts";

const noneRecovered = { saved: 0, whole: 0, unknown: 0, lost: 0 };

export class Reports implements ClusterObserver {
  readonly #log: Log;
  /** The last stop was an orderly one: that nobody serves the slots is no wonder. */
  hasSaved = false;
  /** Slots. */
  #recovered = { ...noneRecovered };
  readonly #away: Set<string> = new Set();
  #recoveryTimer: Timer | null = null;
  readonly #evicted: Seldom = new Seldom(limits.complaintIntervalMs);
  readonly #events: Seldom = new Seldom(limits.refusedComplaintIntervalMs);
  /** By server and what is wrong. */
  readonly #complaints: SeldomEach = new SeldomEach(limits.complaintIntervalMs);
  /** Of each server the process that is or was connected last, and the one before. */
  readonly #processes: Map<string, { readonly last: string; readonly before: string }> = new Map();

  constructor(log: Log) {
    this.#log = log;
  }

  onCommit(): void {}

  onRole(): void {}

  onRecovered(_slot: number, { copy, away }: Recovered): void {
    this.#recovered[copy === "whole" && this.hasSaved ? "saved" : copy]++;
    if (copy === "unknown") for (const server of away) this.#away.add(server);
    this.#recoveryTimer ??= systemClock.after(limits.recoveryGatherMs, () => this.#tellRecovery());
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

  onMemoryHeld(bytes: number | null): void {
    if (bytes === null)
      this.#log.info("sessions are written to disk again: new ones, and larger ones, are taken again");
    else
      this.#log.error(
        { code: "FLOTILLA_SESSIONS_FULL", bytes },
        `sessions are full (${bytes} bytes in memory, with the copies for other servers), and can't leave memory because the disk can't be ` +
          "written, or takes too long: meanwhile new sessions, larger ones, and those that are on disk alone are refused",
      );
  }

  onEvent(what: string): void {
    const times = this.#events.add();
    if (times > 0) this.#log.warn(times === 1 ? what : `${what} (and ${times - 1} more like it)`);
  }

  /** A process of another server has connected. One that had been replaced comes back only where there are two at a time. */
  onProcess(server: string, incarnation: string): void {
    const { last = "", before = "" } = this.#processes.get(server) ?? {};
    if (incarnation === last) return;
    this.#processes.set(server, { last: incarnation, before: last });
    if (incarnation !== before || this.#complaints.add(`${server} twice`) === 0) return;
    this.#log.error(
      { code: "FLOTILLA_SERVER_TWICE" },
      `two processes call themselves ${server}, and take turns at being connected: find out where each runs (its address ` +
        `may differ between files), give every machine the same file, and stop one of them`,
    );
  }

  /** The session streams with another server ended, or could not be opened. */
  onEnd(server: string, reason: string, code: ResetCode): void {
    if (code === ResetCode.protocol && this.#complaints.add(`${server} unreadable`) > 0)
      this.#log.error(
        { code: "FLOTILLA_SESSION_PROTOCOL" },
        `the session streams with ${server} ended (${reason}): it, or this server, is of another release or broken; they are opened again`,
      );
    else if (code === ResetCode.refused && this.#complaints.add(`${server} mixed`) > 0)
      this.#log.error(
        { code: "FLOTILLA_SESSIONS_MIXED" },
        `${server} keeps no sessions together with this server (${reason}): what is written there is unknown here, and visitors who ` +
          "are sent from one to the other lose theirs. Give all app servers the same file, call session() before serve(), and " +
          "restart those that did otherwise",
      );
    else this.#log.debug(`no session streams with ${server}: ${reason}`);
  }

  #tellRecovery(): void {
    this.#recoveryTimer = null;
    const { saved, whole, unknown, lost } = this.#recovered;
    if (saved > 0)
      this.#log.info(`the sessions of ${saved} slots are in use again, as the last stop saved them`);
    if (whole > 0)
      this.#log.warn(
        `${whole} session slots were without both of their servers; their newest copy is in use again, whole: nothing is lost`,
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
    this.#recovered = { ...noneRecovered };
    this.#away.clear();
  }
}
