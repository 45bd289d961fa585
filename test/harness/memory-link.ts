/**
 * Two ends of one link in memory, without frames, keys or sockets: what a test of a service needs of the cluster
 * port (src/link/api.ts), with its credit and its one delivery per turn.
 */
import type { Link, LinkStream, ResetCode, StreamHandler, StreamService } from "../../src/link/api.ts";

type Delivery = () => void;

/** Opens streams to a service. What one end sends in a turn of the event loop reaches the other in the next one. */
export class MemoryLink {
  readonly #service: StreamService;
  readonly #windowBytes: number;
  #deliveries: Delivery[] = [];
  #nextId = 1;

  constructor(service: StreamService, windowBytes: number = 262_144) {
    this.#service = service;
    this.#windowBytes = windowBytes;
  }

  open(meta: string, ended: boolean, handler: StreamHandler): LinkStream {
    const ours = new MemoryStream(this, this.#nextId, this.#windowBytes);
    const theirs = new MemoryStream(this, this.#nextId++, this.#windowBytes);
    ours.handler = handler;
    ours.connect(theirs);
    theirs.connect(ours);
    ours.closed = ended;
    this.deliver(() => {
      theirs.handler = this.#service.onStream(theirs, meta, ended);
    });
    return ours;
  }

  deliver(delivery: Delivery): void {
    if (this.#deliveries.length === 0) setImmediate(() => this.#flush());
    this.#deliveries.push(delivery);
  }

  #flush(): void {
    const deliveries = this.#deliveries;
    this.#deliveries = [];
    for (const delivery of deliveries) delivery();
  }
}

class MemoryStream implements LinkStream {
  readonly id: number;
  readonly link: Link = null as unknown as Link;
  handler: StreamHandler | null = null;
  closed = false;
  /** Bytes delivered by the peer and not yet given back. */
  unconsumed = 0;
  reset_: ResetCode | null = null;
  readonly #memory: MemoryLink;
  readonly #windowBytes: number;
  #peer: MemoryStream | null = null;
  #credit: number;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #trailer: string | null = null;

  constructor(memory: MemoryLink, id: number, windowBytes: number) {
    this.#memory = memory;
    this.id = id;
    this.#windowBytes = windowBytes;
    this.#credit = windowBytes;
  }

  connect(peer: MemoryStream): void {
    this.#peer = peer;
  }

  get pendingBytes(): number {
    return this.#waitingBytes;
  }

  write(data: Uint8Array | string, encoding: "latin1" | "utf8" = "utf8"): boolean {
    if (this.closed) throw new Error("write after end or reset");
    this.#waiting.push(typeof data === "string" ? Buffer.from(data, encoding) : Buffer.from(data));
    this.#waitingBytes += this.#waiting.at(-1)!.length;
    this.#send();
    return this.#waitingBytes === 0;
  }

  end(trailer: string = ""): void {
    if (this.closed) throw new Error("end after end or reset");
    this.closed = true;
    this.#trailer = trailer;
    this.#send();
  }

  #send(): void {
    const peer = this.#peer!;
    while (this.#waiting.length > 0 && this.#credit > 0) {
      let bytes = this.#waiting.shift()!;
      if (bytes.length > this.#credit) {
        this.#waiting.unshift(bytes.subarray(this.#credit));
        bytes = bytes.subarray(0, this.#credit);
      }
      this.#credit -= bytes.length;
      this.#waitingBytes -= bytes.length;
      this.#memory.deliver(() => peer.arrive(bytes));
    }
    if (this.#waiting.length > 0 || this.#trailer === null) return;
    const trailer = this.#trailer;
    this.#trailer = null;
    this.#memory.deliver(() => {
      if (peer.reset_ === null) peer.handler?.onEnd(peer, trailer);
    });
  }

  arrive(bytes: Buffer): void {
    if (this.reset_ !== null) return;
    this.unconsumed += bytes.length;
    if (this.unconsumed > this.#windowBytes) throw new Error("sent more than the window");
    // The view is valid only during the call: spoil it afterwards.
    const view = Buffer.from(bytes);
    this.handler?.onData(this, view);
    view.fill(0xaa);
  }

  consumed(bytes: number): void {
    if (bytes > this.unconsumed) throw new Error("gave back more than was delivered");
    this.unconsumed -= bytes;
    const peer = this.#peer!;
    this.#memory.deliver(() => peer.credited(bytes));
  }

  credited(bytes: number): void {
    if (this.reset_ !== null) return;
    const waited = this.#waitingBytes > 0;
    this.#credit += bytes;
    this.#send();
    if (waited && this.#waitingBytes === 0) this.handler?.onDrain(this);
  }

  reset(code: ResetCode, message: string = ""): void {
    if (this.reset_ !== null) return;
    this.reset_ = code;
    this.closed = true;
    this.#waiting = [];
    this.#waitingBytes = 0;
    const peer = this.#peer!;
    this.#memory.deliver(() => peer.wasReset(code, message));
  }

  wasReset(code: ResetCode, message: string): void {
    if (this.reset_ !== null) return;
    this.reset_ = code;
    this.closed = true;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.handler?.onReset(this, code, message);
  }
}
