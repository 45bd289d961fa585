/** What a request's head says, once request-head.ts has read it. */
import type { HeadError } from "./refusals.ts";

export interface HeadLimits {
  readonly headBytesMax: number;
  readonly fieldsMax: number;
  readonly targetBytesMax: number;
}

/** Made once per connection and filled anew by every parse. */
export class RequestHead {
  /** Case-sensitive. */
  method: string = "";
  /** Canonical, in origin form with the query; "*" for `OPTIONS *`. */
  target: string = "";
  /** The target without the query. */
  path: string = "";
  versionMinor: 0 | 1 = 1;
  /** It came in HTTP/2 and is otherwise as one of HTTP/1.1. Not touched by the parse: all requests of a connection are alike. */
  http2: boolean = false;
  /** One form for every spelling (host.ts), without the port, an IPv6 address in its brackets; "" when an HTTP/1.0 request has none. */
  host: string = "";
  /** The value of Host, in lower case. */
  authority: string = "";
  /** -1 when absent. */
  contentLength: number = -1;
  chunked: boolean = false;
  /** Whether the client wants the connection to go on (RFC 9112 section 9.3). */
  keepAlive: boolean = true;
  /** The client waits for 100 before it sends its body. */
  expectContinue: boolean = false;
  /** What the client wants to switch to; "" unless Connection says so, on HTTP/1.1 and without a body. Never h2c. */
  upgrade: string = "";
  /**
   * "name LF value LF name LF value": what the app shall see, in the order and case as sent, Host and Cookie
   * included. Without: hop-by-hop fields and those that Connection names, Content-Length, Expect, Trailer,
   * X-Forwarded-*, X-Real-IP, Forwarded, Via, X-Request-Id, Proxy, every name with an underscore, and a Range of too
   * many ranges.
   */
  fields: string = "";
  /** Fields in `fields`. */
  fieldCount: number = 0;

  // Values of single fields, "" when absent; several lines are joined by ", ", those of Cookie by "; ".
  cookie: string = "";
  userAgent: string = "";
  referer: string = "";
  forwarded: string = "";
  xForwardedFor: string = "";
  xForwardedProto: string = "";
  xForwardedHost: string = "";
  via: string = "";
  requestId: string = "";

  /** Why the last parse returned -1. */
  error: HeadError | null = null;

  // What the parse notes on its way.
  /** @internal Bytes of `scratch` that are filled: target, then fields, each line ended by LF. */
  written: number = 0;
  /** @internal */ targetLength: number = 0;
  /** @internal */ pathLength: number = 0;
  /** @internal The path holds something that may have another canonical form. */
  targetNeedsWork: boolean = false;
  /** @internal Authority of a target in absolute form. */ targetAuthority: string = "";
  /** @internal Places of values in `scratch`; 0 when absent. */
  hostFrom: number = 0;
  /** @internal */ hostTo: number = 0;
  /** @internal */ cookieFrom: number = 0;
  /** @internal */ cookieTo: number = 0;
  /** @internal */ userAgentFrom: number = 0;
  /** @internal */ userAgentTo: number = 0;
  /** @internal */ refererFrom: number = 0;
  /** @internal */ refererTo: number = 0;
  /** @internal ConnectionOption bits. */ connection: number = 0;
  /** @internal Asked for by all Range lines so far. */ ranges: number = 0;
  /** @internal Connection values with options that are not understood. */ connectionText: string = "";
  /** @internal */ upgradeText: string = "";
}

/** As access logs write it: "1.0", "1.1" or "2.0". */
export function versionOf(head: RequestHead): string {
  if (head.http2) return "2.0";
  return head.versionMinor === 0 ? "1.0" : "1.1";
}

/** Notes why a head is refused; -1 is what all steps of the parse return then. */
export function refuse(head: RequestHead, error: HeadError): -1 {
  head.error = error;
  return -1;
}
