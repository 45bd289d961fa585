/**
 * Writes of bytes whose buffer is not ours to keep. The copies of one socket share slabs, so a slow reader holds what
 * it was sent and at most one slab more, however small the pieces were.
 */
import type { Socket } from "node:net";
import { http as limits } from "../support/limits.ts";
import { giveSlab, slabBytes, takeSlab } from "../support/slabs.ts";

interface SharedSlab {
  readonly bytes: Buffer;
  usedBytes: number;
  /** Writes that the kernel has not taken yet. */
  writes: number;
}

export class CopiedWrites {
  readonly #socket: Socket;
  #slab: SharedSlab | null = null;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** @returns as Socket.write: false when the kernel takes no more for now. */
  write(bytes: Uint8Array): boolean {
    const length = bytes.length;
    if (length <= limits.unslabbedBytesMax || length > slabBytes)
      return this.#socket.write(Buffer.from(bytes));
    const slab = this.#slabFor(length);
    const start = slab.usedBytes;
    slab.bytes.set(bytes, start);
    slab.usedBytes += length;
    slab.writes++;
    return this.#socket.write(slab.bytes.subarray(start, start + length), () => this.#written(slab));
  }

  #slabFor(length: number): SharedSlab {
    if (this.#slab === null || this.#slab.usedBytes + length > slabBytes) {
      this.#slab = { bytes: takeSlab(), usedBytes: 0, writes: 0 };
    }
    return this.#slab;
  }

  #written(slab: SharedSlab): void {
    if (--slab.writes > 0) return;
    // An idle connection holds none.
    if (this.#slab === slab) this.#slab = null;
    giveSlab(slab.bytes);
  }
}
