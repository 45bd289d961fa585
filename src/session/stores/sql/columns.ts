/** Columns of a session's row as all SQL databases have them: times are whole milliseconds, rounded so that nothing ends too early. */
import type { SessionRow } from "../engine.ts";

export function wholeMs(ms: number): number {
  return Math.ceil(ms);
}

/** `absolute_interval`: 0 of a session that lives as long as it is used. */
export function absoluteInterval(absoluteTimeoutMs: number): number {
  return Number.isFinite(absoluteTimeoutMs) ? wholeMs(absoluteTimeoutMs) : 0;
}

/** @param columns version, holder, idle timeout, idle for, age, absolute interval; each a number or its text. */
export function rowOf(data: string, columns: readonly unknown[]): SessionRow {
  const [version, holder, idleTimeout, idleFor, age, absolute] = columns;
  return {
    data,
    // Null where somebody has changed the table: no version that there may be, and nobody.
    version: version === null ? Number.NaN : Number(version),
    holder: String(holder ?? ""),
    idleTimeoutMs: Number(idleTimeout),
    idleForMs: Math.max(0, Number(idleFor)),
    ageMs: Math.max(0, Number(age)),
    absoluteTimeoutMs: Number(absolute) || Number.POSITIVE_INFINITY,
  };
}
