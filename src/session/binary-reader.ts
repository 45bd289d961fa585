/** Numbers, texts and bytes one after another, as frames between servers and changes for the disk have them: big-endian, texts behind their lengths. */
export class BinaryReader {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isOver(): boolean {
    return this.#at === this.#buffer.length;
  }

  u8(): number {
    return this.#buffer[this.#take(1)]!;
  }

  u16(): number {
    return this.#buffer.readUInt16BE(this.#take(2));
  }

  u32(): number {
    return this.#buffer.readUInt32BE(this.#take(4));
  }

  f64(): number {
    return this.#buffer.readDoubleBE(this.#take(8));
  }

  text(): string {
    const bytes = this.u32();
    const from = this.#take(bytes);
    return this.#buffer.toString("utf8", from, from + bytes);
  }

  /** A view. */
  bytes(): Buffer {
    const length = this.u32();
    const from = this.#take(length);
    return this.#buffer.subarray(from, from + length);
  }

  /** @throws the error for bytes that no writer made. */
  fail(what: string): never {
    throw new Error(what);
  }

  #take(bytes: number): number {
    const from = this.#at;
    if (bytes > this.#buffer.length - from) this.fail("cut off");
    this.#at = from + bytes;
    return from;
  }
}
