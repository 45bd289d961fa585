/**
 * Rendezvous hashing (Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998), with weights: each key has a
 * distance to each server, and the nearest gets it. When servers come and go, only keys move that have to, and whoever knows the
 * same servers finds the same one, without a table. It costs a look at each server, which only addresses that are new here pay.
 */
import type { Server } from "../../config/model.ts";
import { mixed } from "./address-key.ts";

export interface Place {
  /** Letter and process index in one number, below 65,536: stays the same for as long as the letter does. */
  readonly place: number;
  /** Of its name. */
  readonly seed: number;
  /** Of the file: one that an operator or an agent changes would send addresses about with every change. */
  readonly weight: number;
}

export const nowhere = -1;

export function placeOf({ letter, processIndex, name, weight }: Server): Place {
  let seed = 0;
  for (let at = 0; at < name.length; at++) seed = mixed(Math.imul(seed, 31) + name.charCodeAt(at));
  // Without weight it gets nobody new, until an operator wants it to.
  return { place: (letter.charCodeAt(0) << 6) | processIndex, seed, weight: weight || 1 };
}

export function distance(key: number, { seed, weight }: Place): number {
  const share = ((mixed(key ^ seed) >>> 0) + 0.5) / 4_294_967_296;
  return -Math.log(share) / weight;
}

/** @returns the place that the key belongs to, or `nowhere` when there are none. */
export function homeOf(key: number, places: readonly Place[]): number {
  let home = nowhere;
  let nearest = Number.POSITIVE_INFINITY;
  for (const place of places) {
    const away = distance(key, place);
    if (away >= nearest) continue;
    nearest = away;
    home = place.place;
  }
  return home;
}
