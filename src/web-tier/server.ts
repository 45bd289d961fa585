/** A web server of the cluster: opens what browsers and the other servers connect to, and reaches the app servers. */
import { adminService } from "../admin/service.ts";
import type { Cluster } from "../config/model.ts";
import { StreamKind } from "../link/api.ts";
import { linkKeys } from "../link/keys.ts";
import { LinkListener } from "../link/listener.ts";
import type { Member } from "../member/member.ts";
import { accessLog as accessLogLimits, upstream as upstreamLimits } from "../support/limits.ts";
import type { Log } from "../support/log.ts";
import { TimerWheel } from "../support/timer-wheel.ts";
import { AccessLog } from "./access-log.ts";
import { BrowserListener } from "./browser-listener.ts";
import { RequestIds, trustedNetworks } from "./forwarded.ts";
import { HttpUpstream } from "./http-upstream.ts";
import { LinkUpstream } from "./link-upstream.ts";
import { compileRoute } from "./route.ts";
import { ServerPool } from "./server-pool.ts";
import type { Site } from "./site.ts";
import type { Upstream } from "./upstream.ts";

export interface WebServer {
  /** Where browsers connect, e.g. "http://0.0.0.0:8080". */
  readonly urls: readonly string[];
  /** Being read, answered, or upgraded. */
  readonly openRequests: number;
  /** Accepts no more and lets answers come to their end, for at most the drain timeout. */
  drain(): Promise<void>;
  /** Cuts everything; ends when the last access lines are written, unless the disk stands still. */
  close(): Promise<void>;
}

/**
 * @param stop what the admin question "stop" does.
 * @throws FlotillaError when a port can't be had; nothing is left open then.
 */
export async function startWebServer(member: Member, log: Log, stop: () => void): Promise<WebServer> {
  const { file, cluster, server } = member;
  const wheel = new TimerWheel();
  const accessLog = new AccessLog(cluster.accessLog, server.name, log);
  const pools = openPools(member, log, wheel);
  const site: Site = {
    member,
    log,
    routes: cluster.routes.map((route) => compileRoute(route, pools.get(route.to!)!)),
    limits: cluster.limits,
    timeouts: cluster.timeouts,
    trusted: trustedNetworks(cluster.trustedNetworks),
    wheel,
    accessLog,
    requestIds: new RequestIds(),
    draining: false,
  };
  const port = new LinkListener({
    self: { name: server.name, incarnation: member.incarnation },
    address: server.address,
    port: server.port,
    keys: linkKeys(file.secret, file.previousSecret),
    knows: (name) => name.startsWith("@") || file.servers.has(name),
    services: new Map([[StreamKind.admin, adminService(member, { stop })]]),
    log,
  });
  const listeners = cluster.listen.map((settings) => new BrowserListener(site, settings));
  const close = (): Promise<void> => {
    for (const listener of listeners) listener.close();
    for (const pool of pools.values()) for (const upstream of pool.upstreams) upstream.close();
    void port.close();
    return accessLog.close();
  };
  try {
    await port.listen();
    await firstServers(pools);
    for (const listener of listeners) await listener.listen();
  } catch (error) {
    void close();
    throw error;
  }
  member.state = "up";
  return {
    urls: listeners.map((listener) => listener.url),
    get openRequests() {
      return listeners.reduce((sum, listener) => sum + listener.openRequests, 0);
    },
    close: () => Promise.race([close(), delay(accessLogLimits.flushIntervalMs)]),
    async drain() {
      site.draining = true;
      member.state = "draining";
      const drained = Promise.all(listeners.map((listener) => listener.drain()));
      await Promise.race([drained, delay(cluster.timeouts.drainTimeoutMs)]);
    },
  };
}

function openPools(member: Member, log: Log, wheel: TimerWheel): Map<string, ServerPool> {
  const { file, cluster } = member;
  const pools = new Map<string, ServerPool>();
  for (const { to } of cluster.routes) {
    const target = file.clusters.get(to!)!;
    if (pools.has(target.name)) continue;
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
  const ready = (): boolean =>
    [...pools.values()].every((pool) => pool.upstreams.some((upstream) => upstream.usable));
  while (!ready() && performance.now() < until) await delay(10);
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
