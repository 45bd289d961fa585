/**
 * A busy neighbour: one of three app servers has to share its core. Rounds of all policies take turns; load, web server and
 * the other two app servers have a core for themselves.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { pinning } from "../commands.ts";
import { median } from "../report.ts";
import { ordinaryPriority } from "./priority.ts";
import { Site } from "./site.ts";
import { Visitors } from "./visitors.ts";

/** The first one is what the others are compared with. */
export const policies = ["round-robin", "least-connections", "least-load", "latency"] as const;
export type Policy = (typeof policies)[number];

/** Of one policy in one round. */
export interface NeighbourSample {
  readonly policy: Policy;
  readonly round: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** The share of the requests that the crippled server answered. */
  readonly crippledShare: number;
  readonly failed: number;
}

/**
 * Each request costs 3 ms of CPU time. A third of them are 150 ms per second; beside six busy neighbours the crippled server gets 143. The
 * other core has 300 ms of application and about 60 of load and web server, and room for the crippled one's share.
 */
export const neighbourLoad = { perSecond: 150, cpuUs: 3_000, neighbours: 6 } as const;
const rounds = 3;
const roundMs = 6_000;
/** Until the compilers and the policy have seen some requests; not measured. */
const warmUpMs = 2_000;
const patienceMs = 10_000;
const crippledAt = 1;
const [sharedCore, freeCore] = ["1", "0"];
const onSharedCore = [...ordinaryPriority, "taskset", "-c", sharedCore];

export const whyNoNeighbour: string | null = pinning
  ? null
  : "the busy neighbour is left out: it takes two cores and taskset (Debian: util-linux)";

export async function measureNeighbour(say: (text: string) => void): Promise<NeighbourSample[]> {
  const samples: NeighbourSample[] = [];
  const sites = new Map<Policy, Site>();
  pinSelf(freeCore);
  try {
    for (const policy of policies) sites.set(policy, await startSite(policy));
    for (let round = 0; round < rounds; round++) {
      say(`busy neighbour, round ${round + 1} of ${rounds}`);
      for (const policy of policies) samples.push(await measure(sites.get(policy)!, policy, round));
    }
  } finally {
    pinSelf(`${freeCore},${sharedCore}`);
    for (const site of sites.values()) await site.stop();
  }
  return samples;
}

function startSite(policy: Policy): Promise<Site> {
  return Site.start("flotilla", {
    application: { CPU_US: String(neighbourLoad.cpuUs) },
    policy,
    prefix: (process) => (process === crippledAt ? onSharedCore : ["taskset", "-c", freeCore]),
  });
}

async function measure(site: Site, policy: Policy, round: number): Promise<NeighbourSample> {
  const neighbours = startNeighbours();
  const load = { port: site.port, perSecond: neighbourLoad.perSecond, postEvery: 0, patienceMs };
  try {
    const warmUp = new Visitors(load);
    warmUp.start();
    await sleep(warmUpMs);
    await warmUp.stop();
    const visitors = new Visitors(load);
    visitors.start();
    await sleep(roundMs);
    await visitors.stop();
    const right = visitors.asked.filter(({ failure }) => failure === "");
    const tookMs = right.map(({ dueAtMs, endedAtMs }) => endedAtMs! - dueAtMs).sort((a, b) => a - b);
    const crippled = right.filter(({ server }) => server === site.apps[crippledAt]!.name);
    return {
      policy,
      round,
      p50Ms: tookMs[Math.ceil(tookMs.length * 0.5) - 1]!,
      p99Ms: tookMs[Math.ceil(tookMs.length * 0.99) - 1]!,
      crippledShare: crippled.length / right.length,
      failed: visitors.asked.length - right.length,
    };
  } finally {
    await Promise.all(neighbours.map(kill));
  }
}

/** Each in a session of its own, as the app server is: kernels that group processes by session give each its share. */
function startNeighbours(): ChildProcess[] {
  const script = fileURLToPath(new URL("neighbour.js", import.meta.url));
  const [program, ...args] = [...onSharedCore, process.execPath, script];
  return Array.from({ length: neighbourLoad.neighbours }, () =>
    spawn(program!, args, { stdio: ["ignore", "ignore", "inherit", "ipc"] }),
  );
}

async function kill(child: ChildProcess): Promise<void> {
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}

/** All threads of this process, which makes the load. */
function pinSelf(cores: string): void {
  execFileSync("taskset", ["-a", "-c", "-p", cores, String(process.pid)], { stdio: "ignore" });
}

export function neighbourTable(samples: readonly NeighbourSample[]): string {
  const lines = [
    "| policy | p50 | p99 | p99 of the rounds | round robin's p99 / this | crippled server's share | failed |",
  ];
  lines.push("|---|--:|--:|---|--:|--:|--:|");
  for (const policy of policies) {
    const own = samples.filter((sample) => sample.policy === policy);
    if (own.length === 0) continue;
    const p99s = own.map(({ p99Ms }) => p99Ms.toFixed(0)).join(", ");
    lines.push(
      `| \`${policy}\` | ${median(own.map(({ p50Ms }) => p50Ms)).toFixed(1)} ms | ${median(own.map(({ p99Ms }) => p99Ms)).toFixed(0)} ms | ${p99s} | ${gain(samples, policy).toFixed(1)} | ${(median(own.map(({ crippledShare }) => crippledShare)) * 100).toFixed(0)}% | ${own.reduce((sum, { failed }) => sum + failed, 0)} |`,
    );
  }
  return lines.join("\n");
}

/** How many times better its p99 is than round robin's: the median of the rounds' own ratios. */
export function gain(samples: readonly NeighbourSample[], policy: Policy): number {
  const ratios = samples
    .filter((sample) => sample.policy === policy)
    .map(({ round, p99Ms }) => {
      const base = samples.find((sample) => sample.policy === policies[0] && sample.round === round)!;
      return base.p99Ms / p99Ms;
    });
  return median(ratios);
}

export const gainMin = 2;

export function neighbourVerdicts(samples: readonly NeighbourSample[]): string[] {
  return (["least-load", "latency"] as const).map((policy) => {
    const ratio = gain(samples, policy);
    return `  ${ratio >= gainMin ? "PASS" : "FAIL"}  busy neighbour: ${policy}'s p99 is at least ${gainMin} times better than round robin's: ${ratio.toFixed(1)}`;
  });
}
