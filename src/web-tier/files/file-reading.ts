/** A file on its way to the client: read by the piece, the next one when the client has room for it. */
import { fstat, read } from "node:fs";
import { http as limits } from "../../support/limits.ts";
import { giveSlab, slabBytes, takeSlab } from "../../support/slabs.ts";
import type { OwnAnswer, OwnWork } from "../actions/action.ts";
import type { AnswerHead } from "../client.ts";
import { type CachedFile, type FileCache, isUnchanged } from "./file-cache.ts";

/** Told of a disk that can't be read. */
export type Complain = (what: string, error: Error | null) => void;

export class FileReading implements OwnWork {
  readonly #cache: FileCache;
  readonly #file: CachedFile;
  readonly #answer: OwnAnswer;
  readonly #head: AnswerHead;
  readonly #complain: Complain;
  readonly #onRead = (error: Error | null, bytes: number): void => this.#wasRead(error, bytes);
  /** While it is read into: who reads slowly holds none. */
  #slab: Buffer | null = null;
  #at: number;
  readonly #end: number;
  #begun = false;
  #reading = false;
  #over = false;

  /** @param from the first byte to send. @param to the last one, not included; there is at least one. */
  constructor(
    cache: FileCache,
    file: CachedFile,
    range: { readonly from: number; readonly to: number },
    head: AnswerHead,
    answer: OwnAnswer,
    complain: Complain,
  ) {
    this.#cache = cache;
    this.#file = file;
    this.#at = range.from;
    this.#end = range.to;
    this.#head = head;
    this.#answer = answer;
    this.#complain = complain;
    this.#read();
  }

  resume(): void {
    if (!this.#reading && this.#at < this.#end) this.#read();
  }

  over(): void {
    if (this.#over) return;
    this.#over = true;
    // A read that is under way still writes into the slab, and needs the file.
    if (!this.#reading) this.#letGo();
  }

  #letGo(): void {
    this.#giveSlab();
    this.#cache.done(this.#file);
  }

  #giveSlab(): void {
    if (this.#slab !== null) giveSlab(this.#slab);
    this.#slab = null;
  }

  #read(): void {
    this.#reading = true;
    this.#slab = takeSlab();
    read(this.#file.fd, this.#slab, 0, Math.min(slabBytes, this.#end - this.#at), this.#at, this.#onRead);
  }

  #wasRead(error: Error | null, bytes: number): void {
    this.#reading = false;
    if (this.#over) return this.#letGo();
    if (error !== null) return this.#failed(error);
    if (bytes === 0) return this.#failed(null);
    this.#at += bytes;
    if (this.#at === this.#end && this.#begun) this.#checkUnchanged(bytes);
    else this.#send(bytes);
  }

  /** Of a file that took more than one read, the last piece is sent only if nobody wrote to it meanwhile. */
  #checkUnchanged(bytes: number): void {
    this.#reading = true;
    fstat(this.#file.fd, (error, stats) => {
      this.#reading = false;
      if (this.#over) return this.#letGo();
      if (error !== null || !isUnchanged(this.#file.stats, stats)) return this.#failed(error);
      this.#send(bytes);
    });
  }

  #send(bytes: number): void {
    const piece = this.#slab!.subarray(0, bytes);
    const isLast = this.#at === this.#end;
    if (isLast && this.#file.stats.size === bytes && bytes <= limits.oneWriteBytesMax) {
      this.#file.text = piece.latin1Slice();
      return this.#answer.sendAnswer(this.#head, "length", this.#file.text);
    }
    const flowing = this.#begun ? this.#answer.sendBytes(piece) : this.#begin(piece);
    this.#giveSlab();
    if (this.#over) return;
    if (isLast) this.#answer.endAnswer();
    else if (flowing) this.#read();
  }

  #begin(piece: Buffer): boolean {
    this.#begun = true;
    return this.#answer.beginAnswer(this.#head, "length", piece);
  }

  /** The file has become shorter, was written to, or can't be read. A client is never told that a part is the whole. */
  #failed(error: Error | null): void {
    this.#complain(error === null ? "changed while it was sent" : "can't be read", error);
    if (this.#begun) this.#answer.breakOff();
    else this.#answer.answerItself(500, "", "");
  }
}
