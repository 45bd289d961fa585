/** An app server in any language: plain HTTP/1.1 over a pool of sockets (R8 to R11). */
import type { Server, Timeouts } from "../config/model.ts";
import { upstream as limits } from "../support/limits.ts";
import type { TimerWheel } from "../support/timer-wheel.ts";
import { HttpConnection, type HttpPool } from "./http-connection.ts";
import { type Upstream, type UpstreamRequest, type UpstreamStream, WaitingList } from "./upstream.ts";

export class HttpUpstream implements Upstream, HttpPool {
  readonly server: Server;
  inFlight = 0;
  readonly timeouts: Timeouts;
  readonly wheel: TimerWheel;
  readonly #waiting = new WaitingList();
  /** The last one used is taken first, so that those which are not needed grow old and close. */
  readonly #idle: HttpConnection[] = [];
  readonly #all = new Set<HttpConnection>();
  #failure = "";
  #retryAtMs = 0;
  #waitMs = 0;

  constructor(server: Server, timeouts: Timeouts, wheel: TimerWheel) {
    this.server = server;
    this.timeouts = timeouts;
    this.wheel = wheel;
  }

  /**
   * A server that could not be reached is tried by one request each recover time (R11). One that refuses connections
   * costs the request nothing, which goes to another server: it is tried sooner, for most likely it restarts.
   */
  get usable(): boolean {
    return this.#failure === "" || performance.now() >= this.#retryAtMs;
  }

  get unusableReason(): string {
    return this.usable ? "" : this.#failure;
  }

  send(request: UpstreamRequest): UpstreamStream | null {
    const connection = this.#kept() ?? this.#open();
    if (connection === null) return null;
    if (this.#failure !== "") this.#retryAtMs = performance.now() + this.#waitMs;
    this.inFlight++;
    this.#waiting.add(request);
    connection.begin(request);
    return connection;
  }

  answered(request: UpstreamRequest): void {
    this.#failure = "";
    this.#waiting.remove(request);
  }

  worthAnother(stream: UpstreamStream): boolean {
    return (stream as HttpConnection).wasStale;
  }

  done(request: UpstreamRequest, stream: UpstreamStream, complete: boolean): void {
    this.#waiting.remove(request);
    this.inFlight--;
    const connection = stream as HttpConnection;
    if (complete && this.#idle.length < limits.idleSocketsMax && connection.release())
      this.#idle.push(connection);
    else connection.destroy();
  }

  close(): void {
    for (const connection of this.#all) connection.destroy();
  }

  #kept(): HttpConnection | null {
    for (let kept = this.#idle.pop(); kept !== undefined; kept = this.#idle.pop())
      if (kept.alive) return kept;
    return null;
  }

  #open(): HttpConnection | null {
    if (this.#all.size >= limits.socketsMax) return null;
    const connection = new HttpConnection(this);
    this.#all.add(connection);
    return connection;
  }

  connected(): void {
    this.#failure = "";
  }

  unreachable(reason: string, refused: boolean): void {
    this.#failure = reason;
    this.#waitMs = refused
      ? Math.min(limits.refusedRetryMs, this.timeouts.recoverTimeMs)
      : this.timeouts.recoverTimeMs;
    this.#retryAtMs = performance.now() + this.#waitMs;
  }

  closeIdle(): void {
    for (const connection of this.#idle) connection.destroy();
    this.#idle.length = 0;
  }

  closed(connection: HttpConnection): void {
    this.#all.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
  }
}
