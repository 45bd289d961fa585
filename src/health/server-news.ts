/** What a web server's main process and its workers tell each other of an app server. */

/** An operator's. `drain`: those that it keeps, and nobody new. `maint`: nobody. */
export type Order = "ready" | "drain" | "maint";

/** From the main process: what it alone finds out. */
export interface ServerNews {
  readonly name: string;
  readonly order: Order;
  /** When it was given: milliseconds since 1970 on the operator's clock. Null: never. */
  readonly orderedAtMs: number | null;
  /** An operator's, in place of the file's; null: the file's. */
  readonly weight: number | null;
  /** Of active checks; null: there are none, or none has ended yet. */
  readonly check: CheckVerdict | null;
  /** Of the agent on its machine; null: it has none, or none has answered yet. */
  readonly agent: AgentNews | null;
}

/** All that an agent has said of late, in HAProxy's words. */
export interface AgentNews {
  readonly admin: Order;
  readonly isUp: boolean;
  /** Its own word for that it is not, or "". */
  readonly reason: string;
  /** In place of the file's; null: it says nothing of it. */
  readonly weight: number | null;
  /** Connections of each process of a web server, at once; null: it says nothing of it. 0: no limit. */
  readonly connectionsMax: number | null;
}

export interface CheckVerdict {
  readonly passed: boolean;
  /** Why it did not pass, or "". */
  readonly reason: string;
}

export function noNews(name: string): ServerNews {
  return { name, order: "ready", orderedAtMs: null, weight: null, check: null, agent: null };
}

/** An operator's, or the agent's: the stricter one. */
export function orderOf({ order, agent }: ServerNews): Order {
  if (order === "maint" || agent?.admin === "maint") return "maint";
  return order === "drain" || agent?.admin === "drain" ? "drain" : "ready";
}

/** Who gave it, and when, in words. */
export function orderReasonOf(news: ServerNews): string {
  const order = orderOf(news);
  if (news.order !== order) return `its agent says ${order}`;
  if (news.orderedAtMs === null) return "an operator wants it";
  const [day, time] = new Date(news.orderedAtMs).toISOString().split("T") as [string, string];
  return `an operator wants it, since ${day} ${time.slice(0, 5)} UTC`;
}

/** What checks, or its agent, have against it; or "". */
export function downReasonOf({ check, agent }: ServerNews): string {
  if (check?.passed === false) return check.reason;
  return agent?.isUp === false ? `its agent says ${agent.reason}` : "";
}

/** Who gave it a weight of 0, in words; or "". @param ofFile its weight there. */
export function noWeightReasonOf({ weight, agent }: ServerNews, ofFile: number): string {
  if ((weight ?? agent?.weight ?? ofFile) > 0) return "";
  const by =
    weight !== null ? "an operator wants it" : agent?.weight === 0 ? "its agent says it" : "in the file";
  return `no new visitors get there, for its weight is 0 (${by})`;
}

export type HealthState = "up" | "slow-start" | "draining" | "maintenance" | "down" | "recovering";

/** From a worker: what it sees. */
export interface ServerView {
  readonly name: string;
  readonly state: HealthState;
  /** Why it is not simply up, or "". */
  readonly reason: string;
  /** For how long it has been in this state. */
  readonly forMs: number;
  /** It is reachable, and gets at least those whose sessions it keeps. */
  readonly takesRequests: boolean;
  readonly inFlight: number;
  /** Now, and once it has started. */
  readonly weight: number;
  readonly fullWeight: number;
  readonly slowness: number;
  /** What it says of its load, in words, or "". */
  readonly load: string;
  readonly latencyMs: number;
}
