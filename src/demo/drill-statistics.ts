/**
 * What the drill counts, and the verdict: who was asked, what failed and how, whose session went where.
 * Pure bookkeeping with times from outside, all in milliseconds of one monotonic clock.
 */

/** One request as the visitor saw it. */
export interface Outcome {
  readonly method: "GET" | "POST";
  readonly startedAt: number;
  readonly endedAt: number;
  /** Null when it was answered as it should be, else the kind of failure, e.g. "status 502", "connection closed". */
  readonly failure: string | null;
  /** A POST that failed: false when the site said that nothing was done (503), true when nobody can know. */
  readonly unknown: boolean;
  /** "shop-a/1234", the server and process that answered; "" when none did. */
  readonly servedBy: string;
}

/** A server killed by the drill. */
export interface Kill {
  readonly server: string;
  readonly letter: string;
  readonly pid: number;
  readonly at: number;
  /** Milliseconds from the kill to the last answer of the dead process and the last failure that it caused. */
  lastTouchedMs: number;
  /** Milliseconds from the kill to the first answer of its successor, or null while there is none. */
  backAfterMs: number | null;
}

export type SessionTrouble =
  /** Gone with the process that kept it. */
  | "lost-with-owner"
  /** Gone although its owner lived on. */
  | "lost-otherwise"
  /** There, with another content than the visitor left in it. */
  | "wrong"
  /** Another visitor's. */
  | "foreign";

export class DrillStatistics {
  readonly visitors: number;
  readonly startedAt: number;
  readonly kills: Kill[] = [];
  readonly failures: Map<string, number> = new Map();
  readonly sessions: Map<SessionTrouble, number> = new Map();
  requests = 0;
  reads = 0;
  readsFailed = 0;
  writes = 0;
  writesUnknown = 0;
  writesNotDone = 0;
  readonly #latenciesMs: number[] = [];

  constructor(visitors: number, startedAt: number) {
    this.visitors = visitors;
    this.startedAt = startedAt;
  }

  add(outcome: Outcome): void {
    this.requests++;
    this.#latenciesMs.push(outcome.endedAt - outcome.startedAt);
    if (outcome.method === "GET") this.reads++;
    else this.writes++;
    if (outcome.failure !== null) this.#addFailure(outcome, outcome.failure);
    for (const kill of this.kills) followUp(kill, outcome);
  }

  killed(kill: Pick<Kill, "server" | "letter" | "pid" | "at">): Kill {
    const added: Kill = { ...kill, lastTouchedMs: 0, backAfterMs: null };
    this.kills.push(added);
    return added;
  }

  addSessionTrouble(trouble: SessionTrouble): void {
    this.sessions.set(trouble, this.sessionTroubles(trouble) + 1);
  }

  sessionTroubles(trouble: SessionTrouble): number {
    return this.sessions.get(trouble) ?? 0;
  }

  /** True when a session that a server with this letter made at `since` died with a process. */
  ownerKilledSince(letter: string, since: number): boolean {
    return this.kills.some((kill) => kill.letter === letter && kill.at >= since);
  }

  /** The latency that `share` (0 to 1) of the requests did not exceed. */
  latencyMs(share: number): number {
    return percentile(
      this.#latenciesMs.toSorted((left, right) => left - right),
      share,
    );
  }

  /** What speaks against this run: nothing, or one line for each reason. */
  faults(): string[] {
    const faults: string[] = [];
    if (this.reads === 0) faults.push("nothing was asked");
    if (this.readsFailed > 0) faults.push(`${this.readsFailed} idempotent requests failed`);
    const foreign = this.sessionTroubles("foreign");
    if (foreign > 0) faults.push(`${foreign} answers showed another visitor's data`);
    for (const kill of this.kills) {
      if (kill.backAfterMs === null) faults.push(`${kill.server} did not come back`);
    }
    return faults;
  }

  #addFailure(outcome: Outcome, failure: string): void {
    const kind = `${outcome.method} ${failure}`;
    this.failures.set(kind, (this.failures.get(kind) ?? 0) + 1);
    if (outcome.method === "GET") this.readsFailed++;
    else if (outcome.unknown) this.writesUnknown++;
    else this.writesNotDone++;
  }
}

function followUp(kill: Kill, outcome: Outcome): void {
  const sinceMs = outcome.endedAt - kill.at;
  if (sinceMs < 0) return;
  const [server, pid] = outcome.servedBy.split("/");
  if (server === kill.server && pid !== String(kill.pid)) kill.backAfterMs ??= sinceMs;
  // A failure before the server is back is put down to it: there is no other cause on this machine.
  const touched = outcome.failure === null ? pid === String(kill.pid) : kill.backAfterMs === null;
  if (touched) kill.lastTouchedMs = Math.max(kill.lastTouchedMs, sinceMs);
}

/** Nearest rank: the smallest of the sorted values that at least `share` of them do not exceed; 0 of none. */
export function percentile(sorted: readonly number[], share: number): number {
  if (sorted.length === 0) return 0;
  const rank = Math.ceil(share * sorted.length);
  return sorted[Math.min(Math.max(rank, 1), sorted.length) - 1]!;
}
