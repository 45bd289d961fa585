/**
 * One answer's body on its way through an encoder of node:zlib, which works on threads of its own. What came in one turn of
 * the event loop is one job, and each job gives out all that it was given: a page that the application sends in parts
 * arrives in these parts. While a job runs what comes is gathered, up to a bound; a client that does not read stops the
 * encoder, and with it the app server.
 */
import type { Transform } from "node:stream";
import { compression as limits } from "../support/limits.ts";

/** Gives out with every write all that was written. */
export type Encoder = Transform;

export interface CompressorOwner {
  /** Some of the compressed body. @returns false when the client reads too slowly: `resume` follows. */
  onCompressed(bytes: Buffer): boolean;
  /** After `write` had returned false: there is room again. */
  onCompressorRoom(): void;
  /** All of it was given out. */
  onCompressedEnd(): void;
  onCompressorFailed(error: Error): void;
}

/** Encoders in this process: each has some hundred KiB outside of JavaScript's heap. */
let open = 0;

export function openCompressors(): number {
  return open;
}

export function hasRoomForCompressor(): boolean {
  return open < limits.encodersMax;
}

export class Compressor {
  readonly #encoder: Encoder;
  readonly #owner: CompressorOwner;
  #pieces: Buffer[] = [];
  #bytes = 0;
  #busy = false;
  #ending = false;
  #scheduled = false;
  #full = false;

  constructor(encoder: Encoder, owner: CompressorOwner) {
    open++;
    this.#encoder = encoder;
    this.#owner = owner;
    encoder.on("data", (bytes: Buffer) => {
      if (!owner.onCompressed(bytes)) encoder.pause();
    });
    encoder.on("end", () => owner.onCompressedEnd());
    encoder.on("error", (error) => owner.onCompressorFailed(error));
    encoder.on("close", () => {
      open--;
    });
  }

  /** Copies the bytes. @returns false when it has enough for now. */
  write(bytes: Buffer): boolean {
    this.#pieces.push(Buffer.from(bytes));
    this.#bytes += bytes.length;
    this.#schedule();
    this.#full = this.#bytes >= limits.gatherBytesMax;
    return !this.#full;
  }

  end(): void {
    this.#ending = true;
    this.#schedule();
  }

  /** The client has read what it was sent. */
  resume(): void {
    this.#encoder.resume();
  }

  /** Frees the encoder; of the body no more comes. */
  destroy(): void {
    this.#pieces = [];
    this.#encoder.destroy();
  }

  #schedule(): void {
    if (this.#scheduled || this.#busy) return;
    this.#scheduled = true;
    process.nextTick(this.#feed);
  }

  readonly #feed = (): void => {
    this.#scheduled = false;
    if (this.#encoder.destroyed || this.#encoder.writableEnded) return;
    const bytes = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#bytes = 0;
    if (this.#ending) this.#encoder.end(bytes);
    else {
      this.#busy = true;
      this.#encoder.write(bytes, this.#written);
    }
    if (!this.#full) return;
    this.#full = false;
    this.#owner.onCompressorRoom();
  };

  readonly #written = (): void => {
    this.#busy = false;
    if (this.#bytes > 0 || this.#ending) this.#schedule();
  };
}
