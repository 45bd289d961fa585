/**
 * Heartbeats: what proves to each server that the others live and hear it, and gives the leases under which owners
 * serve. Of two servers the one whose name sorts first sends one at each tick, the other answers it with its own: one
 * exchange per interval for both. Each tells which heartbeat of the other it has heard last, and which it has promised on.
 */
import { replication as limits } from "../../support/limits.ts";
import type { Context } from "./context.ts";
import { FrameWriter } from "./frame-writer.ts";
import { type Beat, PeerState } from "./messages.ts";
import type { Peer, PeerConnection } from "./peer.ts";
import type { Remote } from "./remote.ts";

/** Who waits for the other's heartbeat begins one itself after so long. */
const answerWaitMs = limits.beatIntervalMs * 1.5;

export class Heartbeats {
  readonly #context: Context;
  readonly #remote: Remote;
  readonly #refresh: () => void;
  readonly #writer: FrameWriter = new FrameWriter(64);
  /** Told with each: see `Peer.fullness`. */
  fullness = 0;

  /** @param refresh reads the register. */
  constructor(context: Context, remote: Remote, refresh: () => void) {
    this.#context = context;
    this.#remote = remote;
    this.#refresh = refresh;
  }

  tick(): void {
    const now = this.#context.clock.now();
    for (const peer of this.#context.peers.values())
      if (this.#begins(peer) || now - peer.beatAt >= answerWaitMs) this.send(peer);
  }

  send(peer: Peer): void {
    if (peer.connection === null) return;
    const now = this.#context.clock.now();
    peer.beatAt = now;
    const { clock: heard, promised, takenVersion } = peer;
    const state = this.#state(peer.connection);
    const fullness = state === PeerState.diskless ? this.#context.disk!.heldFullness : this.fullness;
    this.#writer.beat({
      ...{ sentAt: now, state, fullness },
      ...{ heard, promised, takenVersion },
    });
    peer.connection.sendBeat(this.#writer.take(this.#context.version));
  }

  onBeat(peer: Peer, beat: Beat): void {
    const now = this.#context.clock.now();
    peer.state = beat.state;
    peer.fullness = beat.fullness;
    peer.clock = Math.max(peer.clock, beat.sentAt);
    if (beat.heard >= 0 && beat.heard > peer.provenAt) this.#noteHeard(peer, beat.heard, now);
    this.#takePromise(peer, beat);
    this.#remote.retry();
    const isLate = peer.promised < 0 || beat.sentAt - peer.promised >= answerWaitMs;
    const hasPromised = this.#promise(peer, beat, now);
    // Whoever was without a promise for longer than usual is not left waiting for the next tick.
    if (!this.#begins(peer) || (hasPromised && isLate)) this.send(peer);
  }

  /** Each frame shows its sender's map. Whoever stays behind can't read the register: it is told by those who can. */
  noteVersion(peer: Peer, version: number): void {
    const now = this.#context.clock.now();
    const { map, options } = this.#context;
    if (map === null || version >= map.version) {
      peer.behindSince = Number.POSITIVE_INFINITY;
      return;
    }
    peer.behindSince = Math.min(peer.behindSince, now);
    if (now - peer.behindSince < limits.behindMs) return;
    peer.behindSince = now;
    this.#context.writerTo(peer)?.map(map.version, options.mapCodec.encode(map.value));
  }

  /** It hears us: it has the heartbeat that we sent at `heard`. */
  #noteHeard(peer: Peer, heard: number, now: number): void {
    if (peer.wasJudgedSilent) {
      peer.wasJudgedSilent = false;
      peer.falseAlarmAt = now;
    }
    peer.answeredAt = now;
    peer.provenAt = heard;
  }

  #takePromise(peer: Peer, { promised, takenVersion }: Beat): void {
    if (promised < 0) return;
    const { rules, version, registerLease } = this.#context;
    // It took slots over from us in a version that we do not know: its promise does not concern those.
    if (!rules.countsPromise(takenVersion, version)) this.#refresh();
    else peer.lease.extend(Math.min(promised + limits.leaseMs, registerLease.until));
  }

  /** Promises not to take over from it for a while, unless it could not go on serving anyway. */
  #promise(peer: Peer, { sentAt, state }: Beat, now: number): boolean {
    // An owner that lost sight of the register, or does not hear us, will have to stop: it is given no more time than it has.
    const isDeaf = now - peer.answeredAt > limits.heardWithinMs;
    if (isDeaf || state === PeerState.blind || peer.isBeingReplaced) return false;
    peer.promisedAt = now;
    peer.promised = sentAt;
    return true;
  }

  #begins(peer: Peer): boolean {
    return this.#context.self.server < peer.server;
  }

  #state({ tellsDisks }: PeerConnection): PeerState {
    if (this.#context.clock.now() > this.#context.registerLease.until - limits.blindLeaseMs)
      return PeerState.blind;
    if (this.#context.handsOver) return PeerState.leaving;
    return tellsDisks && this.#context.disk?.isWell === false ? PeerState.diskless : PeerState.well;
  }
}
