/** What runs showed, for people. */
import { availableParallelism, loadavg } from "node:os";
import { faults, type Part } from "./faults.ts";
import { wrongs } from "./ledger.ts";
import type { Order, PartResult, RunResult } from "./rig.ts";

/** The protocol's promise (I10). */
const targetMs = 1_500;

const partNames: Readonly<Record<Part, string>> = {
  owner: "it owned",
  backup: "it backed up",
  both: "both copies gone",
  all: "all",
};

export function head({ runs, size }: Order): string {
  const busy = loadavg()[0]!.toFixed(1);
  return (
    `${runs} run(s) per fault; ${size.visitors} busy visitors, ${size.sleepers} others, ${size.leavers} who log out; ` +
    `${availableParallelism()} processors, load average ${busy} at the start`
  );
}

/** One run in a line. */
export function runLine({
  fault,
  victims,
  parts,
  wholeMs,
  totals,
  wrongs: counts,
  isTold,
}: RunResult): string {
  const times = parts.map((part) => `${partNames[part.part]} ${secondsOf(part)}`);
  const wrong = wrongs
    .filter((name) => counts[name] > 0)
    .map((name) => `${counts[name]} ${name.toUpperCase()}`);
  return [
    `${fault.padEnd(12)} ${victims.join("+").padEnd(12)} ${times.join(", ")}; whole after ${seconds(wholeMs)}`,
    `${totals.acknowledged} acknowledged, ${totals.unknown} unknown, ${totals.logouts} logouts`,
    ...wrong,
    ...(isTold ? [] : ["NO LOG TELLS OF IT"]),
  ].join("; ");
}

function secondsOf({ writableMs, visitors, gone, goneMs }: PartResult): string {
  if (visitors === 0) return "(nobody)";
  const told = gone === 0 ? "" : ` (${gone} of ${visitors} told gone, ${seconds(goneMs)})`;
  return `${writableMs === null ? "never" : seconds(writableMs)}${told}`;
}

/** All runs in one table. */
export function table(results: readonly RunResult[]): string {
  const rows = faults.flatMap(({ name, title, parts }) => {
    const runs = results.filter(({ fault }) => fault === name);
    return runs.length === 0 ? [] : parts.map((part, index) => row(index === 0 ? title : "", part, runs));
  });
  const titles = [
    ...["fault of one server", "sessions", "runs", "writable: median", "worst", `over ${seconds(targetMs)}`],
    ...["longest gap", "whole: median", "worst", ...wrongs],
  ];
  const lines = [titles, ...rows];
  const widths = titles.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => (column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function row(title: string, part: Part, runs: readonly RunResult[]): string[] {
  const seen = runs.flatMap(({ parts }) => parts.filter((each) => each.part === part && each.visitors > 0));
  const times = seen.map(({ writableMs }) => writableMs ?? Number.POSITIVE_INFINITY);
  const whole = runs.map(({ wholeMs }) => wholeMs);
  // What went wrong is told once per fault.
  const wrong = wrongs.map((name) =>
    title === "" ? "" : String(runs.reduce((sum, { wrongs: counts }) => sum + counts[name], 0)),
  );
  return [
    ...[title, partNames[part], String(seen.length), secondsAt(times, 0.5), secondsAt(times, 1)],
    ...[
      String(times.filter((time) => time > targetMs).length),
      seconds(Math.max(0, ...seen.map(({ gapMs }) => gapMs))),
    ],
    ...[secondsAt(whole, 0.5), secondsAt(whole, 1), ...wrong],
  ];
}

function secondsAt(times: readonly number[], share: number): string {
  if (times.length === 0) return "-";
  const sorted = [...times].sort((a, b) => a - b);
  return seconds(sorted[Math.ceil(share * sorted.length) - 1]!);
}

function seconds(ms: number): string {
  return Number.isFinite(ms) ? `${(ms / 1_000).toFixed(2)} s` : "never";
}
