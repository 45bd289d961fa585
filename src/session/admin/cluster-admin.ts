/** `SessionAdmin` of a process that keeps sessions together with other servers: of the slots that it owns. */
import { sessionAdmin as limits, replication } from "../../support/limits.ts";
import type { ClusterStore } from "../cluster/cluster-store.ts";
import type { SessionNode } from "../cluster/node.ts";
import { Role, type SlotCopy } from "../cluster/slot.ts";
import type { SlotDisk } from "../cluster/slot-disk.ts";
import { idOfKey } from "../id.ts";
import { snapshotOf } from "../snapshot.ts";
import type { Done } from "../store.ts";
import type { KeptSession } from "../table/kept-session.ts";
import {
  elsewhere,
  type Found,
  firstOf,
  full,
  type Listed,
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

/** No key is larger. */
const beyondAll = "~";

export class ClusterAdmin implements SessionAdmin {
  readonly kind = "shared";
  readonly database = null;
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
    const onDisk = this.#disk === null ? null : { sessions: this.#disk.sessions, bytes: this.#disk.bytes };
    return { owned, backedUp, singleCopy, onDisk };
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

  page(slot: number, after: string, bytesMax: number, done: Listed): void {
    if (!this.serves(slot)) return done(elsewhere(), []);
    const copy = this.#copyOf(slot);
    const inMemory = (key: string): LivingSession | null => this.#living(copy, key);
    if (copy.onDisk?.hasMore !== true)
      return done(null, firstOf(keysIn(copy, after, beyondAll), inMemory, bytesMax));
    const { sessions: asked } = copy;
    const release = this.#node.context.disk!.hold(copy);
    this.#disk!.readAfter(slot, after, bytesMax, (error, stored) => {
      release();
      // The slot may have become another server's meanwhile, and this one's again.
      if (error !== null || !this.serves(slot) || copy.sessions !== asked) return done(elsewhere(), []);
      const last = stored.at(-1)?.key;
      const cold = new Map<string, LivingSession>();
      for (const session of stored) if (this.#isCold(copy, session.key)) cold.set(session.key, session);
      const keys = [...keysIn(copy, after, last ?? beyondAll), ...cold.keys()];
      const sessions = firstOf(keys, (key) => cold.get(key) ?? inMemory(key), bytesMax);
      // All that the disk told of have ended: not all was told.
      if (sessions.length === 0 && last !== undefined) this.page(slot, last, bytesMax, done);
      else done(null, sessions);
    });
  }

  find(slot: number, key: string, done: Found): void {
    if (!this.serves(slot)) return done(elsewhere(), null);
    const copy = this.#copyOf(slot);
    if (!this.#isCold(copy, key)) return done(null, this.#living(copy, key));
    // Not `load`: it would be a use of it, and bring it into memory.
    const { sessions: asked } = copy;
    const release = this.#node.context.disk!.hold(copy);
    this.#disk!.read(slot, key, (error, session) => {
      release();
      if (error !== null || !this.serves(slot) || copy.sessions !== asked) done(elsewhere(), null);
      else done(null, this.#isCold(copy, key) ? session : this.#living(copy, key));
    });
  }

  end(slot: number, key: string, done: Done): void {
    if (!this.serves(slot)) return done(elsewhere());
    const { owner, remote } = this.#node;
    const copy = this.#copyOf(slot);
    // What ends need not be brought into memory, unless it has to take its turn behind others who want it.
    if (this.#isCold(copy, key) && !remote.isBusy(key) && !owner.isAwaited(key))
      owner.endOnDisk(copy, key, done);
    else this.#store.destroy(idOfKey(key), done);
  }

  put(slot: number, session: LivingSession, done: Done): void {
    if (!this.serves(slot)) return done(elsewhere());
    if (this.#hasNoRoom()) done(full());
    else this.#store.create(idOfKey(session.key), session.entries, session.idleTimeoutMs, session, done);
  }

  #hasNoRoom(): boolean {
    const { options, clock } = this.#node.context;
    if (clock.now() - this.#lookedAt >= limits.roomLookMs) {
      this.#lookedAt = clock.now();
      const { sessions, bytes } = this.counts().owned;
      // Half of both is for those that it owns (room.ts). With a disk they leave memory, and what is full is the disk.
      this.#isFull =
        this.#disk === null
          ? sessions >= options.sessionsMax / 2 || bytes >= options.memoryBytesMax / 2
          : this.#disk.bytes >= options.diskBytesMax;
    }
    return this.#isFull;
  }

  get #disk(): SlotDisk | null {
    return this.#node.context.options.disk;
  }

  /** Only the disk can tell whether there is such a session. */
  #isCold(copy: SlotCopy, key: string): boolean {
    return this.#node.context.disk?.isCold(copy, key) === true;
  }

  #living({ sessions }: SlotCopy, key: string): LivingSession | null {
    const session = sessions.look(key);
    return session === undefined ? null : livingOf(session, this.#node.context.clock.now());
  }

  #copyOf(slot: number): SlotCopy {
    return this.#node.context.slots[slot]!;
  }
}

/** In memory, behind a key and up to another one. */
function keysIn({ sessions }: SlotCopy, after: string, upTo: string): string[] {
  return [...sessions.keys()].filter((key) => key > after && key <= upTo);
}

/** Null: it is not committed yet, or has expired; where its last use may not be known here it gets the doubt. */
function livingOf(session: KeptSession, now: number): LivingSession | null {
  const { entries, idleTimeoutMs, lastUsedAt } = session;
  const hasExpired = now - lastUsedAt >= idleTimeoutMs + replication.touchLagMs || session.isOver(now);
  return entries === null || hasExpired ? null : snapshotOf(session, entries, now);
}
