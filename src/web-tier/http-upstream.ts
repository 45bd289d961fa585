/** An app server in any language: plain HTTP/1.1 over a pool of connections (R8 to R11). */
import type { PlainServer, Server, Timeouts } from "../config/model.ts";
import type { ServerHealth } from "../health/server-health.ts";
import { type NameResolver, SystemResolver } from "../plain/resolver.ts";
import { UpstreamTls } from "../plain/tls.ts";
import { type Clock, systemClock } from "../support/clock.ts";
import { upstream as limits } from "../support/limits.ts";
import type { Log } from "../support/log.ts";
import type { TimerWheel } from "../support/timer-wheel.ts";
import { AppUpstream } from "./app-upstream.ts";
import { HttpConnection, type HttpPool } from "./http-connection.ts";
import { isIdempotent, type UpstreamRequest, type UpstreamStream } from "./upstream.ts";
import { type Address, UpstreamAddresses } from "./upstream-addresses.ts";

export interface HttpUpstreamOptions {
  readonly log: Log;
  readonly resolver?: NameResolver;
  readonly clock?: Clock;
}

/** One for the process, for it asks for one name at a time. */
const systemResolver = new SystemResolver();

export class HttpUpstream extends AppUpstream implements HttpPool {
  readonly timeouts: Timeouts;
  readonly wheel: TimerWheel;
  readonly tls: UpstreamTls | null;
  readonly #plain: PlainServer;
  readonly #addresses: UpstreamAddresses;
  /** The last one used is taken first, so that those which are not needed grow old and close. */
  readonly #idle: HttpConnection[] = [];
  readonly #all = new Set<HttpConnection>();
  #closed = false;

  constructor(
    server: Server,
    health: ServerHealth,
    timeouts: Timeouts,
    wheel: TimerWheel,
    options: HttpUpstreamOptions,
  ) {
    const { log, resolver = systemResolver, clock = systemClock } = options;
    super(server, health, clock);
    this.timeouts = timeouts;
    this.wheel = wheel;
    this.#plain = server.plain!;
    this.tls = this.#plain.tls === null ? null : new UpstreamTls(server, this.#plain.tls);
    this.#addresses = new UpstreamAddresses(server, { resolver, clock, log }, () => this.#resolved());
  }

  /**
   * A server that could not be reached is tried by one request each recover time (R11). One that refuses connections
   * costs the request nothing, which goes to another server: it is tried sooner, for most likely it restarts.
   */
  protected get isReachable(): boolean {
    return !this.#closed && this.#addresses.usable;
  }

  /** The file's, or less where the server's agent wants less. */
  get #requestsMax(): number {
    return Math.min(this.server.requestsMax, this.health.connectionsMax);
  }

  protected get hasRoom(): boolean {
    return this.#all.size - this.#idle.length < this.#requestsMax;
  }

  get unusableReason(): string {
    if (this.health.reason !== "") return this.health.reason;
    if (!this.#addresses.usable) return this.#addresses.reason;
    return this.hasRoom ? "" : `all ${this.#requestsMax} connections are busy`;
  }

  send(request: UpstreamRequest): UpstreamStream | null {
    if (!this.mayTake(request)) return null;
    const connection = this.#kept(request) ?? this.#open();
    if (connection === null) return null;
    this.inFlight++;
    this.health.sent(request);
    connection.begin(request);
    return connection;
  }

  worthAnother(stream: UpstreamStream): boolean {
    return (stream as HttpConnection).wasStale;
  }

  done(request: UpstreamRequest, stream: UpstreamStream, complete: boolean): void {
    this.health.done(request);
    this.inFlight--;
    const connection = stream as HttpConnection;
    if (complete && connection.release()) this.#idle.push(connection);
    else connection.destroy();
    this.serveQueue();
    if (this.#idle.length > this.#plain.idleConnectionsMax) this.#idle.pop()!.destroy();
  }

  close(): void {
    this.#closed = true;
    this.health.close();
    this.load.forget();
    this.#addresses.close();
    for (const connection of this.#all) connection.destroy();
  }

  /** A request that could not be sent twice takes none that the server may be closing just now. */
  #kept(request: UpstreamRequest): HttpConnection | null {
    for (let kept = this.#idle.pop(); kept !== undefined; kept = this.#idle.pop()) {
      if (!kept.alive) continue;
      if (kept.idleMs <= limits.unsafeIdleMs || isIdempotent(request.method)) return kept;
      // The others are older.
      this.#idle.push(kept);
      if (this.#all.size < this.#requestsMax) return null;
      this.#idle.shift()!.destroy();
      return null;
    }
    return null;
  }

  #open(): HttpConnection | null {
    if (this.#closed || this.#all.size >= this.#requestsMax) return null;
    const address = this.#addresses.take();
    if (address === null) return null;
    const connection = new HttpConnection(this, address);
    this.#all.add(connection);
    return connection;
  }

  connected(address: Address): void {
    this.#addresses.worked(address);
    this.health.reached();
  }

  slow(address: Address): void {
    const reason = `no connection within ${limits.slowConnectMs} ms`;
    this.#addresses.failed(address, reason, this.timeouts.recoverTimeMs);
    this.#look();
  }

  unreachable(address: Address, reason: string, atOnce: boolean): void {
    const { recoverTimeMs } = this.timeouts;
    this.tls?.forget();
    this.#addresses.failed(
      address,
      reason,
      atOnce ? Math.min(limits.refusedRetryMs, recoverTimeMs) : recoverTimeMs,
    );
    this.#look();
    for (const connection of [...this.#all]) connection.giveUpConnecting(address, reason);
  }

  another(): Address | null {
    return this.#addresses.take();
  }

  closeIdle(): void {
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }

  /** None of its addresses may be tried now. */
  #look(): void {
    if (!this.#addresses.usable) this.health.unreachable(this.#addresses.reason, this.#addresses.retryInMs);
  }

  /** Its name may have other addresses now. */
  #resolved(): void {
    if (this.#addresses.usable) this.health.mayBeReached();
    const gone = this.#idle.filter(({ address }) => address.gone);
    for (const connection of gone) connection.destroy();
  }

  closed(connection: HttpConnection): void {
    this.#all.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    this.serveQueue();
  }
}
