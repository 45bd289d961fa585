/** Copies of slots between the protocol and the file of an orderly stop. */
import { savedSessions as limits } from "../../support/limits.ts";
import { Turns } from "../../support/turns.ts";
import { KeptSession, type RetainedCopy, storedBytes } from "../cluster/slot.ts";
import type { SavedCopy, SavedSession } from "../disk/session-file.ts";

/** @param now on this process's clock, on which sessions say when they were used. */
export function toSaved(copies: ReadonlyMap<number, RetainedCopy>, now: number): SavedCopy[] {
  return [...copies].map(([slot, { incarnation, epoch, pos, sessions }]) => ({
    ...{ slot, incarnation, epoch, pos },
    sessions: savedSessions(sessions, now),
  }));
}

/** From the beginning each time: a disk that was full is written again. */
function savedSessions(sessions: ReadonlyMap<string, KeptSession>, now: number): Iterable<SavedSession> {
  return {
    *[Symbol.iterator]() {
      for (const { key, entries, idleTimeoutMs, lastUsedAt } of sessions.values())
        if (entries !== null) yield { key, entries, idleTimeoutMs, idleForMs: Math.max(0, now - lastUsedAt) };
    },
  };
}

/** Other work goes on between its steps. */
export async function fromSaved(
  copies: readonly SavedCopy[],
  now: number,
): Promise<Map<number, RetainedCopy>> {
  const retained = new Map<number, RetainedCopy>();
  const turns = new Turns(limits.turnMs);
  for (const { slot, incarnation, epoch, pos, sessions } of copies) {
    const kept = new Map(keptSessions(sessions, now));
    let bytes = 0;
    for (const session of kept.values()) bytes += storedBytes(session.entries);
    retained.set(slot, { incarnation, epoch, pos, sessions: kept, bytes });
    if (turns.isOver) await turns.next();
  }
  return retained;
}

function* keptSessions(sessions: Iterable<SavedSession>, now: number): Iterable<[string, KeptSession]> {
  for (const { key, entries, idleTimeoutMs, idleForMs } of sessions) {
    const session = new KeptSession(key, idleTimeoutMs);
    session.entries = session.tip = entries;
    session.lastUsedAt = now - idleForMs;
    yield [key, session];
  }
}

/** What copies take on disk, about: for an estimate of the file. */
export function bytesOf(copies: Iterable<{ readonly sessions: ReadonlyMap<string, KeptSession> }>): number {
  let bytes = 0;
  for (const { sessions } of copies) {
    for (const { entries } of sessions.values()) {
      bytes += 200;
      for (const entry of entries?.values() ?? []) bytes += entry.bytes;
    }
  }
  return bytes;
}
