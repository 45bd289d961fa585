/** `SessionAdmin` of a process that keeps sessions together with other servers: of the slots that it owns. */
import type { FlotillaError } from "../../support/errors.ts";
import { replication as limits } from "../../support/limits.ts";
import type { ClusterStore } from "../cluster/cluster-store.ts";
import type { SessionNode } from "../cluster/node.ts";
import { Role, type SlotCopy } from "../cluster/slot.ts";
import { idOfKey } from "../id.ts";
import { snapshotOf } from "../snapshot.ts";
import type { Done } from "../store.ts";
import type { KeptSession } from "../table/kept-session.ts";
import {
  elsewhere,
  firstOf,
  full,
  type LivingSession,
  type SessionAdmin,
  type SessionCounts,
  type Whereabouts,
} from "./session-admin.ts";

const roleNames = {
  [Role.nobody]: "nobody",
  [Role.joining]: "joining",
  [Role.backup]: "backup",
  [Role.owner]: "owner",
} as const;

const lookMs = 50;

export class ClusterAdmin implements SessionAdmin {
  readonly kind = "shared";
  readonly #node: SessionNode;
  readonly #store: ClusterStore;
  #isFull = false;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(node: SessionNode, store: ClusterStore) {
    this.#node = node;
    this.#store = store;
  }

  counts(): SessionCounts {
    const owned = { sessions: 0, bytes: 0 };
    const backedUp = { sessions: 0, bytes: 0 };
    const singleCopy = { slots: 0, sessions: 0 };
    for (const { role, sessions, backup } of this.#node.context.slots) {
      if (role === Role.nobody) continue;
      const sum = role === Role.owner ? owned : backedUp;
      sum.sessions += sessions.size;
      sum.bytes += sessions.bytes;
      if (role !== Role.owner || backup !== null) continue;
      singleCopy.slots++;
      singleCopy.sessions += sessions.size;
    }
    return { owned, backedUp, singleCopy };
  }

  serves(slot: number): boolean {
    const { owner, context } = this.#node;
    return owner.mayShow(context.slots[slot]!);
  }

  whereabouts(slot: number): Whereabouts {
    const { context } = this.#node;
    const copy = context.slots[slot]!;
    const entry = context.map === null ? null : context.entryOf(copy);
    return {
      role: roleNames[copy.role],
      owner: entry?.owner?.server ?? null,
      backup: entry?.backup?.server ?? null,
      epoch: copy.epoch,
    };
  }

  async prepare(): Promise<void> {}

  page(
    slot: number,
    after: string,
    bytesMax: number,
    done: (error: FlotillaError | null, sessions: readonly LivingSession[]) => void,
  ): void {
    if (!this.serves(slot)) return done(elsewhere(), []);
    const now = this.#node.context.clock.now();
    const sessions: LivingSession[] = [];
    for (const session of this.#copyOf(slot).sessions.values()) {
      const living = session.key > after ? livingOf(session, now) : null;
      if (living !== null) sessions.push(living);
    }
    done(null, firstOf(sessions, bytesMax));
  }

  find(
    slot: number,
    key: string,
    done: (error: FlotillaError | null, session: LivingSession | null) => void,
  ): void {
    if (!this.serves(slot)) return done(elsewhere(), null);
    const session = this.#copyOf(slot).sessions.get(key);
    done(null, session === undefined ? null : livingOf(session, this.#node.context.clock.now()));
  }

  end(slot: number, key: string, done: Done): void {
    if (this.serves(slot)) this.#store.destroy(idOfKey(key), done);
    else done(elsewhere());
  }

  put(slot: number, session: LivingSession, done: Done): void {
    if (!this.serves(slot)) return done(elsewhere());
    if (this.#hasNoRoom()) done(full());
    else this.#store.create(idOfKey(session.key), session.entries, session.idleTimeoutMs, session, done);
  }

  /** Looked at now and then, for it means to go over all slots. */
  #hasNoRoom(): boolean {
    const { options, clock } = this.#node.context;
    if (clock.now() - this.#lookedAt >= lookMs) {
      this.#lookedAt = clock.now();
      const { sessions, bytes } = this.counts().owned;
      // Half of both is for those that it owns (room.ts).
      this.#isFull = sessions >= options.sessionsMax / 2 || bytes >= options.memoryBytesMax / 2;
    }
    return this.#isFull;
  }

  #copyOf(slot: number): SlotCopy {
    return this.#node.context.slots[slot]!;
  }
}

/** Null: it is not committed yet, or has expired; where its last use may not be known here it gets the doubt. */
function livingOf(session: KeptSession, now: number): LivingSession | null {
  const { entries, idleTimeoutMs, lastUsedAt } = session;
  const hasExpired = now - lastUsedAt >= idleTimeoutMs + limits.touchLagMs || session.isOver(now);
  return entries === null || hasExpired ? null : snapshotOf(session, entries, now);
}
