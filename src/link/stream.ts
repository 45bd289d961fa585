/** One end of one stream: its credit in both directions, what waits, and which directions are over. */
import { Buffer } from "node:buffer";
import type { Link, LinkStream, ResetCode, StreamHandler } from "./api.ts";
import { ByteQueue } from "./byte-queue.ts";
import { metaBytesMax } from "./wire.ts";

/** What a stream needs of the sender (sender.ts). */
export interface StreamSender {
  /** Whether bodies and trailers may go into the batch. */
  readonly takesBodies: boolean;
  /** How many body bytes the stream may put straight into the batch; 0 when others must go first. */
  directBytes(stream: Stream): number;
  /** `bytesMax`: what the encoded text may take; at most `directBytes`. */
  text(stream: Stream, text: string, encoding: "latin1" | "utf8", bytesMax: number): void;
  /** `end - start` is at most `directBytes`. */
  bytes(stream: Stream, bytes: Uint8Array, start: number, end: number): void;
  /** Ends our direction of a stream of which nothing waits. */
  end(stream: Stream, trailer: string): void;
  credit(id: number, bytes: number): void;
  /** The stream has something that waits and may be sent: it gets its turns. */
  enqueue(stream: Stream): void;
}

/** What a stream needs of its connection. */
export interface StreamOwner extends Link {
  readonly sender: StreamSender;
  /** Our direction is over: its last frame is in the batch. */
  streamSent(stream: Stream): void;
  /** Ends the stream and tells the peer. */
  resetStream(stream: Stream, code: ResetCode, message: string): void;
}

export class Stream implements LinkStream {
  readonly id: number;
  readonly link: StreamOwner;
  handler: StreamHandler | null;

  /** Our direction: bytes that the peer still allows. */
  sendCredit: number;
  /** Bytes in `queue`. */
  pendingBytes = 0;
  queue: ByteQueue | null = null;
  /** Our direction was ended by the user, or the stream is over. */
  closed: boolean;
  /** Its last frame is in the batch. */
  sent: boolean;
  /** The trailer for after the bytes that wait. */
  trailer = "";
  wantsDrain = false;
  /** The sender's books: bytes sent in its turn `sentTurn`, and the place in the ring. */
  sentTurn = -1;
  sentInTurn = 0;
  inRing = false;
  ringNext: Stream | null = null;

  /** The peer's direction: what it may still send, what the user holds, what the user gave back since the last credit. */
  receiveCredit: number;
  heldBytes = 0;
  returnedBytes = 0;
  readonly windowBytes: number;
  received: boolean;
  /** No longer known to the connection. */
  over = false;

  constructor(
    link: StreamOwner,
    id: number,
    handler: StreamHandler | null,
    sendCredit: number,
    windowBytes: number,
  ) {
    this.link = link;
    this.id = id;
    this.handler = handler;
    this.sendCredit = sendCredit;
    this.windowBytes = windowBytes;
    this.receiveCredit = windowBytes;
    this.closed = false;
    this.sent = false;
    this.received = false;
  }

  write(data: Uint8Array | string, encoding: "latin1" | "utf8" = "utf8"): boolean {
    // A user may not know yet that the peer has reset the stream: what it writes goes nowhere.
    if (this.closed) return true;
    const sender = this.link.sender;
    const direct = sender.directBytes(this);
    if (typeof data === "string") {
      // UTF-8 takes up to three bytes for each UTF-16 unit.
      const bytesMax = encoding === "latin1" ? data.length : data.length * 3;
      if (bytesMax <= direct) {
        if (bytesMax > 0) sender.text(this, data, encoding, bytesMax);
        return this.pendingBytes === 0;
      }
      return this.#writeBytes(Buffer.from(data, encoding), direct);
    }
    return this.#writeBytes(data, direct);
  }

  #writeBytes(data: Uint8Array, direct: number): boolean {
    const now = Math.min(data.length, direct);
    if (now > 0) this.link.sender.bytes(this, data, 0, now);
    if (now === data.length) return this.pendingBytes === 0;
    this.queue ??= new ByteQueue();
    this.queue.push(data, now);
    this.pendingBytes += data.length - now;
    this.wantsDrain = true;
    if (this.sendCredit > 0) this.link.sender.enqueue(this);
    return false;
  }

  /** @throws RangeError when the trailer is longer than 60,000 bytes. */
  end(trailer: string = ""): void {
    if (this.closed) return;
    if (trailer.length > metaBytesMax) throw new RangeError(`A trailer of ${trailer.length} bytes`);
    this.closed = true;
    if (this.pendingBytes === 0 && (trailer === "" || this.link.sender.takesBodies)) {
      this.#sendEnd(trailer);
      return;
    }
    this.trailer = trailer;
    if (this.pendingBytes === 0) this.link.sender.enqueue(this);
  }

  reset(code: ResetCode, message: string = ""): void {
    if (!this.over) this.link.resetStream(this, code, message);
  }

  consumed(bytes: number): void {
    if (this.over || this.received) return;
    // More than was delivered would let the peer send more than a window: it counts as all of it.
    const returned = Math.min(bytes, this.heldBytes);
    this.heldBytes -= returned;
    this.returnedBytes += returned;
    if (this.returnedBytes * 2 < this.windowBytes || this.returnedBytes === 0) return;
    this.receiveCredit += this.returnedBytes;
    this.link.sender.credit(this.id, this.returnedBytes);
    this.returnedBytes = 0;
  }

  /** What waited is in the batch, or there was only a trailer. @returns whether the user waits to be told. */
  drained(): boolean {
    if (this.over) return false;
    if (this.closed) {
      this.#sendEnd(this.trailer);
      return false;
    }
    const told = this.wantsDrain;
    this.wantsDrain = false;
    return told;
  }

  /** Drops what waits; nothing is sent or told any more. */
  finish(): void {
    this.over = true;
    this.closed = true;
    this.pendingBytes = 0;
    this.queue = null;
    this.wantsDrain = false;
  }

  #sendEnd(trailer: string): void {
    this.link.sender.end(this, trailer);
    this.sent = true;
    this.link.streamSent(this);
  }
}
