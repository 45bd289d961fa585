/**
 * Requests that wait while no server of their cluster has room for one more: first come, first served, for a bounded time, by
 * whichever server has room first; one that is kept at a server waits for that one alone. (As the queues of a backend and
 * of its servers in HAProxy.) Only they pay for it; a request that finds room never comes here.
 */
import { upstream as limits } from "../support/limits.ts";
import { type TimerWheel, WheelEntry } from "../support/timer-wheel.ts";
import type { Upstream, Waiters } from "./upstream.ts";

/** A request, as the queue sees it. */
export interface QueuedRequest {
  nextQueued: QueuedRequest | null;
  previousQueued: QueuedRequest | null;
  /** 0 of one that does not wait. */
  queuedAtMs: number;
  /** It waits no longer, all its waits together; 0 of one that never waited. */
  queuedUntilMs: number;
  /** The only server that may get it, or null. */
  keptAt: Upstream | null;
  /** This server has room: whether the request may go there. */
  mayGo(upstream: Upstream): boolean;
  /** The server that gets it by now, or null: nobody has room. */
  choose(): Upstream | null;
  /** Its turn has come; it is in the queue no more. */
  goOn(upstream: Upstream): void;
  /** It has waited for as long as it may; it is in the queue no more. */
  late(): void;
}

export class RequestQueue implements Waiters {
  #first: QueuedRequest | null = null;
  #last: QueuedRequest | null = null;
  /** Of those that any server may get. */
  #count = 0;
  readonly #wheel: TimerWheel;
  readonly #now: () => number;
  readonly #look: WheelEntry;

  constructor(wheel: TimerWheel, now: () => number = () => performance.now()) {
    this.#wheel = wheel;
    this.#now = now;
    this.#look = new WheelEntry(() => this.#lookAtAll());
  }

  get isEmpty(): boolean {
    return this.#first === null;
  }

  get length(): number {
    return this.#count;
  }

  /** @param keptAt the only server that may get it, or null. One that had its turn in vain is the next one again. */
  add(request: QueuedRequest, keptAt: Upstream | null, timeoutMs: number): void {
    const isBack = request.queuedUntilMs !== 0;
    const now = this.#now();
    if (request.queuedAtMs === 0) request.queuedAtMs = now;
    if (!isBack) request.queuedUntilMs = now + timeoutMs;
    request.keptAt = keptAt;
    if (keptAt === null) this.#count++;
    else keptAt.waiting++;
    if (isBack) this.#insert(request, null, this.#first);
    else this.#insert(request, this.#last, null);
    if (!this.#look.active) this.#wheel.start(this.#look, limits.queueLookMs);
  }

  #insert(request: QueuedRequest, previous: QueuedRequest | null, next: QueuedRequest | null): void {
    request.previousQueued = previous;
    request.nextQueued = next;
    if (previous === null) this.#first = request;
    else previous.nextQueued = request;
    if (next === null) this.#last = request;
    else next.previousQueued = request;
  }

  /** Does nothing to one that is not in it. */
  remove(request: QueuedRequest): void {
    if (!this.#has(request)) return;
    const { previousQueued: previous, nextQueued: next } = request;
    if (previous === null) this.#first = next;
    else previous.nextQueued = next;
    if (next === null) this.#last = previous;
    else next.previousQueued = previous;
    request.previousQueued = request.nextQueued = null;
    if (request.keptAt === null) this.#count--;
    else request.keptAt.waiting--;
    if (this.#first === null) this.#wheel.stop(this.#look);
  }

  #has(request: QueuedRequest): boolean {
    return request.previousQueued !== null || this.#first === request;
  }

  /** A place is free there: whoever has waited longest of those that may go there gets it. */
  serve(upstream: Upstream): void {
    if (!upstream.usable && !upstream.keeps) return;
    for (let request = this.#first; request !== null; request = request.nextQueued) {
      if (!request.mayGo(upstream)) continue;
      this.remove(request);
      request.goOn(upstream);
      return;
    }
  }

  /** Servers come back, and are given more room, without a request of theirs coming to its end. */
  #lookAtAll(): void {
    const now = this.#now();
    let inVain = 0;
    let request = this.#first;
    // Whoever follows may leave while one is told: then the rest is looked at the next time.
    while (request !== null && this.#has(request)) {
      const next: QueuedRequest | null = request.nextQueued;
      const upstream = inVain < limits.queueLooksMax ? request.choose() : null;
      if (upstream !== null && !upstream.full) {
        this.remove(request);
        request.goOn(upstream);
      } else if (now >= request.queuedUntilMs) {
        this.remove(request);
        request.late();
      } else inVain++;
      request = next;
    }
    if (this.#first !== null) this.#wheel.start(this.#look, limits.queueLookMs);
  }
}
