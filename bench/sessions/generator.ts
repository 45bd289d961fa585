/**
 * Visitors of the session benchmark as a process of their own, so that its CPU time is nobody's: settings as JSON at
 * standard input, the result at standard output. Each visitor stays on one connection to one app server and asks one
 * request at a time, so that counters can be checked to the last one.
 */
import { text } from "node:stream/consumers";
import { percentile } from "../../src/demo/drill-statistics.ts";
import { runLoad } from "../../test/harness/load.ts";
import { browserHeaders } from "../load.ts";

export interface VisitorLoad {
  readonly ports: readonly number[];
  readonly connections: number;
  /** Cookie fields by connection; each takes its visitors in turn. */
  readonly visitors: readonly (readonly string[])[];
  readonly path: string;
  /** Null: as much as goes through. */
  readonly ratePerSecond: number | null;
  readonly durationMs: number;
}

export interface VisitorLoadResult {
  readonly answered: number;
  readonly failed: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const load = JSON.parse(await text(process.stdin)) as VisitorLoad;
const fields = browserHeaders.map(([name, value]) => `${name}: ${value}\r\n`).join("");
const requests = load.visitors.map((cookies) =>
  cookies.map((cookie) =>
    Buffer.from(
      `GET ${load.path} HTTP/1.1\r\nHost: bench.test\r\n${fields}Cookie: ${cookie}\r\n\r\n`,
      "latin1",
    ),
  ),
);
const turns = requests.map(() => 0);
const { connections, ratePerSecond, durationMs } = load;
const result = await runLoad({
  ...{ address: "127.0.0.1", port: load.ports, connections, ratePerSecond, durationMs, busyWait: true },
  request: (connection) => {
    const own = requests[connection]!;
    return own[turns[connection]!++ % own.length]!;
  },
});
const sorted = result.latenciesMs.toSorted((left, right) => left - right);
const told: VisitorLoadResult = {
  answered: result.answered,
  failed: result.failed,
  perSecond: (result.answered * 1_000) / result.elapsedMs,
  p50Ms: percentile(sorted, 0.5),
  p99Ms: percentile(sorted, 0.99),
};
process.stdout.write(`${JSON.stringify(told)}\n`);
