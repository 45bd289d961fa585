/** Another app server: the connection to it, what it last answered, what it was promised. */
import type { Holder } from "../../register/slot-map.ts";
import { replication as limits } from "../../support/limits.ts";
import { FrameWriter } from "./frame-writer.ts";
import { Lease } from "./lease.ts";
import { PeerState } from "./messages.ts";

/** One established connection pair to a process. Frames arrive in order or, when it breaks, not at all. */
export interface PeerConnection {
  readonly server: string;
  readonly incarnation: string;
  /** The version of its link has messages that speak of disks. */
  readonly tellsDisks: boolean;
  /** @param frame valid only during the call. */
  send(frame: Uint8Array): void;
  /** By a connection of its own, so that no copy or upload holds a heartbeat up. */
  sendBeat(frame: Uint8Array): void;
}

/** What the file says of an app server. */
export interface ServerPlace {
  readonly server: string;
  /** Servers of one machine fail together. */
  readonly machine: string;
}

export class Peer {
  readonly server: string;
  readonly machine: string;
  connection: PeerConnection | null = null;
  /** Of the process that is or was connected last. */
  incarnation = "";
  /** What that process has promised to us. */
  lease: Lease = new Lease();
  /** When we last sent it a heartbeat. */
  beatAt: number = Number.NEGATIVE_INFINITY;
  /** When that process last told that it had heard another heartbeat of ours; silence is counted from here. */
  answeredAt: number = Number.NEGATIVE_INFINITY;
  /** The sending time of the newest of those: then it lived for certain. */
  provenAt: number = Number.NEGATIVE_INFINITY;
  /** Its own clock in the newest of its heartbeats; -1: none came. */
  clock = -1;
  /** The same in the newest on which we promised not to take over, */
  promised = -1;
  /** and our own clock when that came. */
  promisedAt: number = Number.NEGATIVE_INFINITY;
  /** While a takeover from it is proposed, it is promised nothing. */
  isBeingReplaced = false;
  /** The version in which we last took slots over from it. */
  takenVersion = 0;
  state: PeerState = PeerState.well;
  /** Above 1 its copies of other servers' sessions take too much (`Beat.fullness`). */
  fullness = 0;
  /** When it was last judged silent and then spoke again. */
  falseAlarmAt: number = Number.NEGATIVE_INFINITY;
  wasJudgedSilent = false;
  /** Since when it has shown an older map than ours. */
  behindSince: number = Number.POSITIVE_INFINITY;
  readonly writer: FrameWriter = new FrameWriter();
  isFlushing = false;

  constructor(place: ServerPlace) {
    this.server = place.server;
    this.machine = place.machine;
  }

  /** It can't write its disk, and its memory is so full of what it can't write: above 1 nothing there may grow. */
  get heldFullness(): number {
    return this.state === PeerState.diskless ? this.fullness : 0;
  }

  isProcess(holder: Holder): boolean {
    return this.incarnation === holder.incarnation && this.server === holder.server;
  }

  /** How long it may be silent before it is taken out as a backup. */
  patienceMs(now: number): number {
    return now - this.falseAlarmAt < limits.calmMs ? limits.silentAfterAlarmMs : limits.silentMs;
  }
}
