/** Heartbeats: what proves to each server that the others live, and gives the leases under which owners serve. */
import { replication as limits } from "../../support/limits.ts";
import type { Context } from "./context.ts";
import { FrameWriter } from "./frame-writer.ts";
import { PeerState } from "./messages.ts";
import type { Peer } from "./peer.ts";
import type { Remote } from "./remote.ts";

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

  send(peer: Peer): void {
    if (peer.connection === null) return;
    this.#writer.beat(this.#context.clock.now(), this.#state(), this.fullness);
    peer.connection.sendBeat(this.#writer.take(this.#context.version));
  }

  onBeat(peer: Peer, sentAt: number, state: PeerState, fullness: number): void {
    peer.state = state;
    peer.fullness = fullness;
    // An owner that lost sight of the register will have to stop: it is given no more time than it has.
    if (state === PeerState.blind || peer.isBeingReplaced || peer.connection === null) return;
    const now = this.#context.clock.now();
    peer.promisedAt = now;
    this.#writer.beatAnswer(sentAt, now, peer.takenVersion);
    peer.connection.sendBeat(this.#writer.take(this.#context.version));
  }

  onBeatAnswer(peer: Peer, sentAt: number, clock: number, takenVersion: number): void {
    const now = this.#context.clock.now();
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
    if (takenVersion > this.#context.version) {
      this.#refresh();
      return;
    }
    peer.lease.extend(Math.min(sentAt + limits.leaseMs, this.#context.registerLease.until));
    this.#remote.retry();
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

  #state(): PeerState {
    if (this.#context.clock.now() > this.#context.registerLease.until - limits.blindLeaseMs)
      return PeerState.blind;
    return this.#context.isLeaving ? PeerState.leaving : PeerState.well;
  }
}
