/**
 * Connections between the app servers of a cluster: of two servers the one whose name sorts first dials, and keeps
 * two links to the other.
 */
import {
  type Link,
  type LinkObserver,
  type LinkStream,
  ResetCode,
  StreamKind,
  type StreamService,
} from "../../link/api.ts";
import { LinkDialer, type LinkDialerOptions } from "../../link/dialer.ts";
import type { Clock } from "../../support/clock.ts";
import { replication as limits } from "../../support/limits.ts";
import { silentLog } from "../../support/log.ts";
import { type PairEvents, StreamPair } from "./stream-pair.ts";

/** The link on which a stream is opened, and what it is for: "frames 3", "beats 3". */
type Part = "frames" | "beats";

export type PeerDialOptions = Omit<LinkDialerOptions, "observer">;

/** The dialing side. */
export class PeerDialer implements PairEvents {
  readonly #options: PeerDialOptions;
  readonly #events: PairEvents;
  readonly #clock: Clock;
  readonly #frames: LinkDialer;
  readonly #beats: LinkDialer;
  #pair: StreamPair | null = null;
  #number = 0;
  #isClosed = false;

  constructor(options: PeerDialOptions, clock: Clock, events: PairEvents) {
    this.#options = options;
    this.#clock = clock;
    this.#events = events;
    const observer: LinkObserver = { onUp: () => this.#open(), onChange: () => {}, onDown: () => {} };
    const dialing = { ...options, observer, reconnectMaxMs: limits.reconnectMaxMs };
    this.#frames = new LinkDialer(dialing);
    this.#beats = new LinkDialer({ ...dialing, log: silentLog });
  }

  start(): void {
    this.#frames.start();
    this.#beats.start();
  }

  close(): void {
    this.#isClosed = true;
    this.#frames.close();
    this.#beats.close();
  }

  get links(): Link[] {
    return [this.#frames.link, this.#beats.link].filter((link) => link !== null);
  }

  onUp(pair: StreamPair): void {
    this.#events.onUp(pair);
  }

  onFrame(pair: StreamPair, frame: Uint8Array): boolean {
    return this.#events.onFrame(pair, frame);
  }

  onDown(pair: StreamPair, reason: string, code: ResetCode): void {
    this.#events.onDown(pair, reason, code);
    this.#again(pair);
  }

  onFailed(pair: StreamPair, reason: string, code: ResetCode): void {
    this.#events.onFailed(pair, reason, code);
    this.#again(pair);
  }

  #again(pair: StreamPair): void {
    if (this.#pair !== pair) return;
    this.#pair = null;
    this.#clock.after(limits.reopenAfterMs, () => this.#open());
  }

  #open(): void {
    const [frames, beats] = [this.#frames.link, this.#beats.link];
    if (this.#pair !== null || this.#isClosed || frames === null || beats === null) return;
    const { incarnation } = frames.peer;
    // The process was replaced between the two: the older link is about to end.
    if (incarnation !== beats.peer.incarnation) return;
    const pair = new StreamPair(this.#options.expected, incarnation, true, this);
    this.#pair = pair;
    this.#number++;
    const framesStream = frames.open(StreamKind.session, this.#meta("frames"), false, pair.framesEnd);
    const beatsStream = beats.open(StreamKind.session, this.#meta("beats"), false, pair.beatsEnd);
    if (framesStream !== null && beatsStream !== null) {
      pair.complete(framesStream, beatsStream);
      return;
    }
    framesStream?.reset(ResetCode.cancel, "the other stream could not be opened");
    beatsStream?.reset(ResetCode.cancel, "the other stream could not be opened");
    pair.close("it goes away");
  }

  #meta(part: Part): string {
    return `${part} ${this.#number}`;
  }
}

/** A pair of which one stream has come. */
interface Arriving {
  readonly number: string;
  readonly pair: StreamPair;
  readonly part: Part;
  readonly stream: LinkStream;
}

/** The accepting side, for all servers that dial this one. */
export class PeerAcceptor implements StreamService {
  readonly #mayDial: (server: string) => boolean;
  readonly #events: PairEvents;
  readonly #arriving: Map<string, Arriving> = new Map();
  readonly #links: Map<string, readonly Link[]> = new Map();
  /** Of each server the last complete one: it has one at a time. */
  readonly #pairs: Map<string, StreamPair> = new Map();

  constructor(mayDial: (server: string) => boolean, events: PairEvents) {
    this.#mayDial = mayDial;
    this.#events = events;
  }

  /** Those which the server dialed last. */
  linksOf(server: string): readonly Link[] {
    return this.#links.get(server) ?? [];
  }

  onStream(stream: LinkStream, meta: string, ended: boolean): null | StreamPair["framesEnd"] {
    const { name, incarnation } = stream.link.peer;
    const [part, number] = meta.split(" ");
    if (ended || number === undefined || (part !== "frames" && part !== "beats") || !this.#mayDial(name)) {
      stream.reset(ResetCode.refused, "no stream of sessions is expected here");
      return null;
    }
    const first = this.#arriving.get(name);
    const isSecond =
      first !== undefined &&
      !first.pair.isOver &&
      first.number === number &&
      first.part !== part &&
      first.pair.incarnation === incarnation;
    if (!isSecond) {
      if (first !== undefined && !first.pair.isOver) {
        first.stream.reset(ResetCode.cancel, "another one was begun");
        first.pair.close("another one was begun");
      }
      const pair = new StreamPair(name, incarnation, false, this.#events);
      this.#arriving.set(name, { number, pair, part, stream });
      return part === "frames" ? pair.framesEnd : pair.beatsEnd;
    }
    this.#arriving.delete(name);
    const { pair } = first;
    const [frames, beats] = part === "frames" ? [stream, first.stream] : [first.stream, stream];
    this.#links.set(name, [frames.link, beats.link]);
    this.#pairs.get(name)?.close("another one was begun");
    this.#pairs.set(name, pair);
    // The stream has its handler only when this call is over.
    stream.handler = part === "frames" ? pair.framesEnd : pair.beatsEnd;
    pair.complete(frames, beats);
    return stream.handler;
  }
}
