/**
 * What the drill counts, and the verdict: who was asked, what failed and how, what was wrong with whose cart.
 * Pure bookkeeping with times from outside, all in milliseconds of one monotonic clock.
 */
import type { Trouble, Troubles } from "./ledger.ts";

/** One request as the visitor saw it. */
export interface Outcome {
  readonly visitor: string;
  readonly method: "GET" | "POST";
  readonly startedAt: number;
  readonly endedAt: number;
  /** Null when it was answered as it should be, else the kind of failure, e.g. "status 502", "connection closed". */
  readonly failure: string | null;
  /** Of a failure: nobody can tell whether the shop acted. */
  readonly mayBeDone: boolean;
  /** "shop-a/1234", the server and process that answered; "" when none did. */
  readonly servedBy: string;
}

/** A server killed by the drill. */
export interface Kill {
  readonly server: string;
  readonly pid: number;
  readonly at: number;
  /** The visitors whose sessions it owned. */
  readonly owned: ReadonlySet<string>;
  /** Milliseconds from the kill to the last answer of the dead process and the last failure that it caused. */
  lastTouchedMs: number;
  /** Milliseconds from the kill to the first answer of its successor, or null while there is none. */
  backAfterMs: number | null;
  /**
   * Milliseconds from the kill to the first acknowledgement of a POST that was sent after it, of a session that the dead
   * server owned. Visitors write now and then only: it is as coarse as that.
   */
  writableAfterMs: number | null;
  /** Milliseconds from the kill until every session had two copies again, as the servers tell. */
  twoCopiesAfterMs: number | null;
}

const detailsMax = 10;

/** Every trouble as the table and the verdict name it, in this order. */
export const troubleTexts: ReadonlyMap<Trouble, string> = new Map([
  ["session-lost", "sessions lost"],
  ["item-lost", "items lost"],
  ["item-added", "items never put there"],
  ["foreign", "another visitor's cart"],
  ["revived", "alive after its end"],
]);

export class DrillStatistics {
  readonly visitors: number;
  readonly startedAt: number;
  readonly kills: Kill[] = [];
  readonly failures: Map<string, number> = new Map();
  readonly troubles: Map<Trouble, number> = new Map();
  /** The first troubles, each in a line for whoever looks for the cause. */
  readonly details: string[] = [];
  requests = 0;
  reads = 0;
  readsFailed = 0;
  writes = 0;
  /** POSTs whose outcome nobody told. */
  writesUnknown = 0;
  /** POSTs that failed in any other way, which no killed server explains. */
  writesFailed = 0;
  /** Of all these, what the visitors' next pages showed. */
  foundDone = 0;
  foundNotDone = 0;
  /** Visitors whose cart was compared after the last kill, and those of them who had been away while servers were killed. */
  cartsCompared = 0;
  idleVisitors = 0;
  /** Ids of ended sessions that were tried again after the last kill. */
  endedIdsTried = 0;
  /** Why it ended before every server was killed. */
  endedEarly: string | null = null;
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

  killed(kill: Pick<Kill, "server" | "pid" | "at" | "owned">): Kill {
    const added: Kill = {
      ...kill,
      lastTouchedMs: 0,
      backAfterMs: null,
      writableAfterMs: null,
      twoCopiesAfterMs: null,
    };
    this.kills.push(added);
    return added;
  }

  /** @param detail who saw it, where, and what should have been there; asked for only when there are any */
  addTroubles(troubles: Troubles, detail: () => string): void {
    if (troubles.size === 0) return;
    for (const [trouble, count] of troubles) this.troubles.set(trouble, this.troublesOf(trouble) + count);
    if (this.details.length < detailsMax)
      this.details.push(`${[...troubles.keys()].join(", ")}: ${detail()}`);
  }

  troublesOf(trouble: Trouble): number {
    return this.troubles.get(trouble) ?? 0;
  }

  /** A page showed what became of a POST that failed. */
  settled(wasDone: boolean): void {
    if (wasDone) this.foundDone++;
    else this.foundNotDone++;
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
    if (this.writesFailed > 0)
      faults.push(`${this.writesFailed} POST failed in a way that no killed server explains`);
    for (const [trouble, text] of troubleTexts) {
      const count = this.troublesOf(trouble);
      if (count > 0) faults.push(`${text}: ${count}`);
    }
    const notCompared = this.visitors - this.cartsCompared;
    if (notCompared > 0) faults.push(`${notCompared} carts could not be compared`);
    for (const kill of this.kills) {
      if (kill.backAfterMs === null) faults.push(`${kill.server} did not come back`);
    }
    if (this.endedEarly !== null) faults.push(this.endedEarly);
    return faults;
  }

  #addFailure(outcome: Outcome, failure: string): void {
    const kind = `${outcome.method} ${failure}`;
    this.failures.set(kind, (this.failures.get(kind) ?? 0) + 1);
    if (outcome.method === "GET") this.readsFailed++;
    else if (outcome.mayBeDone) this.writesUnknown++;
    else this.writesFailed++;
  }
}

function followUp(kill: Kill, outcome: Outcome): void {
  const sinceMs = outcome.endedAt - kill.at;
  if (sinceMs < 0) return;
  const [server, pid] = outcome.servedBy.split("/");
  if (server === kill.server && pid !== String(kill.pid)) kill.backAfterMs ??= sinceMs;
  if (outcome.method === "POST" && outcome.failure === null && outcome.startedAt >= kill.at) {
    if (kill.owned.has(outcome.visitor)) kill.writableAfterMs ??= sinceMs;
  }
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
