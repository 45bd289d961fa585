/**
 * One link: the streams between two servers over one transport. It reads frames (decoder.ts), keeps the table of
 * streams and their credit, and tells their users. Writing is in sender.ts, one stream's state in stream.ts,
 * whether the peer lives in liveness.ts. A link begins with one hello in each direction (hello.ts).
 */
import { type Clock, systemClock } from "../support/clock.ts";
import { messageOf } from "../support/errors.ts";
import * as limits from "../support/limits.ts";
import type { Log } from "../support/log.ts";
import {
  type Link,
  type PeerIdentity,
  ResetCode,
  type StreamHandler,
  type StreamKind,
  type StreamService,
} from "./api.ts";
import { FrameDecoder, type FrameSink } from "./decoder.ts";
import {
  commonVersion,
  encodeHello,
  ownVersions,
  parseHello,
  refusalOf,
  type VersionRange,
} from "./hello.ts";
import { Liveness, type LivenessEvents } from "./liveness.ts";
import { type LinkTransport, Sender, type SenderEvents } from "./sender.ts";
import { Stream, type StreamOwner } from "./stream.ts";
import { StreamTable } from "./stream-table.ts";
import {
  creditMax,
  FrameType,
  flagEnd,
  metaBytesMax,
  openBytes,
  printable,
  readUint16,
  readUint32,
  textBytesMax,
  writeUint32,
} from "./wire.ts";

export interface LinkSelf {
  readonly name: string;
  readonly incarnation: string;
}

/** What happens to a link; exactly one `ended` ends it. */
export interface ConnectionEvents {
  /** Both hellos are over. */
  up(): void;
  /** `silent` or `usable` changed. */
  changed(): void;
  /** `reason` is for a person and names the peer where it is known. */
  ended(reason: string): void;
}

export interface ConnectionOptions {
  readonly self: LinkSelf;
  /** The dialing side: the name of the server that it means to reach. The accepting side: null. */
  readonly expected: string | null;
  /** The accepting side: whether a server (or tool) of this name may connect. */
  readonly knows: (name: string) => boolean;
  /** "host:port" of the other end. */
  readonly remote: string;
  readonly services: ReadonlyMap<StreamKind, StreamService>;
  readonly log: Log;
  readonly clock?: Clock;
  /** Other than our own: only for tests of the negotiation. */
  readonly versions?: VersionRange;
}

type State = "hello" | "up" | "ended";

const nobody: PeerIdentity = { name: "", incarnation: "", pid: 0, version: 0 };

export class LinkConnection implements Link, StreamOwner, FrameSink, SenderEvents, LivenessEvents {
  peer: PeerIdentity = nobody;
  readonly remote: string;
  readonly sender: Sender;
  readonly #options: ConnectionOptions;
  readonly #versions: VersionRange;
  readonly #events: ConnectionEvents;
  readonly #decoder: FrameDecoder;
  readonly #liveness: Liveness;
  readonly #streams: StreamTable;
  #state: State = "hello";
  #peerGoesAway = false;
  /** First credit of the streams that we open, from the peer's hello. */
  #peerWindowBytes = 0;

  constructor(transport: LinkTransport, options: ConnectionOptions, events: ConnectionEvents) {
    this.#options = options;
    this.#events = events;
    this.remote = options.remote;
    this.#versions = options.versions ?? ownVersions;
    this.#streams = new StreamTable(options.expected !== null);
    this.sender = new Sender(transport, this);
    this.#decoder = new FrameDecoder(this);
    this.#liveness = new Liveness(options.clock ?? systemClock, this);
    if (options.expected !== null) this.#sendHello();
  }

  // The user's side.

  get usable(): boolean {
    return this.#state === "up" && !this.#peerGoesAway;
  }

  get silent(): boolean {
    return this.#liveness.silent;
  }

  get silentAfterMs(): number {
    return this.#liveness.silentAfterMs;
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  get roundTripMs(): number {
    return this.#liveness.roundTripMs;
  }

  open(
    kind: StreamKind,
    meta: string,
    ended: boolean,
    handler: StreamHandler,
    windowBytes: number = limits.link.windowBytes,
  ): Stream | null {
    if (meta.length > metaBytesMax) throw new RangeError(`Opening metadata of ${meta.length} bytes`);
    if (this.#state !== "up" || this.#peerGoesAway || !this.sender.takesOpens) return null;
    if (this.#streams.size >= limits.link.streamsMax) return null;
    const stream = new Stream(this, this.#streams.nextId(), handler, this.#peerWindowBytes, windowBytes);
    this.#streams.add(stream);
    this.sender.open(stream, kind, meta, ended, windowBytes);
    if (ended) {
      stream.closed = true;
      stream.sent = true;
    }
    return stream;
  }

  goAway(): void {
    if (this.#state === "up") this.sender.control(FrameType.goAway, noBytes, 0, 0);
  }

  destroy(reason: string): void {
    this.#end(reason, "");
  }

  // The transport's side.

  /** Bytes of the peer. The buffer may be used again when this returns. */
  receive(chunk: Buffer): void {
    if (this.#state === "ended") return;
    this.#liveness.heard();
    this.#decoder.push(chunk);
  }

  /** The oldest write has been taken by the kernel. */
  written(): void {
    this.sender.written();
  }

  /** The connection is over. @param failure what broke it ("ECONNRESET"), or "" when the peer closed it. */
  lost(failure: string): void {
    const name = this.#peerName();
    this.#end(
      failure === "" ? `${name} closed the connection` : `the connection to ${name} broke (${failure})`,
      "",
    );
  }

  // Frames.

  onFrame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (this.#state === "up") this.#handleFrame(type, flags, id, bytes, start, end);
    else this.#handleHello(type, bytes, start, end);
  }

  onData(id: number, bytes: Buffer, start: number, end: number, ended: boolean): void {
    if (this.#state !== "up") {
      this.onViolation("DATA before the hello");
      return;
    }
    const stream = this.#receiving(id, "DATA");
    if (stream === null) return;
    const length = end - start;
    if (length > stream.receiveCredit) {
      this.onViolation(`more DATA than credit on stream ${id}`);
      return;
    }
    if (length > 0) {
      stream.receiveCredit -= length;
      stream.heldBytes += length;
      try {
        stream.handler!.onData(stream, bytes.subarray(start, end));
      } catch (thrown) {
        this.#handlerFailed(stream, thrown);
      }
    }
    if (ended && !stream.over) this.#peerEnded(stream, "");
  }

  onViolation(text: string): void {
    const reason = `broke the cluster protocol: ${text}`;
    this.#end(`${this.#peerName()} ${reason}`, `"${this.#peerName()}" ${reason}`);
  }

  #handleFrame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case FrameType.open:
        this.#handleOpen(flags === flagEnd, id, bytes, start, end);
        break;
      case FrameType.trailer: {
        const stream = this.#receiving(id, "TRAILER");
        if (stream !== null) this.#peerEnded(stream, bytes.toString("latin1", start, end));
        break;
      }
      case FrameType.credit:
        this.#handleCredit(id, readUint32(bytes, start));
        break;
      case FrameType.reset:
        this.#handleReset(id, bytes, start, end);
        break;
      case FrameType.ping:
        this.sender.control(FrameType.pong, bytes, start, end);
        break;
      case FrameType.pong:
        this.#liveness.pong(readUint32(bytes, start));
        break;
      case FrameType.goAway:
        this.#peerGoesAway = true;
        this.#events.changed();
        break;
      case FrameType.refuse:
        this.#handleRefuse(bytes, start, end);
        break;
      default:
        this.onViolation("a second HELLO");
    }
  }

  #handleOpen(ended: boolean, id: number, bytes: Buffer, start: number, end: number): void {
    const windowBytes = readUint32(bytes, start + 1);
    if (windowBytes === 0 || windowBytes > creditMax) {
      this.onViolation(`OPEN with a window of ${windowBytes} bytes`);
      return;
    }
    const problem = this.#streams.admit(id);
    if (problem !== "") {
      this.onViolation(problem);
      return;
    }
    const stream = new Stream(this, id, null, windowBytes, limits.link.windowBytes);
    stream.received = ended;
    this.#streams.add(stream);
    if (this.#streams.size > limits.link.streamsMax) {
      this.resetStream(stream, ResetCode.refused, "too many streams are open");
      return;
    }
    const kind = bytes[start]! as StreamKind;
    const service = this.#options.services.get(kind);
    if (service === undefined) {
      this.resetStream(stream, ResetCode.refused, `streams of kind ${kind} are not served here`);
      return;
    }
    try {
      const handler = service.onStream(stream, bytes.toString("latin1", start + openBytes, end), ended);
      if (!stream.over) stream.handler = handler;
      if (handler === null && !stream.over) throw new Error("the service gave no handler");
    } catch (thrown) {
      this.#handlerFailed(stream, thrown);
    }
  }

  #handleCredit(id: number, bytes: number): void {
    const stream = this.#known(id, "CREDIT");
    if (stream === null) return;
    if (bytes === 0 || stream.sendCredit + bytes > creditMax) {
      this.onViolation(`CREDIT of ${bytes} bytes on stream ${id}`);
      return;
    }
    stream.sendCredit += bytes;
    if (stream.pendingBytes > 0) this.sender.enqueue(stream);
  }

  #handleReset(id: number, bytes: Buffer, start: number, end: number): void {
    const stream = this.#known(id, "RESET");
    if (stream === null) return;
    const code = readUint16(bytes, start);
    const hasText = end - start > 2;
    if (code < ResetCode.cancel || code > ResetCode.protocol || (hasText && this.peer.version === 1)) {
      this.onViolation(`RESET with code ${code}${hasText ? " and text" : ""}`);
      return;
    }
    this.#forget(stream);
    this.#tellReset(stream, code as ResetCode, printable(bytes.toString("utf8", start + 2, end)));
  }

  #peerEnded(stream: Stream, trailer: string): void {
    stream.received = true;
    if (stream.sent) this.#forget(stream);
    try {
      stream.handler!.onEnd(stream, trailer);
    } catch (thrown) {
      this.#handlerFailed(stream, thrown);
    }
  }

  /** @returns null for a stream that is over (its last frames may still come), or after a violation. */
  #known(id: number, frame: string): Stream | null {
    const stream = this.#streams.get(id);
    if (stream !== undefined) return stream;
    if (!this.#streams.wasOpen(id)) this.onViolation(`${frame} on stream ${id}, which was never open`);
    return null;
  }

  /** The same for frames that the peer may not send after the end of its direction. */
  #receiving(id: number, frame: string): Stream | null {
    const stream = this.#known(id, frame);
    if (stream === null || !stream.received) return stream;
    this.onViolation(`${frame} on stream ${id} after its end`);
    return null;
  }

  // Hello.

  #sendHello(): void {
    const hello = encodeHello({
      ...this.#options.self,
      versions: this.#versions,
      pid: process.pid,
      windowBytes: limits.link.windowBytes,
      expected: this.#options.expected ?? "",
    });
    this.sender.control(FrameType.hello, hello, 0, hello.length);
    this.sender.flush();
  }

  #handleHello(type: number, bytes: Buffer, start: number, end: number): void {
    if (type === FrameType.refuse) {
      this.#handleRefuse(bytes, start, end);
      return;
    }
    const hello = type === FrameType.hello ? parseHello(bytes.subarray(start, end)) : null;
    if (hello === null) {
      this.onViolation("no proper HELLO as its first frame");
      return;
    }
    const { self, expected, knows } = this.#options;
    const refusal = refusalOf({ name: self.name, versions: this.#versions, expected }, hello, knows);
    if (refusal !== "") {
      this.#end(`refused: ${refusal}`, refusal);
      return;
    }
    const { name, incarnation, pid } = hello;
    this.peer = { name, incarnation, pid, version: commonVersion(this.#versions, hello.versions) };
    this.#peerWindowBytes = hello.windowBytes;
    if (expected === null) this.#sendHello();
    this.#state = "up";
    this.#liveness.start();
    this.#events.up();
  }

  #handleRefuse(bytes: Buffer, start: number, end: number): void {
    const text = printable(bytes.toString("utf8", start, end));
    const verb = this.#state === "up" ? "ended the link" : "refused the link";
    this.#end(`${this.#peerName()} ${verb}: ${text}`, "");
  }

  // What stream and sender tell.

  streamSent(stream: Stream): void {
    if (stream.received) this.#forget(stream);
  }

  streamDrained(stream: Stream): void {
    if (!stream.drained()) return;
    try {
      stream.handler!.onDrain(stream);
    } catch (thrown) {
      this.#handlerFailed(stream, thrown);
    }
  }

  resetStream(stream: Stream, code: ResetCode, message: string): void {
    this.#forget(stream);
    if (this.#state !== "up") return;
    // Version 1 knows no text.
    this.sender.reset(stream.id, code, this.peer.version === 1 ? "" : message);
  }

  overflowed(): void {
    this.#end(`${this.#peerName()} asks and does not read what we answer`, "");
  }

  sendPing(sequence: number): void {
    writeUint32(pingBytes, 0, sequence);
    this.sender.control(FrameType.ping, pingBytes, 0, pingBytes.length);
  }

  silenceChanged(): void {
    this.#events.changed();
  }

  dead(): void {
    this.#end(`${this.#peerName()} sent nothing for ${limits.link.deadAfterMs / 1_000} s`, "");
  }

  #forget(stream: Stream): void {
    stream.finish();
    this.#streams.remove(stream);
  }

  /** One user's fault ends one stream: the frames behind it in the same read belong to others. */
  #handlerFailed(stream: Stream, thrown: unknown): void {
    const { log } = this.#options;
    log.error(
      `the handler of a stream with ${this.#peerName()} failed, the stream is reset: ${messageOf(thrown)}`,
    );
    log.debug({ thrown }, "where the handler failed");
    stream.reset(ResetCode.internal, "the handler of the stream failed");
  }

  #tellReset(stream: Stream, code: ResetCode, message: string): void {
    try {
      stream.handler?.onReset(stream, code, message);
    } catch (thrown) {
      this.#handlerFailed(stream, thrown);
    }
  }

  #peerName(): string {
    return this.peer.name !== "" ? this.peer.name : (this.#options.expected ?? this.remote);
  }

  /** @param told what the peer is to be told, or "". */
  #end(reason: string, told: string): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#decoder.stop();
    this.#liveness.stop();
    if (told !== "") {
      const text = Buffer.from(told).subarray(0, textBytesMax);
      this.sender.control(FrameType.refuse, text, 0, text.length);
    }
    this.sender.close();
    for (const stream of this.#streams.all()) {
      // One user's answer to its loss may reset another.
      if (stream.over) continue;
      this.#forget(stream);
      this.#tellReset(stream, ResetCode.linkLost, reason);
    }
    this.#events.ended(reason);
  }
}

const noBytes = Buffer.alloc(0);
const pingBytes = Buffer.alloc(8);
