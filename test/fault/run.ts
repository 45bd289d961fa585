/**
 * `npm run faults`: every fault on a real site, several times, and a table.
 *
 *   npm run faults -- --runs 20 --fault stopped
 *   npm run faults -- --coordination etcd      # or postgres
 */
import { parseArgs } from "node:util";
import { coordinations, whyNoEngine } from "./engines.ts";
import { faults, faultsWith } from "./faults.ts";
import { whyNoNetwork } from "./network.ts";
import { head, runLine, table } from "./report.ts";
import { type RunResult, runFaults } from "./rig.ts";

const size = { visitors: 24, sleepers: 60, leavers: 3 };
const runsMax = 1_000;

const usage = `npm run faults -- [--runs N] [--fault NAME]... [--seed N] [--coordination ${coordinations.join("|")}]
Faults (the last ones need an engine of the register that is not members):
${faults.map(({ name, title }) => `  ${name.padEnd(12)} ${title}`).join("\n")}`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      runs: { type: "string", default: "3" },
      fault: { type: "string", multiple: true },
      seed: { type: "string", default: "1" },
      coordination: { type: "string", default: "members" },
    },
  });
  const runs = Number(values.runs);
  const coordination = coordinations.find((name) => name === values.coordination) ?? null;
  const possible = coordination === null ? [] : faultsWith(coordination).map(({ name }) => name);
  const chosen = values.fault ?? possible;
  const unknown = chosen.filter((name) => !possible.includes(name));
  if (
    coordination === null ||
    unknown.length > 0 ||
    !(runs >= 1 && runs <= runsMax) ||
    !Number.isInteger(Number(values.seed))
  ) {
    console.error(usage);
    return 2;
  }
  const why = whyNoNetwork() ?? whyNoEngine(coordination);
  if (why !== null) {
    console.error(`no faults can be made here: it ${why}`);
    return 1;
  }
  return await report({ coordination, faults: chosen, runs, size, seed: Number(values.seed) });
}

async function report(order: Parameters<typeof runFaults>[0]): Promise<number> {
  const stopping = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => stopping.abort());
  console.log(head(order));
  const results: RunResult[] = [];
  const take = (result: RunResult): void => {
    results.push(result);
    console.log(runLine(result));
    for (const line of [...result.details, ...result.lossLines]) console.log(`    ${line}`);
  };
  const folder = await runFaults(order, take, stopping.signal);
  if (results.length > 0) console.log(`\n${table(results)}`);
  if (folder !== null) console.log(`\nThe servers' logs: ${folder}`);
  return stopping.signal.aborted ? 130 : folder === null ? 0 : 1;
}

process.exitCode = await main();
