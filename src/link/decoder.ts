/**
 * Bytes from the peer -> frames. Strict: the first violation ends it. Incremental: frames may be cut anywhere.
 * Frames are handed on as a range of the received chunk, without copying; only a frame other than DATA that
 * is cut is put together in one buffer of at most one frame. DATA is handed on as it comes, piece by piece.
 * No part of a chunk is kept after `push` returns, so the chunk may be a buffer that is read into again.
 */
import * as limits from "../support/limits.ts";
import { FrameType, flagEnd, headerBytes, headerProblem, readUint16, readUint32 } from "./wire.ts";

export interface FrameSink {
  /** A whole frame other than DATA; its payload is `bytes[start, end)`. */
  onFrame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void;
  /** Some or all bytes of a DATA frame. `ended`: these are its last ones, and the frame ends its direction. */
  onData(id: number, bytes: Buffer, start: number, end: number, ended: boolean): void;
  /** What the peer did wrong. Nothing follows. */
  onViolation(text: string): void;
}

export class FrameDecoder {
  readonly #sink: FrameSink;
  /** The beginning of a cut frame. */
  #partial: Buffer = noBytes;
  #partialUsed = 0;
  /** The DATA frame in whose payload we are. */
  #dataId = 0;
  #dataLeft = 0;
  #dataEnds = false;
  #stopped = false;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Nothing is handed on any more, not even the rest of the chunk that is being read. */
  stop(): void {
    this.#stopped = true;
    this.#partial = noBytes;
  }

  push(chunk: Buffer): void {
    if (this.#stopped) return;
    let at = 0;
    if (this.#partialUsed > 0) at = this.#completePartial(chunk);
    if (this.#dataLeft > 0) at = this.#readData(chunk, at);
    const end = chunk.length;
    while (end - at >= headerBytes && !this.#stopped) {
      const length = readUint16(chunk, at + 2);
      if (!this.#headerIsRight(chunk, at)) return;
      if (chunk[at] === FrameType.data) {
        this.#beginData(chunk, at);
        at = this.#readData(chunk, at + headerBytes);
        continue;
      }
      const next = at + headerBytes + length;
      if (next > end) break;
      this.#sink.onFrame(
        chunk[at]!,
        chunk[at + 1]!,
        readUint32(chunk, at + 4),
        chunk,
        at + headerBytes,
        next,
      );
      at = next;
    }
    if (at < end && !this.#stopped) this.#keep(chunk, at, end);
  }

  #headerIsRight(bytes: Buffer, at: number): boolean {
    const problem = headerProblem(
      bytes[at]!,
      bytes[at + 1]!,
      readUint16(bytes, at + 2),
      readUint32(bytes, at + 4),
    );
    if (problem === "") return true;
    this.stop();
    this.#sink.onViolation(problem);
    return false;
  }

  #beginData(bytes: Buffer, at: number): void {
    this.#dataId = readUint32(bytes, at + 4);
    this.#dataLeft = readUint16(bytes, at + 2);
    this.#dataEnds = bytes[at + 1] === flagEnd;
    if (this.#dataLeft === 0) this.#sink.onData(this.#dataId, bytes, at, at, true);
  }

  /** @returns where the frame, or the chunk, ends. */
  #readData(chunk: Buffer, at: number): number {
    const taken = Math.min(this.#dataLeft, chunk.length - at);
    if (taken <= 0) return at;
    this.#dataLeft -= taken;
    this.#sink.onData(this.#dataId, chunk, at, at + taken, this.#dataEnds && this.#dataLeft === 0);
    return at + taken;
  }

  /** @returns how much of the chunk belonged to the cut frame. */
  #completePartial(chunk: Buffer): number {
    const partial = this.#partial;
    let at = 0;
    if (this.#partialUsed < headerBytes) {
      at = Math.min(headerBytes - this.#partialUsed, chunk.length);
      this.#keep(chunk, 0, at);
      if (this.#partialUsed < headerBytes || !this.#headerIsRight(partial, 0)) return at;
      if (partial[0] === FrameType.data) {
        this.#partialUsed = 0;
        this.#beginData(partial, 0);
        return at;
      }
    }
    const frameBytes = headerBytes + readUint16(partial, 2);
    const next = Math.min(at + frameBytes - this.#partialUsed, chunk.length);
    this.#keep(chunk, at, next);
    if (this.#partialUsed === frameBytes) {
      this.#partialUsed = 0;
      this.#sink.onFrame(partial[0]!, partial[1]!, readUint32(partial, 4), partial, headerBytes, frameBytes);
    }
    return next;
  }

  #keep(chunk: Buffer, start: number, end: number): void {
    if (this.#partial === noBytes) this.#partial = Buffer.allocUnsafeSlow(limits.link.frameBytesMax);
    chunk.copy(this.#partial, this.#partialUsed, start, end);
    this.#partialUsed += end - start;
  }
}

const noBytes = Buffer.alloc(0);
