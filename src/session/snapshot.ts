/**
 * A session outside of the process that keeps it: on its way to another server, to a file, to a disk. Its times are spans, measured by
 * whoever had it, for no two clocks agree; what passes on the way is not counted, so that nothing ends early.
 */
import type { SessionEntries } from "./entry.ts";

/** How old a session is, and at what age it ends whatever its use. */
export interface SessionLife {
  readonly ageMs: number;
  /** Infinity: it lives as long as it is used. */
  readonly absoluteTimeoutMs: number;
}

/** Of a session that begins and lives as long as it is used. */
export const endless: SessionLife = { ageMs: 0, absoluteTimeoutMs: Number.POSITIVE_INFINITY };

export interface SessionSnapshot extends SessionLife {
  readonly key: string;
  readonly entries: SessionEntries;
  readonly idleTimeoutMs: number;
  /** For how long it has not been used. */
  readonly idleForMs: number;
}

/** Of a session that a process keeps; times are on its clock. */
interface Kept {
  readonly key: string;
  readonly idleTimeoutMs: number;
  readonly lastUsedAt: number;
  readonly createdAt: number;
  readonly absoluteTimeoutMs: number;
}

/** @param entries of which it is to have. */
export function snapshotOf(session: Kept, entries: SessionEntries, now: number): SessionSnapshot {
  const { key, idleTimeoutMs, lastUsedAt, createdAt, absoluteTimeoutMs } = session;
  return {
    ...{ key, entries, idleTimeoutMs, absoluteTimeoutMs },
    idleForMs: Math.max(0, now - lastUsedAt),
    ageMs: Math.max(0, now - createdAt),
  };
}
