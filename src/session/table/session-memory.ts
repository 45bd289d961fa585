/** The memory for the sessions of one process: which are objects, and where the bytes of all others are. Its tables are `SlotSessions`. */
import { session as limits } from "../../support/limits.ts";
import { AwakeSessions } from "./awake-sessions.ts";
import { Key } from "./key.ts";
import type { KeyIndex } from "./key-index.ts";
import { RecordStore } from "./record-store.ts";

export interface SessionMemoryOptions {
  readonly awakeSessionsMax?: number;
  readonly awakeBytesMax?: number;
  readonly segmentBytes?: number;
}

export class SessionMemory {
  readonly awake: AwakeSessions;
  readonly records: RecordStore;
  readonly #key: Key = new Key();
  /** By number; those of tables that were cleared, until their records are freed. */
  readonly #indexes: (KeyIndex | null)[] = [];
  readonly #freeNumbers: number[] = [];
  readonly #cleared: { readonly number: number; readonly index: KeyIndex }[] = [];

  constructor({ awakeSessionsMax, awakeBytesMax, segmentBytes }: SessionMemoryOptions = {}) {
    this.awake = new AwakeSessions(awakeSessionsMax, awakeBytesMax);
    this.records = new RecordStore(
      (table, hash, from, to) => this.#indexes[table]!.replace(hash, from, to),
      segmentBytes,
    );
  }

  /** To look for it; valid until the next call. */
  keyOf(key: string): Key {
    return this.#key.set(key);
  }

  /** @returns the number under which its records name it. */
  register(index: KeyIndex): number {
    const number = this.#freeNumbers.pop() ?? this.#indexes.length;
    this.#indexes[number] = index;
    return number;
  }

  /** Nobody asks for these records any more; they are freed in `tidy`. */
  drop(number: number, index: KeyIndex): void {
    this.#cleared.push({ number, index });
  }

  /** To be called again and again: frees what was dropped, and cleans, a bounded portion. */
  tidy(): void {
    let rest = limits.freedAtOnceMax;
    while (rest > 0) {
      const next = this.#cleared.at(-1);
      if (next === undefined) break;
      rest -= next.index.empty(rest);
      if (next.index.count > 0) break;
      this.#cleared.pop();
      this.#indexes[next.number] = null;
      this.#freeNumbers.push(next.number);
    }
    this.records.clean(limits.cleanedAtOnceBytes);
  }
}
