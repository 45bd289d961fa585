/**
 * The work of a web server in one process: takes requests on the sockets that it is given, and has links of its own to
 * the app servers. A web server has one such process or several; their main process answers the cluster port.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { ClusterFile, Endpoint, Listener } from "../config/model.ts";
import type { ServerNews } from "../health/server-news.ts";
import type { LoadRecord } from "../load/record.ts";
import type { Member, WorkerReport } from "../member/member.ts";
import type { MovedAddresses } from "../member/moved-addresses.ts";
import {
  accessLog as accessLogLimits,
  http as httpLimits,
  upstream as upstreamLimits,
} from "../support/limits.ts";
import type { Log } from "../support/log.ts";
import { TimerWheel } from "../support/timer-wheel.ts";
import { AccessLog } from "./access-log.ts";
import { AnswerPages } from "./answer-pages.ts";
import { BrowserListener } from "./browser-listener.ts";
import { FileCache } from "./files/file-cache.ts";
import { RequestIds } from "./forwarded.ts";
import { networksOf } from "./networks.ts";
import { compileRoute } from "./route.ts";
import { RouteTable } from "./route-table.ts";
import type { ServerPool } from "./server-pool.ts";
import type { Site, SiteSettings } from "./site.ts";
import { Upstreams } from "./upstreams.ts";
import { BodyFolder } from "./whole-body.ts";

/** Gives a handle of the bound socket of an address under `listen:`, another one each time. */
type SocketOf = (endpoint: Endpoint) => Promise<object>;

/** A file that could be in force at once. One of the two has to be called. */
export interface Prepared {
  commit(): void;
  discard(): void;
}

/**
 * Resolves when it takes requests.
 * @throws FlotillaError when it can't; nothing is left open then.
 */
export async function startWebServer(
  member: Member,
  news: readonly ServerNews[],
  log: Log,
  socketOf: SocketOf,
): Promise<WebServer> {
  const web = new WebServer(member, news, log, socketOf);
  try {
    await web.start();
  } catch (error) {
    void web.close();
    throw error;
  }
  return web;
}

export class WebServer {
  readonly #member: Member;
  readonly #log: Log;
  readonly #socketOf: SocketOf;
  readonly #upstreams: Upstreams;
  readonly #files = new FileCache();
  readonly #site: Site;
  #listeners: readonly BrowserListener[] = [];
  /** Not in the file any more; with connections, perhaps. */
  readonly #retired: Set<BrowserListener> = new Set();

  /** @throws FlotillaError when the access log can't be opened. */
  constructor(member: Member, news: readonly ServerNews[], log: Log, socketOf: SocketOf) {
    const wheel = new TimerWheel();
    this.#member = member;
    this.#log = log;
    this.#socketOf = socketOf;
    this.#upstreams = new Upstreams(member, news, log, wheel);
    const pools = this.#upstreams.prepare(member.file, member.cluster);
    this.#site = {
      ...this.#settings(member.file, pools.pools, null),
      ...{ member, log, wheel, requestIds: new RequestIds(), draining: false },
      bodies: new BodyFolder(join(member.file.dataFolder, "bodies")),
    };
    pools.commit();
  }

  async start(): Promise<void> {
    const sockets = await this.#sockets(this.#member.cluster.listen);
    this.#listeners = this.#member.cluster.listen.map(
      (settings) => new BrowserListener(this.#site, settings),
    );
    await this.#firstServers();
    for (const listener of this.#listeners) await listener.listen(sockets.get(listener.settings)!);
  }

  /** Where browsers connect, e.g. "http://0.0.0.0:8080". */
  get urls(): readonly string[] {
    return this.#listeners.map((listener) => listener.url);
  }

  report(): WorkerReport {
    const listeners = [...this.#listeners, ...this.#retired];
    return {
      requests: this.#member.requests,
      openRequests: listeners.reduce((sum, listener) => sum + listener.openRequests, 0),
      connections: listeners.reduce((sum, listener) => sum + listener.connections, 0),
      unserved: this.#unserved(),
      servers: this.#upstreams.views(),
    };
  }

  /** From the main process: what it found out of app servers, or an operator wants of them. */
  hear(news: readonly ServerNews[]): void {
    this.#upstreams.hear(news);
  }

  /** From the main process: what a server's agent tells. */
  hearLoad(name: string, record: LoadRecord): void {
    this.#upstreams.hearLoad(name, record);
  }

  /** Tells the main process what the other workers have to know. */
  set onMoved(tell: (addresses: MovedAddresses) => void) {
    this.#upstreams.onMoved = tell;
  }

  /** From a worker, by way of the main process. */
  hearMoved(addresses: MovedAddresses): void {
    this.#upstreams.hearMoved(addresses);
  }

  /** With one cluster that is served we are of use: a balancer that took us out for the others would make it worse. */
  #unserved(): string[] {
    const pools = [...this.#upstreams.pools.values()];
    return pools.some(isServed) ? [] : pools.map((pool) => pool.cluster.name);
  }

  /**
   * Makes all ready that a changed file needs. Connections, and what the file leaves as it is, stay as they are.
   * @throws FlotillaError when it can't be; nothing has changed then.
   */
  async prepare(file: ClusterFile): Promise<Prepared> {
    const cluster = file.clusters.get(this.#member.cluster.name)!;
    const pools = this.#upstreams.prepare(file, cluster);
    let settings: SiteSettings | null = null;
    const opened: BrowserListener[] = [];
    const discard = (): void => {
      pools.discard();
      for (const listener of opened) listener.close();
      if (settings !== null && settings.accessLog !== this.#site.accessLog) void settings.accessLog.close();
    };
    try {
      settings = this.#settings(file, pools.pools, this.#site.accessLog);
      const sockets = await this.#sockets(
        cluster.listen.filter((own) => this.#listenerOf(own) === undefined),
      );
      for (const [own, handles] of sockets) {
        opened.push(new BrowserListener(this.#site, own));
        await opened.at(-1)!.listen(handles);
      }
    } catch (error) {
      discard();
      throw error;
    }
    const commit = (): void => {
      pools.commit();
      this.#apply(settings!, cluster.listen, opened);
    };
    return { commit, discard };
  }

  /**
   * Accepts no more and lets answers come to their end, for at most the drain timeout and `timeoutMs`.
   * @param idleMs connections without a request are closed only then.
   */
  async drain(idleMs: number, timeoutMs: number): Promise<void> {
    this.#site.draining = true;
    const listeners = [...this.#listeners, ...this.#retired];
    const drained = Promise.all(listeners.map((listener) => listener.drain(idleMs)));
    await Promise.race([drained, pause(Math.min(timeoutMs, this.#site.timeouts.drainTimeoutMs))]);
  }

  /** The access log goes on in a new file of its name. */
  reopenLogs(): void {
    this.#site.accessLog.reopen();
  }

  /** Cuts everything; ends when the last access lines are written, unless the disk stands still. */
  async close(): Promise<void> {
    for (const listener of [...this.#listeners, ...this.#retired]) listener.close();
    this.#upstreams.close();
    this.#files.close();
    await Promise.race([this.#site.accessLog.close(), pause(accessLogLimits.flushIntervalMs)]);
  }

  /** @param accessLog goes on if the file wants the same. */
  #settings(
    file: ClusterFile,
    pools: ReadonlyMap<string, ServerPool>,
    accessLog: AccessLog | null,
  ): SiteSettings {
    const { name } = this.#member.server;
    const cluster = file.clusters.get(this.#member.cluster.name)!;
    const parts = { pools, files: this.#files, log: this.#log, compress: cluster.compress };
    const isSame = accessLog !== null && isDeepStrictEqual(accessLog.settings, cluster.accessLog);
    return {
      routes: new RouteTable(cluster.routes.map((route) => compileRoute(route, parts))),
      limits: cluster.limits,
      timeouts: cluster.timeouts,
      trusted: networksOf(cluster.trustedNetworks),
      sessionIdNetworks: networksOf(cluster.sessionIdNetworks),
      pages: new AnswerPages(cluster.errorPages, cluster.interceptErrors),
      maintenance: cluster.maintenance,
      accessLog: isSame ? accessLog : new AccessLog(cluster.accessLog, name, cluster.name, this.#log),
    };
  }

  #apply(settings: SiteSettings, listen: readonly Listener[], opened: readonly BrowserListener[]): void {
    const { accessLog } = this.#site;
    Object.assign(this.#site, settings);
    if (settings.accessLog !== accessLog) {
      settings.accessLog.openConnections = accessLog.openConnections;
      void accessLog.close();
    }
    const before = this.#listeners;
    this.#listeners = listen.map(
      (own) => this.#listenerOf(own) ?? opened.find((listener) => listener.settings === own)!,
    );
    for (const listener of before) if (!this.#listeners.includes(listener)) this.#retire(listener);
  }

  #listenerOf(settings: Listener): BrowserListener | undefined {
    return this.#listeners.find((listener) => isDeepStrictEqual(listener.settings, settings));
  }

  async #sockets(listen: readonly Listener[]): Promise<Map<Listener, readonly object[]>> {
    const handlesOf = (settings: Listener): Promise<object[]> =>
      Promise.all(Array.from({ length: httpLimits.acceptsPerTurn }, () => this.#socketOf(settings)));
    const sockets = await Promise.all(listen.map(handlesOf));
    return new Map(listen.map((settings, at) => [settings, sockets[at]!]));
  }

  #retire(listener: BrowserListener): void {
    this.#retired.add(listener);
    listener.retire();
    const look = (): void => {
      if (listener.connections > 0) {
        setTimeout(look, upstreamLimits.retiredLookMs).unref();
        return;
      }
      this.#retired.delete(listener);
      listener.close();
    };
    // Handshakes that have begun come to their end first.
    setTimeout(look, this.#site.timeouts.headTimeoutMs).unref();
  }

  /** Waits a moment until each cluster has a server that takes requests, so that the first visitors do not meet a 503. */
  async #firstServers(): Promise<void> {
    const until = performance.now() + upstreamLimits.firstServersWaitMs;
    const ready = (): boolean => [...this.#upstreams.pools.values()].every(isServed);
    while (!ready() && performance.now() < until) await pause(upstreamLimits.firstServersLookMs);
  }
}

/** Its visitors get an answer. One in maintenance needs no servers for that, and is no reason to send visitors elsewhere. */
function isServed({ cluster, upstreams }: ServerPool): boolean {
  return cluster.maintenance !== null || upstreams.some((upstream) => upstream.usable);
}

/** Keeps no process alive. */
function pause(ms: number): Promise<void> {
  return sleep(ms, undefined, { ref: false });
}
