/** Accept-Encoding (RFC 9110, 12.5.3): of the codings that there are, the one that a client likes best. */
import { http as limits } from "../support/limits.ts";

export type Coding = "zstd" | "br" | "gzip";

/**
 * @param accepted the field's value, or "". What is not understood in it is passed over.
 * @param ours in the order of our choice, where the client has none.
 * @returns null when the answer is to be sent as it is.
 */
export function preferredCoding(accepted: string, ours: readonly Coding[]): Coding | null {
  if (accepted === "" || ours.length === 0) return null;
  const weights = weightsOf(accepted);
  const any = weights.get("*") ?? 0;
  let best: Coding | null = null;
  let bestWeight = 0;
  for (const coding of ours) {
    const weight = weights.get(coding) ?? any;
    if (weight <= bestWeight) continue;
    best = coding;
    bestWeight = weight;
  }
  // "identity" said to be better is taken at its word.
  return bestWeight >= (weights.get("identity") ?? 0) ? best : null;
}

function weightsOf(accepted: string): Map<string, number> {
  const weights = new Map<string, number>();
  for (const part of accepted.toLowerCase().split(",", limits.codingsMax)) {
    const match = /^\s*([a-z0-9*-]+)\s*(?:;\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?$/.exec(part);
    if (match === null) continue;
    weights.set(match[1] === "x-gzip" ? "gzip" : match[1]!, match[2] === undefined ? 1 : Number(match[2]));
  }
  return weights;
}
