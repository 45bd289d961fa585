/**
 * Steps "choose server", "send" and "retry": the servers that get a request, one after the other, until one of them answers; while
 * none has room it waits. Who may get it again is decided here, and nowhere else.
 */
import { ResetCode } from "../link/api.ts";
import type { RequestBody } from "./request-body.ts";
import type { QueuedRequest } from "./request-queue.ts";
import type { RequestRecord } from "./request-record.ts";
import type { RoutedRequest } from "./routed-request.ts";
import type { ServerPool } from "./server-pool.ts";
import {
  isIdempotent,
  mayWaitAt,
  type Upstream,
  type UpstreamRequest,
  type UpstreamStream,
} from "./upstream.ts";

export interface AttemptsOwner extends UpstreamRequest {
  /** It waited for room in vain. */
  onLate(): void;
}

/** Of one request. */
interface AttemptParts {
  readonly routed: RoutedRequest;
  readonly body: RequestBody;
  readonly record: RequestRecord;
}

/** Made once per connection and used for one request after the other. */
export class Attempts implements QueuedRequest {
  /** The servers that may get it; null when none has to. */
  pool: ServerPool | null = null;
  // The one under way, or null.
  upstream: Upstream | null = null;
  stream: UpstreamStream | null = null;
  nextQueued: QueuedRequest | null = null;
  previousQueued: QueuedRequest | null = null;
  queuedAtMs = 0;
  queuedUntilMs = 0;
  keptAt: Upstream | null = null;
  /** A server that may have acted upon it failed. */
  #lost = false;
  /** The last one that failed it. */
  #tried: Upstream | null = null;
  readonly #request: AttemptsOwner;
  readonly #routed: RoutedRequest;
  readonly #body: RequestBody;
  readonly #record: RequestRecord;

  constructor(request: AttemptsOwner, { routed, body, record }: AttemptParts) {
    this.#request = request;
    this.#routed = routed;
    this.#body = body;
    this.#record = record;
  }

  /** @returns a server that did not fail it and can take it, or null. One that is full it has to wait for. */
  choose(): Upstream | null {
    const routed = this.#routed;
    const { sessionId } = routed;
    const tried = this.#tried;
    const { keptAt } = this;
    if (keptAt !== null && keptAt !== tried && (keptAt.full || keptAt.keeps)) return keptAt;
    const explicit = sessionId === "" ? null : this.pool!.chooseExplicit(sessionId, tried);
    return explicit ?? this.pool!.choose(routed, tried);
  }

  /**
   * To this server, or to the next one for as long as nothing could be sent; when none has room, to the queue.
   * @returns whether it is on its way, or waits.
   */
  send(first: Upstream | null): boolean {
    let upstream = first;
    for (let tries = this.pool!.size; upstream !== null && tries > 0; tries--) {
      if (upstream.full) return this.#wait(upstream);
      if (this.#sendTo(upstream)) return true;
      this.#tried = upstream;
      upstream = this.choose();
    }
    this.#record.connectedAtMs = 0;
    return this.#wait(null);
  }

  #sendTo(upstream: Upstream): boolean {
    const record = this.#record;
    record.sentAtMs = record.connectedAtMs = performance.now();
    const stream = upstream.send(this.#request);
    if (stream === null) return false;
    if (record.attempts++ === 0) this.pool!.budget.count(record.sentAtMs);
    if (this.queuedAtMs !== 0) this.#leaveQueue();
    this.upstream = upstream;
    this.stream = stream;
    if (!this.#request.bodyless) this.#body.sendTo(stream);
    return true;
  }

  /** @param keptAt nobody else may get it. */
  #wait(keptAt: Upstream | null): boolean {
    const pool = this.pool!;
    if (keptAt === null ? !pool.mayWait(this.#tried) : !mayWaitAt(keptAt)) return false;
    pool.queue.add(this, keptAt, pool.queueTimeoutMs);
    if (!this.#request.bodyless) this.#body.wait();
    return true;
  }

  mayGo(upstream: Upstream): boolean {
    if (this.keptAt !== null) return upstream === this.keptAt && upstream.keeps;
    return upstream.usable && upstream !== this.#tried && this.pool!.upstreams.includes(upstream);
  }

  goOn(upstream: Upstream): void {
    if (!this.send(upstream)) this.late();
  }

  late(): void {
    const backup = this.keptAt === null ? this.pool!.backup(this.#routed, this.#tried) : null;
    if (backup !== null && this.#sendTo(backup)) return;
    this.#leaveQueue();
    this.#request.onLate();
  }

  #leaveQueue(): void {
    this.pool!.queue.remove(this);
    this.#record.queueMs += performance.now() - this.queuedAtMs;
    this.queuedAtMs = 0;
    this.keptAt = null;
  }

  /** It waits for room. */
  get queued(): boolean {
    return this.queuedAtMs !== 0;
  }

  /**
   * The server that gets the request after the one under way failed; asked before `leave`.
   * @param begun some of an answer was passed on. @returns null: whoever has room first; undefined: nobody.
   */
  next(code: ResetCode, begun: boolean): Upstream | null | undefined {
    if (begun || !this.#mayRepeat(code)) return undefined;
    const failed = this.upstream!;
    this.#tried = failed;
    const next = this.#next(failed);
    if (next === null && !this.pool!.mayWait(failed)) return undefined;
    if (code === ResetCode.linkLost && !this.#takeRepeat()) return undefined;
    return next;
  }

  /** @returns the failed server itself, when a new connection to it may do and no other takes the request, or keeps the visitor. */
  #next(failed: Upstream): Upstream | null {
    const isWorthAnother = failed.worthAnother(this.stream!);
    if (isWorthAnother && this.pool!.affinity !== null) return failed;
    return this.choose() ?? (isWorthAnother ? failed : null);
  }

  /** Another server after this one fell silent, or null: the request stays where it is. Asked before `leave`. */
  elsewhere(begun: boolean): Upstream | null {
    if (begun || !this.#mayRepeat(ResetCode.linkLost)) return null;
    this.#tried = this.upstream!;
    const next = this.choose();
    return next === null || next.full || !this.#takeRepeat() ? null : next;
  }

  #takeRepeat(): boolean {
    this.#lost = this.pool!.mayRepeatOneMore();
    return this.#lost;
  }

  /**
   * Of which nothing was sent may go to one server after the other. What a server may have acted upon goes to one
   * other at most, and only when acting twice does no harm (A49).
   */
  #mayRepeat(code: ResetCode): boolean {
    const { method, upgrading } = this.#request;
    if (!this.#body.repeatable) return false;
    if (code === ResetCode.refused) return this.#record.attempts <= this.pool!.size;
    return code === ResetCode.linkLost && !this.#lost && !upgrading && isIdempotent(method);
  }

  /** It tries a server that was put down for how it answers. */
  get isTrial(): boolean {
    return this.upstream!.health.isTrial(this.#request);
  }

  /** What the head of its answer needs, so that the visitor stays where he is: "Set-Cookie: ... CR LF", or "". */
  get setCookie(): string {
    const { affinity } = this.pool!;
    return affinity === null ? "" : affinity.setCookie(this.#routed, this.upstream!);
  }

  /** The server that has the request did not do its part. */
  failed(code: ResetCode): void {
    const { health } = this.upstream!;
    // What a server closed while nobody asked is no failure, nor what never came to it.
    if (code === ResetCode.refused || code === ResetCode.cancel) return;
    if (code !== ResetCode.linkLost) health.failed(this.#request);
    else if (!this.upstream!.worthAnother(this.stream!)) health.brokeOff(this.#request);
  }

  /** Ends the one under way, or its wait. @param reusable its answer is whole: its connection can serve another request. */
  leave(reusable: boolean): void {
    if (this.queuedAtMs !== 0) this.#leaveQueue();
    const upstream = this.upstream;
    if (upstream === null) return;
    upstream.done(this.#request, this.stream!, reusable);
    this.#record.server = upstream.server.name;
    this.upstream = null;
    this.stream = null;
  }

  reset(): void {
    this.pool = null;
    this.#tried = null;
    this.#lost = false;
    this.queuedUntilMs = 0;
  }
}
