/**
 * Step "choose server": the servers of one cluster; those that keep the session first, else the policy's choice. What finds no
 * room waits. Backups (`backup: true`) get what would be answered 503 otherwise.
 */
import { HalfSipHash } from "../balance/half-sip-hash.ts";
import { createPolicy } from "../balance/policies.ts";
import type { Policy } from "../balance/policy.ts";
import type { Cluster } from "../config/model.ts";
import type { HealthWatch } from "../health/health-watch.ts";
import { RetryBudget } from "../health/retry-budget.ts";
import { SessionIds, type VerifiedId } from "../session/id.ts";
import { deriveKey } from "../support/keys.ts";
import { upstream as limits } from "../support/limits.ts";
import type { Log } from "../support/log.ts";
import type { TimerWheel } from "../support/timer-wheel.ts";
import { AddressAffinity } from "./affinity/address-affinity.ts";
import type { Affinity } from "./affinity/affinity.ts";
import { CookieAffinity } from "./affinity/cookie-affinity.ts";
import { KeptAddresses } from "./affinity/kept-addresses.ts";
import type { RouteCookieKeys } from "./affinity/route-cookies.ts";
import { keyFinder } from "./request-key.ts";
import { RequestQueue } from "./request-queue.ts";
import type { RoutedRequest } from "./routed-request.ts";
import { isIdempotent, type Upstream } from "./upstream.ts";

export interface PoolOptions {
  readonly secret: Buffer;
  readonly previousSecret: Buffer | null;
  readonly queueTimeoutMs: number;
  readonly wheel: TimerWheel;
  readonly watch: HealthWatch;
  /** Null: none are known, or nobody is kept by his address. */
  readonly addresses: KeptAddresses | null;
  /** Of the file before: its requests that wait, and what was repeated, go on in this one. */
  readonly previous: ServerPool | null;
}

export class ServerPool {
  readonly cluster: Cluster;
  readonly upstreams: readonly Upstream[];
  /** The same in two: backups are the second. */
  readonly groups: readonly [readonly Upstream[], readonly Upstream[]];
  readonly queue: RequestQueue;
  readonly queueTimeoutMs: number;
  readonly budget: RetryBudget;
  /** Of an application that has no sessions of ours; or null. */
  readonly affinity: Affinity | null;
  readonly #policy: Policy<Upstream>;
  /** Null: there are none. */
  readonly #backups: Policy<Upstream> | null;
  /** Null: the policies do not ask what is in a request. */
  readonly #keyOf: ((request: RoutedRequest) => number) | null;
  readonly #watch: HealthWatch;
  /** Of the watch, when the policies got their servers. */
  #weightChanges = -1;
  readonly #ids: SessionIds;
  readonly #cookieName: string;
  /** Owner's letter and process index, as one text: the server that holds the session. */
  readonly #owners: ReadonlyMap<string, Upstream>;
  readonly #byLetter: ReadonlyMap<string, readonly Upstream[]>;
  readonly #unusable = new Complaint();
  readonly #spent = new Complaint();

  constructor(cluster: Cluster, upstreams: readonly Upstream[], options: PoolOptions) {
    const { secret, previousSecret, previous } = options;
    this.cluster = cluster;
    this.upstreams = upstreams;
    this.queueTimeoutMs = options.queueTimeoutMs;
    this.queue = previous?.queue ?? new RequestQueue(options.wheel);
    this.budget =
      previous?.cluster.retryBudget === cluster.retryBudget
        ? previous.budget
        : new RetryBudget(cluster.retryBudget, performance.now());
    for (const upstream of upstreams) upstream.queue = this.queue;
    this.#watch = options.watch;
    const keys = { secret, previousSecret, name: cluster.name };
    this.affinity = affinityOf(cluster, upstreams, options.addresses, keys);
    const hash = new HalfSipHash(deriveKey(secret, "balance", cluster.name, 8));
    this.#keyOf = keyFinder(cluster.balance, hash);
    const backups = upstreams.filter(({ server }) => server.isBackup);
    this.groups = [upstreams.filter(({ server }) => !server.isBackup), backups];
    this.#policy = createPolicy(cluster.balance, hash);
    this.#backups = backups.length === 0 ? null : createPolicy(cluster.balance, hash);
    this.#ids = new SessionIds(secret, previousSecret, cluster.name);
    this.#cookieName = cluster.sessions?.cookieName ?? "sid";
    this.#owners = new Map(
      upstreams.map((upstream) => [ownerOf(upstream.server.letter, upstream.server.processIndex), upstream]),
    );
    this.#byLetter = Map.groupBy(upstreams, ({ server }) => server.letter);
  }

  get size(): number {
    return this.upstreams.length;
  }

  /**
   * @param tried a server that failed it already, or null.
   * @returns null when no other server can take it now.
   */
  choose(request: RoutedRequest, tried: Upstream | null): Upstream | null {
    const kept =
      this.affinity === null ? this.#sessionKeeper(request, tried) : this.affinity.keeper(request, tried);
    return kept ?? this.#newcomer(request, tried);
  }

  #newcomer(request: RoutedRequest, tried: Upstream | null): Upstream | null {
    const found =
      (this.#watch.isTrialWanted ? this.#onTrial(request, tried) : null) ??
      this.#pick(this.#policy, request, tried);
    if (found !== null || this.mayWait(tried)) return found;
    return this.#suspect(tried) ?? this.backup(request, tried);
  }

  /** Nobody who compares what servers have in flight would choose one that does not answer what it has. */
  #onTrial({ method }: RoutedRequest, tried: Upstream | null): Upstream | null {
    if (!isIdempotent(method)) return null;
    return this.groups[0].find((one) => one !== tried && one.health.onTrial && one.usable) ?? null;
  }

  /** One more request can wait until one of the servers has room. */
  mayWait(tried: Upstream | null): boolean {
    let waitingMax = 0;
    for (const upstream of this.upstreams) {
      if (upstream !== tried && upstream.full && upstream.health.isCandidate)
        waitingMax += upstream.server.waitingMax;
    }
    return this.queue.length < waitingMax;
  }

  /** It is passed over, but better than none. */
  #suspect(tried: Upstream | null): Upstream | null {
    const isLeft = (one: Upstream): boolean => one !== tried && one.health.isCandidate && one.keeps;
    return this.groups[0].find(isLeft) ?? null;
  }

  /** For a request that none of the others takes. */
  backup(request: RoutedRequest, tried: Upstream | null): Upstream | null {
    return this.#backups === null ? null : this.#pick(this.#backups, request, tried);
  }

  #pick(policy: Policy<Upstream>, request: RoutedRequest, tried: Upstream | null): Upstream | null {
    if (this.#weightChanges !== this.#watch.weightChanges) this.#updatePolicies();
    return policy.pick(tried, this.#keyOf === null ? 0 : this.#keyOf(request));
  }

  /** All that have a weight: one that takes nobody now keeps its place, so that no visitor of the others has to move for it. */
  #updatePolicies(): void {
    this.#weightChanges = this.#watch.weightChanges;
    const [first, backups] = this.groups;
    this.#policy.update(first.filter(hasWeight));
    this.#backups?.update(backups.filter(hasWeight));
  }

  /**
   * The server that somebody named who may (R21): by an id of ours, or by letters, as in "b" or "bc".
   * @returns null when it can't take the request.
   */
  chooseExplicit(id: string, tried: Upstream | null): Upstream | null {
    const verified = this.#ids.verify(id);
    if (verified !== null) return this.#keeperOf(verified, tried);
    return this.#firstOf(id.charAt(0), tried) ?? this.#firstOf(id.charAt(1), tried);
  }

  #sessionKeeper({ cookie }: RoutedRequest, tried: Upstream | null): Upstream | null {
    if (cookie === "") return null;
    const id = this.#ids.fromCookie(cookie, this.#cookieName);
    return id === null ? null : this.#keeperOf(id, tried);
  }

  /**
   * The session's owner; when it can't be used its backup, which takes over. An id that names a process which is not
   * there (the file has fewer of them now) goes to the first of the owner's.
   */
  #keeperOf(id: VerifiedId, tried: Upstream | null): Upstream | null {
    const owner = this.#owners.get(ownerOf(id.owner, id.processIndex)) ?? this.#firstOf(id.owner, tried);
    if (owner?.keeps && owner !== tried) return owner;
    return this.#firstOf(id.backup, tried);
  }

  #firstOf(letter: string, tried: Upstream | null): Upstream | null {
    const upstreams = this.#byLetter.get(letter);
    if (upstreams === undefined) return null;
    for (const upstream of upstreams) if (upstream.keeps && upstream !== tried) return upstream;
    return null;
  }

  /** Whether a request that a server may have acted upon may be sent once more; then it is counted. */
  mayRepeatOneMore(): boolean {
    if (this.budget.take(performance.now())) return true;
    this.#spent.count++;
    return false;
  }

  /** Servers live, and have no room. */
  get isFull(): boolean {
    return this.upstreams.some(({ full, health }) => full && health.isCandidate);
  }

  /** Tells the operator that no server took a request: one line now and then, with how often it happened. */
  tellUnusable(log: Log): void {
    this.#unusable.count++;
    const count = this.#unusable.due();
    if (count === 0) return;
    const why = this.upstreams.map(
      (upstream) => `${upstream.server.name} (${upstream.unusableReason || "tried"})`,
    );
    log.warn(
      `503 to ${count} request(s): no server of ${this.cluster.name} takes requests: ${why.join(", ")}`,
    );
  }

  /** The same of requests that were not sent once more, for too many were; if there are such. */
  tellSpent(log: Log): void {
    const count = this.#spent.due();
    if (count === 0) return;
    log.warn(
      `${count} request(s) to ${this.cluster.name} were not sent to another server: its retryBudget is spent, too many requests fail`,
    );
  }
}

/** Of one kind: told now and then, with how often there was reason. */
class Complaint {
  /** Not told yet. */
  count = 0;
  #toldAtMs = Number.NEGATIVE_INFINITY;

  /** @returns how often there was reason since it was told last; 0 when it is not to be told now. */
  due(): number {
    const { count } = this;
    const now = performance.now();
    if (count === 0 || now - this.#toldAtMs < limits.complaintIntervalMs) return 0;
    this.#toldAtMs = now;
    this.count = 0;
    return count;
  }
}

function affinityOf(
  { affinity }: Cluster,
  upstreams: readonly Upstream[],
  addresses: KeptAddresses | null,
  keys: RouteCookieKeys,
): Affinity | null {
  if (affinity === null) return null;
  if (affinity.by === "cookie") return new CookieAffinity(affinity, upstreams, keys);
  return new AddressAffinity(affinity.keptMs, upstreams, addresses ?? new KeptAddresses(keys.name));
}

function hasWeight({ fullWeight }: Upstream): boolean {
  return fullWeight > 0;
}

function ownerOf(letter: string, processIndex: number): string {
  return processIndex === 0 ? letter : `${letter}${processIndex}`;
}
