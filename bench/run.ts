/**
 * `npm run bench`: the same application behind nginx, HAProxy and Flotilla, and what a request costs each of them
 * in CPU time. bench/README.md tells how it measures and how to read it.
 *
 *   npm run bench -- --quick             short rounds, under two minutes
 *   npm run bench -- --json FILE         the rows as JSON besides
 *   npm run bench -- --edge              plain servers, TLS, HTTP/2 and files, beside Caddy and http-proxy too; --rounds 1 to see that it works
 *   npm run bench -- --idle              memory of 10,000 kept connections without a request
 *   npm run bench -- --stores            sessions in each store, beside connect-redis and connect-pg-simple
 *   npm run bench -- --sessions          sessions instead, beside connect-redis; --servers 2 or 3 (default)
 */
import { writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { isInstalled, pinning } from "./commands.ts";
import { type AppKind, Contender, type ContenderName, setups } from "./contenders.ts";
import { cpuTimeUs } from "./cpu-time.ts";
import { runEdgeBench } from "./edge/run.ts";
import { runIdleBench } from "./idle/run.ts";
import { constantRate, type LoadReport, saturate } from "./load.ts";
import { type LoadKind, ratioTable, rowsOf, type Sample, table, verdicts } from "./report.ts";
import { answersOf, differences } from "./same-answers.ts";
import { runSessionBench } from "./sessions/run.ts";
import { runStoreBench } from "./stores/run.ts";

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "string" },
    sessions: { type: "boolean", default: false },
    servers: { type: "string", default: "3" },
    edge: { type: "boolean", default: false },
    rounds: { type: "string" },
    stores: { type: "boolean", default: false },
    idle: { type: "boolean", default: false },
  },
});
const rounds = options.quick ? 3 : 7;
const roundMs = options.quick ? 2_000 : 5_000;
/** Until the compilers have done their work on the hot path, which takes requests and not time. */
const warmUpRequests = options.quick ? 50_000 : 200_000;
const warmUpRoundsMax = options.quick ? 6 : 20;
const warmUpRoundMs = 1_000;

async function main(): Promise<number> {
  if (!pinning) say("note: one core or no taskset: nothing is pinned, figures will waver more");
  const busy = loadavg()[0]!;
  if (busy > 1) say(`note: the machine is busy (load average ${busy.toFixed(1)}): figures will waver more`);
  const { quick, json, sessions, stores, servers, edge } = options;
  if (options.idle) return await runIdleBench({ quick, json });
  if (edge) return await runEdgeBench({ quick, json, rounds: Number(options.rounds ?? (quick ? 3 : 7)) });
  if (stores) return await runStoreBench({ quick, json });
  if (sessions) return await runSessionBench({ quick, json, servers: servers === "2" ? 2 : 3 });
  const contenders = contendersHere();
  if (contenders === null) return 1;
  if (!isInstalled("wrk")) say("note: wrk is not installed, our own slower generator saturates instead");
  const samples: Sample[] = [];
  for (const app of ["express", "plain"] as const) {
    const running: Contender<ContenderName>[] = [];
    try {
      for (const name of contenders) running.push(await Contender.start(setups[name], app));
      if (!(await proveEqual(running, app))) return 1;
      samples.push(...(await measure(running, app)));
      if (!(await proveLogged(running, samples, app))) return 1;
    } finally {
      for (const contender of running) await contender.stop();
    }
  }
  const rows = rowsOf(samples);
  console.log(`\n${table(samples)}\n${ratioTable(rows)}\n\n${verdicts(rows).join("\n")}`);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(rows, null, 2)}\n`);
  return 0;
}

/** Those whose programs are installed, or null when there is nobody to compare with. */
function contendersHere(): ContenderName[] | null {
  const peers = (["nginx", "haproxy"] as const).filter((name) => {
    if (isInstalled(name)) return true;
    say(`left out: ${name} is not installed (apt-get install ${name === "nginx" ? "nginx-light" : name})`);
    return false;
  });
  if (peers.length > 0 && (peers.length === 2 || process.env.FLOTILLA_TEST_ALL !== "1")) {
    return [...peers, "flotilla"];
  }
  say("nothing to compare with");
  return null;
}

async function proveEqual(running: readonly Contender<ContenderName>[], app: AppKind): Promise<boolean> {
  const [first, ...others] = running;
  const answers = await answersOf(first!.port);
  let equal = true;
  for (const other of others) {
    const found = differences(answers, await answersOf(other.port), [first!.name, other.name]);
    for (const difference of found) say(`the answers differ, ${app}: ${difference}`);
    equal &&= found.length === 0;
  }
  if (equal) say(`${app}: ${answers.size} kinds of requests get equal answers from ${namesOf(running)}`);
  return equal;
}

/** A log that was not written would be cheap. */
async function proveLogged(
  running: readonly Contender<ContenderName>[],
  samples: readonly Sample[],
  app: AppKind,
): Promise<boolean> {
  let whole = true;
  for (const contender of running) {
    const own = samples.filter((sample) => sample.contender === contender.name && sample.app === app);
    const requests = own.reduce((sum, sample) => sum + sample.requests, 0);
    const logged = await contender.loggedRequests(requests);
    if (logged >= requests) continue;
    say(`${contender.name} logged ${logged} of ${requests} requests: its access log is not on, or not whole`);
    whole = false;
  }
  return whole;
}

/** Rounds of all contenders in turn (ABCABC), so that a busy minute of the machine meets all of them. */
async function measure(running: readonly Contender<ContenderName>[], app: AppKind): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (const contender of running) await warmUp(contender);
  for (let round = 1; round <= rounds; round++) {
    say(`${app}: saturation, round ${round} of ${rounds}`);
    for (const contender of running) {
      samples.push(await sample(contender, app, "saturation", () => saturate(contender.port, roundMs)));
    }
  }
  // The same rate for everybody: a tenth of what the slowest can do.
  const slowest = Math.min(...samples.map(({ perSecond }) => perSecond));
  const rate = Math.max(1, Math.round(slowest / 10));
  for (let round = 1; round <= rounds; round++) {
    say(`${app}: a tenth of it (${rate} requests/s), round ${round} of ${rounds}`);
    for (const contender of running) {
      samples.push(await sample(contender, app, "tenth", () => constantRate(contender.port, roundMs, rate)));
    }
  }
  return samples;
}

async function warmUp(contender: Contender): Promise<void> {
  let requests = 0;
  for (let round = 0; round < warmUpRoundsMax && requests < warmUpRequests; round++) {
    requests += (await saturate(contender.port, warmUpRoundMs)).requests;
  }
}

async function sample(
  contender: Contender<ContenderName>,
  app: AppKind,
  load: LoadKind,
  put: () => Promise<LoadReport>,
): Promise<Sample> {
  const proxyPids = contender.pids("proxy");
  const appPids = contender.pids("app");
  const proxyBeforeUs = cpuTimeUs(proxyPids);
  const appBeforeUs = cpuTimeUs(appPids);
  const report = await put();
  return {
    load,
    app,
    contender: contender.name,
    requests: report.requests,
    proxyUs: (cpuTimeUs(proxyPids) - proxyBeforeUs) / report.requests,
    appUs: (cpuTimeUs(appPids) - appBeforeUs) / report.requests,
    perSecond: report.perSecond,
    p99Ms: report.p99Ms,
  };
}

function namesOf(running: readonly Contender<ContenderName>[]): string {
  return running.map(({ name }) => name).join(", ");
}

function say(text: string): void {
  console.error(text);
}

process.exitCode = await main();
