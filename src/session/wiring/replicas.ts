/**
 * Sessions on two servers as one process of the cluster runs them: READ FIRST. The protocol itself is
 * session/cluster and knows no sockets; here it gets its register, its connections and its clock.
 *
 * Made when the application calls `session()` or `serve()`; begins when the cluster port is open. Operations before
 * that wait as those do whose owner is not known yet.
 */
import { AsyncResource } from "node:async_hooks";
import type { Server } from "../../config/model.ts";
import { type Link, type ResetCode, StreamKind, type StreamService } from "../../link/api.ts";
import type { LinkDialer } from "../../link/dialer.ts";
import { linkKeys } from "../../link/keys.ts";
import type { Member, SlotCounts, StopCheck } from "../../member/member.ts";
import type { RegisterEngine } from "../../register/engine.ts";
import { emptySlotMap } from "../../register/slot-map.ts";
import { slotMapCodec } from "../../register/slot-map-codec.ts";
import { systemClock } from "../../support/clock.ts";
import { messageOf } from "../../support/errors.ts";
import { replication as limits, session } from "../../support/limits.ts";
import type { Log } from "../../support/log.ts";
import { count } from "../../support/words.ts";
import { ClusterAdmin } from "../admin/cluster-admin.ts";
import type { SessionAdmin } from "../admin/session-admin.ts";
import { ClusterStore } from "../cluster/cluster-store.ts";
import { PeerState } from "../cluster/messages.ts";
import { SessionNode } from "../cluster/node.ts";
import { protocolRules } from "../cluster/rules.ts";
import { Role } from "../cluster/slot.ts";
import { databaseFolder } from "../disk/database-names.ts";
import { LastSync } from "../disk/last-sync.ts";
import { LastWrite, readSaved, tellLost, tellOtherRegister } from "../disk/saving.ts";
import { SessionDatabase } from "../disk/session-database.ts";
import { SessionFile } from "../disk/session-file.ts";
import type { SessionIds } from "../id.ts";
import type { KeptSessions } from "../kept.ts";
import { SessionMemory } from "../table/session-memory.ts";
import { CopyCounts } from "./copy-counts.ts";
import { keepersOf, lettersOf, openRegister, voteDialer } from "./open-register.ts";
import { PeerAcceptor, PeerDialer } from "./peer-links.ts";
import { Reports } from "./reports.ts";
import { bytesOf, fromSaved, toSaved } from "./saved-copies.ts";
import type { PairEvents, StreamPair } from "./stream-pair.ts";

export class Replicas implements PairEvents, KeptSessions {
  readonly store: ClusterStore;
  readonly admin: SessionAdmin;
  readonly services: ReadonlyMap<StreamKind, StreamService>;
  readonly #log: Log;
  readonly #register: RegisterEngine;
  readonly #node: SessionNode;
  readonly #acceptor: PeerAcceptor;
  readonly #dialers: ReadonlyMap<string, PeerDialer>;
  readonly #witness: LinkDialer | null;
  readonly #memory: SessionMemory = new SessionMemory();
  readonly #turn: EndOfTurn = new EndOfTurn();
  readonly #file: SessionFile;
  /** With `durability: backup+disk`; what an orderly stop leaves is there, and not in the file. */
  readonly #disk: SessionDatabase | null;
  readonly #reports: Reports;
  readonly #counts: CopyCounts;
  /** The file, until what it holds is in use or known to be of no use. */
  #saved: { readonly sessions: number; readonly register: string } | null = null;
  #isStarted = false;
  /** Of the file, which takes a while when there are many. */
  #reading: Promise<void> | null = null;
  /** The last write waits for it. */
  #savesWhenRead = false;
  #lastWrite: LastWrite | null = null;
  #lastSync: LastSync | null = null;

  /** @throws FlotillaError FLOTILLA_DATA_FOLDER */
  constructor(member: Member, ids: SessionIds, log: Log) {
    const { server, incarnation } = member;
    const servers = keepersOf(member);
    this.#log = log;
    this.#file = new SessionFile(member.file.dataFolder, member.cluster.name, server.name, "copies");
    this.#disk = diskOf(member, log);
    this.#reports = new Reports(log);
    const { witness } = member.cluster;
    this.#register = openRegister(member, (voter) => this.#linksTo(voter, servers, witness), log);
    this.#node = new SessionNode({
      self: { server: server.name, incarnation },
      servers: servers.map(({ name, address }) => ({ server: name, machine: address })),
      register: this.#register.register,
      registerId: () => this.#register.world,
      firstMap: emptySlotMap(lettersOf(member)),
      mapCodec: slotMapCodec,
      clock: systemClock,
      memory: this.#memory,
      disk: this.#disk,
      diskBytesMax: member.cluster.sessions?.diskBytesMax ?? Number.POSITIVE_INFINITY,
      sessionsMax: session.sessionsMax,
      memoryBytesMax: member.cluster.sessions?.memoryBytesMax ?? session.memoryBytesMax,
      transferPartBytes: limits.transferPartBytes,
      later: (callback) => this.#turn.add(callback),
      rules: protocolRules,
      observer: this.#reports,
    });
    this.#counts = new CopyCounts(this.#node);
    const marks = new Map(servers.map(({ name, letter, processIndex }) => [name, { letter, processIndex }]));
    this.store = new ClusterStore({ node: this.#node, ids, marks, random: Math.random });
    this.admin = new ClusterAdmin(this.#node, this.store);
    const names = new Set(servers.map(({ name }) => name));
    this.#acceptor = new PeerAcceptor((name) => names.has(name) && name < server.name, this);
    const { service } = this.#register;
    this.services = new Map<StreamKind, StreamService>([
      [StreamKind.session, this.#acceptor],
      ...(service === null ? [] : [[StreamKind.register, service] as const]),
    ]);
    this.#dialers = this.#makeDialers(member, servers);
    this.#witness = witness === null ? null : this.#makeWitnessDialer(member, witness);
  }

  async open(): Promise<void> {
    await this.#disk?.open();
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#file.removeUnfinished();
    if (this.#disk === null) this.#file.putDatabaseAside(this.#log);
    if (this.#file.exists && this.#disk !== null) this.#tellOtherDurability();
    else if (this.#file.exists) {
      this.#reading = this.#takeUpSaved()
        .catch((error: unknown) => this.#takeUpNothing(error))
        .finally(() => {
          this.#reading = null;
        });
    }
    for (const dialer of this.#dialers.values()) dialer.start();
    this.#witness?.start();
    this.#register.start();
    this.#node.start();
    this.#register.register.watch(() => {
      this.#tidy();
      this.#counts.take();
    });
  }

  /** Every slot has an owner that runs as far as this process knows, and it can reach another server. */
  async ready(timeoutMs: number): Promise<void> {
    const until = systemClock.now() + timeoutMs;
    while (!this.#isReady && systemClock.now() < until) await pause();
    this.#tidy();
  }

  get #isReady(): boolean {
    const { context, hasHeir } = this.#node;
    const { map } = context;
    if (map === null || (!hasHeir && context.peers.size > 0)) return false;
    return map.value.slots.every(
      ({ owner }) => owner !== null && (context.isSelf(owner) || context.connectedTo(owner) !== null),
    );
  }

  async #takeUpSaved(): Promise<void> {
    this.#node.awaitSaved();
    const saved = await readSaved(this.#file, this.#log);
    if (saved === null) {
      this.#node.restore(new Map());
      return;
    }
    const copies = await fromSaved(saved.copies, systemClock.now(), this.#memory);
    this.#saved = { sessions: saved.sessions, register: saved.register };
    this.#reports.hasSaved = true;
    this.#node.restore(copies);
    this.#log.info(
      `read ${count(saved.sessions, "session")} that the last stop saved; used where nobody has a newer copy`,
    );
  }

  #tellOtherDurability(): void {
    this.#log.error(
      { code: "FLOTILLA_SESSIONS_UNREAD" },
      `the sessions that the last stop saved can't be taken up: ${this.#file.path}: it was written under another ` +
        `\`durability:\`; ${this.#file.putAside()}`,
    );
  }

  /** Without an end of the wait for them nobody would ever serve their slots. */
  #takeUpNothing(error: unknown): void {
    this.#saved = null;
    this.#node.restore(new Map());
    this.#log.error(
      { code: "FLOTILLA_SESSIONS_UNREAD" },
      `the sessions that the last stop saved can't be taken up: ${this.#file.path}: ${messageOf(error)}; ${this.#file.putAside()}`,
    );
  }

  /** What was saved is in use again, or others have gone on without it: it must not be taken for new later. */
  #tidy(): void {
    if (this.#saved === null) return;
    const { sessions, register } = this.#saved;
    const { world } = this.#register;
    if (world === null) return;
    if (register !== "" && world !== register && sessions > 0) {
      this.#saved = null;
      tellOtherRegister(this.#file, sessions, this.#log);
      return;
    }
    if (this.#node.needsSaved) return;
    try {
      this.#file.remove();
      this.#saved = null;
    } catch (error) {
      // It says whose copies it has: nobody will use them.
      this.#log.debug(`${this.#file.path} can't be removed: ${messageOf(error)}`);
    }
  }

  /** Why sessions can't be written to disk, where they are to be. */
  get diskProblem(): string | null {
    const trouble = this.#disk?.trouble ?? null;
    const isHeld = (this.#node.context.disk?.heldFullness ?? 0) > 1;
    return isHeld
      ? `${trouble ?? "it takes too long"}; memory is full meanwhile: new sessions are refused`
      : trouble;
  }

  get counts(): SlotCounts {
    return this.#counts.take();
  }

  async leave(until: () => number): Promise<void> {
    if (!this.#isStarted) return;
    this.#node.leave();
    const startAt = systemClock.now();
    while (!this.#node.isDrained && this.#node.hasHeir && systemClock.now() < until()) await pause();
    const { slots, seesRegister } = this.counts;
    if (this.#node.isDrained || !this.#node.hasHeir || slots === 0) return;
    const seconds = Math.round((systemClock.now() - startAt) / 1_000);
    const whyNot = seesRegister
      ? this.#register.changeTrouble
      : (this.#register.problem ?? "the register can't be reached");
    this.#log.warn(
      `${count(this.store.count, "session")} (${count(slots, "slot")}) could not be handed over within ${seconds} s` +
        (whyNot === null
          ? ": the servers that back them up take over when this process has ended"
          : `, and nobody can take them over now (${whyNot}): what no other server has is saved to disk, the rest is taken ` +
            "over when the register can be written again"),
    );
  }

  standAside(isAside: boolean): void {
    this.#node.standAside(isAside);
  }

  get mustSave(): boolean {
    return this.#isStarted && !this.#node.isDrained;
  }

  async save(): Promise<boolean> {
    if (this.#disk !== null) {
      this.#lastSync ??= new LastSync(this.#disk, this.mustSave, this.#log);
      this.#node.freeze();
      return await this.#lastSync.try();
    }
    // Without need not even for a moment: who else has what is known only as long as there are connections.
    if (this.#reading !== null) {
      this.#savesWhenRead = true;
      await this.#reading;
      this.#savesWhenRead = false;
    }
    // What a start that never saw the register has read is still in its file.
    if (this.#lastWrite === null && !this.mustSave) return true;
    this.#lastWrite ??= this.#freeze();
    return await this.#lastWrite.try();
  }

  #freeze(): LastWrite {
    this.#tidy();
    const register = this.#register.world ?? this.#saved?.register ?? "";
    const copies = this.#node.freeze();
    let sessions = 0;
    for (const copy of copies.values()) sessions += copy.sessions.size;
    const content = { sessions, bytes: bytesOf(copies.values()) };
    return new LastWrite(this.#file, toSaved(copies, systemClock.now()), register, content, this.#log);
  }

  get unsaved(): StopCheck | null {
    if (this.#lastSync !== null) return this.#lastSync.isDone ? null : this.#lastSync;
    if (this.#savesWhenRead) return { sessions: this.store.count, problem: null };
    return this.#lastWrite?.isDone ? null : this.#lastWrite;
  }

  giveUp(): void {
    if (this.#disk !== null) (this.#lastSync ?? new LastSync(this.#disk, this.mustSave, this.#log)).giveUp();
    else if (this.#lastWrite !== null) this.#lastWrite.giveUp();
    else if (this.mustSave)
      tellLost(this.#node.hasHeir ? this.counts.singleCopySessions : this.store.count, null, this.#log);
  }

  stopCheck(others: readonly string[]): StopCheck {
    const { context } = this.#node;
    for (const { server, connection, state } of context.peers.values()) {
      if (connection !== null && state !== PeerState.leaving && !others.includes(server))
        return { sessions: 0, problem: null };
    }
    if (this.#disk !== null) return { sessions: this.#disk.sessions, problem: this.#disk.trouble };
    const held = context.slots.filter(({ role }) => role === Role.owner || role === Role.backup);
    const sessions = held.reduce((sum, copy) => sum + copy.sessions.size, 0);
    return { sessions, problem: sessions === 0 ? null : this.#file.whyNot(bytesOf(held)) };
  }

  stop(): void {
    this.#node.stop();
    this.#register.stop();
    for (const dialer of this.#dialers.values()) dialer.close();
    this.#witness?.close();
  }

  onUp(pair: StreamPair): void {
    this.#reports.onProcess(pair.server, pair.incarnation);
    this.#node.connectionUp(pair);
  }

  onFrame(pair: StreamPair, frame: Uint8Array): boolean {
    return this.#node.receive(pair, frame);
  }

  onDown(pair: StreamPair, reason: string, code: ResetCode): void {
    this.#reports.onEnd(pair.server, reason, code);
    this.#node.connectionDown(pair);
  }

  onFailed(pair: StreamPair, reason: string, code: ResetCode): void {
    this.#reports.onEnd(pair.server, reason, code);
  }

  #makeDialers(member: Member, servers: readonly Server[]): Map<string, PeerDialer> {
    const { file, server, incarnation } = member;
    const keys = linkKeys(file.secret, file.previousSecret);
    const self = { name: server.name, incarnation };
    const dialed = servers.filter(({ name }) => name > server.name);
    return new Map(
      dialed.map(({ name, address, port }) => [
        name,
        new PeerDialer(
          { self, expected: name, address, port, keys, services: this.services, log: this.#log },
          systemClock,
          this,
        ),
      ]),
    );
  }

  #makeWitnessDialer({ file, server, incarnation }: Member, witness: Server): LinkDialer {
    const keys = linkKeys(file.secret, file.previousSecret);
    const self = { name: server.name, incarnation };
    return voteDialer(witness, { self, keys, services: this.services, log: this.#log });
  }

  #linksTo(address: string, servers: readonly Server[], witness: Server | null): readonly Link[] {
    if (address === witness?.name) return this.#witness?.link ? [this.#witness.link] : [];
    const links: Link[] = [];
    for (const { name, address: at } of servers) {
      if (at === address) links.push(...(this.#dialers.get(name)?.links ?? this.#acceptor.linksOf(name)));
    }
    return links;
  }
}

/** @returns not opened; null: the file wants none. */
function diskOf({ file, cluster, server, incarnation }: Member, log: Log): SessionDatabase | null {
  if (cluster.sessions?.durability !== "backup+disk") return null;
  return new SessionDatabase({
    folder: databaseFolder(file.dataFolder, server.name),
    owner: `${server.name} of cluster ${cluster.name}`,
    ...{ incarnation, clock: systemClock, log },
  });
}

function pause(): Promise<void> {
  return new Promise((resolve) => systemClock.after(limits.pollMs, resolve));
}

/**
 * Calls back when this event has been handled, in the async context of nobody's request. The link gathers what all events
 * of a turn of the loop have written and sends it at the turn's end: to wait for that here would cost another turn.
 */
class EndOfTurn {
  #callbacks: (() => void)[] = [];
  readonly #run: () => void = AsyncResource.bind(() => {
    const callbacks = this.#callbacks;
    this.#callbacks = [];
    for (const callback of callbacks) callback();
  });

  add(callback: () => void): void {
    if (this.#callbacks.push(callback) === 1) process.nextTick(this.#run);
  }
}
