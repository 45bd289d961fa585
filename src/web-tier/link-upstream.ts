/** An app server reached over its cluster port. */
import { PeakEwma } from "../balance/peak-ewma.ts";
import type { Server } from "../config/model.ts";
import { isServerFault } from "../health/outcomes.ts";
import type { ServerHealth } from "../health/server-health.ts";
import { type Link, type LinkObserver, StreamKind } from "../link/api.ts";
import { LinkDialer, type LinkDialerOptions } from "../link/dialer.ts";
import { LoadFigures } from "../load/figures.ts";
import { readLoad } from "../load/report-reader.ts";
import { balance as limits } from "../support/limits.ts";
import {
  isIdempotent,
  type Upstream,
  type UpstreamRequest,
  type UpstreamStream,
  type Waiters,
} from "./upstream.ts";

export class LinkUpstream implements Upstream, LinkObserver {
  readonly server: Server;
  readonly health: ServerHealth;
  readonly name: string;
  inFlight = 0;
  waiting = 0;
  queue: Waiters | null = null;
  readonly load: LoadFigures = new LoadFigures();
  readonly #dialer: LinkDialer;
  readonly #latency: PeakEwma = new PeakEwma(limits.latencyDecayMs);
  #link: Link | null = null;

  constructor(
    server: Server,
    health: ServerHealth,
    options: Omit<LinkDialerOptions, "expected" | "address" | "port" | "observer">,
  ) {
    this.server = server;
    this.name = server.name;
    this.health = health;
    this.#dialer = new LinkDialer({
      ...options,
      expected: server.name,
      address: server.address,
      port: server.port,
      observer: this,
    });
    this.#dialer.start();
  }

  get weight(): number {
    return this.health.weight;
  }

  get fullWeight(): number {
    return this.health.fullWeight;
  }

  get slowness(): number {
    return this.load.slowness;
  }

  latencyAt(nowMs: number): number {
    return this.#latency.value(nowMs);
  }

  get inFlightElsewhere(): number {
    return this.load.inFlightElsewhere;
  }

  get usable(): boolean {
    return this.health.usable && this.#hasRoom;
  }

  get keeps(): boolean {
    return this.health.keeps && this.#hasRoom;
  }

  get full(): boolean {
    return this.health.keeps && !this.#hasRoom;
  }

  get #hasRoom(): boolean {
    return this.inFlight < this.server.requestsMax;
  }

  get unusableReason(): string {
    const isUnlinked = this.health.isOut && this.#link === null;
    if (isUnlinked && this.#dialer.lastError !== "") return this.#dialer.lastError;
    if (this.health.reason !== "" || this.#hasRoom) return this.health.reason;
    return `all its ${this.inFlight} requests are under way`;
  }

  send(request: UpstreamRequest): UpstreamStream | null {
    if (this.#link === null || !this.#hasRoom) return null;
    if (this.health.onTrial && this.health.isTrialRisky && !isIdempotent(request.method)) return null;
    const stream = this.#link.open(
      StreamKind.http,
      request.linkMeta,
      request.bodyless && !request.upgrading,
      request,
      request.answerBufferBytesMax,
    );
    if (stream === null) return null;
    this.inFlight++;
    this.health.sent(request);
    return stream;
  }

  answered(request: UpstreamRequest, status: number, nowMs: number): void {
    const sinceMs = request.awaitedSinceMs;
    // A server that fails is quick to do so.
    if (sinceMs !== 0 && !isServerFault(status)) this.#latency.update(nowMs - sinceMs, nowMs);
    this.health.answered(request, status, nowMs);
  }

  worthAnother(): boolean {
    return false;
  }

  done(request: UpstreamRequest, _stream: UpstreamStream, _complete: boolean): void {
    this.health.done(request);
    this.inFlight--;
    if (this.queue?.isEmpty === false) this.queue.serve(this);
  }

  close(): void {
    this.health.close();
    this.#dialer.close();
  }

  onUp(link: Link): void {
    this.#link = link;
    this.health.connected(link.peer.incarnation);
    readLoad(link, (record) => this.load.update(record, this.inFlight));
  }

  onChange(link: Link): void {
    if (link !== this.#link) return;
    if (link.silent) this.health.fellSilent(link.silentAfterMs);
    else if (link.usable) this.health.spoke();
    else this.health.leaving();
  }

  onDown(link: Link, reason: string): void {
    if (link !== this.#link) return;
    this.#link = null;
    this.health.lost(reason);
    this.load.forget();
  }
}
