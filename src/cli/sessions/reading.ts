/** Goes through the sessions of another store, in portions that memory can hold, and makes records of those that live. */
import { RecordProblem } from "../../session/checkpoint/record.ts";
import { type ForeignRecord, NoSession, recordOfStored } from "../../session/foreign/stored-session.ts";
import { sessionImport as limits, session as sessionLimits } from "../../support/limits.ts";
import { LeftOut } from "./left-out.ts";
import type { Found, SessionSource } from "./sources/source.ts";

export type Read =
  | { readonly kind: "session"; readonly sid: string; readonly bytes: number; readonly record: ForeignRecord }
  /** All before it was told of. */
  | { readonly kind: "place"; readonly place: string };

export class Reading {
  readonly #source: SessionSource;
  readonly #idleTimeoutMs: number;
  readonly leftOut: LeftOut = new LeftOut();
  /** Records that were made. */
  sessions = 0;
  expired = 0;
  share: number | null = null;

  /** @param idleTimeoutMs of sessions that the store does not end. */
  constructor(source: SessionSource, idleTimeoutMs: number) {
    this.#source = source;
    this.#idleTimeoutMs = idleTimeoutMs;
  }

  /** @param from "", or a place that was told of before. */
  async *all(from: string): AsyncGenerator<Read> {
    for (let place = from; ; ) {
      const { found, next, share } = await this.#source.page(place);
      for (const portion of this.#portions(found)) yield* this.#sessions(portion);
      this.share = share;
      if (next === null) return;
      yield { kind: "place", place: next };
      place = next;
    }
  }

  async *#sessions(portion: readonly Found[]): AsyncGenerator<Read> {
    const texts = await this.#source.texts(portion.map(({ sid }) => sid));
    const now = Date.now();
    for (const [index, { sid, leftMs }] of portion.entries()) {
      const text = texts[index] ?? null;
      const record = text === null ? this.#hasEnded() : this.#record(sid, text, leftMs, now);
      if (record === null) continue;
      this.sessions++;
      yield { kind: "session", sid, bytes: text!.length, record };
    }
  }

  /** Null: it is left out, or has ended. */
  #record(sid: string, text: string, leftMs: number, now: number): ForeignRecord | null {
    try {
      return recordOfStored({ sid, text, leftMs }, this.#idleTimeoutMs, now) ?? this.#hasEnded();
    } catch (error) {
      if (!(error instanceof NoSession || error instanceof RecordProblem)) throw error;
      this.leftOut.add(sid, error.message, error instanceof RecordProblem);
      return null;
    }
  }

  /** While it was read. */
  #hasEnded(): null {
    this.expired++;
    return null;
  }

  /** Of those that live, each of about so many bytes, or of one session. */
  *#portions(found: readonly Found[]): Generator<readonly Found[]> {
    let portion: Found[] = [];
    let sum = 0;
    for (const one of found) {
      const { sid, bytes, leftMs } = one;
      if (leftMs < 1) this.expired++;
      else if (bytes === null) this.leftOut.add(sid, "it is no text", false);
      else if (bytes > limits.textBytesMax)
        this.leftOut.add(sid, `it holds more than ${sessionLimits.dataBytesMax} bytes`, true);
      else {
        if (sum + bytes > limits.textsBytes && portion.length > 0) {
          yield portion;
          portion = [];
          sum = 0;
        }
        portion.push(one);
        sum += bytes;
      }
    }
    if (portion.length > 0) yield portion;
  }
}
