/** The drill's tables, and what must hold. */
import { loadavg } from "node:os";
import { drillLoad, type Outcome, slowMs } from "./drill.ts";
import { type Fault, faults } from "./faults.ts";
import type { Balancer } from "./site.ts";

const columns = [
  ["left after", ({ leftAfterMs }: Outcome): string => seconds(leftAfterMs, "never")],
  ["got while ill", ({ gotWhileIll }: Outcome): string => String(gotWhileIll)],
  ["failed GET", ({ failedGets }: Outcome): string => String(failedGets)],
  ["failed POST", ({ failedPosts }: Outcome): string => String(failedPosts)],
  [`over ${slowMs} ms`, ({ slow }: Outcome): string => String(slow)],
  ["longest", ({ longestMs }: Outcome): string => seconds(longestMs, "")],
  ["p99", ({ p99Ms }: Outcome): string => `${p99Ms.toFixed(0)} ms`],
  ["back after", ({ backAfterMs }: Outcome): string => seconds(backAfterMs, "not yet")],
] as const;

/** One row per balancer below each fault, as Markdown. */
export function table(outcomes: readonly Outcome[]): string {
  const rows = [["", "", ...columns.map(([name]) => name)]];
  for (const fault of faults) {
    for (const outcome of outcomes.filter((each) => each.fault === fault.name)) {
      const title = rows.some(([first]) => first === `\`${fault.name}\``) ? "" : `\`${fault.name}\``;
      rows.push([title, outcome.balancer, ...columns.map(([, text]) => text(outcome))]);
    }
  }
  const widths = rows[0]!.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)));
  const lines = rows.map(
    (row) =>
      `| ${row.map((cell, at) => (at < 2 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join(" | ")} |`,
  );
  lines.splice(
    1,
    0,
    `|${widths.map((width, at) => (at < 2 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`)).join("|")}|`,
  );
  return lines.join("\n");
}

/** What was wrong with which answers. */
export function failures(outcomes: readonly Outcome[]): string[] {
  return outcomes.flatMap(({ fault, balancer, failures: found }) => {
    const list = Object.entries(found).map(([why, count]) => `${count} ${why}`);
    return list.length === 0 ? [] : [`  ${fault}, ${balancer}: ${list.join(", ")}`];
  });
}

export function head(chosen: readonly Fault[]): string {
  const lines = chosen.map(({ name, title }) => `  ${name.padEnd(12)} ${title}`);
  const { perSecond, postEvery, patienceMs } = drillLoad;
  return [
    `${perSecond} requests/s, one in ${postEvery} a POST, to each site; visitors give up after ${patienceMs / 1_000} s; load average ${loadavg()[0]!.toFixed(1)}`,
    ...lines,
  ].join("\n");
}

const ours: readonly Balancer[] = ["flotilla", "flotilla-check", "flotilla-http"];
const peers: readonly Balancer[] = ["nginx", "haproxy"];

/** Where less is better; a difference up to `tolerance`, or a twentieth, is chance: which requests were under way in that moment. */
const compared: readonly { what: string; of: (outcome: Outcome) => number; tolerance: number }[] = [
  { what: "failed GETs", of: ({ failedGets }) => failedGets, tolerance: 0 },
  { what: "failed POSTs", of: ({ failedPosts }) => failedPosts, tolerance: 2 },
  { what: "failed or slow", of: (each) => each.failedGets + each.failedPosts + each.slow, tolerance: 5 },
  { what: "the longest (ms)", of: ({ longestMs }) => longestMs, tolerance: 200 },
  { what: "time until it is back (ms)", of: backMs, tolerance: 500 },
];

function backMs({ backAfterMs }: Outcome): number {
  return backAfterMs ?? Number.POSITIVE_INFINITY;
}

const chance = 1.05;

/** PASS or FAIL for what is promised, and for each pair of ours and a peer. */
export function verdicts(outcomes: readonly Outcome[]): string[] {
  const lines: string[] = [];
  for (const outcome of outcomes.filter(({ balancer }) => ours.includes(balancer))) {
    const { fault, balancer } = outcome;
    if (promisedOf.includes(fault)) lines.push(promiseVerdict(outcome));
    for (const peer of outcomes.filter((each) => each.fault === fault && peers.includes(each.balancer))) {
      const figures = compared.filter(({ of }) => of !== backMs || !peer.inUseWhenWell);
      const worse = figures.filter(({ of, tolerance }) => of(outcome) > of(peer) * chance + tolerance);
      const better = figures.filter(({ of, tolerance }) => of(outcome) * chance + tolerance < of(peer));
      const told = [
        ...worse.map(({ what, of }) => `worse in ${what} (${round(of(outcome))} to ${round(of(peer))})`),
        better.length === 0 ? "better in nothing" : `better in ${better.map(({ what }) => what).join(", ")}`,
      ];
      const isPassed = worse.length === 0 && better.length > 0;
      lines.push(
        `  ${isPassed ? "PASS" : "FAIL"}  ${fault}: ${balancer} beside ${peer.balancer}: ${told.join("; ")}`,
      );
    }
  }
  return lines;
}

/** What is promised of a server that is frozen, or mute. */
const promisedOf: readonly string[] = ["frozen", "mute"];
export const promises = { leftAfterMs: 1_000, failedGets: 0, slow: 15 } as const;

function promiseVerdict({ fault, balancer, leftAfterMs, failedGets, slow }: Outcome): string {
  const isMet =
    (leftAfterMs ?? Number.POSITIVE_INFINITY) <= promises.leftAfterMs &&
    failedGets <= promises.failedGets &&
    slow <= promises.slow;
  return `  ${isMet ? "PASS" : "FAIL"}  ${fault}: ${balancer} leaves it after ${seconds(leftAfterMs, "never")} (1.00 s), ${failedGets} GETs fail (0), ${slow} are slow (${promises.slow})`;
}

function seconds(ms: number | null, otherwise: string): string {
  return ms === null ? otherwise : `${(ms / 1_000).toFixed(2)} s`;
}

function round(value: number): string {
  return value.toFixed(0);
}
