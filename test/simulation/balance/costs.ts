/** What one choice costs, with 10, 100 and 1,000 servers, in CPU time: a busy machine makes it hardly longer. */
import { PeakEwma } from "../../../src/balance/peak-ewma.ts";
import type { Candidate, Policy } from "../../../src/balance/policy.ts";
import { balance as limits } from "../../../src/support/limits.ts";
import { type PolicyName, policyNames, testPolicy } from "../../harness/candidates.ts";

export const serverCounts = [10, 100, 1_000] as const;

const choices = 400_000;
const rounds = 7;
/** So many requests are in flight at each server, on average. */
const inFlightMean = 3;

/** @returns nanoseconds per choice, by number of servers: the median of some rounds. */
export function costsOf(name: PolicyName): number[] {
  const cases = serverCounts.map((count) => {
    const servers = Array.from({ length: count }, (_, at) => new BusyServer(at));
    return { policy: testPolicy(name, servers), window: new Window(count * inFlightMean) };
  });
  const samples: number[][] = cases.map(() => []);
  for (let round = 0; round < rounds; round++)
    for (const [at, { policy, window }] of cases.entries()) samples[at]!.push(measure(policy, window));
  return samples.map((own) => own.toSorted((left, right) => left - right)[rounds >> 1]!);
}

export function allCosts(): Map<PolicyName, number[]> {
  return new Map(policyNames.map((name) => [name, costsOf(name)]));
}

function measure(policy: Policy<Candidate>, window: Window): number {
  const before = process.cpuUsage();
  for (let at = 0; at < choices; at++)
    window.push(policy.pick(null, Math.imul(at, 0x9e3779b1) >>> 0) as BusyServer);
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1_000) / choices;
}

/** One class, as all servers of a cluster have; its time to answer is a real average, which asks the clock. */
class BusyServer implements Candidate {
  readonly name: string;
  readonly usable = true;
  readonly weight = 1;
  readonly fullWeight = 1;
  readonly inFlightElsewhere = 3;
  readonly slowness: number;
  inFlight = 0;
  readonly #latency = new PeakEwma(limits.latencyDecayMs);

  constructor(at: number) {
    this.name = `app-${at}`;
    this.slowness = at % 10 === 0 ? 1.5 : 1;
    this.#latency.update(20 + (at % 7), performance.now());
  }

  latencyAt(nowMs: number): number {
    return this.#latency.value(nowMs);
  }
}

/** Requests in flight: the oldest is answered when one more is sent. */
class Window {
  readonly #servers: (BusyServer | null)[];
  #at = 0;

  constructor(length: number) {
    this.#servers = Array.from({ length }, () => null);
  }

  push(server: BusyServer): void {
    const oldest = this.#servers[this.#at]!;
    if (oldest !== null) oldest.inFlight--;
    server.inFlight++;
    this.#servers[this.#at] = server;
    this.#at = (this.#at + 1) % this.#servers.length;
  }
}
