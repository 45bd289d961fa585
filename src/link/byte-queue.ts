/** Bytes of one stream that wait for credit, for their turn or for the socket. First in, first out. */
import { giveSlab, slabBytes, takeSlab } from "../support/slabs.ts";

/** Small writes share a chunk up to this size, so that many of them cost no Buffer each. */
const chunkBytesMax = 16_384;

export class ByteQueue {
  readonly #chunks: Buffer[] = [];
  /** Bytes used of each chunk; of the last one, the rest is room. */
  readonly #used: number[] = [];
  /** Bytes of the first chunk already taken. */
  #taken = 0;

  /** Copies `bytes` from `start` on. */
  push(bytes: Uint8Array, start: number): void {
    let at = start;
    while (at < bytes.length) {
      const last = this.#chunks.length - 1;
      const room = last < 0 ? 0 : this.#chunks[last]!.length - this.#used[last]!;
      if (room === 0) {
        this.#addChunk(bytes.length - at);
        continue;
      }
      const count = Math.min(room, bytes.length - at);
      const whole = at === 0 && count === bytes.length;
      this.#chunks[last]!.set(whole ? bytes : bytes.subarray(at, at + count), this.#used[last]!);
      this.#used[last] = this.#used[last]! + count;
      at += count;
    }
  }

  /** Room for small writes grows by doubling; what is longer goes into slabs, which are used again. */
  #addChunk(bytes: number): void {
    const last = this.#chunks.at(-1);
    const grown = Math.max(bytes, last === undefined ? 0 : Math.min(chunkBytesMax, 2 * last.length));
    this.#chunks.push(grown > chunkBytesMax ? takeSlab() : Buffer.allocUnsafeSlow(grown));
    this.#used.push(0);
  }

  /** Moves the first `length` bytes, which must be there, to `target` at `at`. */
  take(target: Buffer, at: number, length: number): void {
    const end = at + length;
    let next = at;
    while (next < end) {
      const chunk = this.#chunks[0]!;
      const used = this.#used[0]!;
      const count = Math.min(used - this.#taken, end - next);
      chunk.copy(target, next, this.#taken, this.#taken + count);
      next += count;
      this.#taken += count;
      if (this.#taken < used) return;
      this.#chunks.shift();
      this.#used.shift();
      this.#taken = 0;
      if (chunk.length === slabBytes) giveSlab(chunk);
    }
  }
}
