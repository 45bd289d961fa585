/** `affinity: { by: client-address }`: all connections of an address go to one server, for a set time after the last request. */
import type { RoutedRequest } from "../routed-request.ts";
import type { Upstream } from "../upstream.ts";
import { type Affinity, canKeep } from "./affinity.ts";
import type { KeptAddresses } from "./kept-addresses.ts";
import { distance, nowhere, type Place, placeOf } from "./rendezvous.ts";

interface Entry {
  readonly upstream: Upstream;
  readonly place: Place;
}

export class AddressAffinity implements Affinity {
  readonly #keptMs: number;
  readonly #kept: KeptAddresses;
  readonly #entries: readonly Entry[];
  readonly #byPlace: ReadonlyMap<number, Upstream>;

  constructor(keptMs: number, upstreams: readonly Upstream[], kept: KeptAddresses) {
    this.#keptMs = keptMs;
    this.#kept = kept;
    this.#entries = upstreams.map((upstream) => ({ upstream, place: placeOf(upstream.server) }));
    this.#byPlace = new Map(this.#entries.map(({ upstream, place }) => [place.place, upstream]));
  }

  keeper({ addressKey: key }: RoutedRequest, tried: Upstream | null): Upstream | null {
    if (this.#kept.isNew) this.update();
    const place = this.#kept.find(key);
    if (place === nowhere) return this.#newcomer(key, tried);
    return this.#keeping(place, tried) ?? this.#nearest(key, tried, true);
  }

  setCookie(): string {
    return "";
  }

  update(): void {
    const homes = this.#entries.filter(isHome).map(({ place }) => place);
    this.#kept.update(homes, this.#keptMs);
  }

  #keeping(place: number, tried: Upstream | null): Upstream | null {
    const upstream = this.#byPlace.get(place);
    return upstream !== undefined && upstream !== tried && canKeep(upstream) ? upstream : null;
  }

  #newcomer(key: number, tried: Upstream | null): Upstream | null {
    const former = this.#kept.formerHomeOf(key);
    const known = former === nowhere ? null : this.#keeping(former, tried);
    if (known === null) return this.#nearest(key, tried, false);
    this.#kept.keep(key, former, false);
    return known;
  }

  /**
   * The nearest that takes new visitors; of the backup servers only when no other does. One that is busy, or slow at the moment, is
   * none to pass over: another worker may keep the address there.
   */
  #nearest(key: number, tried: Upstream | null, hasMoved: boolean): Upstream | null {
    const chosen = this.#nearestOf(key, tried, false) ?? this.#nearestOf(key, tried, true);
    if (chosen === null) return null;
    this.#kept.keep(key, chosen.place.place, hasMoved);
    return chosen.upstream;
  }

  #nearestOf(key: number, tried: Upstream | null, isBackup: boolean): Entry | null {
    let chosen: Entry | null = null;
    let nearest = Number.POSITIVE_INFINITY;
    for (const entry of this.#entries) {
      const { upstream, place } = entry;
      if (upstream === tried || upstream.server.isBackup !== isBackup) continue;
      if (!upstream.health.isOpen || !canKeep(upstream)) continue;
      const away = distance(key, place);
      if (away >= nearest) continue;
      nearest = away;
      chosen = entry;
    }
    return chosen;
  }
}

/** Whether it is up has no part in it: each worker sees that at a moment of its own. */
function isHome({ upstream: { server, health } }: Entry): boolean {
  return !server.isBackup && health.isOpen;
}
