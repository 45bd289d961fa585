/** What all parts of the protocol share: this process, its clock, the map as known, the slots and the other servers. */
import type { Register, Versioned } from "../../register/register.ts";
import { type Holder, type Slot, type SlotMap, sameHolder } from "../../register/slot-map.ts";
import type { Clock } from "../../support/clock.ts";
import { replication as limits } from "../../support/limits.ts";
import type { SessionMemory } from "../table/session-memory.ts";
import { DiskCopies } from "./disk-copies.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { Lease } from "./lease.ts";
import { Peer, type ServerPlace } from "./peer.ts";
import type { Rules } from "./rules.ts";
import { SlotCopy } from "./slot.ts";
import type { SlotDisk } from "./slot-disk.ts";
import { SlotOnDisk } from "./slot-on-disk.ts";

/** How a slot came to an owner again whose owner and backup were both gone. */
export interface Recovered {
  /**
   * whole: with the copy of its owner or its backup, which has all that was acknowledged; unknown: a server that may have had
   * the only such copy did not come in time; lost: nobody has one any more, of all that could.
   */
  readonly copy: "whole" | "unknown" | "lost";
  /** The servers that did not come. */
  readonly away: readonly string[];
}

/** Told of what happens, for logs, gauges and tests. */
export interface ClusterObserver {
  onCommit(slot: number, epoch: number, pos: number): void;
  onRole(slot: number, role: number, epoch: number, pos: number): void;
  onRecovered(slot: number, outcome: Recovered): void;
  /** Sessions were full; so many of the longest idle made room. */
  onEvicted(count: number, sessions: number, bytes: number): void;
  /**
   * The disk can't be written, and memory is full of what it should have: new sessions and larger ones are refused.
   * @param bytes as stored; null: that is over.
   */
  onMemoryHeld(bytes: number | null): void;
  /** Anything else worth a line. */
  onEvent(what: string): void;
}

export interface MapCodec {
  encode(map: SlotMap): Uint8Array;
  /** @throws FlotillaError */
  decode(bytes: Buffer): SlotMap;
}

export interface ClusterOptions {
  readonly self: Holder;
  /** The app servers of the cluster, this one among them. */
  readonly servers: readonly ServerPlace[];
  readonly register: Register<SlotMap>;
  /** Which register it is, by an id that was made with it; null: not known yet. */
  readonly registerId: () => string | null;
  /** The first map, for whoever finds none. */
  readonly firstMap: SlotMap;
  readonly mapCodec: MapCodec;
  readonly clock: Clock;
  readonly memory: SessionMemory;
  /** Opened; null: sessions are kept in memory alone. */
  readonly disk: SlotDisk | null;
  /** Of all sessions in this process, owned and backed up. */
  readonly sessionsMax: number;
  readonly memoryBytesMax: number;
  /** For all copies on this server's disk. */
  readonly diskBytesMax: number;
  /** The size of one part of a copy. */
  readonly transferPartBytes: number;
  /** Calls back when the event at hand has been handled: what that gathered is sent then. */
  readonly later: (callback: () => void) => void;
  readonly rules: Rules;
  readonly observer: ClusterObserver;
}

export class Context {
  readonly self: Holder;
  readonly machine: string;
  readonly options: ClusterOptions;
  readonly clock: Clock;
  readonly rules: Rules;
  readonly observer: ClusterObserver;
  readonly slots: readonly SlotCopy[];
  readonly peers: ReadonlyMap<string, Peer>;
  readonly disk: DiskCopies | null;
  /** How fresh our knowledge of the register is. */
  readonly registerLease: Lease = new Lease();
  map: Versioned<SlotMap> | null = null;
  /** Nobody is judged by what was missed before: this process stood still, or has just begun. */
  resumedAt: number;
  readonly startedAt: number;
  isLeaving = false;
  /** Copies of the process before were saved, and it is not known yet which of them still count. */
  isRestoring = false;
  #lastTurnAt: number;
  /** When each process that the map names was first seen there. */
  #knownSince: Map<string, number> = new Map();

  constructor(options: ClusterOptions) {
    this.options = options;
    this.self = options.self;
    this.clock = options.clock;
    this.rules = options.rules;
    this.observer = options.observer;
    this.slots = options.firstMap.slots.map((_, index) => new SlotCopy(index, options.memory));
    this.peers = new Map(
      options.servers
        .filter(({ server }) => server !== options.self.server)
        .map((place) => [place.server, new Peer(place)]),
    );
    this.disk = options.disk === null ? null : new DiskCopies(this, options.disk);
    if (this.disk !== null) for (const slot of this.slots) slot.onDisk = new SlotOnDisk();
    this.machine = options.servers.find(({ server }) => server === options.self.server)?.machine ?? "";
    this.resumedAt = this.startedAt = this.#lastTurnAt = options.clock.now();
  }

  /** This process gives away what it keeps, and is given nothing. */
  get handsOver(): boolean {
    return this.isLeaving || this.disk?.isUnreadable === true;
  }

  get version(): number {
    return this.map?.version ?? 0;
  }

  entryOf(slot: SlotCopy): Slot {
    return this.map!.value.slots[slot.index]!;
  }

  /** Called first in each turn: after a pause of our own, others get their time anew. */
  noteTurn(): void {
    const now = this.clock.now();
    if (now - this.#lastTurnAt > limits.ownPauseMs) this.resumedAt = now;
    this.#lastTurnAt = now;
  }

  isSelf(holder: Holder | null): boolean {
    return this.rules.isSelf(holder, this.self);
  }

  /**
   * Whether the slot is, or was at last, kept by that process of this server; with a disk, by any of this server: a process that went
   * on from the copy of the one before may have ended before the disk had its name.
   */
  isNamed({ owner, backup, prior }: Slot, incarnation: string): boolean {
    const { server } = this.self;
    if (this.disk !== null) return [owner, backup, prior].some((holder) => holder?.server === server);
    const holder = { server, incarnation };
    return sameHolder(owner, holder) || sameHolder(backup, holder) || sameHolder(prior, holder);
  }

  peerOf(holder: Holder): Peer | null {
    return this.peers.get(holder.server) ?? null;
  }

  /** The connected peer that is this very process, or null. */
  connectedTo(holder: Holder): Peer | null {
    const peer = this.peerOf(holder);
    return peer !== null && peer.connection !== null && peer.isProcess(holder) ? peer : null;
  }

  leaseOf(holder: Holder): Lease {
    const peer = this.peerOf(holder);
    return peer?.isProcess(holder) ? peer.lease : new Lease();
  }

  noteHolders(map: SlotMap): void {
    const now = this.clock.now();
    const known = new Map<string, number>();
    const note = (holder: Holder | null): void => {
      if (holder === null) return;
      const id = `${holder.server}#${holder.incarnation}`;
      if (!known.has(id)) known.set(id, this.#knownSince.get(id) ?? now);
    };
    for (const slot of map.slots) {
      note(slot.owner);
      note(slot.backup);
      note(slot.prior);
    }
    this.#knownSince = known;
  }

  /**
   * Whether the process is proven dead. One server has one process at a time (its port and data folder are locked), so
   * another process of it that was alive after the map first named this one proves it.
   */
  isGone(holder: Holder): boolean {
    if (sameHolder(holder, this.self)) return false;
    if (holder.server === this.self.server) return true;
    const peer = this.peerOf(holder);
    if (peer === null || peer.incarnation === "" || peer.isProcess(holder)) return false;
    const knownSince = this.#knownSince.get(`${holder.server}#${holder.incarnation}`);
    return knownSince !== undefined && peer.provenAt > knownSince;
  }

  /**
   * For how long nothing was heard of this process, as far as we could have.
   * @param since when it is counted from if it was never heard.
   */
  silenceMs(holder: Holder, since: number): number {
    const peer = this.peerOf(holder);
    const heardAt = peer?.isProcess(holder) ? peer.answeredAt : Number.NEGATIVE_INFINITY;
    const heardSince = heardAt === Number.NEGATIVE_INFINITY ? since : heardAt;
    return this.clock.now() - Math.max(heardSince, this.resumedAt);
  }

  /** The peer's frame of this turn, or null when it is not connected. */
  writerTo(peer: Peer | null): FrameWriter | null {
    if (peer === null || peer.connection === null) return null;
    if (!peer.isFlushing) {
      peer.isFlushing = true;
      this.options.later(() => this.#flush(peer));
    }
    if (peer.writer.bytes > limits.frameBytesEager) peer.connection.send(peer.writer.take(this.version));
    return peer.writer;
  }

  #flush(peer: Peer): void {
    peer.isFlushing = false;
    if (peer.writer.isEmpty) return;
    const frame = peer.writer.take(this.version);
    peer.connection?.send(frame);
  }
}
