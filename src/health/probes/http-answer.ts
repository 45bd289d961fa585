/**
 * What a check asks of HTTP, and what it makes of the answer, by whatever way the bytes travel. Read as strictly as answers to visitors, up
 * to the end of the answer or of the first 16 KiB of its body: no server can make its checker read more. Redirects are answers like others.
 */
import type { HttpCheck } from "../../config/model.ts";
import { AnswerReader } from "../../http/answer-reader.ts";
import { BodyDecoder, type BodySink } from "../../http/body.ts";
import { responseBodyKind } from "../../http/response-head.ts";
import { checks as limits } from "../../support/limits.ts";
import type { Finding } from "./probe.ts";

export const checkMethod = "GET";
export const userAgent = "flotilla-check";

const ignored = { onInterim(): void {} };
const shownTextMax = 40;

export class CheckAnswer implements BodySink {
  readonly #check: HttpCheck;
  readonly #reader = new AnswerReader();
  readonly #decoder = new BodyDecoder();
  #hasHead = false;
  /** Of the body, where a text has to be found in it. */
  readonly #kept: Buffer | null;
  #keptBytes = 0;

  constructor(check: HttpCheck) {
    this.#check = check;
    this.#kept = check.text === "" ? null : Buffer.allocUnsafe(limits.bodyBytesMax);
  }

  /** @returns what is found, or null while more has to come. */
  push(bytes: Buffer): Finding {
    if (this.#hasHead) return this.#pushBody(bytes, 0);
    const at = this.#reader.read(bytes, ignored);
    if (at < 0) return `it answered no good HTTP (${this.#reader.error})`;
    if (at === 0) return null;
    this.#hasHead = true;
    const { head } = this.#reader;
    if (head.status < this.#check.statusMin || head.status > this.#check.statusMax)
      return `it answered ${head.status}`;
    this.#decoder.begin(responseBodyKind(checkMethod, head), head.contentLength);
    return this.#pushBody(this.#reader.bytes, at);
  }

  /** No more comes. @returns what is found. */
  end(): string {
    if (!this.#hasHead) return "it ended the connection without an answer";
    return this.#decoder.closeEnd() ? this.#judge() : `it broke off (${this.#decoder.error})`;
  }

  /** Its time is over. @returns what is found. */
  late(within: string): string {
    return this.#hasHead ? `its answer was not whole ${within}` : `no answer ${within}`;
  }

  onBodyBytes(bytes: Buffer): void {
    if (this.#kept !== null) this.#keptBytes += bytes.copy(this.#kept, this.#keptBytes);
  }

  #pushBody(bytes: Buffer, from: number): Finding {
    if (this.#decoder.push(bytes, from, bytes.length, this) < 0)
      return `it answered no good HTTP (${this.#decoder.error})`;
    const isEnough = this.#decoder.done || this.#decoder.receivedBytes >= limits.bodyBytesMax;
    return isEnough ? this.#judge() : null;
  }

  #judge(): string {
    const { text } = this.#check;
    if (this.#kept?.subarray(0, this.#keptBytes).includes(text) !== false) return "";
    const shown = text.length > shownTextMax ? `${text.slice(0, shownTextMax)}...` : text;
    return `${JSON.stringify(shown)} is not in its answer`;
  }
}
