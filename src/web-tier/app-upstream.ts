/** What upstreams of both kinds have in common: the server's health and load, what its answers take, and whether it can have one more request. */
import { PeakEwma } from "../balance/peak-ewma.ts";
import type { Server } from "../config/model.ts";
import { isServerFault } from "../health/outcomes.ts";
import type { ServerHealth } from "../health/server-health.ts";
import { LoadFigures } from "../load/figures.ts";
import type { Clock } from "../support/clock.ts";
import { balance as limits } from "../support/limits.ts";
import {
  isIdempotent,
  type Upstream,
  type UpstreamRequest,
  type UpstreamStream,
  type Waiters,
} from "./upstream.ts";

export abstract class AppUpstream implements Upstream {
  readonly server: Server;
  readonly name: string;
  readonly health: ServerHealth;
  readonly load: LoadFigures;
  inFlight = 0;
  waiting = 0;
  queue: Waiters | null = null;
  readonly #latency: PeakEwma = new PeakEwma(limits.latencyDecayMs);

  constructor(server: Server, health: ServerHealth, clock?: Clock) {
    this.server = server;
    this.name = server.name;
    this.health = health;
    this.load = new LoadFigures(clock);
  }

  /** There is a way to it, as far as is known without its health. */
  protected abstract readonly isReachable: boolean;
  protected abstract readonly hasRoom: boolean;
  abstract readonly unusableReason: string;
  abstract send(request: UpstreamRequest): UpstreamStream | null;
  abstract worthAnother(stream: UpstreamStream): boolean;
  abstract done(request: UpstreamRequest, stream: UpstreamStream, complete: boolean): void;
  abstract close(): void;

  get weight(): number {
    return this.health.weight;
  }

  get fullWeight(): number {
    return this.health.fullWeight;
  }

  get slowness(): number {
    return this.load.slowness;
  }

  get inFlightElsewhere(): number {
    return this.load.inFlightElsewhere;
  }

  latencyAt(nowMs: number): number {
    return this.#latency.value(nowMs);
  }

  get usable(): boolean {
    return this.health.usable && this.hasRoom && this.isReachable;
  }

  get keeps(): boolean {
    return this.health.keeps && this.hasRoom && this.isReachable;
  }

  get full(): boolean {
    return this.health.keeps && !this.hasRoom && this.isReachable;
  }

  answered(request: UpstreamRequest, status: number, nowMs: number): void {
    const sinceMs = request.awaitedSinceMs;
    // A server that fails is quick to do so.
    if (sinceMs !== 0 && !isServerFault(status)) this.#latency.update(nowMs - sinceMs, nowMs);
    this.health.answered(request, status, nowMs);
  }

  /** A server that may not answer is tried with what can then go elsewhere. */
  protected mayTake({ method }: UpstreamRequest): boolean {
    return this.hasRoom && !(this.health.onTrial && this.health.isTrialRisky && !isIdempotent(method));
  }

  /** A place is free: somebody may wait for it. */
  protected serveQueue(): void {
    if (this.queue?.isEmpty === false) this.queue.serve(this);
  }
}
