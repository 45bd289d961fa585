/** READ FIRST. One fault of one app server behind one balancer, under load, and what its visitors noticed. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "./faults.ts";
import { type Balancer, Site } from "./site.ts";
import { type Asked, Visitors } from "./visitors.ts";

export interface Outcome {
  readonly fault: string;
  readonly balancer: Balancer;
  readonly requests: number;
  /**
   * Until it gets no more requests: the last one that it got before there was none for a second. Of a process that is dead, which
   * can't count: the last one that failed or was slow. Null: it got requests until it was well.
   */
  readonly leftAfterMs: number | null;
  /** Requests that it got while it was ill, trials included. */
  readonly gotWhileIll: number;
  /** It got its requests already when it became well: it need not come back. */
  readonly inUseWhenWell: boolean;
  readonly failedGets: number;
  readonly failedPosts: number;
  /** What was wrong, and how often. */
  readonly failures: Readonly<Record<string, number>>;
  /** Of those that were answered rightly. */
  readonly slow: number;
  /** Of all, those included that were given up. */
  readonly longestMs: number;
  readonly p99Ms: number;
  /** From when it is well until it has answered ten requests that fell due since; null: it had not when the drill ended. */
  readonly backAfterMs: number | null;
}

export const drillLoad = { perSecond: 200, postEvery: 5, patienceMs: 10_000 } as const;
export const slowMs = 300;
/** An answer takes so long while the server is well. */
const answerMs = 20;
/** Load before the stroke. */
const steadyMs = 2_000;
/** Without a request for so long, a server was left. */
const leftMs = 1_000;
/** One or two may be trials. */
const backRequests = 10;
const victimAt = 1;

/** When what happened, by `performance.now()`. */
export interface Times {
  readonly struckAtMs: number;
  readonly wellAtMs: number;
}

export async function drill(balancer: Balancer, fault: Fault): Promise<Outcome> {
  const site = await Site.start(balancer, { application: { WAIT_MS: String(answerMs) } });
  try {
    const victim = site.apps[victimAt]!;
    const visitors = new Visitors({ port: site.port, ...drillLoad });
    visitors.start();
    await sleep(steadyMs);
    const struckAtMs = performance.now();
    await fault.run(victim);
    const wellAtMs = performance.now();
    await sleep(fault.afterMs);
    await visitors.stop();
    const arrivals = await victim.arrivals();
    const times = { struckAtMs, wellAtMs };
    const figures = outcomeOf(visitors.asked, arrivals, victim.name, times, fault.dies);
    return { fault: fault.name, balancer, ...figures };
  } finally {
    await site.stop();
  }
}

/**
 * @param arrivals numbers of the requests that the victim's last process got
 * @param dies the process died: what it would have got is not known
 */
export function outcomeOf(
  asked: readonly Asked[],
  arrivals: readonly number[],
  victim: string,
  { struckAtMs, wellAtMs }: Times,
  dies: boolean,
): Omit<Outcome, "fault" | "balancer"> {
  const isIll = ({ dueAtMs }: Asked): boolean => dueAtMs >= struckAtMs && dueAtMs < wellAtMs;
  const tookMs = ({ dueAtMs, endedAtMs }: Asked): number => endedAtMs! - dueAtMs;
  const right = asked.filter(({ failure }) => failure === "");
  const wrong = asked.filter(({ failure }) => failure !== "");
  const got = [...new Set(arrivals)].flatMap((number) => asked[number] ?? []).filter(isIll);
  const hurt = asked.filter(isIll).filter((each) => each.failure !== "" || tookMs(each) > slowMs);
  const lastAtMs = dies ? (hurt.at(-1)?.dueAtMs ?? struckAtMs) : lastBeforeGap(got, struckAtMs);
  const isLeft = dies || wellAtMs - lastAtMs >= leftMs;
  const back = right.filter(({ dueAtMs, server }) => server === victim && dueAtMs >= wellAtMs);
  const sorted = asked.map(tookMs).sort((left, other) => left - other);
  return {
    requests: asked.length,
    leftAfterMs: isLeft ? lastAtMs - struckAtMs : null,
    gotWhileIll: got.length,
    inUseWhenWell: got.filter(({ dueAtMs }) => dueAtMs >= wellAtMs - leftMs).length >= backRequests,
    failedGets: wrong.filter(({ method }) => method === "GET").length,
    failedPosts: wrong.filter(({ method }) => method === "POST").length,
    failures: Object.fromEntries(
      [...Map.groupBy(wrong, ({ failure }) => failure)].map(([why, { length }]) => [why, length]),
    ),
    slow: right.filter((each) => tookMs(each) > slowMs).length,
    longestMs: sorted.at(-1) ?? 0,
    p99Ms: sorted[Math.ceil(sorted.length * 0.99) - 1] ?? 0,
    backAfterMs: back.length < backRequests ? null : back[backRequests - 1]!.endedAtMs! - wellAtMs,
  };
}

function lastBeforeGap(got: readonly Asked[], struckAtMs: number): number {
  let lastAtMs = struckAtMs;
  for (const { dueAtMs } of got.toSorted((left, right) => left.dueAtMs - right.dueAtMs)) {
    if (dueAtMs - lastAtMs > leftMs) break;
    lastAtMs = dueAtMs;
  }
  return lastAtMs;
}
