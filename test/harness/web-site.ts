/**
 * A web tier inside the test's own process: real sockets on free ports, in front of raw or HTTP origins. Closing it
 * proves that nothing was left behind: no request, no deadline, no connection.
 */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import type {
  Cluster,
  ClusterFile,
  HttpLimits,
  Maintenance,
  OwnPage,
  PlainServer,
  Route,
  Server,
  Timeouts,
  TlsSettings,
} from "../../src/config/model.ts";
import { HealthWatch } from "../../src/health/health-watch.ts";
import { ServerHealth } from "../../src/health/server-health.ts";
import { linkKeys } from "../../src/link/keys.ts";
import { Member } from "../../src/member/member.ts";
import type { NameResolver } from "../../src/plain/resolver.ts";
import { type Clock, systemClock } from "../../src/support/clock.ts";
import {
  http2 as http2Limits,
  http as limits,
  upstream as upstreamLimits,
} from "../../src/support/limits.ts";
import { silentLog } from "../../src/support/log.ts";
import { TimerWheel } from "../../src/support/timer-wheel.ts";
import { type AccessEntry, AccessLog } from "../../src/web-tier/access-log.ts";
import { AnswerPages } from "../../src/web-tier/answer-pages.ts";
import { BrowserListener } from "../../src/web-tier/browser-listener.ts";
import { FileCache } from "../../src/web-tier/files/file-cache.ts";
import { RequestIds } from "../../src/web-tier/forwarded.ts";
import { HttpUpstream } from "../../src/web-tier/http-upstream.ts";
import { LinkUpstream } from "../../src/web-tier/link-upstream.ts";
import { networksOf } from "../../src/web-tier/networks.ts";
import { compileRoute } from "../../src/web-tier/route.ts";
import { RouteTable } from "../../src/web-tier/route-table.ts";
import { ServerPool } from "../../src/web-tier/server-pool.ts";
import type { Site } from "../../src/web-tier/site.ts";
import type { Upstream } from "../../src/web-tier/upstream.ts";
import { watchedGroups } from "../../src/web-tier/upstreams.ts";
import { BodyFolder } from "../../src/web-tier/whole-body.ts";
import { Notes } from "./link-pair.ts";
import { anyRoute } from "./routes.ts";

export interface WebSiteOptions {
  readonly routes?: readonly Partial<Route>[];
  readonly limits?: Partial<HttpLimits>;
  readonly timeouts?: Partial<Timeouts>;
  readonly trusted?: readonly string[];
  readonly sessionIdFrom?: readonly string[];
  /** What bodies may take on the disk. */
  readonly bodiesBytesMax?: number;
  readonly compress?: boolean;
  readonly errorPages?: Readonly<Record<string, OwnPage>>;
  readonly interceptErrors?: boolean;
  /** Of the web tier. */
  readonly maintenance?: Maintenance;
  /** Of the cluster "app". */
  readonly appMaintenance?: Maintenance;
  /** Clusters beside "app", with the ports of their plain HTTP servers. */
  readonly clusters?: Readonly<Record<string, readonly number[]>>;
  /** Over the defaults, of every plain HTTP server. */
  readonly plain?: Partial<PlainServer>;
  /** Over the defaults, of every server. */
  readonly server?: Partial<Server>;
  /** The same of each server of "app", by its place. */
  readonly servers?: readonly Partial<Server>[];
  /** Over the defaults, of every app cluster. */
  readonly app?: Partial<Cluster>;
  /** A name instead of 127.0.0.1 for the servers of "app", and who knows its addresses. */
  readonly name?: string;
  readonly resolver?: NameResolver;
  /** By which plain HTTP servers are tried again. */
  readonly clock?: Clock;
  /** The ports are cluster ports. */
  readonly link?: boolean;
  /** With `tls`; true without. */
  readonly http2?: boolean;
  readonly tls?: TlsSettings;
  readonly redirectPort?: number;
  readonly hsts?: string;
  readonly proxyProtocol?: boolean;
}

export interface WebSite {
  readonly port: number;
  readonly site: Site;
  /** Of the cluster "app". */
  readonly upstreams: readonly Upstream[];
  /** Access lines so far. */
  readonly log: readonly AccessEntry[];
  /** The access line at `index`, now or when it is written. */
  logged(index: number): Promise<AccessEntry>;
  /** Lines for the operator so far. */
  readonly warnings: readonly string[];
  /** As a server's end: accepts no more, answers say that they are the last. */
  drain(): Promise<void>;
  /** Cuts what is left. @throws AssertionError when anything stays behind. */
  close(): Promise<void>;
}

export const secret: Buffer = Buffer.alloc(32, 7);

/** A site that closes with the test. */
export async function webSite(
  t: { after(end: () => Promise<void>): void },
  origins: readonly number[],
  options: WebSiteOptions = {},
): Promise<WebSite> {
  const web = await startWebSite(origins, options);
  t.after(() => web.close());
  return web;
}

/** @param origins ports on 127.0.0.1: the servers of the cluster "app", with the letters a, b, ... */
export async function startWebSite(
  origins: readonly number[],
  options: WebSiteOptions = {},
): Promise<WebSite> {
  const timeouts: Timeouts = { ...defaultTimeouts, ...options.timeouts };
  const wheel = new TimerWheel();
  const warnings: string[] = [];
  const log = pino({ level: "info" }, recorder(warnings));
  const watch = new HealthWatch(options.clock ?? systemClock, () => 0, log);
  const pools = new Map<string, ServerPool>();
  for (const [name, ports] of Object.entries({ app: origins, ...options.clusters })) {
    const servers = ports.map((port, at) => {
      const own = name === "app" ? options.servers?.[at] : undefined;
      const server = {
        ...serverAt(name, port, at, options.link ? "link" : "http"),
        ...{ ...options.server, ...own },
      };
      if (server.plain === null) return server;
      return {
        ...server,
        address: options.name ?? server.address,
        plain: { ...server.plain, ...options.plain },
      };
    });
    const shape = { ...cluster(name, "app", servers, timeouts), ...options.app };
    const settings = { slowStartMs: shape.slowStartMs, recoverTimeMs: timeouts.recoverTimeMs };
    const healthOf = (server: Server): ServerHealth => new ServerHealth(server, settings, watch, false);
    const upstreams = servers.map((server) =>
      server.kind === "http"
        ? new HttpUpstream(server, healthOf(server), timeouts, wheel, {
            log,
            ...(options.resolver ? { resolver: options.resolver } : {}),
            ...(options.clock ? { clock: options.clock } : {}),
          })
        : new LinkUpstream(server, healthOf(server), {
            self: { name: "web-a", incarnation: "test" },
            keys: linkKeys(secret, null),
            services: new Map(),
            log: silentLog,
          }),
    );
    const maintenance = name === "app" ? (options.appMaintenance ?? null) : null;
    pools.set(
      name,
      new ServerPool({ ...shape, maintenance }, upstreams, {
        ...{ secret, previousSecret: null, previous: null, addresses: null },
        ...{ queueTimeoutMs: timeouts.queueTimeoutMs, wheel, watch },
      }),
    );
  }
  watch.clusters = [...pools.values()].flatMap(watchedGroups);
  watch.start();
  const files = new FileCache();
  const web = cluster("web", "web", [serverAt("web", 1, 0, "link")], timeouts);
  const entries = new Notes<AccessEntry>();
  const site: Site = {
    member: new Member(
      { clusters: new Map([["web", web]]), secret, previousSecret: null } as unknown as ClusterFile,
      web.servers[0]!,
    ),
    log,
    routes: new RouteTable(
      (options.routes ?? [{ to: "app" }]).map((route) =>
        compileRoute({ ...anyRoute, ...route }, { pools, files, log, compress: options.compress === true }),
      ),
    ),
    limits: { ...web.limits, ...options.limits },
    timeouts,
    trusted: networksOf(options.trusted ?? []),
    sessionIdNetworks: networksOf(options.sessionIdFrom ?? []),
    wheel,
    accessLog: recordingLog(entries),
    bodies: new BodyFolder(join(tmpdir(), `flotilla-bodies-${process.pid}`), options.bodiesBytesMax),
    pages: new AnswerPages(
      new Map(Object.entries(options.errorPages ?? {})),
      options.interceptErrors === true,
    ),
    maintenance: options.maintenance ?? null,
    requestIds: new RequestIds(),
    draining: false,
  };
  const listener = new BrowserListener(site, {
    scheme: options.tls ? "https" : "http",
    address: "127.0.0.1",
    port: 0,
    tls: options.tls ?? null,
    http2: options.http2 ?? true,
    redirectPort: options.redirectPort ?? null,
    hsts: options.hsts ?? null,
    proxyProtocol: options.proxyProtocol === true,
  });
  await listener.listen();
  const upstreams = [...pools.values()].flatMap((pool) => pool.upstreams);
  if (options.link) await until(() => upstreams.every((upstream) => upstream.usable), "links");
  return {
    port: listener.port,
    site,
    upstreams: pools.get("app")!.upstreams,
    log: entries.all,
    logged: (index) => entries.at(index),
    warnings,
    drain() {
      site.draining = true;
      return listener.drain();
    },
    async close() {
      listener.close();
      await listener.drain();
      const busy = (): string => upstreams.map(({ server, inFlight }) => `${server.name}=${inFlight}`).join();
      await until(
        () => upstreams.every((upstream) => upstream.inFlight === 0),
        () => `in flight: ${busy()}`,
      );
      watch.stop();
      for (const upstream of upstreams) upstream.close();
      files.close();
      assert.equal(site.bodies.bytes, 0, "bodies are left on the disk");
      rmSync(site.bodies.path, { recursive: true, force: true });
      await until(
        () => files.size === 0,
        () => `${files.size} files are left open`,
      );
      await until(
        () => wheel.size === 0,
        () => `${wheel.size} deadlines are left`,
      );
    },
  };
}

/** Lets the event loop turn until it is so; two seconds at most. */
async function until(isSo: () => boolean, what: string | (() => string)): Promise<void> {
  for (const end = performance.now() + 2_000; !isSo(); ) {
    if (performance.now() > end) assert.fail(typeof what === "string" ? what : what());
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const defaultTimeouts: Timeouts = {
  headTimeoutMs: limits.headTimeoutMs,
  bodySilenceTimeoutMs: limits.bodySilenceTimeoutMs,
  keepAliveTimeoutMs: limits.keepAliveTimeoutMs,
  writeSilenceTimeoutMs: limits.writeSilenceTimeoutMs,
  connectTimeoutMs: upstreamLimits.connectTimeoutMs,
  upstreamIdleTimeMs: upstreamLimits.idleTimeMs,
  queueTimeoutMs: upstreamLimits.queueTimeoutMs,
  recoverTimeMs: upstreamLimits.recoverTimeMs,
  requestTimeoutMs: upstreamLimits.requestTimeoutMs,
  appKeepAliveTimeoutMs: upstreamLimits.appKeepAliveTimeoutMs,
  socketTimeoutMs: upstreamLimits.socketTimeoutMs,
  drainTimeoutMs: 1_000,
  drainDelayMs: 0,
};

function recorder(lines: string[]): { write(line: string): void } {
  return { write: (line: string) => void lines.push((JSON.parse(line) as { msg: string }).msg) };
}

function recordingLog(entries: Notes<AccessEntry>): AccessLog {
  const log = new AccessLog({ path: null, format: "combined" }, "web-a", "web", silentLog);
  log.write = (entry) => entries.add({ ...entry });
  return log;
}

const plainDefaults: PlainServer = {
  socketPath: null,
  tls: null,
  host: null,
  idleConnectionsMax: upstreamLimits.idleSocketsMax,
  agent: null,
};

/** "app-a" with the letter a, "app-b" with b, ... */
function serverAt(clusterName: string, port: number, at: number, kind: Server["kind"]): Server {
  const letter = String.fromCharCode(97 + at);
  return {
    name: `${clusterName}-${letter}`,
    entry: `${clusterName}-${letter}`,
    cluster: clusterName,
    letter,
    processIndex: 0,
    kind,
    address: "127.0.0.1",
    port,
    authority: `127.0.0.1:${port}`,
    weight: 1,
    isBackup: false,
    requestsMax: upstreamLimits.requestsMax,
    waitingMax: upstreamLimits.waitingMax,
    plain: kind === "http" ? { ...plainDefaults } : null,
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
    servers,
    witness: null,
    coordination: { engine: "members" },
    listen: [],
    workers: 1,
    health: null,
    routes: [],
    run: null,
    attach: true,
    balance: { policy: "round-robin", by: "client-address", name: "", loadBound: 1.25 },
    affinity: null,
    check: null,
    slowStartMs: 0,
    retryBudget: 0.2,
    sessions: null,
    trustedNetworks: [],
    sessionIdNetworks: [],
    accessLog: { path: null, format: "combined" },
    errorPages: new Map(),
    interceptErrors: false,
    maintenance: null,
    compress: false,
    limits: {
      headBytesMax: limits.headBytesMax,
      fieldsMax: limits.fieldsMax,
      targetBytesMax: limits.targetBytesMax,
      bodyBytesMax: Number.POSITIVE_INFINITY,
      connectionsMax: limits.connectionsMax,
      streamsMax: http2Limits.streamsMax,
    },
    timeouts,
  };
}
