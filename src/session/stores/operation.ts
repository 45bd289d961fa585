/** One operation on a session that waits for its turn, or for the database; whoever asked for it is told once. */
import type { FlotillaError } from "../../support/errors.ts";
import { sessionStores as limits, session } from "../../support/limits.ts";
import { bytesOf, noEntries, type SessionChanges } from "../entry.ts";
import type { VerifiedId } from "../id.ts";
import { endless, type SessionLife } from "../snapshot.ts";
import type { Done, Expected, Loaded } from "../store.ts";
import type { Copy } from "./copies.ts";

export type Kind = "load" | "create" | "update" | "compareAndSet" | "destroy";

/** All operations of a process that are not over. */
export class Pending {
  #count = 0;
  #bytes = 0;

  /** @returns false when there are too many, or the values in them are too large together. */
  add({ bytes }: Operation): boolean {
    if (this.#count >= limits.operationsMax || this.#bytes + bytes > limits.operationBytesMax) return false;
    this.#count++;
    this.#bytes += bytes;
    return true;
  }

  remove({ bytes }: Operation): void {
    this.#count--;
    this.#bytes -= bytes;
  }
}

export class Operation {
  readonly kind: Kind;
  readonly id: VerifiedId;
  /** On the clock, both. */
  readonly askedAt: number;
  readonly deadline: number;
  readonly changes: SessionChanges;
  /** Of the values in it. */
  readonly bytes: number;
  expected: Expected | null = null;
  idleTimeoutMs = 0;
  life: SessionLife = endless;
  /** Who is told: the one of a load, or the other. */
  loaded: Loaded | null = null;
  done: Done | null = null;
  /** It is not made together with others: one of them can't be made. */
  isAlone = false;
  /** Among which it counts, once it is accepted. */
  pending: Pending | null = null;

  constructor(kind: Kind, id: VerifiedId, askedAt: number, changes: SessionChanges = noEntries) {
    this.kind = kind;
    this.id = id;
    this.askedAt = askedAt;
    this.deadline = askedAt + session.commitTimeoutMs;
    this.changes = changes;
    this.bytes = bytesOf(changes);
  }

  /** @param error null: done, of one that is no load. */
  end(error: FlotillaError | null): void {
    this.pending?.remove(this);
    try {
      if (this.loaded !== null) this.loaded(error, null, 0, 0);
      else this.done!(error);
    } catch (thrown) {
      throwLater(thrown);
    }
  }

  /** A load. @param copy null: there is no such session. */
  answer(copy: Copy | null, now: number): void {
    this.pending?.remove(this);
    try {
      if (copy === null) this.loaded!(null, null, 0, 0);
      else this.loaded!(null, copy.entries, Math.max(0, now - copy.createdAt), copy.absoluteTimeoutMs);
    } catch (thrown) {
      throwLater(thrown);
    }
  }
}

/** What an application's callback throws concerns it alone; others wait for what was asked together. */
function throwLater(thrown: unknown): void {
  process.nextTick(() => {
    throw thrown;
  });
}
