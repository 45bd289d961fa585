/** Content codings of files that lie beside their original, and which of them a client takes (RFC 9110, 12.5.3). */

/** In the order in which they are preferred where the client has no preference: by the size of what they make. */
export const codings = ["br", "zstd", "gzip"] as const;
export type Coding = (typeof codings)[number];

export const codingSuffixes: Readonly<Record<string, string>> = { br: ".br", zstd: ".zst", gzip: ".gz" };

/** @param accept the value of Accept-Encoding, or "". @returns the coding to send, or null for none. */
export function preferredCoding(accept: string, available: readonly string[]): string | null {
  if (accept === "" || available.length === 0) return null;
  const weights = weightsOf(accept);
  const any = weights.get("*") ?? 0;
  let best: string | null = null;
  let bestWeight = 0;
  for (const coding of codings) {
    const weight = weights.get(coding) ?? any;
    if (weight > bestWeight && available.includes(coding)) {
      best = coding;
      bestWeight = weight;
    }
  }
  // "identity" said to be better is taken at its word.
  return bestWeight >= (weights.get("identity") ?? 0) ? best : null;
}

function weightsOf(accept: string): Map<string, number> {
  const weights = new Map<string, number>();
  for (const item of accept.split(",", 32)) {
    const [coding = "", ...parameters] = item.split(";", 4);
    const q = parameters.map((text) => /^\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*$/i.exec(text)?.[1]).find(Boolean);
    const name = coding.trim().toLowerCase();
    if (name !== "") weights.set(name === "x-gzip" ? "gzip" : name, q === undefined ? 1 : Number(q));
  }
  return weights;
}
