/**
 * A database for sessions that is nothing but a Map: `MemoryDatabase` is the server, a `MemoryEngine` one process's way to it.
 * `EngineNetwork` stands between the two and may delay, lose and reorder what goes over it.
 */
import {
  endsAfterMs,
  type ListedRow,
  type NoticeChannel,
  type Replaced,
  type RowLife,
  type SessionEngine,
  SessionEngineError,
  type SessionRow,
  type SessionTouch,
  type SessionWrite,
} from "../../src/session/stores/engine.ts";

interface StoredRow {
  data: string;
  version: number;
  holder: string;
  idleTimeoutMs: number;
  usedAt: number;
  readonly createdAt: number;
  readonly absoluteTimeoutMs: number;
}

interface Listener {
  readonly holder: string;
  readonly tell: (key: string) => void;
}

export class MemoryDatabase {
  readonly now: () => number;
  readonly rows: Map<string, StoredRow> = new Map();
  readonly listeners: Set<Listener> = new Set();
  /** Data like these its column refuses. */
  cannotHold: RegExp | null = null;

  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  living(key: string): StoredRow | null {
    const row = this.rows.get(key);
    return row === undefined || this.#hasEnded(row) ? null : row;
  }

  insert(key: string, write: SessionWrite, life: RowLife): boolean {
    this.#checkHolds(write.data);
    if (this.living(key) !== null) return false;
    const { data, holder, idleTimeoutMs } = write;
    const usedAt = this.now();
    const { absoluteTimeoutMs } = life;
    const row = { data, version: 1, holder, idleTimeoutMs, usedAt, absoluteTimeoutMs };
    this.rows.set(key, { ...row, createdAt: usedAt - life.ageMs });
    return true;
  }

  replace(key: string, version: number, write: SessionWrite): Replaced {
    const row = this.living(key);
    if (row === null) return "gone";
    if (row.version !== version) return "changed";
    this.#checkHolds(write.data);
    this.#tellHolder(row, key, write.writer);
    row.data = write.data;
    row.version++;
    row.holder = write.holder;
    row.idleTimeoutMs = write.idleTimeoutMs;
    row.usedAt = this.now();
    return "done";
  }

  touch(touches: readonly SessionTouch[]): void {
    for (const { key, idleTimeoutMs } of touches) {
      const row = this.living(key);
      if (row === null) continue;
      row.usedAt = this.now();
      row.idleTimeoutMs = Math.max(row.idleTimeoutMs, idleTimeoutMs);
    }
  }

  remove(key: string, writer: string): void {
    const row = this.rows.get(key);
    if (row === undefined) return;
    this.rows.delete(key);
    this.#tellHolder(row, key, writer);
  }

  removeExpired(rowsMax: number): number {
    let count = 0;
    for (const [key, row] of this.rows) {
      if (count >= rowsMax) break;
      if (!this.#hasEnded(row)) continue;
      this.rows.delete(key);
      count++;
    }
    return count;
  }

  /** In the order of keys. */
  livingKeys(): string[] {
    return [...this.rows.keys()].filter((key) => this.living(key) !== null).sort();
  }

  shown(key: string): SessionRow | null {
    const row = this.living(key);
    if (row === null) return null;
    const { data, version, holder, idleTimeoutMs, absoluteTimeoutMs } = row;
    const now = this.now();
    return {
      ...{ data, version, holder, idleTimeoutMs, absoluteTimeoutMs },
      idleForMs: now - row.usedAt,
      ageMs: now - row.createdAt,
    };
  }

  #checkHolds(data: string): void {
    if (this.cannotHold?.test(data) === true)
      throw new SessionEngineError(`memory database does not take ${this.cannotHold}`, "unfit");
  }

  #hasEnded(row: StoredRow): boolean {
    const now = this.now();
    if (now - row.createdAt >= row.absoluteTimeoutMs) return true;
    return now - row.usedAt >= endsAfterMs(row.idleTimeoutMs);
  }

  #tellHolder(row: StoredRow, key: string, writer: string): void {
    if (row.holder === "" || row.holder === writer) return;
    for (const { holder, tell } of this.listeners) if (holder === row.holder) tell(key);
  }
}

/** What lies between a process and its database. */
export interface EngineNetwork {
  /**
   * One statement there and its answer back.
   * @param execute what the database does with it: at most once.
   * @throws SessionEngineError
   */
  call<Answer>(operation: string, execute: () => Answer): Promise<Answer>;

  /** A notice on its way to the process, in order. */
  notify(deliver: () => void): void;

  /** The answer to a question on the way that notices take, so behind all that were told before; rejects when some were lost. */
  prove(): Promise<void>;

  /** The process listens from now on. */
  connect(): void;
}

/** Answers in the same turn, and fails while `isDown`. */
export class DirectNetwork implements EngineNetwork {
  isDown = false;
  /** Statements that the database was asked for, by name. */
  readonly calls: Map<string, number> = new Map();

  async call<Answer>(operation: string, execute: () => Answer): Promise<Answer> {
    this.calls.set(operation, (this.calls.get(operation) ?? 0) + 1);
    if (this.isDown) throw new SessionEngineError("the memory database is down", "nothing");
    return execute();
  }

  notify(deliver: () => void): void {
    deliver();
  }

  async prove(): Promise<void> {
    if (this.isDown) throw new SessionEngineError("the memory database is down", "nothing");
  }

  connect(): void {}
}

export class MemoryEngine implements SessionEngine {
  readonly name = "memory database";
  readonly proveIntervalMs = 1_000;
  readonly database: MemoryDatabase;
  readonly #network: EngineNetwork;

  constructor(database: MemoryDatabase = new MemoryDatabase(), network: EngineNetwork = new DirectNetwork()) {
    this.database = database;
    this.#network = network;
  }

  open(): Promise<void> {
    return this.#network.call("open", () => {});
  }

  read(key: string): Promise<SessionRow | null> {
    return this.#network.call("read", () => this.database.shown(key));
  }

  insert(key: string, write: SessionWrite, life: RowLife): Promise<boolean> {
    return this.#network.call("insert", () => this.database.insert(key, write, life));
  }

  replace(key: string, version: number, write: SessionWrite): Promise<Replaced> {
    return this.#network.call("replace", () => this.database.replace(key, version, write));
  }

  touch(touches: readonly SessionTouch[]): Promise<void> {
    return this.#network.call("touch", () => this.database.touch(touches));
  }

  remove(key: string, writer: string): Promise<void> {
    return this.#network.call("remove", () => this.database.remove(key, writer));
  }

  removeExpired(rowsMax: number): Promise<number> {
    return this.#network.call("removeExpired", () => this.database.removeExpired(rowsMax));
  }

  list(after: string, rowsMax: number): Promise<readonly ListedRow[]> {
    return this.#network.call("list", () => {
      const keys = this.database.livingKeys().filter((key) => key > after);
      return keys.slice(0, rowsMax).map((key) => ({ key, ...this.database.shown(key)! }));
    });
  }

  count(): Promise<number> {
    return this.#network.call("count", () => this.database.livingKeys().length);
  }

  listen(holder: string, onChanged: (key: string) => void): Promise<NoticeChannel> {
    const { listeners } = this.database;
    return this.#network.call("listen", () => {
      this.#network.connect();
      const listener: Listener = {
        holder,
        tell: (key) => this.#network.notify(() => listeners.has(listener) && onChanged(key)),
      };
      listeners.add(listener);
      return {
        prove: () => this.#network.prove(),
        close: () => void listeners.delete(listener),
      };
    });
  }

  async close(): Promise<void> {}
}
