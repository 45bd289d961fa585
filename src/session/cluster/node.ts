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
 * What another server says comes in as frames; peer-sink.ts hands each message to its part. heartbeats.ts has the proof
 * that the others live, restart.ts what an orderly stop leaves to the next process.
 *
 * docs/decisions/session-protocol.md says why it is right; rules.ts holds the decisions that it rests on.
 */
import type { Versioned } from "../../register/register.ts";
import type { SlotMap } from "../../register/slot-map.ts";
import { FlotillaError } from "../../support/errors.ts";
import { replication as limits } from "../../support/limits.ts";
import { answerOwner, Backup, reportWhole } from "./backup.ts";
import { type ClusterOptions, Context } from "./context.ts";
import type { DiskCopies } from "./disk-copies.ts";
import { Handovers } from "./handover.ts";
import { Heartbeats } from "./heartbeats.ts";
import { Lease } from "./lease.ts";
import { PeerState, readFrame } from "./messages.ts";
import { Moves } from "./moves.ts";
import { Owner } from "./owner.ts";
import type { Peer, PeerConnection } from "./peer.ts";
import { type MessageTakers, PeerSink } from "./peer-sink.ts";
import { Proposals } from "./proposals.ts";
import { Recovery } from "./recovery.ts";
import { Remote } from "./remote.ts";
import { Restart } from "./restart.ts";
import { Roles } from "./roles.ts";
import { Room } from "./room.ts";
import { type RetainedCopy, Role, type SlotCopy } from "./slot.ts";
import type { Renewal } from "./slot-disk.ts";
import { Transfers } from "./transfer.ts";

const notInUse: Renewal = { why: "it is not the one that was in use", isOnlyCopy: false };

export class SessionNode {
  readonly context: Context;
  readonly owner: Owner;
  readonly remote: Remote;
  readonly #backup: Backup;
  readonly #transfers: Transfers;
  readonly #handovers: Handovers;
  readonly #recovery: Recovery;
  readonly #moves: Moves;
  readonly #roles: Roles;
  readonly #proposals: Proposals;
  readonly #heartbeats: Heartbeats;
  readonly #restart: Restart;
  readonly #room: Room;
  readonly #sinks: Map<Peer, PeerSink> = new Map();
  #isStarted = false;
  #isEnded = false;
  #isLeavingForGood = false;
  #isReading = false;
  #readsAgain = false;
  #settling: (() => void)[] = [];
  #isStepDue = false;
  #readDueAt = 0;
  #touchDueAt = 0;

  constructor(options: ClusterOptions) {
    const context = new Context(options);
    this.context = context;
    this.owner = new Owner(context);
    this.#backup = new Backup(context);
    this.#transfers = new Transfers(context, this.owner);
    this.#handovers = new Handovers(context, this.owner);
    this.#recovery = new Recovery(context);
    this.#moves = new Moves(context, this.#transfers, this.#handovers);
    this.#roles = new Roles(context, this.owner, this.#transfers);
    this.#restart = new Restart(context, this.owner);
    this.#room = new Room(context, this.owner);
    const refresh = (): void => this.refresh();
    this.remote = new Remote(context, this.owner, refresh);
    this.#heartbeats = new Heartbeats(context, this.remote, refresh);
    this.#proposals = new Proposals(
      context,
      this.owner,
      this.#handovers,
      this.#moves,
      this.#recovery,
      (settled) => {
        this.#settling.push(settled);
        this.refresh();
      },
    );
    const takers: MessageTakers = {
      context,
      owner: this.owner,
      backup: this.#backup,
      transfers: this.#transfers,
      recovery: this.#recovery,
      remote: this.remote,
      proposals: this.#proposals,
      heartbeats: this.#heartbeats,
      refresh,
      adopt: (state) => this.#adopt(state),
    };
    for (const peer of context.peers.values()) this.#sinks.set(peer, new PeerSink(takers, peer));
  }

  /** Before `start`: there may be copies that the process before saved; `restore` brings them later. */
  awaitSaved(): void {
    this.#restart.await();
  }

  /** Those copies, by slot. They count where the register still names the process before. */
  restore(copies: ReadonlyMap<number, RetainedCopy>): void {
    this.#restart.restore(copies);
    if (this.#isStarted) this.refresh();
  }

  /** Begins to take part. */
  start(): void {
    const { register, clock } = this.context.options;
    this.#isStarted = true;
    const { disk } = this.context;
    if (disk !== null) {
      // Copies that it has, and nobody has seen, are waited for.
      if (disk.disk.isOpen) this.#restart.restoreFrom(disk);
      else this.#restart.await();
      disk.start({
        onSynced: (slot) => this.#onSynced(slot),
        onOpened: () => this.#onDiskOpened(disk),
      });
    }
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
    return this.#restart.freeze();
  }

  /** Whether the register names, or may name, a process whose copies were given to `restore`: their file is needed. */
  get needsSaved(): boolean {
    return this.#restart.isNeeded;
  }

  /** Begins to hand everything over; `isDrained` tells when that is done. */
  leave(): void {
    this.#isLeavingForGood = true;
    this.context.isLeaving = true;
  }

  /**
   * An operator takes it out of service, and may put it back: it hands over as one that leaves does, is given nothing
   * meanwhile, and goes on answering.
   */
  standAside(isAside: boolean): void {
    if (!this.#isLeavingForGood) this.context.isLeaving = isAside;
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
    this.#heartbeats.send(peer);
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
        this.#heartbeats.noteVersion(peer, version);
      });
    } catch (error) {
      // Of a message, or of the map in it. What came before it counts.
      if (!(error instanceof FlotillaError)) throw error;
      this.context.observer.onEvent(`${peer.server}: ${error.message}`);
      this.#backup.answer(peer);
      return false;
    }
    this.#backup.answer(peer);
    return true;
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
        if (this.context.disk !== null) this.#restart.lookWhose(this.context.disk);
        if (this.context.isRestoring) this.#restart.takeUp();
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
    const { clock, slots } = this.context;
    const now = clock.now();
    clock.after(limits.beatIntervalMs, this.#tick);
    this.#heartbeats.tick();
    this.owner.tick();
    if (this.context.disk !== null) {
      const { disk } = this.context;
      disk.tick();
      if (disk.disk.isLost && this.isDrained && !this.#recovery.hasOffered) {
        // Those that were found there, and of which the register was not asked yet, are gone as well.
        this.#restart.restore(new Map());
        disk.renew(notInUse);
      }
      for (const slot of slots) if (slot.role === Role.joining) this.#backup.tick(slot);
    }
    if (!this.#moves.isCalm) {
      for (const slot of slots) {
        if (slot.role !== Role.owner) continue;
        if (slot.joining !== null) this.#transfers.tick(slot);
        if (slot.isStopping && !this.#proposals.isOpen) this.#handovers.tick(slot);
      }
    }
    if (now >= this.#readDueAt) this.refresh();
    this.#room.tick();
    this.#heartbeats.fullness = this.#room.fullness;
    this.context.options.memory.tidy();
    if (now >= this.#touchDueAt) this.#sendTouches(now);
    this.remote.tick();
    this.#step();
  };

  #onSynced(slot: SlotCopy): void {
    if (this.#isEnded || slot.role === Role.nobody) return;
    if (slot.role !== Role.owner) this.#backup.onSynced(slot);
    else if (this.owner.onSynced(slot)) this.remote.retry();
  }

  #onDiskOpened(disk: DiskCopies): void {
    if (this.#isEnded) return;
    if (this.context.isRestoring) this.#restart.restoreFrom(disk);
    this.refresh();
  }

  #sendTouches(now: number): void {
    this.#touchDueAt = now + limits.touchIntervalMs;
    for (const slot of this.context.slots) if (slot.touched.length > 0) this.owner.sendTouches(slot);
  }

  #newProcess(peer: Peer, incarnation: string): void {
    peer.incarnation = incarnation;
    peer.lease = new Lease();
    peer.answeredAt = peer.provenAt = peer.promisedAt = peer.falseAlarmAt = Number.NEGATIVE_INFINITY;
    peer.clock = peer.promised = -1;
    peer.takenVersion = 0;
    peer.state = PeerState.well;
    peer.fullness = 0;
    peer.wasJudgedSilent = false;
  }

  #lost(peer: Peer): void {
    peer.connection = null;
    for (const slot of this.context.slots) {
      this.#backup.onConnectionLost(slot, peer.server);
      if (slot.joining?.holder.server === peer.server) this.#transfers.drop(slot);
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
        answerOwner(this.context, peer, slot);
      }
    } else if (slot.role === Role.joining && peer.isProcess(slot.source!.from))
      reportWhole(this.context, slot);
  }
}
