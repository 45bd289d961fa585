/** `SessionAdmin` of a process that keeps its sessions alone. */
import { idOfKey } from "../id.ts";
import type { MemoryStore } from "../memory-store.ts";
import type { Done } from "../store.ts";
import {
  type Found,
  firstOf,
  full,
  type Listed,
  type LivingSession,
  type SessionAdmin,
  type SessionCounts,
  type Whereabouts,
} from "./session-admin.ts";

export class MemoryAdmin implements SessionAdmin {
  readonly kind = "alone";
  readonly database = null;
  readonly #store: MemoryStore;
  /** By its name in the file. */
  readonly #server: string;

  constructor(store: MemoryStore, server: string) {
    this.#store = store;
    this.#server = server;
  }

  counts(): SessionCounts {
    const { count, bytes } = this.#store;
    const owned = { sessions: count, bytes };
    return { owned, backedUp: { sessions: 0, bytes: 0 }, onDisk: null, singleCopy: null };
  }

  serves(): boolean {
    return true;
  }

  whereabouts(): Whereabouts {
    return { role: "owner", owner: this.#server, backup: null, epoch: 0 };
  }

  page(slot: number, after: string, bytesMax: number, done: Listed): void {
    const keys = this.#store.keysIn(slot).filter((key) => key > after);
    done(
      null,
      firstOf(keys, (key) => this.#store.look(key), bytesMax),
    );
  }

  find(_slot: number, key: string, done: Found): void {
    done(null, this.#store.look(key));
  }

  end(_slot: number, key: string, done: Done): void {
    this.#store.destroy(idOfKey(key), done);
  }

  put(_slot: number, session: LivingSession, done: Done): void {
    if (this.#store.isFull) return done(full());
    const id = idOfKey(session.key);
    // A new one begins: what is left out of it goes.
    this.#store.destroy(id, () => {});
    this.#store.create(id, session.entries, session.idleTimeoutMs, session, done);
  }
}
