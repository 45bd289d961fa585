/** What comes of a request's body before there is a connection for it: little, for its client has to wait then. */
import { upstream as limits } from "../support/limits.ts";
import type { UpstreamStream } from "./upstream.ts";

export class EarlyBody {
  readonly #pieces: (Buffer | string)[] = [];
  #bytes = 0;
  #trailer: string | null = null;

  /** No more is wanted for now. */
  get full(): boolean {
    return this.#bytes >= limits.waitingBodyBytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Copies the bytes. @returns false when it is full. */
  write(data: Uint8Array | string): boolean {
    this.#bytes += data.length;
    this.#pieces.push(typeof data === "string" ? data : Buffer.from(data));
    return !this.full;
  }

  end(trailer: string): void {
    this.#trailer = trailer;
  }

  sendTo(stream: UpstreamStream): void {
    for (const piece of this.#pieces) stream.write(piece);
    if (this.#trailer !== null) stream.end(this.#trailer);
  }
}
