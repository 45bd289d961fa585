/**
 * The open streams of a link, and the ids: odd ones of the side that dialed, even ones of the other, each going up by
 * two and beginning again after 31 bits. Of a link that lives for years, ids are used again; streams that are still
 * open from the round before are stepped over.
 */
import type { Stream } from "./stream.ts";
import { streamIdMask } from "./wire.ts";

export class StreamTable {
  readonly #streams: Map<number, Stream> = new Map();
  /** The latest id opened by us and by the peer. */
  #lastOwnId: number;
  #lastPeerId: number;

  /** @param lastStreamId an even number: ids begin behind it (a test begins near the wrap). */
  constructor(dialed: boolean, lastStreamId: number = streamIdMask - 1) {
    const odd = (lastStreamId + 1) & streamIdMask;
    this.#lastOwnId = dialed ? odd : lastStreamId;
    this.#lastPeerId = dialed ? lastStreamId : odd;
  }

  get size(): number {
    return this.#streams.size;
  }

  get(id: number): Stream | undefined {
    return this.#streams.get(id);
  }

  add(stream: Stream): void {
    this.#streams.set(stream.id, stream);
  }

  remove(stream: Stream): void {
    this.#streams.delete(stream.id);
  }

  all(): Stream[] {
    return [...this.#streams.values()];
  }

  /** The id of the next stream of ours. */
  nextId(): number {
    let id = (this.#lastOwnId + 2) & streamIdMask;
    while (id === 0 || this.#streams.has(id)) id = (id + 2) & streamIdMask;
    this.#lastOwnId = id;
    return id;
  }

  /** The peer opens a stream with this id. @returns what is wrong with it, or "". */
  admit(id: number): string {
    const ahead = (id - this.#lastPeerId) & streamIdMask;
    if (ahead === 0 || ahead > streamIdMask >> 1 || (ahead & 1) === 1 || this.#streams.has(id)) {
      return `OPEN with stream id ${id} after ${this.#lastPeerId}`;
    }
    this.#lastPeerId = id;
    return "";
  }

  /** Whether a stream of this id, now over, has been open: used ids lie at most half the circle behind the latest. */
  wasOpen(id: number): boolean {
    const last = ((id ^ this.#lastOwnId) & 1) === 0 ? this.#lastOwnId : this.#lastPeerId;
    return ((last - id) & streamIdMask) <= streamIdMask >> 1;
  }
}
