/** An app server reached over its cluster port. */
import type { Server } from "../config/model.ts";
import type { ServerHealth } from "../health/server-health.ts";
import { type Link, type LinkObserver, StreamKind } from "../link/api.ts";
import { LinkDialer, type LinkDialerOptions } from "../link/dialer.ts";
import { readLoad } from "../load/report-reader.ts";
import { AppUpstream } from "./app-upstream.ts";
import type { UpstreamRequest, UpstreamStream } from "./upstream.ts";

export class LinkUpstream extends AppUpstream implements LinkObserver {
  protected readonly isReachable: boolean = true;
  readonly #dialer: LinkDialer;
  #link: Link | null = null;

  constructor(
    server: Server,
    health: ServerHealth,
    options: Omit<LinkDialerOptions, "expected" | "address" | "port" | "observer">,
  ) {
    super(server, health);
    this.#dialer = new LinkDialer({
      ...options,
      expected: server.name,
      address: server.address,
      port: server.port,
      observer: this,
    });
    this.#dialer.start();
  }

  protected get hasRoom(): boolean {
    return this.inFlight < this.server.requestsMax;
  }

  get unusableReason(): string {
    const isUnlinked = this.health.isOut && this.#link === null;
    if (isUnlinked && this.#dialer.lastError !== "") return this.#dialer.lastError;
    if (this.health.reason !== "" || this.hasRoom) return this.health.reason;
    return `all its ${this.inFlight} requests are under way`;
  }

  send(request: UpstreamRequest): UpstreamStream | null {
    if (this.#link === null || !this.mayTake(request)) return null;
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

  worthAnother(): boolean {
    return false;
  }

  done(request: UpstreamRequest, _stream: UpstreamStream, _complete: boolean): void {
    this.health.done(request);
    this.inFlight--;
    this.serveQueue();
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
