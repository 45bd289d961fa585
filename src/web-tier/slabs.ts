/**
 * Buffers for bytes on their way to slow sockets, used again when the kernel has taken them. Fresh buffers for
 * each piece of a long download would be garbage as long as the download, which the collector lets pile up.
 */
import { http as limits } from "../support/limits.ts";

const spare: Buffer[] = [];

/** @returns a buffer of `slabBytes`; give it back with `giveSlab`. */
export function takeSlab(): Buffer {
  return spare.pop() ?? Buffer.allocUnsafeSlow(limits.slabBytes);
}

export function giveSlab(slab: Buffer): void {
  if (spare.length < limits.spareSlabsMax) spare.push(slab);
}
