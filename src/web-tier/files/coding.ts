/** Codings of files that lie beside their original. */
import type { Coding } from "../accept-encoding.ts";

/** In the order in which they are looked for and preferred where the client has no preference: by the size of what they make. */
export const codings: readonly Coding[] = ["br", "zstd", "gzip"];

export const codingSuffixes: Readonly<Record<Coding, string>> = { br: ".br", zstd: ".zst", gzip: ".gz" };
