/**
 * One app server's part in keeping sessions on two servers: READ FIRST. A deterministic machine: time, chance, the
 * network and the register are given to it, it calls nothing else, and it waits for nothing; what it is told (a
 * frame, a connection, a tick, a newer map) runs to its end at once.
 *
 *   store           what the middleware asks (cluster-store.ts, remote.ts: for slots of other servers)
 *     owner         order, commit (owner.ts)         backup    apply, answer (backup.ts)
 *     lease         the right to serve (lease.ts)    transfer  a copy for a joining server (transfer.ts)
 *   proposals       changes of the register (proposals.ts), for one of these reasons:
 *     takeover      the other of the pair is silent  handover  a planned move
 *     moves         placement                        recovery  both are gone
 *   roles           what the register's answer makes of us (roles.ts)
 *
 * docs/decisions/session-protocol.md says why it is right; rules.ts holds the decisions that it rests on.
 */
import type { Versioned } from "../../register/register.ts";
import type { SlotMap } from "../../register/slot-map.ts";
import { FlotillaError } from "../../support/errors.ts";
import { replication as limits, session } from "../../support/limits.ts";
import { Backup } from "./backup.ts";
import { type ClusterOptions, Context } from "./context.ts";
import { FrameWriter } from "./frame-writer.ts";
import { Handovers } from "./handover.ts";
import { Lease } from "./lease.ts";
import { type Op, PeerState, readFrame } from "./messages.ts";
import { Moves } from "./moves.ts";
import { Owner } from "./owner.ts";
import type { Peer, PeerConnection } from "./peer.ts";
import { type MessageTakers, PeerSink } from "./peer-sink.ts";
import { Proposals } from "./proposals.ts";
import { Recovery } from "./recovery.ts";
import { Remote } from "./remote.ts";
import { Roles } from "./roles.ts";
import { fullnessOfCopies, makeRoom } from "./room.ts";
import { type RetainedCopy, Role, type SlotCopy } from "./slot.ts";
import { Transfers } from "./transfer.ts";

export class SessionNode implements MessageTakers {
  readonly context: Context;
  readonly owner: Owner;
  readonly remote: Remote;
  readonly backup: Backup;
  readonly transfers: Transfers;
  readonly #handovers: Handovers;
  readonly recovery: Recovery;
  readonly #moves: Moves;
  readonly #roles: Roles;
  readonly #proposals: Proposals;
  readonly #sinks: Map<Peer, PeerSink> = new Map();
  readonly #beatWriter: FrameWriter = new FrameWriter(64);
  #saved: ReadonlyMap<number, RetainedCopy> = new Map();
  #savedBy: ReadonlySet<string> = new Set();
  #isEnded = false;
  #isReading = false;
  #readsAgain = false;
  #settling: (() => void)[] = [];
  #isStepDue = false;
  #readDueAt = 0;
  #sweepDueAt = 0;
  #fullness = 0;
  #touchDueAt = 0;

  constructor(options: ClusterOptions) {
    const context = new Context(options);
    this.context = context;
    this.owner = new Owner(context);
    this.backup = new Backup(context);
    this.transfers = new Transfers(context, this.owner);
    this.#handovers = new Handovers(context, this.owner);
    this.recovery = new Recovery(context);
    this.#moves = new Moves(context, this.transfers, this.#handovers);
    this.#roles = new Roles(context, this.owner, this.transfers);
    this.remote = new Remote(context, this.owner, () => this.refresh());
    this.#proposals = new Proposals(
      context,
      this.owner,
      this.#handovers,
      this.#moves,
      this.recovery,
      (settled) => {
        this.#settling.push(settled);
        this.refresh();
      },
    );
    for (const peer of context.peers.values()) this.#sinks.set(peer, new PeerSink(this, peer));
  }

  /** Before `start`: copies that the process before saved, by slot. They count where the register still names that process. */
  restore(copies: ReadonlyMap<number, RetainedCopy>): void {
    this.#saved = copies;
    this.#savedBy = new Set([...copies.values()].map(({ incarnation }) => incarnation));
    this.context.isRestoring = copies.size > 0;
  }

  /** Begins to take part. */
  start(): void {
    const { register, clock } = this.context.options;
    register.watch((state) => this.#adopt(state));
    if (register.known !== null) this.#adopt(register.known);
    this.#touchDueAt = clock.now() + limits.touchIntervalMs;
    this.refresh();
    this.#tick();
  }

  /** Ends at once; nothing is handed over. */
  stop(): void {
    this.#isEnded = true;
  }

  /**
   * Ends at once, for a process that is about to end: nothing is answered or committed any more.
   * @returns its copies, by slot, as they are and will stay, of the slots that no server which stays has whole.
   */
  freeze(): Map<number, RetainedCopy> {
    this.stop();
    const copies = new Map<number, RetainedCopy>();
    const { incarnation } = this.context.self;
    for (const slot of this.context.slots) {
      const isElsewhere = this.#isElsewhere(slot);
      if (slot.role === Role.owner) {
        slot.isStopping = true;
        this.owner.assignLeases(slot);
        this.owner.dropPending(slot);
      }
      const isHolder = slot.role === Role.owner || slot.role === Role.backup;
      const { epoch, pos, sessions, retained } = slot;
      if (isHolder && !isElsewhere) copies.set(slot.index, { incarnation, epoch, pos, sessions });
      else if (!isHolder && retained !== null && retained.incarnation !== incarnation)
        copies.set(slot.index, retained);
    }
    // Nobody has told yet whether they still count.
    if (this.context.isRestoring) return new Map([...this.#saved, ...copies]);
    return copies;
  }

  /** Whether the register names, or may name, a process whose copies were given to `restore`: their file is needed. */
  get needsSaved(): boolean {
    const { map, isRestoring } = this.context;
    if (isRestoring || map === null) return isRestoring;
    return map.value.slots.some((entry) =>
      [...this.#savedBy].some((incarnation) => this.context.isNamed(entry, incarnation)),
    );
  }

  /** Whether the other of the pair is well, stays, and has a part in the slot. */
  #isElsewhere(slot: SlotCopy): boolean {
    if (this.context.map === null) return false;
    const { owner } = this.context.entryOf(slot);
    const isConfirmed = slot.role === Role.backup || slot.backup?.confirmedEpoch === slot.epoch;
    const other = slot.role === Role.backup ? owner : (slot.backup?.holder ?? null);
    const peer = other === null ? null : this.context.connectedTo(other);
    if (peer === null || peer.state === PeerState.leaving || !isConfirmed) return false;
    return this.context.clock.now() - peer.answeredAt <= limits.silentMs;
  }

  /** Begins to hand everything over; `isDrained` tells when that is done. */
  leave(): void {
    this.context.isLeaving = true;
  }

  /** Somebody is there who stays and can be given something. */
  get hasHeir(): boolean {
    for (const { connection, state } of this.context.peers.values())
      if (connection !== null && state !== PeerState.leaving) return true;
    return false;
  }

  get isDrained(): boolean {
    return this.#moves.isDrained;
  }

  connectionUp(connection: PeerConnection): void {
    if (this.#isEnded) return;
    this.context.noteTurn();
    const peer = this.context.peers.get(connection.server);
    if (peer === undefined) return;
    if (peer.connection !== null) this.#lost(peer);
    if (peer.incarnation !== connection.incarnation) this.#newProcess(peer, connection.incarnation);
    peer.connection = connection;
    peer.writer.clear();
    for (const slot of this.context.slots) this.#reconnected(slot, peer);
    this.#sendBeat(peer);
  }

  connectionDown(connection: PeerConnection): void {
    if (this.#isEnded) return;
    this.context.noteTurn();
    const peer = this.context.peers.get(connection.server);
    if (peer !== undefined && peer.connection === connection) this.#lost(peer);
  }

  /**
   * A frame of `PeerConnection.send` or `sendBeat`. What an earlier connection still delivers is dropped, so that
   * nothing overtakes.
   * @returns false when it is malformed: the connection has to be closed.
   */
  receive(connection: PeerConnection, frame: Uint8Array): boolean {
    if (this.#isEnded) return true;
    this.context.noteTurn();
    const peer = this.context.peers.get(connection.server);
    if (peer === undefined || peer.connection !== connection) return true;
    try {
      readFrame(frame, this.#sinks.get(peer)!, (version) => {
        if (version > this.context.version) this.refresh();
        this.#noteVersion(peer, version);
      });
    } catch (error) {
      // Of a message, or of the map in it.
      if (!(error instanceof FlotillaError)) throw error;
      this.context.observer.onEvent(`${peer.server}: ${error.message}`);
      return false;
    }
    this.backup.answer(peer);
    return true;
  }

  /** Whoever stays behind can't read the register: it is told by those who can. */
  #noteVersion(peer: Peer, version: number): void {
    const now = this.context.clock.now();
    const { map, options } = this.context;
    if (map === null || version >= map.version) {
      peer.behindSince = Number.POSITIVE_INFINITY;
      return;
    }
    peer.behindSince = Math.min(peer.behindSince, now);
    if (now - peer.behindSince < limits.behindMs) return;
    peer.behindSince = now;
    this.context.writerTo(peer)?.map(map.version, options.mapCodec.encode(map.value));
  }

  /** Reads the register; calls while one read is under way share the next one. */
  refresh(): void {
    if (this.#isReading) {
      this.#readsAgain = true;
      return;
    }
    this.#isReading = true;
    this.#readsAgain = false;
    const { clock, options } = this.context;
    const beganAt = clock.now();
    const settling = this.#settling;
    this.#settling = [];
    options.register.read((error, state) => {
      this.#isReading = false;
      if (this.#isEnded) return;
      this.context.noteTurn();
      this.#readDueAt =
        clock.now() + (error === null ? limits.registerReadIntervalMs : limits.registerReadRetryMs);
      if (error !== null) this.#settling.push(...settling);
      else {
        if (state === null) this.#createFirst();
        else this.#adopt(state);
        if (this.context.isRestoring) this.#takeSaved();
        this.#confirm(beganAt);
        for (const settled of settling) settled();
      }
      if (this.#readsAgain) this.refresh();
      this.#stepSoon();
    });
  }

  #createFirst(): void {
    const { register, firstMap } = this.context.options;
    register.compareAndSet(0, firstMap, (outcome) => {
      if (outcome.kind !== "unknown") this.#adopt(outcome.state);
    });
  }

  /** What is known was true when the read began; but not while somebody asks whether we live. */
  #confirm(beganAt: number): void {
    if (this.context.map === null || this.context.slots.some(({ isChallenged }) => isChallenged)) return;
    this.context.registerLease.extend(beganAt + limits.registerLeaseMs);
    for (const slot of this.context.slots) if (slot.pending.length > 0) this.owner.advance(slot);
    this.remote.retry();
  }

  #adopt(state: Versioned<SlotMap>): void {
    if (this.#isEnded || state.version <= this.context.version) return;
    this.context.noteTurn();
    const before = this.context.map;
    this.context.map = state;
    this.context.noteHolders(state.value);
    for (const slot of this.context.slots) {
      const entry = state.value.slots[slot.index]!;
      if (entry.epoch !== slot.epoch) this.#roles.enter(slot, entry, before?.value.slots[slot.index] ?? null);
    }
    this.remote.retry();
    this.#stepSoon();
  }

  /** After a read of the register: what it says now includes all that was decided before this process began. */
  #takeSaved(): void {
    this.context.isRestoring = false;
    const saved = this.#saved;
    this.#saved = new Map();
    if (this.context.map === null) return;
    for (const [index, copy] of saved) {
      const slot = this.context.slots[index];
      if (slot?.role !== Role.nobody) continue;
      if (this.context.isNamed(this.context.entryOf(slot), copy.incarnation)) slot.retained = copy;
    }
  }

  #stepSoon(): void {
    if (this.#isStepDue) return;
    this.#isStepDue = true;
    this.context.options.later(() => {
      this.#isStepDue = false;
      if (!this.#isEnded) this.#step();
    });
  }

  #step(): void {
    this.context.noteTurn();
    this.#moves.step();
    this.#proposals.step();
  }

  readonly #tick = (): void => {
    if (this.#isEnded) return;
    this.context.noteTurn();
    const { clock, slots, peers } = this.context;
    const now = clock.now();
    clock.after(limits.beatIntervalMs, this.#tick);
    for (const peer of peers.values()) this.#sendBeat(peer);
    this.owner.tick();
    if (!this.#moves.isCalm) {
      for (const slot of slots) {
        if (slot.role !== Role.owner) continue;
        if (slot.joining !== null) this.transfers.tick(slot);
        if (slot.isStopping && !this.#proposals.isOpen) this.#handovers.tick(slot);
      }
    }
    if (now >= this.#readDueAt) this.refresh();
    if (now >= this.#sweepDueAt) this.#sweep(now);
    if (now >= this.#touchDueAt) this.#sendTouches(now);
    this.remote.tick();
    this.#step();
  };

  #sweep(now: number): void {
    this.#sweepDueAt = now + session.sweepIntervalMs;
    let rest: number = session.sweptAtOnceMax;
    for (const slot of this.context.slots) if (rest > 0) rest -= this.owner.sweep(slot, rest);
    makeRoom(this.context, this.owner);
    this.#fullness = fullnessOfCopies(this.context);
  }

  #sendTouches(now: number): void {
    this.#touchDueAt = now + limits.touchIntervalMs;
    for (const slot of this.context.slots) if (slot.touched.length > 0) this.owner.sendTouches(slot);
  }

  #sendBeat(peer: Peer): void {
    if (peer.connection === null) return;
    this.#beatWriter.beat(this.context.clock.now(), this.#state(), this.#fullness);
    peer.connection.sendBeat(this.#beatWriter.take(this.context.version));
  }

  #state(): PeerState {
    if (this.context.clock.now() > this.context.registerLease.until - limits.blindLeaseMs)
      return PeerState.blind;
    return this.context.isLeaving ? PeerState.leaving : PeerState.well;
  }

  #newProcess(peer: Peer, incarnation: string): void {
    peer.incarnation = incarnation;
    peer.lease = new Lease();
    peer.answeredAt = peer.provenAt = peer.promisedAt = peer.falseAlarmAt = Number.NEGATIVE_INFINITY;
    peer.clock = -1;
    peer.takenVersion = 0;
    peer.state = PeerState.well;
    peer.fullness = 0;
    peer.wasJudgedSilent = false;
  }

  #lost(peer: Peer): void {
    peer.connection = null;
    for (const slot of this.context.slots) {
      this.backup.onConnectionLost(slot, peer.server);
      if (slot.joining?.holder.server === peer.server) this.transfers.drop(slot);
    }
    this.remote.onConnectionLost(peer);
  }

  #reconnected(slot: SlotCopy, peer: Peer): void {
    if (slot.role === Role.owner) {
      this.owner.assignLeases(slot);
      for (const follower of [slot.backup, slot.joining]) {
        if (follower !== null && peer.isProcess(follower.holder)) this.owner.resend(slot, follower);
      }
    } else if (slot.role === Role.backup) {
      const { owner } = this.context.entryOf(slot);
      if (owner !== null && peer.isProcess(owner)) {
        this.context.writerTo(peer)?.ack(slot.index, slot.epoch, slot.pos);
      }
    }
  }

  // What a peer's messages do; called by its sink.

  /** @internal */ onBeat(peer: Peer, sentAt: number, state: PeerState, fullness: number): void {
    peer.state = state;
    peer.fullness = fullness;
    // An owner that lost sight of the register will have to stop: it is given no more time than it has.
    if (state === PeerState.blind || peer.isBeingReplaced || peer.connection === null) return;
    const now = this.context.clock.now();
    peer.promisedAt = now;
    this.#beatWriter.beatAnswer(sentAt, now, peer.takenVersion);
    peer.connection.sendBeat(this.#beatWriter.take(this.context.version));
  }

  /** @internal */ onBeatAnswer(peer: Peer, sentAt: number, clock: number, takenVersion: number): void {
    const now = this.context.clock.now();
    if (peer.wasJudgedSilent) {
      peer.wasJudgedSilent = false;
      peer.falseAlarmAt = now;
    }
    peer.answeredAt = now;
    if (sentAt > peer.provenAt) {
      peer.provenAt = sentAt;
      peer.clock = clock;
    }
    // It took slots over from us in a version that we do not know: its promise does not concern those.
    if (takenVersion > this.context.version) {
      this.refresh();
      return;
    }
    peer.lease.extend(Math.min(sentAt + limits.leaseMs, this.context.registerLease.until));
    this.remote.retry();
  }

  /** @internal */ onOp(peer: Peer, op: Op): void {
    if (!this.backup.onOp(peer, op)) this.refresh();
  }

  /** @internal */ onAck(peer: Peer, index: number, epoch: number, pos: number): void {
    const follower = this.#followerAt(peer, index);
    if (follower === null) return;
    const slot = this.context.slots[index]!;
    follower.confirmedEpoch = epoch;
    this.owner.onAck(slot, follower, pos);
    if (epoch === slot.epoch && follower.isRefused) {
      follower.isRefused = false;
      this.owner.resend(slot, follower);
    }
  }

  /** @internal */ onRefuse(peer: Peer, index: number, epoch: number, pos: number): void {
    const follower = this.#followerAt(peer, index);
    const slot = this.context.slots[index];
    if (slot === undefined || follower === null) return;
    if (epoch !== slot.epoch) {
      follower.isRefused = true;
      if (epoch > slot.epoch) this.refresh();
    } else if (pos >= slot.committedPos) this.owner.resend(slot, follower);
    else if (follower === slot.joining) this.transfers.drop(slot);
    else {
      follower.isBroken = true;
      this.#proposals.lookAgain();
    }
  }

  /** @internal */ onMap(version: number, map: Buffer): void {
    if (version > this.context.version)
      this.#adopt({ version, value: this.context.options.mapCodec.decode(map) });
  }

  /** @internal */ onCopyOffer(peer: Peer, index: number, epoch: number, pos: number): void {
    const slot = this.context.slots[index];
    if (slot === undefined) return;
    const follower = this.#followerAt(peer, index);
    if (follower !== null) follower.confirmedEpoch = epoch;
    else this.recovery.onOffer(slot, { server: peer.server, incarnation: peer.incarnation }, epoch, pos);
  }

  /** @internal */ onTouch(index: number, epoch: number, key: string, idleTimeoutMs: number): void {
    const slot = this.context.slots[index];
    if (slot !== undefined) this.backup.onTouch(slot, epoch, key, idleTimeoutMs);
  }

  #followerAt(peer: Peer, index: number) {
    const slot = this.context.slots[index];
    if (slot === undefined || slot.role !== Role.owner) return null;
    if (slot.backup !== null && peer.isProcess(slot.backup.holder)) return slot.backup;
    if (slot.joining !== null && peer.isProcess(slot.joining.holder)) return slot.joining;
    return null;
  }
}
