/** Settings of `timeouts:`. */
import * as limits from "../../support/limits.ts";
import { dayMs, type Setting, since } from "./setting.ts";

export const timeoutSettings: readonly Setting[] = [
  {
    path: "clusters.<name>.timeouts",
    type: "section",
    since,
    description: "How long to wait. Those towards app servers are set in the web tier.",
  },
  timeout("head", "web", limits.http.headTimeoutMs, "A request's head must be complete."),
  timeout(
    "bodySilence",
    "web",
    limits.http.bodySilenceTimeoutMs,
    "A request's body may pause between two bytes.",
  ),
  timeout(
    "keepAlive",
    "web",
    limits.http.keepAliveTimeoutMs,
    "A browser's connection may be idle between requests.",
  ),
  timeout(
    "writeSilence",
    "web",
    limits.http.writeSilenceTimeoutMs,
    "A client may take no byte of its answer, then it is cut off.",
  ),
  timeout("connect", "web", limits.upstream.connectTimeoutMs, "To open a connection to a plain HTTP server."),
  timeout(
    "upstreamIdle",
    "web",
    limits.upstream.idleTimeMs,
    "The web tier closes its idle connection to a plain HTTP server (well below that server's own keep-alive timeout).",
  ),
  timeout(
    "queue",
    "web",
    limits.upstream.queueTimeoutMs,
    "A request may wait while no server of its cluster has room for one more.",
  ),
  timeout(
    "recover",
    "web",
    limits.upstream.recoverTimeMs,
    "A plain HTTP server that could not be reached is tried again.",
  ),
  timeout(
    "request",
    "web",
    limits.upstream.requestTimeoutMs,
    "The answer to a valid request must begin; raise it for slow pages.",
  ),
  timeout(
    "socket",
    "web",
    limits.upstream.socketTimeoutMs,
    "An app server may be silent in the middle of its answer, or take no byte of an upload. The time before an answer begins is `request`; event streams and WebSockets may be silent for an hour.",
  ),
  timeout(
    "appKeepAlive",
    "app",
    limits.upstream.appKeepAliveTimeoutMs,
    "An app server that listens on HTTP keeps an idle connection, unless the application sets keepAliveTimeout itself.",
  ),
  timeout("drain", null, limits.supervise.drainTimeoutMs, "A server that stops lets its requests finish."),
  {
    ...timeout(
      "drainDelay",
      "web",
      0,
      "A web server that is told to stop takes requests for so long after `/readyz` has begun to fail: longer than a balancer in front needs to see that. 0: it stops at once.",
    ),
    minimum: 0,
  },
];

function timeout(key: string, tier: "web" | "app" | null, defaultMs: number, description: string): Setting {
  return {
    path: `clusters.<name>.timeouts.${key}`,
    type: "duration",
    since,
    ...(tier === null ? {} : { tier }),
    minimum: 10,
    maximum: dayMs,
    default: defaultMs,
    description,
  };
}
