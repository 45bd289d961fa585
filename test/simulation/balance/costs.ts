/** What one choice costs, with 10, 100 and 1,000 servers. */
import { PeakEwma } from "../../../src/balance/peak-ewma.ts";
import type { Candidate, Policy } from "../../../src/balance/policy.ts";
import {
  type PolicyName,
  policyNames,
  type TestServer,
  testPolicy,
  testServers,
} from "../../harness/candidates.ts";

export const serverCounts = [10, 100, 1_000] as const;

const choices = 400_000;
const rounds = 7;
/** So many requests are in flight at each server, on average. */
const inFlightMean = 3;

/** @returns nanoseconds per choice, by number of servers: the median of some rounds. */
export function costsOf(name: PolicyName): number[] {
  const cases = serverCounts.map((count) => {
    const servers = busyServers(count);
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
  const beganAt = performance.now();
  for (let at = 0; at < choices; at++)
    window.push(policy.pick(null, Math.imul(at, 0x9e3779b1) >>> 0) as TestServer);
  return ((performance.now() - beganAt) * 1e6) / choices;
}

/** Its time to answer is a real average, which asks the clock. */
function busyServers(count: number): TestServer[] {
  const servers = testServers(count);
  for (const [at, server] of servers.entries()) {
    const average = new PeakEwma(10_000);
    average.update(20 + (at % 7), performance.now());
    Object.defineProperty(server, "latencyMs", { get: () => average.value(performance.now()) });
    server.slowness = 1 + (at % 3) / 10;
  }
  return servers;
}

/** Requests in flight: the oldest is answered when one more is sent. */
class Window {
  readonly #servers: (TestServer | null)[];
  #at = 0;

  constructor(length: number) {
    this.#servers = Array.from({ length }, () => null);
  }

  push(server: TestServer): void {
    const oldest = this.#servers[this.#at]!;
    if (oldest !== null) oldest.inFlight--;
    server.inFlight++;
    this.#servers[this.#at] = server;
    this.#at = (this.#at + 1) % this.#servers.length;
  }
}
