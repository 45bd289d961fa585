/** A request's body as far as it came, kept while it may have to be sent to another server. Long ones are not kept. */
import { http as limits } from "../support/limits.ts";
import type { UpstreamStream } from "./upstream.ts";

export class KeptBody {
  readonly #pieces: Buffer[] = [];
  #bytes = 0;
  /** All that came is here: the request can be sent once more. */
  complete = true;

  /** Copies the bytes, or gives up when they have become too many. @param must nobody else has got them. */
  add(bytes: Buffer, must: boolean): void {
    if (!this.complete) return;
    this.#bytes += bytes.length;
    if (must || this.#bytes <= limits.replayBytesMax) this.#pieces.push(Buffer.from(bytes));
    else this.drop();
  }

  sendTo(stream: UpstreamStream): void {
    for (const piece of this.#pieces) stream.write(piece);
  }

  /** The request will not be sent again. */
  drop(): void {
    this.clear();
    this.complete = false;
  }

  /** For the next request. */
  clear(): void {
    this.#pieces.length = 0;
    this.#bytes = 0;
    this.complete = true;
  }
}
