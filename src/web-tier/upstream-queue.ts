/**
 * Requests that wait for a connection of a plain HTTP server while all are busy: first come, first served, for a
 * bounded time. Only they pay for it; a request that finds a connection never comes here.
 */
import { ResetCode } from "../link/api.ts";
import { type TimerWheel, WheelEntry } from "../support/timer-wheel.ts";
import { EarlyBody } from "./early-body.ts";
import type { HttpConnection } from "./http-connection.ts";
import type { SentRequest, UpstreamStream } from "./upstream.ts";

/** Stands between a request and its connection: to the one it is the stream, to the other the request. */
export class QueuedRequest implements UpstreamStream, SentRequest {
  readonly method: string;
  readonly target: string;
  readonly linkMeta: string;
  readonly upstreamFields: string;
  readonly bodyLength: number;
  readonly bodyless: boolean;
  readonly upgrading: boolean;
  readonly answerBufferBytesMax: number;
  readonly sinceMs: number;
  connection: HttpConnection | null = null;
  readonly #request: SentRequest;
  #body: EarlyBody | null = new EarlyBody();

  constructor(request: SentRequest, sinceMs: number) {
    this.#request = request;
    this.method = request.method;
    this.target = request.target;
    this.linkMeta = request.linkMeta;
    this.upstreamFields = request.upstreamFields;
    this.bodyLength = request.bodyLength;
    this.bodyless = request.bodyless;
    this.upgrading = request.upgrading;
    this.answerBufferBytesMax = request.answerBufferBytesMax;
    this.sinceMs = sinceMs;
    request.onConnecting();
  }

  /** Its turn has come. */
  goOn(connection: HttpConnection): void {
    const body = this.#body!;
    this.connection = connection;
    this.#body = null;
    this.onConnected();
    connection.begin(this);
    body.sendTo(connection);
    if (body.full && connection.pendingBytes === 0) this.#request.onDrain(this);
  }

  onConnecting(): void {
    this.#request.onConnecting();
  }

  onConnected(): void {
    this.#request.onConnected();
  }

  /** @param code `refused`: it may go elsewhere. `busy`: it has waited long enough. */
  giveUp(code: ResetCode, reason: string): void {
    this.#request.onReset(this, code, reason);
  }

  get pendingBytes(): number {
    if (this.connection !== null) return this.connection.pendingBytes;
    return this.#body!.full ? this.#body!.bytes : 0;
  }

  write(data: Uint8Array | string): boolean {
    return (this.connection ?? this.#body!).write(data);
  }

  end(trailer: string = ""): void {
    (this.connection ?? this.#body!).end(trailer);
  }

  reset(): void {
    this.connection?.reset();
  }

  consumed(bytes: number): void {
    this.connection?.consumed(bytes);
  }

  onData(_connection: UpstreamStream, bytes: Buffer): void {
    this.#request.onData(this, bytes);
  }

  onEnd(_connection: UpstreamStream, trailer: string): void {
    this.#request.onEnd(this, trailer);
  }

  onReset(_connection: UpstreamStream, code: ResetCode, message: string): void {
    this.#request.onReset(this, code, message);
  }

  onDrain(): void {
    this.#request.onDrain(this);
  }
}

export class UpstreamQueue {
  readonly #requests = new Set<QueuedRequest>();
  readonly #wheel: TimerWheel;
  readonly #timeoutMs: number;
  readonly #now: () => number;
  /** All wait equally long: one deadline, that of the first. */
  readonly #deadline: WheelEntry;

  constructor(wheel: TimerWheel, timeoutMs: number, now: () => number) {
    this.#wheel = wheel;
    this.#timeoutMs = timeoutMs;
    this.#now = now;
    this.#deadline = new WheelEntry(() => this.#expired());
  }

  get length(): number {
    return this.#requests.size;
  }

  add(request: SentRequest): QueuedRequest {
    const queued = new QueuedRequest(request, this.#now());
    this.#requests.add(queued);
    if (!this.#deadline.active) this.#wheel.start(this.#deadline, this.#timeoutMs);
    return queued;
  }

  remove(queued: QueuedRequest): void {
    this.#requests.delete(queued);
    if (this.#requests.size === 0) this.#wheel.stop(this.#deadline);
  }

  /** The one that has waited longest, or null. */
  take(): QueuedRequest | null {
    for (const first of this.#requests) {
      this.remove(first);
      return first;
    }
    return null;
  }

  /** No connection is to be had: they go elsewhere, or are told. */
  giveUp(reason: string): void {
    for (let count = this.#requests.size; count > 0; count--) this.take()?.giveUp(ResetCode.refused, reason);
  }

  #expired(): void {
    const now = this.#now();
    for (const first of this.#requests) {
      const leftMs = first.sinceMs + this.#timeoutMs - now;
      if (leftMs > 0) {
        this.#wheel.start(this.#deadline, leftMs);
        return;
      }
      this.remove(first);
      first.giveUp(ResetCode.busy, `no connection was free within ${this.#timeoutMs} ms`);
    }
  }
}
