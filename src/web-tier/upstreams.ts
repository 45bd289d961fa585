/**
 * The app servers that the routes of a web server lead to. When the file changes, those that it leaves as they are stay, with
 * their connections, their queue and what is known of their health; those that are gone end what they have begun.
 */
import { isDeepStrictEqual } from "node:util";
import { clustersBehind } from "../config/behind.ts";
import type { Cluster, ClusterFile, Server, Timeouts } from "../config/model.ts";
import { HealthWatch } from "../health/health-watch.ts";
import { type HealthSettings, ServerHealth } from "../health/server-health.ts";
import type { ServerNews, ServerView } from "../health/server-news.ts";
import { linkKeys } from "../link/keys.ts";
import type { LoadRecord } from "../load/record.ts";
import type { Member } from "../member/member.ts";
import type { MovedAddresses } from "../member/moved-addresses.ts";
import { systemClock } from "../support/clock.ts";
import { upstream as limits } from "../support/limits.ts";
import type { Log } from "../support/log.ts";
import type { TimerWheel } from "../support/timer-wheel.ts";
import { KeptAddresses } from "./affinity/kept-addresses.ts";
import { HttpUpstream } from "./http-upstream.ts";
import { LinkUpstream } from "./link-upstream.ts";
import { ServerPool } from "./server-pool.ts";
import type { Upstream } from "./upstream.ts";

interface Known {
  readonly upstream: Upstream;
  readonly timeouts: Timeouts;
}

type Pools = ReadonlyMap<string, ServerPool>;

export class Upstreams {
  /** To the other workers. */
  onMoved: (addresses: MovedAddresses) => void = () => {};
  readonly #member: Member;
  readonly #log: Log;
  readonly #wheel: TimerWheel;
  readonly #watch: HealthWatch;
  #known: readonly Known[] = [];
  #pools: Pools = new Map();
  /** Of an earlier file, with requests. */
  readonly #retired: Set<Upstream> = new Set();
  #news: Map<string, ServerNews>;
  /** By the names of clusters with `affinity: { by: client-address }`; they outlive changes of the file. */
  readonly #addresses = new Map<string, KeptAddresses>();

  constructor(member: Member, news: readonly ServerNews[], log: Log, wheel: TimerWheel) {
    this.#news = new Map(news.map((one) => [one.name, one]));
    this.#member = member;
    this.#log = log;
    this.#wheel = wheel;
    this.#watch = new HealthWatch(systemClock, Math.random, log);
    this.#watch.start();
  }

  /** By the name of their cluster. */
  get pools(): Pools {
    return this.#pools;
  }

  /** The pools that this file needs; new ones connect already. `commit` or `discard` has to follow. */
  prepare(file: ClusterFile, cluster: Cluster): { pools: Pools; commit(): void; discard(): void } {
    const known: Known[] = [];
    const pools = new Map(
      clustersBehind(file, cluster).map((one) => [one.name, this.#poolOf(one, file, cluster, known)]),
    );
    const isNew = ({ upstream }: Known): boolean => !this.#has(upstream);
    return {
      pools,
      commit: () => {
        const gone = this.#known.filter((old) => !known.includes(old));
        this.#known = known;
        this.#pools = pools;
        this.#news = new Map([...this.#news].filter(([name]) => file.servers.has(name)));
        this.#watchServers(cluster);
        this.#forgetAddresses();
        this.#updateAffinity();
        for (const { upstream } of gone) this.#retire(upstream, cluster.timeouts.drainTimeoutMs);
      },
      discard: () => {
        for (const { upstream } of known.filter(isNew)) upstream.close();
      },
    };
  }

  /** From the main process. */
  hear(news: readonly ServerNews[]): void {
    const heard = new Map(news.map((one) => [one.name, one]));
    for (const [name, one] of heard) this.#news.set(name, one);
    for (const { upstream } of this.#known) if (heard.has(upstream.name)) this.#tell(upstream);
    this.#updateAffinity();
  }

  hearMoved(addresses: MovedAddresses): void {
    this.#addresses.get(addresses.cluster)?.hear(addresses);
  }

  hearLoad(name: string, record: LoadRecord): void {
    for (const { upstream } of this.#known)
      if (upstream.name === name) upstream.load.update(record, upstream.inFlight);
  }

  /** What is seen of each server. */
  views(): ServerView[] {
    return this.#known.map(({ upstream }) => viewOf(upstream));
  }

  #tell({ name, health }: Upstream): void {
    const news = this.#news.get(name);
    if (news !== undefined) health.hear(news);
  }

  close(): void {
    this.#watch.stop();
    for (const { upstream } of this.#known) upstream.close();
    for (const upstream of this.#retired) upstream.close();
    for (const addresses of this.#addresses.values()) addresses.close();
  }

  #updateAffinity(): void {
    for (const { affinity } of this.#pools.values()) affinity?.update();
  }

  /** Of clusters whose affinity is none of theirs any more. */
  #forgetAddresses(): void {
    for (const [name, addresses] of this.#addresses) {
      if (this.#pools.get(name)?.cluster.affinity?.by === "client-address") continue;
      addresses.close();
      this.#addresses.delete(name);
    }
  }

  #addressesOf({ name, affinity }: Cluster): KeptAddresses | null {
    if (affinity?.by !== "client-address") return null;
    const known = this.#addresses.get(name);
    if (known !== undefined) return known;
    const addresses = new KeptAddresses(name);
    addresses.tell = (moved) => this.onMoved(moved);
    this.#addresses.set(name, addresses);
    return addresses;
  }

  /** @param known gets the servers of the pool. */
  #poolOf(target: Cluster, file: ClusterFile, { timeouts }: Cluster, known: Known[]): ServerPool {
    const own = target.servers.map(
      (server) => this.#knownAs(server, timeouts) ?? this.#open(server, target, file, timeouts),
    );
    for (const { upstream } of own) this.#tell(upstream);
    known.push(...own);
    const upstreams = own.map(({ upstream }) => upstream);
    const pool = this.#pools.get(target.name);
    const isSame =
      isDeepStrictEqual(pool?.cluster, target) &&
      pool?.queueTimeoutMs === timeouts.queueTimeoutMs &&
      upstreams.every((upstream, index) => upstream === pool!.upstreams[index]);
    if (isSame) return pool!;
    return new ServerPool(target, upstreams, {
      ...{ secret: file.secret, previousSecret: file.previousSecret },
      ...{
        queueTimeoutMs: timeouts.queueTimeoutMs,
        wheel: this.#wheel,
        watch: this.#watch,
        addresses: this.#addressesOf(target),
        previous: pool ?? null,
      },
    });
  }

  /** By what the file says now. */
  #watchServers({ timeouts }: Cluster): void {
    const pools = [...this.#pools.values()];
    this.#watch.clusters = pools.flatMap(watchedGroups);
    for (const { cluster, upstreams } of pools)
      for (const { health } of upstreams) health.settings = settingsOf(cluster, timeouts);
  }

  #has(upstream: Upstream): boolean {
    return this.#known.some((known) => known.upstream === upstream);
  }

  #knownAs(server: Server, timeouts: Timeouts): Known | undefined {
    return this.#known.find(
      (known) =>
        isDeepStrictEqual(known.upstream.server, server) &&
        (server.kind === "link" || isDeepStrictEqual(known.timeouts, timeouts)),
    );
  }

  #open(server: Server, target: Cluster, file: ClusterFile, timeouts: Timeouts): Known {
    const { server: self, incarnation } = this.#member;
    const log = this.#log;
    const isKnown = this.#known.some(({ upstream }) => upstream.name === server.name);
    const hasJoined = this.#pools.size > 0 && !isKnown;
    const health = new ServerHealth(server, settingsOf(target, timeouts), this.#watch, hasJoined);
    if (server.kind !== "link")
      return { upstream: new HttpUpstream(server, health, timeouts, this.#wheel, { log }), timeouts };
    const keys = linkKeys(file.secret, file.previousSecret);
    const link = { self: { name: self.name, incarnation }, keys, services: new Map(), log };
    return { upstream: new LinkUpstream(server, health, link), timeouts };
  }

  #retire(upstream: Upstream, drainTimeoutMs: number): void {
    this.#retired.add(upstream);
    const until = performance.now() + drainTimeoutMs;
    const look = (): void => {
      if (upstream.inFlight > 0 && performance.now() < until) {
        setTimeout(look, limits.retiredLookMs).unref();
        return;
      }
      this.#retired.delete(upstream);
      upstream.close();
    };
    look();
  }
}

function settingsOf({ slowStartMs }: Cluster, { recoverTimeMs }: Timeouts): HealthSettings {
  return { slowStartMs, recoverTimeMs };
}

/** A backup that nobody needs does not show what is usual. */
export function watchedGroups({ groups }: ServerPool): ServerHealth[][] {
  return groups.map((group) => group.map(({ health }) => health));
}

function viewOf(upstream: Upstream): ServerView {
  const { name, health, keeps, unusableReason: reason, inFlight, weight, fullWeight, slowness } = upstream;
  const { state, forMs } = health;
  const load = upstream.load.inWords;
  return {
    ...{ name, state, reason, forMs, takesRequests: keeps, inFlight },
    ...{ weight, fullWeight, slowness, load, latencyMs: upstream.latencyAt(performance.now()) },
  };
}
