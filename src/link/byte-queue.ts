/** Bytes of one stream that wait for credit, for their turn or for the socket. First in, first out. */

/** Small writes share a chunk up to this size, so that many of them cost no Buffer each. */
const chunkBytesMax = 16_384;

export class ByteQueue {
  readonly #chunks: Buffer[] = [];
  /** Bytes of the first chunk already taken. */
  #taken = 0;
  /** Bytes used of the last chunk; the rest of it is room. */
  #lastUsed = 0;

  /** Copies `bytes[start, end)`. */
  push(bytes: Uint8Array, start: number): void {
    const length = bytes.length - start;
    const last = this.#chunks.at(-1);
    if (last !== undefined && last.length - this.#lastUsed >= length) {
      last.set(start === 0 ? bytes : bytes.subarray(start), this.#lastUsed);
      this.#lastUsed += length;
      return;
    }
    // The one before was full or too small: the next has twice its size, so that the number of chunks stays small.
    const size = Math.max(length, Math.min(chunkBytesMax, last === undefined ? length : last.length * 2));
    if (last !== undefined) this.#chunks[this.#chunks.length - 1] = last.subarray(0, this.#lastUsed);
    const chunk = Buffer.allocUnsafeSlow(size);
    chunk.set(start === 0 ? bytes : bytes.subarray(start));
    this.#chunks.push(chunk);
    this.#lastUsed = length;
  }

  /** Moves the first `length` bytes, which must be there, to `target` at `at`. */
  take(target: Buffer, at: number, length: number): void {
    const end = at + length;
    let next = at;
    while (next < end) {
      const chunk = this.#chunks[0]!;
      const used = this.#chunks.length === 1 ? this.#lastUsed : chunk.length;
      const count = Math.min(used - this.#taken, end - next);
      chunk.copy(target, next, this.#taken, this.#taken + count);
      next += count;
      this.#taken += count;
      if (this.#taken < used) return;
      this.#chunks.shift();
      this.#taken = 0;
    }
  }
}
