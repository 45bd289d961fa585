/** An app server reached over its cluster port. */
import type { Server } from "../config/model.ts";
import { ServerHealth } from "../health/server-health.ts";
import { type Link, type LinkObserver, StreamKind } from "../link/api.ts";
import { LinkDialer, type LinkDialerOptions } from "../link/dialer.ts";
import { LoadFigures } from "../load/figures.ts";
import { readLoad } from "../load/report-reader.ts";
import { systemClock } from "../support/clock.ts";
import { type Upstream, type UpstreamRequest, type UpstreamStream, WaitingList } from "./upstream.ts";

export class LinkUpstream implements Upstream, LinkObserver {
  readonly server: Server;
  readonly health: ServerHealth;
  readonly name: string;
  readonly latencyMs = 0;
  inFlight = 0;
  readonly placeInQueue = -1;
  readonly load: LoadFigures = new LoadFigures();
  readonly #dialer: LinkDialer;
  readonly #waiting = new WaitingList();
  #link: Link | null = null;

  constructor(
    server: Server,
    options: Omit<LinkDialerOptions, "expected" | "address" | "port" | "observer">,
  ) {
    this.server = server;
    this.name = server.name;
    this.health = new ServerHealth(server.name, server.weight, systemClock);
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

  get inFlightElsewhere(): number {
    return this.load.inFlightElsewhere;
  }

  get usable(): boolean {
    return this.#isReachable && this.health.takesNew;
  }

  get keeps(): boolean {
    return this.#isReachable && this.health.takesKept;
  }

  get #isReachable(): boolean {
    return this.#link?.usable === true && !this.#link.silent;
  }

  get unusableReason(): string {
    if (this.health.reason !== "") return this.health.reason;
    if (this.#link === null)
      return this.#dialer.lastError === "" ? "not connected yet" : this.#dialer.lastError;
    if (this.#link.silent) return "silent";
    return this.#link.usable ? "" : "going away";
  }

  send(request: UpstreamRequest): UpstreamStream | null {
    if (this.#link === null) return null;
    const stream = this.#link.open(
      StreamKind.http,
      request.linkMeta,
      request.bodyless && !request.upgrading,
      request,
      request.answerBufferBytesMax,
    );
    if (stream === null) return null;
    this.inFlight++;
    this.#waiting.add(request);
    return stream;
  }

  answered(request: UpstreamRequest): void {
    this.#waiting.remove(request);
  }

  worthAnother(): boolean {
    return false;
  }

  done(request: UpstreamRequest, _stream: UpstreamStream, _complete: boolean): void {
    this.#waiting.remove(request);
    this.inFlight--;
  }

  close(): void {
    this.#dialer.close();
  }

  onUp(link: Link): void {
    this.#link = link;
    readLoad(link, (record) => this.load.update(record, this.inFlight));
  }

  onChange(link: Link): void {
    if (link === this.#link && link.silent) this.#waiting.tellSilent();
  }

  onDown(link: Link): void {
    if (link !== this.#link) return;
    this.#link = null;
    this.load.forget();
  }
}
