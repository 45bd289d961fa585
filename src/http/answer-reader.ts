/** The head of an app server's answer, out of pieces of any size, behind the interim answers before it. */
import { http as limits } from "../support/limits.ts";
import { findHeadEnd } from "./fields.ts";
import { parseResponseHead, ResponseHead } from "./response-head.ts";

const headLimits = {
  headBytesMax: limits.responseHeadBytesMax,
  fieldsMax: limits.responseFieldsMax,
  targetBytesMax: limits.targetBytesMax,
};
const nothing = Buffer.alloc(0);

/** Told of answers 100, 102 and 103 before the final one. */
export interface InterimSink {
  onInterim(head: ResponseHead): void;
}

/** Made once per connection and used for one answer after the other. */
export class AnswerReader {
  readonly head: ResponseHead = new ResponseHead();
  /** Why `read` returned -1: one line for a person. */
  error = "";
  /** Interim answers passed on. */
  interims = 0;
  /** Where the bytes behind the head are, after `read` returned their place: valid during the same call. */
  bytes: Buffer = nothing;
  #partial: Buffer = nothing;

  /** @returns the place in `this.bytes` behind the head of the final answer or of a 101; 0 when it is not complete; -1: it is wrong. */
  read(received: Buffer, sink: InterimSink): number {
    const kept = this.#partial.length;
    const bytes = kept === 0 ? received : Buffer.concat([this.#partial, received]);
    if (kept > 0 && bytes.length < limits.responseHeadBytesMax) {
      // A head that comes in pieces is searched once for its end, not parsed once per piece.
      if (findHeadEnd(bytes, Math.max(0, kept - 3), bytes.length) < 0) {
        this.#partial = bytes;
        return 0;
      }
    }
    this.#partial = nothing;
    this.bytes = bytes;
    let at = 0;
    for (;;) {
      const headBytes = parseResponseHead(bytes, at, bytes.length, headLimits, this.head);
      if (headBytes < 0) return this.#refuse(this.head.error);
      if (headBytes === 0) {
        this.#partial = Buffer.from(bytes.subarray(at));
        return 0;
      }
      at += headBytes;
      if (this.head.status >= 200 || this.head.status === 101) return at;
      if (++this.interims > limits.interimAnswersMax) return this.#refuse("too many interim answers");
      sink.onInterim(this.head);
    }
  }

  /** What came so far belongs to an attempt that is over. */
  forget(): void {
    this.#partial = this.bytes = nothing;
  }

  #refuse(error: string): -1 {
    this.error = error;
    return -1;
  }
}
