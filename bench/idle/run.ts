/**
 * `npm run bench -- --idle`: what kept connections cost on which nobody asks for anything: memory of the processes in front,
 * and CPU time of the others' requests. bench/README.md tells how it measures and how to read it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { isInstalled } from "../commands.ts";
import { Contender, flotillaCommand, nginxCommand, type Setup } from "../contenders.ts";
import { cpuTimeUs, withDescendants } from "../cpu-time.ts";
import { wrk } from "../load.ts";
import { median } from "../report.ts";
import { type HeldConnection, holders, type Protocol } from "./hold.ts";

type IdleName = "nginx" | "flotilla";

interface Options {
  readonly quick: boolean;
  readonly json: string | undefined;
}

interface Row {
  readonly name: IdleName;
  readonly protocol: Protocol;
  readonly connections: number;
  /** Anonymous memory of its processes. */
  readonly memoryMiB: number;
  /** KiB per connection, since there was none. */
  readonly connectionKiB: number;
  /** Of the whole machine; both ends of a connection, and whatever else happens there meanwhile. */
  readonly kernelKiB: number;
}

const peer = (template: string): URL => new URL(`peers/${template}`, import.meta.url);
const setups: readonly Setup<IdleName>[] = [
  { name: "flotilla", template: peer("flotilla.yaml"), accessLog: null, command: flotillaCommand },
  { name: "nginx", template: peer("nginx.conf"), accessLog: null, command: nginxCommand },
];

/** The last one counts for the target. */
const steps = [0, 2_500, 5_000, 10_000];
const quickSteps = [0, 1_000, 2_000];
const targetKiB = 12;
/** How many are opened at once. */
const openingMax = 32;
/** Nobody is asked anything: what was left over from opening is collected. */
const settleMs = 5_000;
const warmUpMs = 2_000;
const roundMs = 1_500;

export async function runIdleBench({ quick, json }: Options): Promise<number> {
  const here = setups.filter(({ name }) => name === "flotilla" || isInstalled(name));
  if (here.length < setups.length) say("left out: nginx is not installed (apt-get install nginx-light)");
  if (!isInstalled("wrk")) say("left out: wrk is not installed: nothing tells what a request costs");
  if ((here.length < setups.length || !isInstalled("wrk")) && process.env.FLOTILLA_TEST_ALL === "1") return 1;
  const rows: Row[] = [];
  for (const setup of here)
    for (const protocol of ["http", "https", "h2"] as const) {
      const held: HeldConnection[] = [];
      // The other one has no idle connections.
      const both = [await Contender.start(setup, "plain"), await Contender.start(setup, "plain")] as const;
      try {
        if (isInstalled("wrk"))
          for (const each of both) await wrk(`http://127.0.0.1:${each.port}/`, warmUpMs);
        rows.push(...(await curve(both[0], protocol, held, quick ? quickSteps : steps)));
        if (isInstalled("wrk")) console.log(await requests(both, protocol, held.length, quick ? 3 : 5));
        const lost = held.filter((connection) => connection.closed).length;
        if (lost > 0) throw new Error(`${lost} of ${held.length} connections were closed meanwhile`);
      } finally {
        for (const connection of held) connection.close();
        for (const each of both) await each.stop();
      }
    }
  console.log(`\n${table(rows)}`);
  if (!quick) console.log(`\n${verdict(rows)}`);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(rows, null, 2)}\n`);
  return 0;
}

/** Opens connections, each of which has asked one request, and looks at the memory at each step. */
async function curve(
  contender: Contender<IdleName>,
  protocol: Protocol,
  held: HeldConnection[],
  counts: readonly number[],
): Promise<Row[]> {
  const port = protocol === "http" ? contender.port : contender.tlsPort;
  const rows: Row[] = [];
  let none: Memory | null = null;
  for (const count of counts) {
    while (held.length < count) {
      const opening = Array.from({ length: Math.min(openingMax, count - held.length) }, () =>
        holders[protocol](port),
      );
      held.push(...(await Promise.all(opening)));
    }
    await sleep(settleMs);
    const now = memoryOf(contender.pids("proxy"));
    none ??= now;
    const per = (bytes: number): number => (count === 0 ? 0 : bytes / 1_024 / count);
    rows.push({
      name: contender.name,
      protocol,
      connections: count,
      memoryMiB: now.processes / 1_048_576,
      connectionKiB: per(now.processes - none.processes),
      kernelKiB: per(now.kernel - none.kernel),
    });
    say(
      `${contender.name} ${protocol}: ${count} connections, ${rows.at(-1)!.connectionKiB.toFixed(1)} KiB each`,
    );
  }
  return rows;
}

/** CPU time per request of the one with idle connections and of the other one, in turns. */
async function requests(
  [idle, other]: readonly [Contender<IdleName>, Contender<IdleName>],
  protocol: Protocol,
  connections: number,
  rounds: number,
): Promise<string> {
  const withUs: number[] = [];
  const withoutUs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    withUs.push(await requestUs(idle));
    withoutUs.push(await requestUs(other));
  }
  const ratio = median(withUs.map((us, round) => us / withoutUs[round]!));
  return `${idle.name}: CPU us/request ${median(withUs).toFixed(1)} with ${connections} idle connections (${protocol}), ${median(withoutUs).toFixed(1)} without, ratio ${ratio.toFixed(2)}`;
}

async function requestUs(contender: Contender<IdleName>): Promise<number> {
  const before = cpuTimeUs(contender.pids("proxy"));
  const { requests: asked } = await wrk(`http://127.0.0.1:${contender.port}/`, roundMs);
  return (cpuTimeUs(contender.pids("proxy")) - before) / asked;
}

interface Memory {
  readonly processes: number;
  readonly kernel: number;
}

function memoryOf(roots: readonly number[]): Memory {
  let processes = 0;
  for (const pid of withDescendants(roots)) processes += kibOf(`/proc/${pid}/status`, "RssAnon");
  return { processes: processes * 1_024, kernel: kibOf("/proc/meminfo", "Slab") * 1_024 };
}

function kibOf(path: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(readFileSync(path, "latin1"))?.[1] ?? 0);
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(({ name, protocol, connections, memoryMiB, connectionKiB, kernelKiB }) =>
    [
      name.padEnd(10),
      protocol.padEnd(6),
      String(connections).padStart(11),
      memoryMiB.toFixed(1).padStart(9),
      connectionKiB.toFixed(1).padStart(14),
      kernelKiB.toFixed(1).padStart(10),
    ].join(" "),
  );
  return ["name       proto  connections memory/MiB KiB/connection kernel/KiB", ...lines].join("\n");
}

function verdict(rows: readonly Row[]): string {
  const { connectionKiB } = rows.findLast(
    ({ name, protocol }) => name === "flotilla" && protocol === "http",
  )!;
  const word = connectionKiB <= targetKiB ? "ok  " : "FAIL";
  return `${word} flotilla/http: ${connectionKiB.toFixed(1)} KiB per idle connection, at most ${targetKiB}`;
}

function say(text: string): void {
  console.error(text);
}
