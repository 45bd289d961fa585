/** The disks on which servers that stop in order save their copies, for the next process of the same server. */
import type { Holder } from "../../../src/register/slot-map.ts";
import { KeptSession, type RetainedCopy } from "../../../src/session/cluster/slot.ts";
import type { SessionEntries } from "../../../src/session/entry.ts";
import type { App } from "./simulation.ts";

interface SavedSession {
  readonly key: string;
  readonly entries: SessionEntries;
  readonly idleTimeoutMs: number;
  readonly idleForMs: number;
}

type SavedCopy = Omit<RetainedCopy, "sessions"> & { readonly sessions: readonly SavedSession[] };

export class SavedSessions {
  readonly #disks: Map<string, Map<number, SavedCopy>> = new Map();

  /** @returns how many slots. */
  save({ node, process }: App): number {
    const now = process.clock.now();
    const copies = [...node.freeze()].map(([slot, copy]): [number, SavedCopy] => [
      slot,
      { ...copy, sessions: [...copy.sessions.values()].map((session) => savedSession(session, now)) },
    ]);
    if (copies.length > 0) this.#disks.set(process.server, new Map(copies));
    return copies.length;
  }

  /** Before the node begins. */
  restore({ node, process }: App): void {
    const now = process.clock.now();
    const copies = [...(this.#disks.get(process.server) ?? [])].map(
      ([slot, copy]): [number, RetainedCopy] => [
        slot,
        {
          ...copy,
          sessions: new Map(copy.sessions.map((session) => [session.key, keptSession(session, now)])),
        },
      ],
    );
    node.restore(new Map(copies));
  }

  /** The map has changed: what no copy of is named any more is removed. */
  tidy({ node, process }: App): void {
    if (!node.needsSaved) this.#disks.delete(process.server);
  }

  /** Whether the very copy that this process had is on its disk. */
  has(holder: Holder | null, slot: number): boolean {
    if (holder === null) return false;
    return this.#disks.get(holder.server)?.get(slot)?.incarnation === holder.incarnation;
  }
}

function savedSession(session: KeptSession, now: number): SavedSession {
  const { key, entries, idleTimeoutMs, lastUsedAt } = session;
  return { key, entries: entries!, idleTimeoutMs, idleForMs: Math.max(0, now - lastUsedAt) };
}

function keptSession({ key, entries, idleTimeoutMs, idleForMs }: SavedSession, now: number): KeptSession {
  const session = new KeptSession(key, idleTimeoutMs);
  session.entries = session.tip = entries;
  session.lastUsedAt = now - idleForMs;
  return session;
}
