/**
 * Frames -> bytes. All frames of one event-loop turn are encoded into one buffer and leave in one write; those of an
 * event behind a pause leave at once.
 *
 * Order: frames of control (opens, credits, resets, pongs) and small bodies go straight into the batch. What a
 * stream may not send at once waits in the stream; streams that could send stand in a ring and get one slice each
 * in turn, as long as the socket holds less than `socketBytesMax`.
 *
 * Bounds: bodies fill the batch and the socket up to `socketBytesMax`; control frames up to `controlBytesMax`
 * more, then `open` refuses, and a peer that makes us answer but reads nothing is given up. What waits in a stream
 * is bounded by its user, who stops when `write` returns false.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import * as limits from "../support/limits.ts";
import type { ResetCode, StreamKind } from "./api.ts";
import type { Stream, StreamSender } from "./stream.ts";
import {
  FrameType,
  flagEnd,
  headerBytes,
  openBytes,
  payloadBytesMax,
  textBytesMax,
  writeUint16,
  writeUint32,
} from "./wire.ts";

/** The socket below a link, or a test's stand-in. */
export interface LinkTransport {
  /**
   * Takes bytes to send after those before. They stay untouched until `LinkConnection.written` has been called,
   * once for each write, in order, and never from within `write`.
   */
  write(bytes: Buffer): void;
  /** Sends what was written, then ends the connection; a peer that does not read is cut off after a moment. */
  close(): void;
}

/** What the sender tells the connection. */
export interface SenderEvents {
  /** The stream's last frame is in the batch. */
  streamSent(stream: Stream): void;
  /** What waited in the stream is in the batch. */
  streamDrained(stream: Stream): void;
  /** The peer reads nothing, and makes us answer all the same. */
  overflowed(): void;
}

/** A link that sent nothing for so long does not wait for more to send. */
const quietMs = 0.5;
const batchBytes = 131_072;
/** Buffers of all links that wait to be used again. */
const spareBatches: Buffer[] = [];
const noBatch: Buffer = Buffer.alloc(0);

export class Sender implements StreamSender {
  readonly #transport: LinkTransport;
  readonly #events: SenderEvents;
  readonly #flush: () => void = () => this.flush();
  /** The batch is sent in the context in which the link was made, not in that of the request which began it (A50). */
  readonly #neutrally: (callback: () => void) => void = AsyncLocalStorage.snapshot();
  readonly #flushNeutrally: () => void = () => this.#neutrally(this.#flush);

  #batch: Buffer = noBatch;
  #used = 0;
  #scheduled = false;
  #flushedAt = 0;
  #closed = false;
  /** Counts flushes: a stream's share of direct writes is per flush. */
  #turn = 0;

  /** The last frame in the batch, if it can be extended: whose it is, and where its header stands. */
  #tailStream: Stream | null = null;
  #tailAt = 0;
  #tailIsData = false;

  readonly #writing: Buffer[] = [];
  readonly #writingBytes: number[] = [];
  #socketBytes = 0;

  #ringFirst: Stream | null = null;
  #ringLast: Stream | null = null;

  constructor(transport: LinkTransport, events: SenderEvents) {
    this.#transport = transport;
    this.#events = events;
  }

  /** Whether one more stream may be opened. */
  get takesOpens(): boolean {
    return this.#socketBytes + this.#used < limits.link.socketBytesMax + limits.link.controlBytesMax;
  }

  get takesBodies(): boolean {
    return this.#socketBytes + this.#used < limits.link.socketBytesMax;
  }

  directBytes(stream: Stream): number {
    if (stream.pendingBytes > 0 || !this.takesBodies) return 0;
    if (stream.sentTurn !== this.#turn) {
      stream.sentTurn = this.#turn;
      stream.sentInTurn = 0;
    }
    // More than a share has gone when the stream had turns in the ring during this flush and is written to again.
    const share = Math.max(0, limits.link.sliceBytesMax - stream.sentInTurn);
    return Math.min(share, stream.sendCredit);
  }

  open(stream: Stream, kind: StreamKind, meta: string, ended: boolean, windowBytes: number): void {
    const at = this.#begin(FrameType.open, ended ? flagEnd : 0, stream.id, openBytes + meta.length);
    this.#batch[at] = kind;
    writeUint32(this.#batch, at + 1, windowBytes);
    this.#batch.write(meta, at + openBytes, "latin1");
    this.#tailStream = stream;
    this.#tailIsData = false;
  }

  text(stream: Stream, text: string, encoding: "latin1" | "utf8", bytesMax: number): void {
    this.#room(stream, bytesMax);
    const count = this.#batch.write(text, this.#used, encoding);
    this.#grow(stream, count);
  }

  bytes(stream: Stream, bytes: Uint8Array, start: number, end: number): void {
    this.#room(stream, end - start);
    this.#batch.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), this.#used);
    this.#grow(stream, end - start);
  }

  end(stream: Stream, trailer: string): void {
    if (trailer !== "") {
      const at = this.#begin(FrameType.trailer, 0, stream.id, trailer.length);
      this.#batch.write(trailer, at, "latin1");
    } else if (this.#tailStream === stream) {
      this.#batch[this.#tailAt + 1] = flagEnd;
    } else {
      this.#begin(FrameType.data, flagEnd, stream.id, 0);
    }
    this.#tailStream = null;
  }

  credit(id: number, bytes: number): void {
    const at = this.#begin(FrameType.credit, 0, id, 4);
    writeUint32(this.#batch, at, bytes);
    this.#boundAnswers();
  }

  reset(id: number, code: ResetCode, text: string): void {
    const encoded = Buffer.from(text).subarray(0, textBytesMax);
    const at = this.#begin(FrameType.reset, 0, id, 2 + encoded.length);
    writeUint16(this.#batch, at, code);
    this.#batch.set(encoded, at + 2);
    this.#boundAnswers();
  }

  /** A frame of the link itself. */
  control(type: number, payload: Buffer, start: number, end: number): void {
    const at = this.#begin(type, 0, 0, end - start);
    payload.copy(this.#batch, at, start, end);
    this.#boundAnswers();
  }

  enqueue(stream: Stream): void {
    if (!stream.inRing) {
      stream.inRing = true;
      if (this.#ringLast === null) this.#ringFirst = stream;
      else this.#ringLast.ringNext = stream;
      this.#ringLast = stream;
    }
    this.#schedule();
  }

  /** Sends what is in the batch, after slices of the streams that wait. */
  flush(): void {
    this.#scheduled = false;
    if (this.#closed) return;
    this.#serveRing();
    this.#flushedAt = performance.now();
    if (this.#used > 0 && this.#writing.length < limits.link.writesMax) this.#writeOut();
    this.#turn++;
  }

  /** The oldest write has been taken by the kernel. */
  written(): void {
    const batch = this.#writing.shift();
    if (batch === undefined) return;
    this.#socketBytes -= this.#writingBytes.shift()!;
    if (spareBatches.length < limits.link.spareBatchesMax) spareBatches.push(batch);
    if (this.#used > 0 || this.#ringFirst !== null) this.#schedule();
  }

  /** Sends what is in the batch, nothing that waits, and nothing after that. */
  close(): void {
    if (this.#closed) return;
    if (this.#used > 0) this.#writeOut();
    this.#closed = true;
    this.#ringFirst = this.#ringLast = null;
    this.#transport.close();
  }

  /** Begins a frame. @returns where its payload is to be written. */
  #begin(type: number, flags: number, id: number, length: number): number {
    if (this.#used + headerBytes + length > this.#batch.length) this.#nextBatch();
    const batch = this.#batch;
    const at = this.#used;
    batch[at] = type;
    batch[at + 1] = flags;
    writeUint16(batch, at + 2, length);
    writeUint32(batch, at + 4, id);
    this.#used = at + headerBytes + length;
    this.#tailAt = at;
    this.#tailStream = null;
    if (!this.#scheduled) this.#schedule();
    return at + headerBytes;
  }

  /** Makes room for body bytes of a stream: in its frame at the end of the batch, or in a new one. */
  #room(stream: Stream, bytes: number): void {
    const after = this.#used + bytes;
    if (
      this.#tailStream === stream &&
      this.#tailIsData &&
      after <= this.#batch.length &&
      after - this.#tailAt - headerBytes <= payloadBytesMax
    ) {
      return;
    }
    if (after + headerBytes > this.#batch.length) this.#nextBatch();
    this.#begin(FrameType.data, 0, stream.id, 0);
    this.#tailStream = stream;
    this.#tailIsData = true;
  }

  /** `count` body bytes have been written behind the frame at the end of the batch. */
  #grow(stream: Stream, count: number): void {
    this.#used += count;
    writeUint16(this.#batch, this.#tailAt + 2, this.#used - this.#tailAt - headerBytes);
    stream.sendCredit -= count;
    stream.sentInTurn += count;
  }

  #serveRing(): void {
    while (this.#ringFirst !== null && this.takesBodies) {
      const stream: Stream = this.#ringFirst;
      this.#ringFirst = stream.ringNext;
      if (this.#ringFirst === null) this.#ringLast = null;
      stream.ringNext = null;
      stream.inRing = false;
      this.#serve(stream);
    }
  }

  #serve(stream: Stream): void {
    const bytes = Math.min(stream.pendingBytes, stream.sendCredit, limits.link.sliceBytesMax);
    if (bytes > 0) {
      this.#room(stream, bytes);
      stream.queue!.take(this.#batch, this.#used, bytes);
      stream.pendingBytes -= bytes;
      this.#grow(stream, bytes);
    }
    if (stream.pendingBytes === 0) this.#events.streamDrained(stream);
    else if (stream.sendCredit > 0) this.enqueue(stream);
  }

  #schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    // Behind a pause it is likely to be alone in its turn of the loop: that it waits to the end would only cost time.
    if (performance.now() - this.#flushedAt > quietMs) process.nextTick(this.#flushNeutrally);
    else setImmediate(this.#flushNeutrally);
  }

  #nextBatch(): void {
    if (this.#used > 0) this.#writeOut();
    if (this.#batch === noBatch) this.#batch = spareBatches.pop() ?? Buffer.allocUnsafeSlow(batchBytes);
  }

  #writeOut(): void {
    const batch = this.#batch;
    const used = this.#used;
    this.#writing.push(batch);
    this.#writingBytes.push(used);
    this.#socketBytes += used;
    this.#batch = noBatch;
    this.#used = 0;
    this.#tailStream = null;
    this.#transport.write(batch.subarray(0, used));
  }

  #boundAnswers(): void {
    const most = limits.link.socketBytesMax + 2 * limits.link.controlBytesMax;
    if (this.#socketBytes + this.#used > most && !this.#closed) this.#events.overflowed();
  }
}
