/**
 * `npm run bench -- --edge`: what a request costs the process in front, over HTTP/1.1, TLS and HTTP/2 to a plain HTTP
 * server, and for files. bench/README.md tells how it measures and how to read it.
 */
import { writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect } from "node:http2";
import { request as httpsRequest } from "node:https";
import { isInstalled } from "../commands.ts";
import { Contender } from "../contenders.ts";
import { cpuTimeUs } from "../cpu-time.ts";
import { h2load, type LoadReport, wrk } from "../load.ts";
import { median } from "../report.ts";
import { answersOf, differences } from "../same-answers.ts";
import { type EdgeName, edgeSetups, staticFiles } from "./contenders.ts";

type Edge = Contender<EdgeName>;

interface Scenario {
  readonly name: string;
  readonly path: string;
  readonly peers: readonly EdgeName[];
  readonly protocol: "http" | "https" | "h2";
  /** Of HTTP/2: requests at a time on one connection. */
  readonly streams?: number;
}

const all: readonly EdgeName[] = ["nginx", "haproxy", "caddy", "http-proxy"];
const encrypting: readonly EdgeName[] = ["nginx", "haproxy", "caddy"];
const scenarios: readonly Scenario[] = [
  { name: "http", path: "/", peers: all, protocol: "http" },
  { name: "https", path: "/", peers: encrypting, protocol: "https" },
  { name: "h2", path: "/", peers: encrypting, protocol: "h2" },
  // Pages with many parts.
  { name: "h2/8", path: "/", peers: encrypting, protocol: "h2", streams: 8 },
  { name: "file/2k", path: "/static/2k.txt", peers: ["nginx", "caddy"], protocol: "http" },
  { name: "file/100k", path: "/static/100k.txt", peers: ["nginx", "caddy"], protocol: "http" },
  { name: "file/1m", path: "/static/1m.txt", peers: ["nginx", "caddy"], protocol: "http" },
  { name: "file/2k/https", path: "/static/2k.txt", peers: ["nginx", "caddy"], protocol: "https" },
];

/** What must hold; all else is published whatever it is. */
const targets: readonly { scenario: string; peer: EdgeName; ratioMax: number }[] = [
  { scenario: "http", peer: "nginx", ratioMax: 1.6 },
  { scenario: "http", peer: "http-proxy", ratioMax: 0.35 },
];

const packages = { nginx: "nginx-light", haproxy: "haproxy", caddy: "caddy" } as const;
const warmUpRoundMs = 1_000;
/** About what all of them do. */
const h2RequestsPerMs = 8;

interface Sample {
  readonly scenario: string;
  readonly contender: EdgeName;
  readonly proxyUs: number;
  readonly perSecond: number;
}

interface Row {
  readonly name: string;
  readonly peer: EdgeName;
  readonly unit: "CPU us/request";
  readonly ours: number;
  readonly theirs: number;
  readonly ratio: number;
}

interface Options {
  readonly quick: boolean;
  readonly rounds: number;
  readonly json: string | undefined;
}

export async function runEdgeBench({ quick, rounds, json }: Options): Promise<number> {
  const setups = edgeSetups.filter(({ name }) => {
    if (!(name in packages) || isInstalled(name)) return true;
    say(`left out: ${name} is not installed (apt-get install ${packages[name as keyof typeof packages]})`);
    return false;
  });
  if (!(Number.isInteger(rounds) && rounds >= 1)) {
    say("--rounds is a whole number from 1 on");
    return 1;
  }
  const isWhole = setups.length === edgeSetups.length && isInstalled("wrk") && isInstalled("h2load");
  if (!isInstalled("wrk")) say("wrk is not installed (apt-get install wrk): nothing can be measured");
  if (!isInstalled("h2load")) say("left out: h2load is not installed (apt-get install nghttp2-client)");
  if (!isInstalled("wrk") || (!isWhole && process.env.FLOTILLA_TEST_ALL === "1")) return 1;
  const running: Edge[] = [];
  try {
    for (const setup of setups) running.push(await Contender.start(setup, "plain"));
    if (!(await proveEqual(running))) return 1;
    const samples: Sample[] = [];
    for (const scenario of scenarios) samples.push(...(await measure(scenario, running, quick, rounds)));
    const rows = scenarios.flatMap((scenario) => rowsOf(scenario, samples));
    console.log(`\n${table(samples)}\n\n${ratioTable(rows)}\n\n${verdicts(rows).join("\n")}`);
    if (json !== undefined) writeFileSync(json, `${JSON.stringify(rows, null, 2)}\n`);
  } finally {
    for (const contender of running) await contender.stop();
  }
  return 0;
}

/** All pass on the same, and every scenario shows the same bytes. */
async function proveEqual(running: readonly Edge[]): Promise<boolean> {
  const [first, ...others] = running;
  const found: string[] = [];
  const answers = await answersOf(first!.port);
  for (const other of others)
    found.push(...differences(answers, await answersOf(other.port), [first!.name, other.name]));
  for (const scenario of scenarios) {
    const expected =
      staticFiles[scenario.path.slice("/static/".length)]?.toString() ?? "hello world ".repeat(10);
    for (const contender of takingPart(scenario, running)) {
      const body = await bodyOf(contender, scenario);
      if (body !== expected)
        found.push(`${scenario.name}: ${contender.name} answers ${JSON.stringify(body.slice(0, 200))}`);
    }
  }
  for (const difference of found) say(`the answers differ: ${difference}`);
  if (found.length === 0) say(`equal answers from ${running.map(({ name }) => name).join(", ")}`);
  return found.length === 0;
}

function takingPart({ peers }: Scenario, running: readonly Edge[]): Edge[] {
  return running.filter(({ name }) => name === "flotilla" || peers.includes(name));
}

function bodyOf(contender: Edge, { protocol, path }: Scenario): Promise<string> {
  if (protocol === "h2") return h2BodyOf(contender.tlsPort, path);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const isPlain = protocol === "http";
  const port = isPlain ? contender.port : contender.tlsPort;
  const options = { host: "127.0.0.1", port, path, agent: false, rejectUnauthorized: false };
  const asked = (isPlain ? httpRequest : httpsRequest)(options, (answer) => {
    const chunks: Buffer[] = [];
    answer.on("data", (chunk: Buffer) => chunks.push(chunk));
    answer.on("end", () => resolve(Buffer.concat(chunks).toString()));
    answer.on("error", reject);
  });
  asked.on("error", reject).end();
  return promise;
}

function h2BodyOf(port: number, path: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const session = connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  const stream = session.request({ ":path": path });
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("end", () => resolve(Buffer.concat(chunks).toString()));
  session.on("error", reject);
  stream.on("error", reject);
  return promise.finally(() => session.close());
}

/** Rounds of all contenders in turn, as in the other benchmarks. */
async function measure(
  scenario: Scenario,
  running: readonly Edge[],
  quick: boolean,
  rounds: number,
): Promise<Sample[]> {
  if (scenario.protocol === "h2" && !isInstalled("h2load")) return [];
  const contenders = takingPart(scenario, running);
  const samples: Sample[] = [];
  for (const contender of contenders) await warmUp(contender, scenario, quick);
  for (let round = 1; round <= rounds; round++) {
    say(`${scenario.name}: round ${round} of ${rounds}`);
    for (const contender of contenders)
      samples.push(await sample(contender, scenario, quick ? 2_000 : 5_000));
  }
  return samples;
}

async function warmUp(contender: Edge, scenario: Scenario, quick: boolean): Promise<void> {
  const enough = quick ? 25_000 : 100_000;
  const roundsMax = quick ? 4 : 8;
  let requests = 0;
  for (let round = 0; round < roundsMax && requests < enough; round++)
    requests += (await load(contender, scenario, warmUpRoundMs)).requests;
}

async function sample(contender: Edge, scenario: Scenario, durationMs: number): Promise<Sample> {
  const pids = contender.pids("proxy");
  const beforeUs = cpuTimeUs(pids);
  const { requests, perSecond } = await load(contender, scenario, durationMs);
  const proxyUs = (cpuTimeUs(pids) - beforeUs) / requests;
  return { scenario: scenario.name, contender: contender.name, proxyUs, perSecond };
}

function load(contender: Edge, scenario: Scenario, durationMs: number): Promise<LoadReport> {
  const { protocol, path, streams = 1 } = scenario;
  if (protocol === "h2")
    return h2load(`https://127.0.0.1:${contender.tlsPort}${path}`, durationMs * h2RequestsPerMs, streams);
  const port = protocol === "http" ? contender.port : contender.tlsPort;
  return wrk(`${protocol}://127.0.0.1:${port}${path}`, durationMs);
}

function rowsOf({ name, peers }: Scenario, samples: readonly Sample[]): Row[] {
  const of = (contender: EdgeName): number =>
    median(
      samples
        .filter((sample) => sample.scenario === name && sample.contender === contender)
        .map(({ proxyUs }) => proxyUs),
    );
  const ours = of("flotilla");
  return peers.flatMap((peer) => {
    const theirs = of(peer);
    if (Number.isNaN(theirs) || Number.isNaN(ours)) return [];
    const ratio = Math.round((100 * ours) / theirs) / 100;
    return [{ name, peer, unit: "CPU us/request", ours: tenths(ours), theirs: tenths(theirs), ratio }];
  });
}

function table(samples: readonly Sample[]): string {
  const lines = [line("row", "contender", "proxy us", "requests/s")];
  for (const [key, own] of Map.groupBy(samples, ({ scenario, contender }) => `${scenario} ${contender}`)) {
    const [scenario, contender] = key.split(" ");
    const proxyUs = median(own.map((sample) => sample.proxyUs)).toFixed(1);
    lines.push(
      line(scenario!, contender!, proxyUs, median(own.map(({ perSecond }) => perSecond)).toFixed(0)),
    );
  }
  return lines.join("\n");
}

function ratioTable(rows: readonly Row[]): string {
  const lines = rows.map(
    ({ name, peer, ours, theirs, ratio }) =>
      `  ${name.padEnd(16)} ${`/ ${peer}`.padEnd(13)} ${ours.toFixed(1).padStart(7)} ${theirs.toFixed(1).padStart(7)}  ratio ${ratio.toFixed(2)}`,
  );
  return ["  CPU us/request of the process in front, ours and theirs; below 1 is cheaper", ...lines].join(
    "\n",
  );
}

function verdicts(rows: readonly Row[]): string[] {
  return targets.map(({ scenario, peer, ratioMax }) => {
    const row = rows.find((candidate) => candidate.name === scenario && candidate.peer === peer);
    const promise = `${scenario} / ${peer} <= ${ratioMax.toFixed(2)}`;
    if (row === undefined) return `  left out  ${promise}: not measured`;
    return `  ${row.ratio <= ratioMax ? "PASS" : "FAIL"}  ${promise}: ${row.ratio.toFixed(2)}`;
  });
}

function line(...cells: readonly string[]): string {
  return `  ${cells.map((cell, index) => (index < 2 ? cell.padEnd(16) : cell.padStart(11))).join("")}`;
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}

function say(text: string): void {
  console.error(text);
}
