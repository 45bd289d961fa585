/** Frames on a stream: four bytes of length, then the frame. An empty one says that the pair of streams is complete. */
import type { LinkStream } from "../../link/api.ts";
import { replication as limits } from "../../support/limits.ts";

const lengthBytes = 4;
const lengthOut: Buffer = Buffer.alloc(lengthBytes);

export function writeFrame(stream: LinkStream, frame: Uint8Array): void {
  // The stream copies what it is given: the four bytes can be used again.
  lengthOut.writeUInt32BE(frame.length);
  stream.write(lengthOut);
  if (frame.length > 0) stream.write(frame);
}

/** Puts frames together from the pieces in which they come. */
export class FrameGatherer {
  /** The view is valid only during the call. @returns false when it can't be read. */
  readonly #onFrame: (frame: Uint8Array) => boolean;
  readonly #length: Buffer = Buffer.alloc(lengthBytes);
  /** Of `#length`, or of the frame once that is known. */
  #gathered = 0;
  #frame: Buffer | null = null;
  /** Used again: frames come one after the other, and of what is allocated anew for each the kernel touches every page. */
  #buffer: Buffer = Buffer.alloc(0);

  constructor(onFrame: (frame: Uint8Array) => boolean) {
    this.#onFrame = onFrame;
  }

  /** @returns false when these are no frames: the stream is of no use any more. */
  add(bytes: Buffer): boolean {
    let at = 0;
    while (at < bytes.length) {
      if (this.#frame === null) {
        if (this.#gathered === 0 && bytes.length - at >= lengthBytes) {
          // The usual case: nothing to gather, the frame is read where it lies.
          const length = bytes.readUInt32BE(at);
          if (length > limits.frameBytesMax) return false;
          if (bytes.length - at - lengthBytes >= length) {
            at += lengthBytes + length;
            if (!this.#onFrame(bytes.subarray(at - length, at))) return false;
            continue;
          }
        }
        const taken = bytes.copy(this.#length, this.#gathered, at);
        this.#gathered += taken;
        at += taken;
        if (this.#gathered < lengthBytes) return true;
        const length = this.#length.readUInt32BE(0);
        if (length > limits.frameBytesMax) return false;
        this.#frame = this.#bufferOf(length);
        this.#gathered = 0;
      } else {
        const taken = bytes.copy(this.#frame, this.#gathered, at);
        this.#gathered += taken;
        at += taken;
      }
      if (this.#gathered < this.#frame.length) continue;
      const frame = this.#frame;
      this.#frame = null;
      this.#gathered = 0;
      if (!this.#onFrame(frame)) return false;
    }
    return true;
  }

  #bufferOf(length: number): Buffer {
    if (length > limits.frameBufferBytes) return Buffer.allocUnsafeSlow(length);
    if (this.#buffer.length < length)
      this.#buffer = Buffer.allocUnsafeSlow(Math.min(limits.frameBufferBytes, 2 * length));
    return this.#buffer.subarray(0, length);
  }
}
