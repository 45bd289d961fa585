/**
 * Which sessions keep their values as objects between requests, beside the text (entry.ts): those used last. In two
 * generations, so that a use costs a comparison; when the young one is full, by count or by bytes, the old one loses its objects.
 */
import { session as limits } from "../support/limits.ts";
import type { SessionEntries } from "./entry.ts";

export interface ReadySession {
  readonly entries: SessionEntries | null;
  /** As stored; objects take several times as much. */
  readonly bytes: number;
  /** The generation in which it was last used; 0 when it never was. */
  readyGeneration: number;
}

export class ReadySessions {
  readonly #sessionsPerGeneration: number;
  readonly #bytesPerGeneration: number;
  #generation = 1;
  #young: ReadySession[] = [];
  #youngBytes = 0;
  #old: readonly ReadySession[] = [];

  constructor(sessionsMax: number = limits.readySessionsMax, bytesMax: number = limits.readyBytesMax) {
    this.#sessionsPerGeneration = Math.max(1, sessionsMax >>> 1);
    this.#bytesPerGeneration = bytesMax / 2;
  }

  /** It was used. */
  use(session: ReadySession): void {
    if (session.readyGeneration === this.#generation) return;
    session.readyGeneration = this.#generation;
    this.#young.push(session);
    this.#youngBytes += session.bytes;
    if (this.#young.length >= this.#sessionsPerGeneration || this.#youngBytes >= this.#bytesPerGeneration)
      this.#turn();
  }

  #turn(): void {
    for (const { entries, readyGeneration } of this.#old) {
      if (readyGeneration === this.#generation || entries === null) continue;
      for (const entry of entries.values()) entry.dropCache();
    }
    this.#old = this.#young;
    this.#young = [];
    this.#youngBytes = 0;
    this.#generation++;
  }
}
