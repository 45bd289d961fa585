/**
 * Steps "choose server", "send" and "retry": the servers that get a request, one after the other, until one of them answers. Who
 * may get it again is decided here, and nowhere else.
 */
import { ResetCode } from "../link/api.ts";
import type { RequestBody } from "./request-body.ts";
import type { RequestRecord } from "./request-record.ts";
import type { RoutedRequest } from "./routed-request.ts";
import type { ServerPool } from "./server-pool.ts";
import { isIdempotent, type Upstream, type UpstreamRequest, type UpstreamStream } from "./upstream.ts";

/** Of one request. */
interface AttemptParts {
  readonly routed: RoutedRequest;
  readonly body: RequestBody;
  readonly record: RequestRecord;
}

/** Made once per connection and used for one request after the other. */
export class Attempts {
  /** The servers that may get it; null when none has to. */
  pool: ServerPool | null = null;
  // The one under way, or null.
  upstream: Upstream | null = null;
  stream: UpstreamStream | null = null;
  /** A server that may have acted upon it failed. */
  #lost = false;
  readonly #request: UpstreamRequest;
  readonly #routed: RoutedRequest;
  readonly #body: RequestBody;
  readonly #record: RequestRecord;

  constructor(request: UpstreamRequest, { routed, body, record }: AttemptParts) {
    this.#request = request;
    this.#routed = routed;
    this.#body = body;
    this.#record = record;
  }

  /** @param tried a server that failed it already, or null. @returns null when no other can take it. */
  choose(tried: Upstream | null): Upstream | null {
    const routed = this.#routed;
    const { sessionId } = routed;
    const explicit = sessionId === "" ? null : this.pool!.chooseExplicit(sessionId, tried);
    return explicit ?? this.pool!.choose(routed, tried);
  }

  /** To this server, or to the next one for as long as nothing could be sent. @returns whether it is on its way. */
  send(first: Upstream | null): boolean {
    const record = this.#record;
    let upstream = first;
    for (let tries = this.pool!.size; upstream !== null && tries > 0; tries--) {
      record.sentAtMs = record.connectedAtMs = performance.now();
      const stream = upstream.send(this.#request);
      if (stream !== null) {
        this.upstream = upstream;
        this.stream = stream;
        record.attempts++;
        if (!this.#request.bodyless) this.#body.sendTo(stream);
        return true;
      }
      upstream = this.choose(upstream);
    }
    record.connectedAtMs = 0;
    return false;
  }

  /**
   * The server that gets the request after the one under way failed; asked before `leave`.
   * @param begun some of an answer was passed on. @returns null when it must go to nobody, or nobody can take it.
   */
  next(code: ResetCode, begun: boolean): Upstream | null {
    if (begun || !this.#mayRepeat(code)) return null;
    const failed = this.upstream!;
    const next = this.#elsewhere(failed);
    if (next !== null) this.#lost ||= code === ResetCode.linkLost;
    return next;
  }

  /** @returns the failed server itself, when a new connection to it may do and no other takes the request, or keeps the visitor. */
  #elsewhere(failed: Upstream): Upstream | null {
    const isWorthAnother = failed.worthAnother(this.stream!);
    if (isWorthAnother && this.pool!.affinity !== null) return failed;
    return this.choose(failed) ?? (isWorthAnother ? failed : null);
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

  /** What the head of its answer needs, so that the visitor stays where he is: "Set-Cookie: ... CR LF", or "". */
  get setCookie(): string {
    const { affinity } = this.pool!;
    return affinity === null ? "" : affinity.setCookie(this.#routed, this.upstream!);
  }

  /** The server that has the request did not do its part. */
  failed(code: ResetCode): void {
    const { health } = this.upstream!;
    // What a server closed while nobody asked is no failure, nor what never came to it.
    if (code === ResetCode.refused || code === ResetCode.busy || code === ResetCode.cancel) return;
    if (code !== ResetCode.linkLost) health.failed(this.#request);
    else if (!this.upstream!.worthAnother(this.stream!)) health.brokeOff(this.#request);
  }

  /** Ends the one under way. @param reusable its answer is whole: its connection can serve another request. */
  leave(reusable: boolean): void {
    const upstream = this.upstream;
    if (upstream === null) return;
    upstream.done(this.#request, this.stream!, reusable);
    this.#record.server = upstream.server.name;
    this.upstream = null;
    this.stream = null;
  }

  reset(): void {
    this.pool = null;
    this.#lost = false;
  }
}
