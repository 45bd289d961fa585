/**
 * The work of a web server in one process: takes requests on the sockets that it is given, and has links of its own to
 * the app servers. A web server has one such process or several; their main process answers the cluster port.
 */
import { join } from "node:path";
import type { Cluster, Endpoint } from "../config/model.ts";
import { linkKeys } from "../link/keys.ts";
import type { Member, WorkerReport } from "../member/member.ts";
import { accessLog as accessLogLimits, upstream as upstreamLimits } from "../support/limits.ts";
import type { Log } from "../support/log.ts";
import { TimerWheel } from "../support/timer-wheel.ts";
import { AccessLog } from "./access-log.ts";
import { AnswerPages } from "./answer-pages.ts";
import { BrowserListener } from "./browser-listener.ts";
import { FileCache } from "./files/file-cache.ts";
import { RequestIds, trustedNetworks } from "./forwarded.ts";
import { HttpUpstream } from "./http-upstream.ts";
import { LinkUpstream } from "./link-upstream.ts";
import { compileRoute } from "./route.ts";
import { RouteTable } from "./route-table.ts";
import { ServerPool } from "./server-pool.ts";
import type { Site } from "./site.ts";
import type { Upstream } from "./upstream.ts";
import { BodyFolder } from "./whole-body.ts";

export interface WebServer {
  /** Where browsers connect, e.g. "http://0.0.0.0:8080". */
  readonly urls: readonly string[];
  report(): WorkerReport;
  /**
   * Accepts no more and lets answers come to their end, for at most the drain timeout and `timeoutMs`.
   * @param idleMs connections without a request are closed only then.
   */
  drain(idleMs: number, timeoutMs: number): Promise<void>;
  /** The access log goes on in a new file of its name. */
  reopenLogs(): void;
  /** Cuts everything; ends when the last access lines are written, unless the disk stands still. */
  close(): Promise<void>;
}

/**
 * @param socketOf gives the bound socket of an address under `listen:`.
 * @throws FlotillaError when one can't be had; nothing is left open then.
 */
export async function startWebServer(
  member: Member,
  log: Log,
  socketOf: (endpoint: Endpoint) => Promise<object>,
): Promise<WebServer> {
  const { cluster, server } = member;
  const wheel = new TimerWheel();
  const accessLog = new AccessLog(cluster.accessLog, server.name, cluster.name, log);
  const pools = openPools(member, log, wheel);
  const files = new FileCache();
  const site: Site = {
    member,
    log,
    routes: new RouteTable(
      cluster.routes.map((route) => compileRoute(route, { pools, files, log, compress: cluster.compress })),
    ),
    limits: cluster.limits,
    timeouts: cluster.timeouts,
    trusted: trustedNetworks(cluster.trustedNetworks),
    wheel,
    accessLog,
    bodies: new BodyFolder(join(member.file.dataFolder, "bodies")),
    pages: new AnswerPages(cluster.errorPages, cluster.interceptErrors),
    maintenance: cluster.maintenance,
    requestIds: new RequestIds(),
    draining: false,
  };
  const listeners = cluster.listen.map((settings) => new BrowserListener(site, settings));
  const close = (): Promise<void> => {
    for (const listener of listeners) listener.close();
    for (const pool of pools.values()) for (const upstream of pool.upstreams) upstream.close();
    files.close();
    return accessLog.close();
  };
  try {
    const sockets = await Promise.all(cluster.listen.map(socketOf));
    await firstServers(pools);
    for (const [at, listener] of listeners.entries()) await listener.listen(sockets[at]!);
  } catch (error) {
    void close();
    throw error;
  }
  return {
    urls: listeners.map((listener) => listener.url),
    report: () => ({
      requests: member.requests,
      openRequests: listeners.reduce((sum, listener) => sum + listener.openRequests, 0),
      connections: listeners.reduce((sum, listener) => sum + listener.connections, 0),
      unserved: [...pools.values()].filter((pool) => !isServed(pool)).map((pool) => pool.cluster.name),
    }),
    reopenLogs: () => accessLog.reopen(),
    close: () => Promise.race([close(), delay(accessLogLimits.flushIntervalMs)]),
    async drain(idleMs, timeoutMs) {
      site.draining = true;
      const drained = Promise.all(listeners.map((listener) => listener.drain(idleMs)));
      await Promise.race([drained, delay(Math.min(timeoutMs, cluster.timeouts.drainTimeoutMs))]);
    },
  };
}

function isServed({ upstreams }: ServerPool): boolean {
  return upstreams.some((upstream) => upstream.usable);
}

function openPools(member: Member, log: Log, wheel: TimerWheel): Map<string, ServerPool> {
  const { file, cluster } = member;
  const pools = new Map<string, ServerPool>();
  for (const { to } of cluster.routes) {
    if (to === null || pools.has(to)) continue;
    const target = file.clusters.get(to)!;
    pools.set(
      target.name,
      new ServerPool(target, upstreamsOf(target, member, log, wheel), file.secret, file.previousSecret),
    );
  }
  return pools;
}

function upstreamsOf(target: Cluster, member: Member, log: Log, wheel: TimerWheel): Upstream[] {
  const { file, cluster, server: self } = member;
  const link = {
    self: { name: self.name, incarnation: member.incarnation },
    keys: linkKeys(file.secret, file.previousSecret),
    services: new Map(),
    log,
  };
  return target.servers.map((server) =>
    server.kind === "link"
      ? new LinkUpstream(server, link)
      : new HttpUpstream(server, cluster.timeouts, wheel, { log }),
  );
}

/** Waits a moment until each cluster has a server that takes requests, so that the first visitors do not meet a 503. */
async function firstServers(pools: ReadonlyMap<string, ServerPool>): Promise<void> {
  const until = performance.now() + upstreamLimits.firstServersWaitMs;
  const ready = (): boolean => [...pools.values()].every(isServed);
  while (!ready() && performance.now() < until) await delay(10);
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
