/** A web tier inside the test's own process: real sockets on free ports, in front of raw or HTTP origins. */

import type { Cluster, ClusterFile, HttpLimits, Route, Server, Timeouts } from "../../src/config/model.ts";
import { Member } from "../../src/member/member.ts";
import { http as limits, upstream as upstreamLimits } from "../../src/support/limits.ts";
import { silentLog } from "../../src/support/log.ts";
import { TimerWheel } from "../../src/support/timer-wheel.ts";
import { type AccessEntry, AccessLog } from "../../src/web-tier/access-log.ts";
import { BrowserListener } from "../../src/web-tier/browser-listener.ts";
import { RequestIds, trustedNetworks } from "../../src/web-tier/forwarded.ts";
import { HttpUpstream } from "../../src/web-tier/http-upstream.ts";
import { compileRoute } from "../../src/web-tier/route.ts";
import { ServerPool } from "../../src/web-tier/server-pool.ts";
import type { Site } from "../../src/web-tier/site.ts";
import type { Upstream } from "../../src/web-tier/upstream.ts";

export interface WebSiteOptions {
  readonly routes?: readonly Partial<Route>[];
  readonly limits?: Partial<HttpLimits>;
  readonly timeouts?: Partial<Timeouts>;
  readonly trusted?: readonly string[];
}

export interface WebSite {
  readonly port: number;
  readonly site: Site;
  readonly upstreams: readonly Upstream[];
  /** Access lines so far. */
  readonly log: readonly AccessEntry[];
  close(): Promise<void>;
}

const secret = Buffer.alloc(32, 7);

/** @param origins ports of HTTP servers on 127.0.0.1: the servers of the one cluster "app". */
export async function startWebSite(
  origins: readonly number[],
  options: WebSiteOptions = {},
): Promise<WebSite> {
  const timeouts: Timeouts = {
    headTimeoutMs: limits.headTimeoutMs,
    bodySilenceTimeoutMs: limits.bodySilenceTimeoutMs,
    keepAliveTimeoutMs: limits.keepAliveTimeoutMs,
    writeSilenceTimeoutMs: limits.writeSilenceTimeoutMs,
    connectTimeoutMs: upstreamLimits.connectTimeoutMs,
    upstreamIdleTimeMs: upstreamLimits.idleTimeMs,
    recoverTimeMs: upstreamLimits.recoverTimeMs,
    requestTimeoutMs: upstreamLimits.requestTimeoutMs,
    appKeepAliveTimeoutMs: upstreamLimits.appKeepAliveTimeoutMs,
    socketTimeoutMs: upstreamLimits.socketTimeoutMs,
    drainTimeoutMs: 1_000,
    ...options.timeouts,
  };
  const servers = origins.map((port, at) => httpServer(`app-${at}`, port, String.fromCharCode(97 + at)));
  const app = cluster("app", "app", servers, timeouts);
  const web = cluster("web", "web", [httpServer("web-a", 1, "a")], timeouts);
  const wheel = new TimerWheel();
  const upstreams = servers.map((server) => new HttpUpstream(server, timeouts, wheel));
  const pool = new ServerPool(app, upstreams, secret, null);
  const log: AccessEntry[] = [];
  const site: Site = {
    member: new Member({ clusters: new Map([["web", web]]) } as unknown as ClusterFile, web.servers[0]!),
    log: silentLog,
    routes: (options.routes ?? [{ to: "app" }]).map((route) =>
      compileRoute(
        { host: null, path: null, to: null, files: null, at: "", ...route },
        route.files ? null : pool,
      ),
    ),
    limits: { ...web.limits, ...options.limits },
    timeouts,
    trusted: trustedNetworks(options.trusted ?? []),
    wheel,
    accessLog: recordingLog(log),
    requestIds: new RequestIds(),
    draining: false,
  };
  const listener = new BrowserListener(site, { scheme: "http", address: "127.0.0.1", port: 0, tls: null });
  await listener.listen();
  return {
    port: listener.port,
    site,
    upstreams,
    log,
    async close() {
      listener.close();
      for (const upstream of upstreams) upstream.close();
      await listener.drain();
    },
  };
}

function recordingLog(entries: AccessEntry[]): AccessLog {
  const log = new AccessLog({ path: null, format: "combined" }, "web-a", silentLog);
  log.write = (entry) => void entries.push(entry);
  return log;
}

function httpServer(name: string, port: number, letter: string): Server {
  return {
    name,
    entry: name,
    cluster: "app",
    letter,
    processIndex: 0,
    kind: "http",
    address: "127.0.0.1",
    port,
    authority: `127.0.0.1:${port}`,
  };
}

function cluster(
  name: string,
  tier: Cluster["tier"],
  servers: readonly Server[],
  timeouts: Timeouts,
): Cluster {
  return {
    name,
    tier,
    servers: servers.map((server) => ({ ...server, cluster: name })),
    listen: [],
    routes: [],
    run: null,
    balance: "round-robin",
    sessions: null,
    trustedNetworks: [],
    accessLog: { path: null, format: "combined" },
    limits: {
      headBytesMax: limits.headBytesMax,
      fieldsMax: limits.fieldsMax,
      targetBytesMax: limits.targetBytesMax,
      bodyBytesMax: Number.POSITIVE_INFINITY,
      connectionsMax: limits.connectionsMax,
    },
    timeouts,
  };
}
