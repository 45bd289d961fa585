/**
 * Which sessions of a process are objects: those asked for last, of all its tables. In two generations, so that a use costs a
 * comparison. With each one that joins the young generation two leave the old one, or as many as take twice its bytes: when the
 * young one is full, by count or by bytes, the old one is empty, and nobody has waited while thousands fell asleep.
 */
import { session as limits } from "../../support/limits.ts";
import type { KeptSession } from "./kept-session.ts";

export class AwakeSessions {
  readonly #sessionsPerGeneration: number;
  readonly #bytesPerGeneration: number;
  #generation = 1;
  #young: KeptSession[] = [];
  #youngBytes = 0;
  /** The next to fall asleep is the last. */
  #old: KeptSession[] = [];

  constructor(sessionsMax: number = limits.awakeSessionsMax, bytesMax: number = limits.awakeBytesMax) {
    this.#sessionsPerGeneration = Math.max(2, sessionsMax >>> 1);
    this.#bytesPerGeneration = bytesMax / 2;
  }

  /** It was asked for. */
  use(session: KeptSession): void {
    if (session.generation !== this.#generation) this.#add(session);
  }

  /** One of them has grown. */
  grow(bytes: number): void {
    this.#youngBytes += bytes;
  }

  #add(session: KeptSession): void {
    session.generation = this.#generation;
    this.#young.push(session);
    this.#youngBytes += session.bytes;
    this.#rest(2, 2 * session.bytes);
    if (this.#young.length < this.#sessionsPerGeneration && this.#youngBytes < this.#bytesPerGeneration)
      return;
    // What is left of them, where sessions have grown much, is next.
    this.#old = this.#young.reverse().concat(this.#old);
    this.#young = [];
    this.#youngBytes = 0;
    this.#generation++;
  }

  /** So many of the old, and as many more as take these bytes, fall asleep unless they are in use. */
  #rest(count: number, bytes: number): void {
    let [restCount, restBytes] = [count, bytes];
    while (restCount > 0 || restBytes > 0) {
      const session = this.#old.pop();
      if (session === undefined) return;
      restCount--;
      restBytes -= session.bytes;
      if (session.table === null || session.generation === this.#generation) continue;
      if (!session.isChanging && session.table.sleep(session)) continue;
      session.generation = this.#generation;
      this.#young.push(session);
    }
  }
}
