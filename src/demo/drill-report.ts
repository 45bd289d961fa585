/** The drill's numbers for a person, and for a program. */
import { count } from "../support/words.ts";
import { type DrillStatistics, type Kill, troubleTexts } from "./drill-statistics.ts";

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
    row(
      "  outcome unknown",
      statistics.writesUnknown,
      "502, 503, 504 or no answer: done or not, never repeated",
    ),
    row("  failed otherwise", statistics.writesFailed),
    ...[...statistics.failures].map(([kind, count]) => row(`    ${kind}`, count)),
    row("  found done", statistics.foundDone, "of those that failed, as the visitors' next pages showed"),
    row("  found not done", statistics.foundNotDone),
    row("latency p50", milliseconds(statistics.latencyMs(0.5))),
    row("        p99", milliseconds(statistics.latencyMs(0.99))),
    row("        max", milliseconds(statistics.latencyMs(1))),
    row("carts compared", statistics.cartsCompared, comparedWith(statistics)),
    ...[...troubleTexts].map(([trouble, text]) => row(`  ${text}`, statistics.troublesOf(trouble))),
    ...killLines(statistics.kills),
    "",
    ...statistics.details.map((detail) => `  ${detail}`),
    verdict(statistics),
  ];
  return lines.join("\n");
}

/** The same for `--json FILE`. */
export function drillJson(statistics: DrillStatistics, elapsedMs: number): object {
  return {
    passed: statistics.faults().length === 0,
    faults: statistics.faults(),
    details: statistics.details,
    elapsedMs: Math.round(elapsedMs),
    visitors: statistics.visitors,
    requests: statistics.requests,
    get: { total: statistics.reads, failed: statistics.readsFailed },
    post: {
      total: statistics.writes,
      unknown: statistics.writesUnknown,
      failedFoundDone: statistics.foundDone,
      failedFoundNotDone: statistics.foundNotDone,
      failedOtherwise: statistics.writesFailed,
    },
    failures: Object.fromEntries(statistics.failures),
    latencyMs: {
      p50: statistics.latencyMs(0.5),
      p99: statistics.latencyMs(0.99),
      max: statistics.latencyMs(1),
    },
    carts: {
      compared: statistics.cartsCompared,
      ofIdleVisitors: statistics.idleVisitors,
      endedIdsTried: statistics.endedIdsTried,
      sessionsLost: statistics.troublesOf("session-lost"),
      itemsLost: statistics.troublesOf("item-lost"),
      itemsNeverPutThere: statistics.troublesOf("item-added"),
      anotherVisitors: statistics.troublesOf("foreign"),
      aliveAfterEnd: statistics.troublesOf("revived"),
    },
    kills: statistics.kills.map(
      ({ server, pid, owned, lastTouchedMs, backAfterMs, writableAfterMs, twoCopiesAfterMs }) => ({
        server,
        pid,
        sessionsOwned: owned.size,
        lastTouchedMs,
        backAfterMs,
        writableAfterMs: writableAfterMs === null ? null : toTenths(writableAfterMs),
        twoCopiesAfterMs: twoCopiesAfterMs === null ? null : toTenths(twoCopiesAfterMs),
      }),
    ),
  };
}

function comparedWith({ idleVisitors, endedIdsTried }: DrillStatistics): string {
  return (
    `with all that was acknowledged; ${idleVisitors} visitors were away while servers were killed; ` +
    `${endedIdsTried} ids of ended sessions were tried again`
  );
}

const killColumns = ["server", "pid", "got nothing more after", "answers again", "writable", "two copies"];

function killLines(kills: readonly Kill[]): string[] {
  if (kills.length === 0) return [];
  const rows = kills.map((kill) => [
    kill.server,
    String(kill.pid),
    milliseconds(kill.lastTouchedMs),
    kill.backAfterMs === null ? "never" : seconds(kill.backAfterMs),
    kill.writableAfterMs === null ? "nobody wrote" : seconds(kill.writableAfterMs),
    kill.twoCopiesAfterMs === null ? "not in time" : seconds(kill.twoCopiesAfterMs),
  ]);
  const line = (cells: readonly string[]): string =>
    `  ${cells.map((cell, index) => (index === 0 ? cell.padEnd(10) : cell.padStart(killColumns[index]!.length + 3))).join("")}`;
  return [
    "",
    line(killColumns),
    ...rows.map(line),
    "",
    "  Times are counted from the kill. writable: the first POST acknowledged of a session that the dead server owned, as",
    "  far as visitors sent one; two copies: every session has them again, as the servers tell, asked every 0.2 s.",
  ];
}

function verdict(statistics: DrillStatistics): string {
  const faults = statistics.faults();
  return faults.length === 0
    ? `  PASSED: ${count(statistics.kills.length, "server")} killed, no session lost, no idempotent request failed`
    : `  FAILED: ${faults.join("; ")}`;
}

function row(name: string, value: number | string, meaning: string = ""): string {
  return `  ${name.padEnd(26)}${String(value).padStart(10)}${meaning === "" ? "" : `   ${meaning}`}`;
}

function milliseconds(value: number): string {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

function toTenths(ms: number): number {
  return Math.round(ms / 100) * 100;
}

/** To a tenth: drills measure by what visitors happen to do, and by asking now and then. */
export function seconds(ms: number): string {
  return `${(toTenths(ms) / 1_000).toFixed(1)} s`;
}

function perSecond(statistics: DrillStatistics, elapsedMs: number): number {
  return Math.round(statistics.requests / (elapsedMs / 1_000));
}
