/**
 * One slot as this process keeps it: its role, its place in the slot's history (epoch and pos), its sessions, and, for
 * the owner, the changes that are not committed yet and the servers that follow.
 */
import type { Holder } from "../../register/slot-map.ts";
import type { SessionEntries } from "../entry.ts";
import type { Done } from "../store.ts";
import type { KeptSession } from "../table/kept-session.ts";
import type { SessionMemory } from "../table/session-memory.ts";
import { SlotSessions } from "../table/slot-sessions.ts";
import { type Lease, noLease } from "./lease.ts";
import type { CopiedSession, Op } from "./messages.ts";
import type { SlotOnDisk } from "./slot-on-disk.ts";

export const Role = {
  /** Serves nothing; may hold an old copy to offer (`SlotCopy.retained`). */
  nobody: 0,
  /** Is being given a copy by the owner; the register does not name it yet. */
  joining: 1,
  backup: 2,
  owner: 3,
} as const;
export type Role = (typeof Role)[keyof typeof Role];

/** A change that the owner has submitted and that is not committed. */
export interface PendingOp {
  readonly op: Op;
  readonly session: KeptSession;
  /** The session's data after it; null when it ends it. */
  readonly after: SessionEntries | null;
  readonly submittedAt: number;
  /** Of its values. */
  readonly bytes: number;
  /** Null once its outcome was told to be unknown. */
  done: Done | null;
}

/** Something to be told when all before it is committed: that a session is absent because of a change under way. */
export interface PendingAnswer {
  readonly pos: number;
  readonly askedAt: number;
  readonly done: Done;
  readonly outcome: Parameters<Done>[0];
}

/** A server that the owner sends its changes to: the backup, or one that is joining. */
export class Follower {
  readonly holder: Holder;
  /** The promise of this very process; another one after a restart. */
  lease: Lease;
  /** All up to here is answered. */
  ackedPos: number;
  /** All up to here its disk has synced; -1: none, or it has no disk. */
  durablePos = -1;
  /** When it last answered anything, or was sent something after having answered all. */
  progressAt: number;
  resentAt: number = Number.NEGATIVE_INFINITY;
  resentEpoch = 0;
  /** When the owner began to count its silence. */
  readonly followsSince: number;
  /** The copy that it is given, or null when it has been one from the start. */
  transfer: OutgoingTransfer | null = null;
  /** Its copy is whole: nothing is committed without its answer any more, so that it can be named. */
  isNeeded = false;
  /** A change of the register that names it is open. */
  isNamed = false;
  /** The newest epoch in which it has answered: it knows its role. */
  confirmedEpoch = 0;
  /** It refused for its map is another one: sent again when it has ours. */
  isRefused = false;
  /** It lacks what is committed, and can't be given it any more: it has to be replaced. */
  isBroken = false;

  constructor(holder: Holder, lease: Lease, ackedPos: number, now: number) {
    this.holder = holder;
    this.lease = lease;
    this.ackedPos = ackedPos;
    this.progressAt = this.followsSince = now;
  }
}

/** The part of a copy that comes from disk, in the order of keys. */
export interface Pages {
  after: string;
  /** Keys of which the page may show what they were before: they have been sent. */
  readonly changed: Set<string>;
}

export class OutgoingTransfer {
  readonly id: number;
  /** What is still to be sent; null when all was. */
  rest: Iterator<CopiedSession> | null;
  partsUnderWay = 0;
  /** Sessions in the parts that were sent. */
  sentSessions = 0;
  isComplete = false;
  /** What the disk has to be asked for after that; null: nothing. */
  pages: Pages | null;

  constructor(id: number, sessions: Iterator<CopiedSession>, pages: Pages | null) {
    this.id = id;
    this.rest = sessions;
    this.pages = pages;
  }
}

/** Where a joining server's copy comes from. */
export interface IncomingTransfer {
  readonly id: number;
  readonly from: Holder;
  /** The position when all of it had come; -1: before. */
  endPos: number;
  /** And it is whole; with a disk: its disk has it. */
  isComplete: boolean;
  /** Parts that are not answered yet: the disk has enough to write. */
  owedParts: number;
}

/** A copy that serves nobody, kept to be offered when the owner's is gone. */
export interface RetainedCopy {
  /** Whose it was: this very process's, or that of the one before, which saved it when it stopped. */
  readonly incarnation: string;
  readonly epoch: number;
  readonly pos: number;
  readonly sessions: SlotSessions;
}

export class SlotCopy {
  readonly index: number;
  role: Role = Role.nobody;
  /** Of the map that this process knows. */
  epoch = 0;
  /** The last change that was applied (owner: submitted). */
  pos = 0;

  // The owner's. It serves while both leases last; they differ only while a change of the register is open.
  lease: Lease = noLease;
  leaseToo: Lease = noLease;
  committedPos = 0;
  pending: PendingOp[] = [];
  answers: PendingAnswer[] = [];
  backup: Follower | null = null;
  joining: Follower | null = null;
  /** Keys of sessions that were used since the last touches were sent. */
  touched: string[] = [];
  /** It hands the slot over: takes nothing new. */
  isStopping = false;
  stoppingSince = 0;
  /** A change of the register that takes the backup out is open. */
  removesBackup = false;
  /** Somebody asks in the register whether the owner lives. */
  isChallenged = false;
  /** Sessions last used before this moment may have been used later: what the owner before knew is not all known. */
  lagsBefore: number = Number.NEGATIVE_INFINITY;

  /** Joining. */
  source: IncomingTransfer | null = null;
  /** What this server's disk has of it; null where sessions are kept in memory alone. */
  onDisk: SlotOnDisk | null = null;
  /** The epoch in which the retained copy was last offered. */
  offeredEpoch = -1;
  /** Since when it has its role. */
  roleSince: number = Number.NEGATIVE_INFINITY;
  /** Backup: when it became one, so that it gives its owner time to be heard. */
  backupSince = 0;
  readonly #memory: SessionMemory;
  #sessions: SlotSessions;
  #retained: RetainedCopy | null = null;

  constructor(index: number, memory: SessionMemory) {
    this.index = index;
    this.#memory = memory;
    this.#sessions = new SlotSessions(memory);
  }

  get sessions(): SlotSessions {
    return this.#sessions;
  }

  /** Those before are freed, unless they are retained. */
  set sessions(sessions: SlotSessions) {
    const before = this.#sessions;
    this.#sessions = sessions;
    if (before !== sessions && before !== this.#retained?.sessions) before.clear();
  }

  /** An old copy, to be offered. */
  get retained(): RetainedCopy | null {
    return this.#retained;
  }

  /** The one before is freed, unless its sessions are in use. */
  set retained(copy: RetainedCopy | null) {
    const before = this.#retained?.sessions;
    this.#retained = copy;
    if (before !== undefined && before !== this.#sessions && before !== copy?.sessions) before.clear();
  }

  emptySessions(): SlotSessions {
    return new SlotSessions(this.#memory);
  }

  get isServing(): boolean {
    return this.role === Role.owner && !this.isStopping;
  }
}
