/** Step "choose server": the servers of one cluster; those that keep the session first, else the policy's choice. */
import { HalfSipHash } from "../balance/half-sip-hash.ts";
import { createPolicy } from "../balance/policies.ts";
import type { Policy } from "../balance/policy.ts";
import type { Cluster } from "../config/model.ts";
import type { HealthWatch } from "../health/health-watch.ts";
import { SessionIds, type VerifiedId } from "../session/id.ts";
import { deriveKey } from "../support/keys.ts";
import { upstream as limits } from "../support/limits.ts";
import type { Log } from "../support/log.ts";
import type { Affinity } from "./affinity/affinity.ts";
import { CookieAffinity } from "./affinity/cookie-affinity.ts";
import { keyFinder } from "./request-key.ts";
import type { RoutedRequest } from "./routed-request.ts";
import type { Upstream } from "./upstream.ts";

export class ServerPool {
  readonly cluster: Cluster;
  readonly upstreams: readonly Upstream[];
  /** Of an application that has no sessions of ours; or null. */
  readonly affinity: Affinity | null;
  readonly #policy: Policy<Upstream>;
  /** Null: the policy does not ask what is in a request. */
  readonly #keyOf: ((request: RoutedRequest) => number) | null;
  readonly #watch: HealthWatch;
  /** Of the watch, when the policy got its servers. */
  #changes = -1;
  /** Those that it got. */
  #weights = "";
  readonly #ids: SessionIds;
  readonly #cookieName: string;
  /** Owner's letter and process index, as one text: the server that holds the session. */
  readonly #owners: ReadonlyMap<string, Upstream>;
  readonly #byLetter: ReadonlyMap<string, readonly Upstream[]>;
  #refused = 0;
  #toldAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    cluster: Cluster,
    upstreams: readonly Upstream[],
    watch: HealthWatch,
    secret: Buffer,
    previousSecret: Buffer | null,
  ) {
    this.cluster = cluster;
    this.upstreams = upstreams;
    const hash = new HalfSipHash(deriveKey(secret, "balance", cluster.name, 8));
    this.#policy = createPolicy(cluster.balance, hash);
    this.#keyOf = keyFinder(cluster.balance, hash);
    this.#watch = watch;
    this.affinity = affinityOf(cluster, upstreams, secret, previousSecret);
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
   * @returns null when no other server can take requests.
   */
  choose(request: RoutedRequest, tried: Upstream | null): Upstream | null {
    const kept =
      this.affinity === null ? this.#sessionKeeper(request, tried) : this.affinity.keeper(request, tried);
    return kept ?? this.#newcomer(request, tried) ?? this.#shortestQueue(tried);
  }

  #newcomer(request: RoutedRequest, tried: Upstream | null): Upstream | null {
    if (this.#changes !== this.#watch.changes) this.#updatePolicy();
    return this.#policy.pick(tried, this.#keyOf === null ? 0 : this.#keyOf(request));
  }

  /** It chooses among those that take visitors whom they do not know. */
  #updatePolicy(): void {
    this.#changes = this.#watch.changes;
    const candidates = this.upstreams.filter(({ health }) => health.isCandidate);
    const weights = candidates.map(({ name, fullWeight }) => `${name} ${fullWeight}`).join();
    if (weights === this.#weights) return;
    this.#weights = weights;
    this.#policy.update(candidates);
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

  #shortestQueue(tried: Upstream | null): Upstream | null {
    let best: Upstream | null = null;
    for (const upstream of this.upstreams) {
      if (upstream === tried || upstream.placeInQueue < 0) continue;
      if (best === null || upstream.placeInQueue < best.placeInQueue) best = upstream;
    }
    return best;
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

  /** Tells the operator that `choose` found none: one line now and then, with how often it happened. */
  tellUnusable(log: Log): void {
    this.#refused++;
    const now = performance.now();
    if (now - this.#toldAtMs < limits.complaintIntervalMs) return;
    const why = this.upstreams.map(
      (upstream) => `${upstream.server.name} (${upstream.unusableReason || "tried"})`,
    );
    log.warn(
      `503 to ${this.#refused} request(s): no server of ${this.cluster.name} takes requests: ${why.join(", ")}`,
    );
    this.#toldAtMs = now;
    this.#refused = 0;
  }
}

function affinityOf(
  { name, affinity }: Cluster,
  upstreams: readonly Upstream[],
  secret: Buffer,
  previousSecret: Buffer | null,
): Affinity | null {
  if (affinity?.by !== "cookie") return null;
  return new CookieAffinity(affinity, upstreams, { secret, previousSecret, name });
}

function ownerOf(letter: string, processIndex: number): string {
  return processIndex === 0 ? letter : `${letter}${processIndex}`;
}
