/**
 * A browser's connection in HTTP/2: Node's session (nghttp2) on a TLS socket that agreed on "h2". Frames, windows and
 * HPACK are nghttp2's; here each stream becomes a client of the request path, and a client that floods is let go (A25
 * to A28). See docs/http2.md for what nghttp2 bounds and what is counted here.
 */
import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from "node:http2";
import type { TLSSocket } from "node:tls";
import type { HttpLimits } from "../../config/model.ts";
import { http as httpLimits, http2 as limits } from "../../support/limits.ts";
import { WheelEntry } from "../../support/timer-wheel.ts";
import type { ClientOrigin } from "../forwarded.ts";
import type { Site } from "../site.ts";
import { Allowance } from "./allowance.ts";
import type { StreamClient, StreamOwner } from "./stream-client.ts";
import type { StreamPool } from "./stream-pool.ts";

const END_STREAM = constants.NGHTTP2_FLAG_END_STREAM;

export class Http2Connection implements StreamOwner {
  readonly origin: ClientOrigin;
  readonly #site: Site;
  readonly #socket: TLSSocket;
  readonly #pool: StreamPool;
  readonly #session: ServerHttp2Session;
  readonly #onClosed: (connection: Http2Connection) => void;
  readonly #deadline: WheelEntry;
  readonly #resets = new Allowance(limits.resetsBurst, limits.resetsPerSecond);
  readonly #controls = new Allowance(limits.controlsBurst, limits.controlsPerSecond);
  #openStreams = 0;
  #ending = false;

  constructor(
    site: Site,
    socket: TLSSocket,
    origin: ClientOrigin,
    pool: StreamPool,
    onClosed: (connection: Http2Connection) => void,
  ) {
    this.#site = site;
    this.#socket = socket;
    this.origin = origin;
    this.#pool = pool;
    this.#onClosed = onClosed;
    this.#deadline = new WheelEntry(() => this.#expired());
    socket.on("end", () => this.#end(constants.NGHTTP2_NO_ERROR));
    socket.on("close", () => this.#closed());
    this.#session = performServerHandshake(socket, sessionOptions(site.limits));
    this.#session.setLocalWindowSize(limits.connectionWindowBytes);
    // What it tells is told by the streams and by the socket's end.
    this.#session.on("error", ignore);
    this.#session.on("stream", (stream, _fields, flags, raw) => this.#stream(stream, flags, raw));
    this.#session.on("ping", () => this.#controlled());
    this.#session.on("remoteSettings", () => this.#controlled());
    site.wheel.start(this.#deadline, site.timeouts.headTimeoutMs);
  }

  /** Being read or answered. */
  get openRequests(): number {
    return this.#openStreams;
  }

  #stream(stream: ServerHttp2Stream, flags: number, raw: readonly string[]): void {
    stream.on("error", ignore);
    // It was given up in the same packet: nothing has begun.
    if (stream.closed || stream.destroyed) return this.streamReset();
    this.#openStreams++;
    this.#site.wheel.stop(this.#deadline);
    this.#pool.take().open(this, stream, raw, (flags & END_STREAM) !== 0);
  }

  streamReset(): void {
    if (!this.#resets.take()) this.#refuseFlood("gave up requests");
  }

  #controlled(): void {
    if (!this.#controls.take()) this.#refuseFlood("sent PING or SETTINGS");
  }

  #refuseFlood(what: string): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#pool.tellFlood(this.origin.address, what);
    // Not at once: this may be one of nghttp2's own callbacks.
    process.nextTick(() => this.#end(constants.NGHTTP2_ENHANCE_YOUR_CALM));
  }

  streamClosed(client: StreamClient): void {
    this.#pool.give(client);
    if (--this.#openStreams > 0 || this.#socket.destroyed) return;
    const lingers = this.#ending || this.#session.closed;
    this.#site.wheel.start(
      this.#deadline,
      lingers ? httpLimits.lingerTimeoutMs : this.#site.timeouts.keepAliveTimeoutMs,
    );
  }

  #expired(): void {
    if (this.#ending || this.#session.closed) return this.destroy();
    this.drain();
  }

  /** No new requests (GOAWAY); those that came are answered, then the connection ends. */
  drain(): void {
    this.#session.close();
    if (this.#openStreams === 0) this.#site.wheel.start(this.#deadline, httpLimits.lingerTimeoutMs);
  }

  /** Ends all requests, says why, and closes. */
  #end(code: number): void {
    this.#ending = true;
    // Node takes a code alone as well; its types do not say so.
    this.#session.destroy(code as unknown as Error);
    if (!this.#socket.destroyed) this.#site.wheel.start(this.#deadline, httpLimits.lingerTimeoutMs);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #closed(): void {
    this.#site.wheel.stop(this.#deadline);
    this.#onClosed(this);
  }
}

function ignore(): void {}

function sessionOptions({ headBytesMax, streamsMax }: HttpLimits): ServerOptions {
  return {
    maxSettings: limits.settingsEntriesMax,
    maxOutstandingSettings: limits.settingsUnacknowledgedMax,
    maxSessionMemory: limits.memoryMbMax,
    maxHeaderListPairs: limits.sentFieldsMax,
    maxSendHeaderBlockLength: 2 * httpLimits.responseHeadBytesMax,
    maxSessionInvalidFrames: limits.invalidFramesMax,
    maxSessionRejectedStreams: limits.rejectedStreamsMax,
    // Resets are counted here, with a better word in the end; nghttp2 sees those of one packet before we do.
    streamResetBurst: 2 * limits.resetsBurst,
    streamResetRate: 2 * limits.resetsPerSecond,
    // Else nghttp2 would drop fields with blanks at their ends and go on; the request is refused instead.
    strictFieldWhitespaceValidation: false,
    // An app server's answer is passed on as it is.
    strictSingleValueFields: false,
    settings: {
      maxConcurrentStreams: streamsMax,
      initialWindowSize: limits.streamWindowBytes,
      // Counted with 32 bytes per field (RFC 9113, 6.5.2). Twice the limit, so that a head which is somewhat too large is answered 431.
      maxHeaderListSize: 2 * headBytesMax + 32 * limits.sentFieldsMax,
    },
  } as ServerOptions;
}
