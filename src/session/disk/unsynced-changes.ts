/**
 * Changes that are not known to be on disk, in their order, in batches: one is being written, full ones wait, and one takes what
 * comes. All of one turn of the event loop are in the same: a crash shows all of them or none.
 */
import { sessionDatabase as limits } from "../../support/limits.ts";
import { ChangeBatch } from "./change-batch.ts";

export class UnsyncedChanges {
  #lastNumber = 0;
  #filling: ChangeBatch;
  /** Full ones, the first first. */
  readonly #waiting: ChangeBatch[] = [];
  #writing: ChangeBatch | null = null;
  /** Of those that are no more being filled. */
  #closedBytes = 0;
  readonly #spare: SharedArrayBuffer[] = [];
  /** By slot: the number of the batch in which its copy was last dropped or begun anew. */
  readonly #begunIn: Map<number, number> = new Map();

  constructor() {
    this.#filling = this.#nextBatch();
  }

  get byteLength(): number {
    return this.#closedBytes + this.#filling.byteLength;
  }

  /** To be sent, and again until `synced` is told of it. */
  get writing(): ChangeBatch | null {
    return this.#writing;
  }

  get areAllSent(): boolean {
    return this.#waiting.length === 0 && this.#filling.byteLength === 0;
  }

  /** Takes the next change. */
  get filling(): ChangeBatch {
    return this.#filling;
  }

  /** The copy of this slot goes, or is made anew, with the next change. */
  beginAnew(slot: number): void {
    this.#begunIn.set(slot, this.#filling.number);
  }

  /** The changes of a turn follow. */
  beginTurn(): void {
    if (!this.#filling.isFull) return;
    this.#waiting.push(this.#filling);
    this.#close();
  }

  /** What is written next, while nothing is. @param isAnyway an empty batch too. */
  next(isAnyway: boolean): ChangeBatch | null {
    const full = this.#waiting.shift();
    if (full === undefined && this.#filling.byteLength === 0 && !isAnyway) return null;
    this.#writing = full ?? this.#filling;
    if (full === undefined) this.#close();
    return this.#writing;
  }

  /** What was being written is on disk. @returns it. */
  synced(): ChangeBatch {
    const batch = this.#writing!;
    this.#writing = null;
    this.#closedBytes -= batch.byteLength;
    if (this.#spare.length < limits.spareBatchesMax && batch.memory.byteLength <= 2 * limits.batchBytesMax)
      this.#spare.push(batch.memory);
    return batch;
  }

  /** The copy of this slot was dropped or begun anew since: nobody is told of the one before. */
  hasBegunAnew(slot: number, since: ChangeBatch): boolean {
    return (this.#begunIn.get(slot) ?? 0) > since.number;
  }

  #close(): void {
    this.#closedBytes += this.#filling.byteLength;
    this.#filling = this.#nextBatch();
  }

  #nextBatch(): ChangeBatch {
    return new ChangeBatch(++this.#lastNumber, this.#spare.pop());
  }
}
