/** What a client sent and can't be used yet, in a buffer that doubles: bytes that come one by one are not copied all each time. */
import { findHeadEnd } from "../http/fields.ts";

const nothing = Buffer.alloc(0);

export class WaitingBytes {
  #bytes: Buffer = nothing;
  /** The buffer that `#bytes` is the filled part of. */
  #room: Buffer = nothing;
  /** How far it was searched for the end of a head. */
  #searched = 0;

  get length(): number {
    return this.#bytes.length;
  }

  /** Copies `bytes` from `from` on. */
  add(bytes: Buffer, from: number): void {
    const kept = this.#bytes.length;
    const total = kept + bytes.length - from;
    if (kept === 0 || total > this.#room.length) {
      const room = Buffer.allocUnsafeSlow(kept === 0 ? total : 2 * total);
      this.#bytes.copy(room);
      this.#room = room;
    }
    bytes.copy(this.#room, kept, from);
    this.#bytes = this.#room.subarray(0, total);
  }

  /** Whether they hold the end of a head. One that comes in pieces is searched once, not parsed once per piece. */
  holdHead(): boolean {
    const found = findHeadEnd(this.#bytes, Math.max(0, this.#searched - 3), this.#bytes.length) >= 0;
    this.#searched = this.#bytes.length;
    return found;
  }

  /** @returns all of them; none are left. */
  take(): Buffer {
    const bytes = this.#bytes;
    this.clear();
    return bytes;
  }

  clear(): void {
    this.#bytes = this.#room = nothing;
    this.#searched = 0;
  }
}
