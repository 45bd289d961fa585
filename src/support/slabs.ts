/**
 * Buffers for bytes that have to wait, used again when the bytes are gone. Fresh buffers for each piece of a
 * long transfer would be garbage as long as the transfer, which the collector lets pile up.
 */
import { slabs as limits } from "./limits.ts";

export const slabBytes: number = limits.slabBytes;
const spare: Buffer[] = [];

/** @returns a buffer of `slabBytes`, with whatever stood in it; give it back with `giveSlab`. */
export function takeSlab(): Buffer {
  return spare.pop() ?? Buffer.allocUnsafeSlow(slabBytes);
}

export function giveSlab(slab: Buffer): void {
  if (spare.length < limits.spareMax) spare.push(slab);
}
