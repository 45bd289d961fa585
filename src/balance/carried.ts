/** What a policy knows of each server, when the servers change. */
import type { Candidate } from "./policy.ts";

/** @param values one per candidate. @returns the same for the new candidates; `fresh` for those that were not there. */
export function carried<C extends Candidate>(
  before: readonly C[],
  values: Float64Array,
  candidates: readonly C[],
  fresh: number,
): Float64Array {
  const known = new Map(before.map((candidate, at) => [candidate, values[at]!]));
  return Float64Array.from(candidates, (candidate) => known.get(candidate) ?? fresh);
}
