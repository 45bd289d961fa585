/** What the workers of one web server see of its app servers, as one: for `flotilla status`. */
import { passed } from "../support/words.ts";
import type { HealthState, ServerView } from "./server-news.ts";

/** One app server, as most of what is wrong with it is seen. */
export interface SeenServer {
  readonly name: string;
  readonly state: HealthState;
  /** Why it is not simply up, or "". */
  readonly reason: string;
  /** For how long. */
  readonly forMs: number;
  /** Its share of new visitors, of all that it would have: 1, but for slow start. */
  readonly share: number;
  /** So many workers see it so. */
  readonly workers: number;
  /** Of all workers. */
  readonly inFlight: number;
  readonly latencyMs: number;
  /** How much longer a request takes there than usually, by what it says of its load; 1 also when it says nothing. */
  readonly slowness: number;
  /** That in words, or "". */
  readonly load: string;
}

const worstFirst: readonly HealthState[] = [
  "down",
  "recovering",
  "maintenance",
  "draining",
  "slow-start",
  "up",
];

/** In the order of the first view of each. */
export function seenServers(views: readonly ServerView[]): SeenServer[] {
  return [...Map.groupBy(views, ({ name }) => name).values()].map((all) => {
    const worst = all.toSorted((a, b) => badness(b) - badness(a))[0]!;
    const { name, state, reason, forMs, weight, fullWeight } = worst;
    const slowest = all.reduce((one, other) => (other.slowness > one.slowness ? other : one));
    return {
      ...{ name, state, reason, forMs: Math.round(forMs) },
      share: fullWeight === 0 ? 1 : Math.round((weight / fullWeight) * 100) / 100,
      workers: all.filter((view) => view.state === state && (view.reason === "") === (reason === "")).length,
      inFlight: all.reduce((sum, view) => sum + view.inFlight, 0),
      latencyMs: Math.round(Math.max(...all.map((view) => view.latencyMs)) * 10) / 10,
      slowness: Math.round(slowest.slowness * 10) / 10,
      load: slowest.load,
    };
  });
}

/** "app-b is down for 3 s: silent for 700 ms", or "" when it is simply up and as quick as usual. @param workersMax how many could see it so. */
export function seenInWords(server: SeenServer, workersMax: number): string {
  const { name, state, reason, forMs, share, workers, slowness, load } = server;
  const who = workers === workersMax ? "" : ` (${workers} of ${workersMax} workers)`;
  const since = `for ${passed(forMs)}`;
  if (state === "up" && reason === "") return slowness > 1 ? `${name} takes ${load}` : "";
  if (state === "up" || (state === "slow-start" && reason !== "")) return `${name} is up: ${reason}${who}`;
  if (state === "slow-start")
    return `${name} starts slowly ${since}: it gets ${Math.round(share * 100)}% of its share${who}`;
  if (state === "recovering") return `${name} is down ${since}, and is tried: ${reason}${who}`;
  return `${name} is ${state === "maintenance" ? "in maintenance" : state} ${since}: ${reason}${who}`;
}

function badness({ state, reason }: ServerView): number {
  return -2 * worstFirst.indexOf(state) + (reason === "" ? 0 : 1);
}
