/** The drill's numbers for a person, and for a program. */
import type { DrillStatistics } from "./drill-statistics.ts";

/** A table that says what each number means; `elapsedMs` is the time under load. */
export function drillTable(statistics: DrillStatistics, elapsedMs: number): string {
  const lines = [
    row(
      "requests",
      statistics.requests,
      `${perSecond(statistics, elapsedMs)}/s of ${statistics.visitors} visitors`,
    ),
    row("GET", statistics.reads),
    row("  failed", statistics.readsFailed),
    row("POST", statistics.writes),
    row("  failed, not done", statistics.writesNotDone, "refused with 503 before anything was sent on"),
    row(
      "  failed, unknown",
      statistics.writesUnknown,
      "sent to a server that died: never repeated by itself",
    ),
    ...[...statistics.failures].map(([kind, count]) => row(`    ${kind}`, count)),
    row("latency p50", milliseconds(statistics.latencyMs(0.5))),
    row("        p99", milliseconds(statistics.latencyMs(0.99))),
    row("        max", milliseconds(statistics.latencyMs(1))),
    row(
      "sessions lost",
      statistics.sessionTroubles("lost-with-owner"),
      "with the server that kept them: expected, in this version a session is on one server",
    ),
    row("  otherwise", statistics.sessionTroubles("lost-otherwise"), "though their server lived"),
    row("  wrong", statistics.sessionTroubles("wrong"), "another content than the visitor left"),
    row("  of another visitor", statistics.sessionTroubles("foreign")),
    "",
    `  ${"killed".padEnd(12)}${"pid".padStart(9)}${"got nothing more after".padStart(26)}${"answered again after".padStart(24)}`,
    ...statistics.kills.map(
      (kill) =>
        `  ${kill.server.padEnd(12)}${String(kill.pid).padStart(9)}${milliseconds(kill.lastTouchedMs).padStart(26)}` +
        (kill.backAfterMs === null ? "never" : milliseconds(kill.backAfterMs)).padStart(24),
    ),
    "",
    verdict(statistics),
  ];
  return lines.join("\n");
}

/** The same for `--json FILE`. */
export function drillJson(statistics: DrillStatistics, elapsedMs: number): object {
  return {
    passed: statistics.faults().length === 0,
    faults: statistics.faults(),
    elapsedMs: Math.round(elapsedMs),
    visitors: statistics.visitors,
    requests: statistics.requests,
    get: { total: statistics.reads, failed: statistics.readsFailed },
    post: {
      total: statistics.writes,
      failedNotDone: statistics.writesNotDone,
      failedUnknown: statistics.writesUnknown,
    },
    failures: Object.fromEntries(statistics.failures),
    latencyMs: {
      p50: statistics.latencyMs(0.5),
      p99: statistics.latencyMs(0.99),
      max: statistics.latencyMs(1),
    },
    sessions: {
      lostWithOwner: statistics.sessionTroubles("lost-with-owner"),
      lostOtherwise: statistics.sessionTroubles("lost-otherwise"),
      wrong: statistics.sessionTroubles("wrong"),
      foreign: statistics.sessionTroubles("foreign"),
    },
    kills: statistics.kills.map(({ server, pid, lastTouchedMs, backAfterMs }) => ({
      server,
      pid,
      lastTouchedMs,
      backAfterMs,
    })),
  };
}

function verdict(statistics: DrillStatistics): string {
  const faults = statistics.faults();
  return faults.length === 0 ? "  PASSED: no idempotent request failed" : `  FAILED: ${faults.join("; ")}`;
}

function row(name: string, value: number | string, meaning: string = ""): string {
  return `  ${name.padEnd(24)}${String(value).padStart(10)}${meaning === "" ? "" : `   ${meaning}`}`;
}

function milliseconds(value: number): string {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

function perSecond(statistics: DrillStatistics, elapsedMs: number): number {
  return Math.round(statistics.requests / (elapsedMs / 1_000));
}
