/** Copies of slots between the protocol and the file of an orderly stop. */
import { savedSessions as limits } from "../../support/limits.ts";
import { Turns } from "../../support/turns.ts";
import type { RetainedCopy } from "../cluster/slot.ts";
import type { SavedCopy, SavedSession } from "../disk/saved-rows.ts";
import { snapshotOf } from "../snapshot.ts";
import type { SessionMemory } from "../table/session-memory.ts";
import { SlotSessions } from "../table/slot-sessions.ts";

/** @param now on this process's clock, on which sessions say when they were used. */
export function toSaved(copies: ReadonlyMap<number, RetainedCopy>, now: number): SavedCopy[] {
  return [...copies].map(([slot, { incarnation, epoch, pos, sessions }]) => ({
    ...{ slot, incarnation, epoch, pos },
    sessions: savedSessions(sessions, now),
  }));
}

/** From the beginning each time: a disk that was full is written again. */
function savedSessions(sessions: SlotSessions, now: number): Iterable<SavedSession> {
  return {
    *[Symbol.iterator]() {
      for (const session of sessions.values())
        if (session.entries !== null) yield snapshotOf(session, session.entries, now);
    },
  };
}

/** Other work goes on between its steps. */
export async function fromSaved(
  copies: readonly SavedCopy[],
  now: number,
  memory: SessionMemory,
): Promise<Map<number, RetainedCopy>> {
  const retained = new Map<number, RetainedCopy>();
  const turns = new Turns(limits.turnMs);
  for (const { slot, incarnation, epoch, pos, sessions } of copies) {
    const kept = new SlotSessions(memory);
    for (const session of sessions) kept.put(session, now);
    retained.set(slot, { incarnation, epoch, pos, sessions: kept });
    if (turns.isOver) await turns.next();
  }
  return retained;
}

/** What copies take on disk, about: for an estimate of the file. */
export function bytesOf(copies: Iterable<{ readonly sessions: SlotSessions }>): number {
  let bytes = 0;
  for (const { sessions } of copies) bytes += sessions.bytes;
  return bytes;
}
