/** A web server's end of the stream on which an app server reports its load. */
import { type Link, type LinkStream, ResetCode, type StreamHandler, StreamKind } from "../link/api.ts";
import { load as limits } from "../support/limits.ts";
import { type LoadRecord, parseLoad } from "./record.ts";

/**
 * Asks the other end to report. One of an older release knows no such streams: then there are no figures, and nothing else
 * is different.
 * @param onRecord told of the newest record of each read.
 */
export function readLoad(link: Link, onRecord: (record: LoadRecord) => void): void {
  link.open(StreamKind.load, "", true, new LoadReader(onRecord), limits.windowBytes);
}

class LoadReader implements StreamHandler {
  readonly #onRecord: (record: LoadRecord) => void;
  /** The begin of a line whose end has not come. */
  #rest = "";

  constructor(onRecord: (record: LoadRecord) => void) {
    this.#onRecord = onRecord;
  }

  onData(stream: LinkStream, bytes: Buffer): void {
    const text = this.#rest + bytes.latin1Slice(0, bytes.length);
    const end = text.lastIndexOf("\n");
    this.#rest = text.slice(end + 1);
    if (this.#rest.length > limits.recordBytesMax) {
      stream.reset(ResetCode.protocol, `a report of load is longer than ${limits.recordBytesMax} bytes`);
      return;
    }
    stream.consumed(bytes.length);
    if (end === -1) return;
    // Only the last one is read: what is older says nothing any more, and many at once cost no more than one.
    const record = parseLoad(text.slice(text.lastIndexOf("\n", end - 1) + 1, end));
    if (record !== null) this.#onRecord(record);
  }

  onEnd(): void {}

  onReset(): void {}

  onDrain(): void {}
}
