/**
 * The connection to one process of another app server: a stream for frames and one for heartbeats, each on a link
 * of its own. It is up when both are there, and over when one of them ends.
 */
import { type LinkStream, ResetCode, type StreamHandler } from "../../link/api.ts";
import { replication as limits } from "../../support/limits.ts";
import type { PeerConnection } from "../cluster/peer.ts";
import { FrameGatherer, writeFrame } from "./frames.ts";

export interface PairEvents {
  onUp(pair: StreamPair): void;
  /** @returns false when it is malformed. */
  onFrame(pair: StreamPair, frame: Uint8Array): boolean;
  /** It was up. */
  onDown(pair: StreamPair, reason: string, code: ResetCode): void;
  /** It was not. */
  onFailed(pair: StreamPair, reason: string, code: ResetCode): void;
}

type State = "opening" | "up" | "over";

export class StreamPair implements PeerConnection {
  readonly server: string;
  readonly incarnation: string;
  readonly #events: PairEvents;
  /** The dialing side, which is told by the other one that both streams have come. */
  readonly #isDialer: boolean;
  readonly #framesEnd: StreamHandler;
  readonly #beatsEnd: StreamHandler;
  #frames: LinkStream | null = null;
  #beats: LinkStream | null = null;
  #state: State = "opening";

  constructor(server: string, incarnation: string, isDialer: boolean, events: PairEvents) {
    this.server = server;
    this.incarnation = incarnation;
    this.#isDialer = isDialer;
    this.#events = events;
    this.#framesEnd = new PairEnd(this);
    this.#beatsEnd = new PairEnd(this);
  }

  get framesEnd(): StreamHandler {
    return this.#framesEnd;
  }

  get beatsEnd(): StreamHandler {
    return this.#beatsEnd;
  }

  get tellsDisks(): boolean {
    return this.#frames !== null && this.#frames.link.peer.version >= 2;
  }

  get isOver(): boolean {
    return this.#state === "over";
  }

  /** The accepting side says so with an empty frame, before which the dialing side sends nothing. */
  complete(frames: LinkStream, beats: LinkStream): void {
    this.#frames = frames;
    this.#beats = beats;
    if (this.#isDialer) return;
    writeFrame(frames, new Uint8Array(0));
    this.#state = "up";
    this.#events.onUp(this);
  }

  send(frame: Uint8Array): void {
    this.#write(this.#frames, frame, limits.unsentBytesMax);
  }

  sendBeat(frame: Uint8Array): void {
    this.#write(this.#beats, frame, limits.unsentBeatBytesMax);
  }

  /** Resets both streams, or the other one when one was reset so by the peer. */
  close(reason: string, code: ResetCode = ResetCode.cancel): void {
    if (this.#state === "over") return;
    const wasUp = this.#state === "up";
    this.#state = "over";
    this.#frames?.reset(code, reason);
    this.#beats?.reset(code, reason);
    if (wasUp) this.#events.onDown(this, reason, code);
    else this.#events.onFailed(this, reason, code);
  }

  #write(stream: LinkStream | null, frame: Uint8Array, unsentBytesMax: number): void {
    if (this.#state !== "up") return;
    writeFrame(stream!, frame);
    // What is lost with the connection is sent again over the next one, from where the other side has come to.
    if (stream!.pendingBytes > unsentBytesMax) this.close("it does not take what it is sent");
  }

  /** @internal */ take(frame: Uint8Array): boolean {
    if (this.#state === "up") return this.#events.onFrame(this, frame);
    if (this.#state === "over") return true;
    // Only the accepting side says that both streams are there, and it says nothing else before.
    if (!this.#isDialer) return false;
    // A heartbeat may overtake that word: it is not missed.
    if (frame.length > 0) return true;
    this.#state = "up";
    this.#events.onUp(this);
    return true;
  }
}

const unreadable = "it sent what can't be read";

/** One of the two streams. */
class PairEnd implements StreamHandler {
  readonly #pair: StreamPair;
  readonly #gatherer: FrameGatherer;

  constructor(pair: StreamPair) {
    this.#pair = pair;
    this.#gatherer = new FrameGatherer((frame) => pair.take(frame));
  }

  onData(stream: LinkStream, bytes: Buffer): void {
    let isGood = false;
    try {
      isGood = this.#gatherer.add(bytes);
    } finally {
      // Also after a throw, of which only this stream would hear. The pair does not know its streams before both are there.
      if (!isGood) {
        stream.reset(ResetCode.protocol, unreadable);
        this.#pair.close(unreadable, ResetCode.protocol);
      }
    }
    stream.consumed(bytes.length);
  }

  onEnd(): void {
    this.#pair.close("it ended the stream");
  }

  onReset(_stream: LinkStream, code: ResetCode, message: string): void {
    this.#pair.close(message, code);
  }

  onDrain(): void {}
}
