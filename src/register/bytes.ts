/**
 * A small binary format: unsigned numbers in the shortest LEB128 form, texts and byte strings after their length. The
 * reader takes only what the writer makes: whatever else is in a file or a message is damage, not an opinion.
 */
import { FlotillaError } from "../support/errors.ts";

export class ByteWriter {
  #bytes: Buffer = Buffer.allocUnsafe(1_024);
  #length = 0;

  /** A safe integer from 0. */
  number(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is no unsigned number`);
    this.#reserve(8);
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#bytes[this.#length++] = (rest % 128) | 128;
    this.#bytes[this.#length++] = rest;
  }

  bytes(value: Uint8Array): void {
    this.number(value.length);
    this.raw(value);
  }

  /** Without its length. */
  raw(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  text(value: string): void {
    this.bytes(Buffer.from(value, "utf8"));
  }

  result(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#length));
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + bytes));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

/** Every method throws FLOTILLA_REGISTER_DAMAGED on what no writer made. */
export class ByteReader {
  readonly #bytes: Buffer;
  readonly #what: string;
  #at = 0;

  /** @param what is read, for the message: "the vote of 10.0.0.1". */
  constructor(bytes: Buffer, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  /** @param max the largest value that makes sense here. */
  number(max: number = Number.MAX_SAFE_INTEGER): number {
    let value = 0;
    let scale = 1;
    for (let read = 0; read < 8; read++, scale *= 128) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) this.fail("ends too early");
      value += (byte & 127) * scale;
      if (byte >= 128) continue;
      if (byte === 0 && read > 0) this.fail("has a number in a longer form than needed");
      if (value > max) this.fail(`has the number ${value} where ${max} is the largest`);
      return value;
    }
    this.fail("has a number that is too long");
  }

  bytes(lengthMax: number): Buffer {
    return this.raw(this.number(lengthMax));
  }

  /** Copied: what came from a larger buffer does not keep it alive. */
  raw(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) this.fail("ends too early");
    const part = Buffer.from(this.#bytes.subarray(this.#at, this.#at + length));
    this.#at += length;
    return part;
  }

  text(bytesMax: number): string {
    const bytes = this.bytes(bytesMax);
    const text = bytes.toString("utf8");
    if (!Buffer.from(text, "utf8").equals(bytes)) this.fail("has a text that is not UTF-8");
    return text;
  }

  /** Nothing may follow. */
  end(): void {
    if (this.#at !== this.#bytes.length) this.fail(`goes on after its end, at byte ${this.#at}`);
  }

  fail(why: string): never {
    throw damaged(`${this.#what} ${why}`);
  }
}

export function damaged(message: string): FlotillaError {
  return new FlotillaError("FLOTILLA_REGISTER_DAMAGED", message, { source: "server" });
}
