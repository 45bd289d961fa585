/** What workers of a web server tell each other of clients' addresses, by way of their main process. */
import type { RecentTable } from "../support/recent-table.ts";

/**
 * Addresses of one cluster that are kept at servers other than those that everybody would expect. All others go without saying:
 * each worker works out the same server for them.
 */
export interface MovedAddresses {
  readonly cluster: string;
  /** So long after the last use. */
  readonly keptMs: number;
  /** Not the latest, perhaps: whoever knows an address elsewhere knows better. */
  readonly isReminder: boolean;
  /** Of addresses (web-tier/affinity/address-key.ts), and beside each its server and how long ago it was used. */
  readonly keys: Int32Array;
  readonly places: Uint16Array;
  /** Below 0: uses of the next time count already. */
  readonly agesMs: Int32Array;
}

/** Whoever is heard last is right. */
export function learn(table: RecentTable, moved: MovedAddresses, nowMs: number): void {
  const { keys, places, agesMs, isReminder } = moved;
  for (const [at, key] of keys.entries()) {
    const place = places[at]!;
    const known = table.get(key, nowMs);
    const usedAtMs = nowMs - agesMs[at]!;
    const isOld = known === place ? usedAtMs <= table.usedAtMs : isReminder && known !== -1;
    if (!isOld) table.set(key, place, nowMs, usedAtMs);
  }
}

/** Gathers what is to be told. */
export class MovedList {
  readonly #keys: number[] = [];
  readonly #places: number[] = [];
  readonly #agesMs: number[] = [];

  get size(): number {
    return this.#keys.length;
  }

  add(key: number, place: number, ageMs: number): void {
    this.#keys.push(key);
    this.#places.push(place);
    this.#agesMs.push(ageMs);
  }

  toMessage(cluster: string, keptMs: number, isReminder: boolean): MovedAddresses {
    const keys = Int32Array.from(this.#keys);
    const places = Uint16Array.from(this.#places);
    return { cluster, keptMs, isReminder, keys, places, agesMs: Int32Array.from(this.#agesMs) };
  }
}
