/**
 * A session in Redis is one string: a line of columns of fixed widths, which scripts (scripts.ts) read and change without moving the
 * data, and behind it the data as JSON. A hash with a field for each column takes twice the memory of Redis.
 *
 *   1 1763793600000      1800000          3 1763793500000            0 app-a
 *   {"user":"bob"}
 *
 * That is: version of this layout, last use and idle timeout, version, begin and absolute timeout (0: none), holder.
 */
import type { SessionRow } from "../engine.ts";

/** As `value.slice` and, counted from 1, Lua's `string.sub` take them. */
const columns = {
  usedTime: [2, 15],
  idleTimeoutMs: [16, 28],
  version: [29, 39],
  createdTime: [40, 53],
  absoluteTimeoutMs: [54, 66],
} as const;
const holderStart = 67;

/** @param nowMs by the clock of Redis, when it read the value. */
export function rowOf(value: string, nowMs: number): SessionRow {
  const lineEnd = value.indexOf("\n");
  if (!value.startsWith("1 ") || lineEnd < holderStart)
    throw new Error("it holds something that is no session; give them a prefix of their own");
  const number = ([from, to]: readonly [number, number]): number => Number(value.slice(from, to));
  const absoluteTimeoutMs = number(columns.absoluteTimeoutMs);
  return {
    data: value.slice(lineEnd + 1),
    version: number(columns.version),
    holder: decodeURIComponent(value.slice(holderStart, lineEnd)),
    idleTimeoutMs: number(columns.idleTimeoutMs),
    idleForMs: Math.max(0, nowMs - number(columns.usedTime)),
    ageMs: Math.max(0, nowMs - number(columns.createdTime)),
    absoluteTimeoutMs: absoluteTimeoutMs === 0 ? Number.POSITIVE_INFINITY : absoluteTimeoutMs,
  };
}

/** As it stands in values and names of channels: nothing ends the line. */
export function writtenHolder(holder: string): string {
  return encodeURIComponent(holder);
}
