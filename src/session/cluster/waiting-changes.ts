/**
 * Changes of this server's own requests that have no place in their slot's order yet, because too many bytes are under way:
 * what is sent to the backup should be committed before its requests give up. A change that waits was not made, so that one
 * that waited in vain is refused as not written.
 */
import { replication as limits } from "../../support/limits.ts";
import type { Done } from "../store.ts";
import type { Change } from "./messages.ts";
import type { SlotCopy } from "./slot.ts";

export interface WaitingChange {
  readonly slot: SlotCopy;
  readonly change: Change;
  /** Of the values. */
  readonly bytes: number;
  readonly askedAt: number;
  readonly done: Done;
}

export class WaitingChanges {
  #changes: WaitingChange[] = [];
  #bytes = 0;
  /** Of each session how many: what comes after them waits too. */
  readonly #ofSession: Map<string, number> = new Map();

  get first(): WaitingChange | null {
    return this.#changes[0] ?? null;
  }

  has(key: string): boolean {
    return this.#ofSession.has(key);
  }

  /** @returns false when there is no room. */
  add(change: WaitingChange): boolean {
    const isFull = this.#changes.length >= limits.waitingMax;
    if (isFull || this.#bytes + change.bytes > limits.waitingBytesMax) return false;
    this.#changes.push(change);
    this.#bytes += change.bytes;
    const { key } = change.change;
    this.#ofSession.set(key, (this.#ofSession.get(key) ?? 0) + 1);
    return true;
  }

  /** Takes the first one away. */
  shift(): void {
    const change = this.#changes.shift();
    if (change !== undefined) this.#forget(change);
  }

  /** Takes away all of the slot. */
  takeOf(slot: SlotCopy): WaitingChange[] {
    if (this.#changes.length === 0) return [];
    const taken = this.#changes.filter((change) => change.slot === slot);
    if (taken.length > 0) this.#changes = this.#changes.filter((change) => change.slot !== slot);
    for (const change of taken) this.#forget(change);
    return taken;
  }

  #forget({ change: { key }, bytes }: WaitingChange): void {
    this.#bytes -= bytes;
    const left = this.#ofSession.get(key)! - 1;
    if (left === 0) this.#ofSession.delete(key);
    else this.#ofSession.set(key, left);
  }
}
