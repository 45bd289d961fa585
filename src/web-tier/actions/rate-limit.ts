/**
 * `rateLimit:` of a route: so many requests per client, and a burst of them at once. The token bucket in the form of ATM's
 * generic cell rate algorithm (ITU-T I.371): one number per client, the time at which its bucket will be full again.
 *
 * Bounded: of the clients the last `rateLimitClientsMax` are remembered; one that is forgotten has a full bucket. A client
 * with IPv6 is its /64, for whoever has one address there has them all.
 */
import { isIPv6 } from "node:net";
import type { RateLimitSettings } from "../../config/model.ts";
import { route as limits } from "../../support/limits.ts";

export class RateLimit {
  /** By client; those heard last are last. */
  readonly #fullAt = new Map<string, number>();
  readonly #now: () => number;
  readonly #intervalMs: number;
  readonly #burstMs: number;
  readonly #clientsMax: number;

  constructor(
    { count, perMs, burst }: RateLimitSettings,
    now: () => number = () => performance.now(),
    clientsMax: number = limits.rateLimitClientsMax,
  ) {
    this.#now = now;
    this.#intervalMs = perMs / count;
    this.#burstMs = burst * this.#intervalMs;
    this.#clientsMax = clientsMax;
  }

  /** @returns 0 when the request may go on, else in how many milliseconds the next one may. */
  take(address: string): number {
    const now = this.#now();
    const key = clientKey(address);
    const known = this.#fullAt.get(key);
    const fullAt = Math.max(known ?? now, now) + this.#intervalMs;
    if (fullAt - now > this.#burstMs) return fullAt - now - this.#burstMs;
    if (known !== undefined) this.#fullAt.delete(key);
    else if (this.#fullAt.size >= this.#clientsMax) this.#forgetOne();
    this.#fullAt.set(key, fullAt);
    return 0;
  }

  #forgetOne(): void {
    for (const key of this.#fullAt.keys()) return void this.#fullAt.delete(key);
  }
}

/** An IPv4 address, or the first 64 bits of one of IPv6. */
export function clientKey(address: string): string {
  if (!isIPv6(address)) return address;
  const [left = "", right] = address.split("%", 1)[0]!.split("::");
  const front = left === "" ? [] : left.split(":");
  const back = right === undefined || right === "" ? [] : right.split(":");
  // An IPv4 address at the end stands for two groups.
  const backGroups = back.length + (back.at(-1)?.includes(".") === true ? 1 : 0);
  const zeros = right === undefined ? 0 : Math.max(0, 8 - front.length - backGroups);
  const groups = [...front, ...Array.from({ length: zeros }, () => "0"), ...back];
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}
