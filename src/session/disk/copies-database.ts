/**
 * The copies of slots in the database: changes are applied here, in one transaction each time, and questions answered.
 * Synchronous, and without a clock: it runs in a thread of its own (database-thread.ts).
 *
 * After a crash it is as it was after one of the transactions, and each of these ends between two changes: the sessions of a copy are
 * those of its place.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { sessionDatabase as limits } from "../../support/limits.ts";
import type { CopyPlaceOnDisk, Renewal } from "../cluster/slot-disk.ts";
import { type ChangeSink, readChanges, type StoredSession } from "./change-batch.ts";
import { checksumOf, DamageError, type DatabaseFile } from "./database-file.ts";
import { SessionRows } from "./session-rows.ts";
import { numberIn } from "./sqlite.ts";

/** Numbers are on disk. `unwanted` ones are removed bit by bit. */
const CopyStatus = { coming: 0, whole: 1, unwanted: 2 } as const;

/** One row of `copies`. */
interface Copy {
  readonly id: number;
  readonly slot: number;
  incarnation: string;
  epoch: number;
  pos: number;
  status: number;
  sessions: number;
}

interface SlotCopies {
  whole: Copy | null;
  coming: Copy | null;
}

export interface DatabaseSize {
  readonly bytes: number;
  /** Of whole copies. */
  readonly sessions: number;
}

export class CopiesDatabase implements ChangeSink {
  readonly #file: DatabaseFile;
  readonly #database: DatabaseSync;
  readonly #incarnation: string;
  readonly #rows: SessionRows;
  readonly #putCopy: StatementSync;
  readonly #removeCopy: StatementSync;
  readonly #putState: StatementSync;
  readonly #pages: StatementSync;
  readonly #freePages: StatementSync;
  readonly #pageBytes: number;
  #slots: Map<number, SlotCopies> = new Map();
  #unwanted: Copy[] = [];
  #ids: Set<number> = new Set();
  readonly #changed: Set<Copy> = new Set();
  #sessions = 0;
  /** Copies in memory are not those on disk: a transaction failed. */
  #isBehind = false;
  /** In the log, about. */
  #loggedPages = 0;

  /**
   * @param incarnation of this process: what it writes is of it.
   * @param renewal what is there is of no use any more; null: it is.
   * @returns with why a file was put aside, for the log; null: none was.
   * @throws InUseError, or the system's or the database's error.
   */
  static open(
    file: DatabaseFile,
    incarnation: string,
    renewal: Renewal | null = null,
  ): { database: CopiesDatabase; aside: string | null } {
    const { content, aside } = file.open(
      (database) => new CopiesDatabase(file, database, incarnation),
      renewal,
    );
    return { database: content, aside };
  }

  private constructor(file: DatabaseFile, database: DatabaseSync, incarnation: string) {
    this.#file = file;
    this.#database = database;
    this.#incarnation = incarnation;
    this.#rows = new SessionRows(database);
    this.#putCopy = database.prepare("INSERT OR REPLACE INTO copies VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    this.#removeCopy = database.prepare("DELETE FROM copies WHERE id = ?");
    this.#putState = database.prepare(
      "UPDATE state SET batch = ?, running_ms = ?, register = ? WHERE id = 1",
    );
    this.#pages = database.prepare("PRAGMA page_count");
    this.#freePages = database.prepare("PRAGMA freelist_count");
    this.#pageBytes = numberIn(database, "PRAGMA page_size");
    this.#load();
  }

  /** For how long processes ran with this file. */
  get runningMs(): number {
    return numberIn(this.#database, "SELECT running_ms FROM state");
  }

  /** The last changes that are in it; "" for those of another process. */
  get batch(): string {
    return String(this.#database.prepare("SELECT batch FROM state").get()?.batch);
  }

  /** Its id; "" while no change was made. */
  get register(): string {
    return String(this.#database.prepare("SELECT register FROM state").get()?.register);
  }

  get whole(): Map<number, CopyPlaceOnDisk> {
    const whole = new Map<number, CopyPlaceOnDisk>();
    for (const [slot, { whole: copy }] of this.#slots) {
      if (copy === null) continue;
      const { incarnation, epoch, pos, sessions } = copy;
      whole.set(slot, { incarnation, epoch, pos, sessions });
    }
    return whole;
  }

  get size(): DatabaseSize {
    const pages = Number(this.#pages.get()?.page_count) - Number(this.#freePages.get()?.freelist_count);
    return { bytes: pages * this.#pageBytes, sessions: this.#sessions };
  }

  /**
   * All of these changes, or none; synced when it returns.
   * @param batch their name. @param register the id of the one that says which copies count.
   * @throws the database's error; they may be applied again.
   */
  apply(changes: Uint8Array, batch: string, runningMs: number, register: string): void {
    if (!this.#file.isInPlace) throw new Error("it is not where it was");
    this.#inTransaction(() => {
      readChanges(changes, this);
      for (const copy of this.#changed) this.#write(copy);
      this.#putState.run(batch, runningMs, register);
    });
    this.#loggedPages += 4 + Math.ceil(changes.length / 512) + this.#changed.size;
    this.#changed.clear();
  }

  onPut(slot: number, epoch: number, pos: number, session: StoredSession): void {
    const copy = this.#current(slot);
    this.#place(copy, epoch, pos);
    this.#put(copy, session);
  }

  onRemove(slot: number, epoch: number, pos: number, key: string): void {
    const copy = this.#current(slot);
    this.#place(copy, epoch, pos);
    if (this.#rows.remove(copy.id, key)) this.#count(copy, -1);
  }

  onAdd(slot: number, session: StoredSession): void {
    const copy = this.#current(slot);
    this.#put(copy, session);
    this.#changed.add(copy);
  }

  onTouch(slot: number, key: string, idleTimeoutMs: number, usedAt: number): void {
    const copy = this.#find(slot);
    if (copy !== null) this.#rows.touch(copy.id, key, idleTimeoutMs, usedAt);
  }

  onAdopt(slot: number, epoch: number, pos: number): void {
    const copies = this.#copiesOf(slot);
    copies.whole ??= copies.coming === null ? this.#make(slot, CopyStatus.whole) : null;
    this.#place(this.#current(slot), epoch, pos);
  }

  onBegin(slot: number): void {
    const copies = this.#copiesOf(slot);
    if (copies.coming !== null) this.#discard(copies.coming);
    copies.coming = this.#make(slot, CopyStatus.coming);
  }

  onEnd(slot: number, epoch: number, pos: number): void {
    const copies = this.#copiesOf(slot);
    const { coming, whole } = copies;
    if (coming === null) throw new Error(`no copy of slot ${slot} was begun`);
    if (whole !== null) this.#discard(whole);
    coming.status = CopyStatus.whole;
    this.#sessions += coming.sessions;
    copies.whole = coming;
    copies.coming = null;
    this.#place(coming, epoch, pos);
  }

  onCancel(slot: number): void {
    const copies = this.#copiesOf(slot);
    if (copies.coming !== null) this.#discard(copies.coming);
    copies.coming = null;
  }

  onDrop(slot: number): void {
    const { coming, whole } = this.#copiesOf(slot);
    if (coming !== null) this.#discard(coming);
    if (whole !== null) this.#discard(whole);
    this.#slots.delete(slot);
  }

  /** @throws DamageError */
  read(slot: number, key: string): StoredSession | null {
    this.#catchUp();
    const copy = this.#find(slot);
    return copy === null ? null : this.#rows.read(copy.id, key);
  }

  /** @throws DamageError */
  readAfter(slot: number, key: string, bytesMax: number): StoredSession[] {
    this.#catchUp();
    const copy = this.#find(slot);
    return copy === null ? [] : this.#rows.readAfter(copy.id, key, bytesMax);
  }

  /** @param now those that ended before. */
  expired(slots: readonly number[], now: number, sessionsMax: number): { slot: number; key: string }[] {
    const found: { slot: number; key: string }[] = [];
    this.#revising(() => {
      for (const slot of slots) {
        const copy = this.#find(slot);
        if (found.length >= sessionsMax) break;
        if (copy === null) continue;
        const ended = this.#rows.firstDue(copy.id, now, sessionsMax - found.length);
        for (const { key } of ended) found.push({ slot, key });
      }
    });
    return found;
  }

  longestIdle(slots: readonly number[], sessionsMax: number): { slot: number; key: string }[] {
    const found: { slot: number; key: string; usedAt: number }[] = [];
    // Keys are spread evenly over slots: the longest idle of all are among the longest idle of each.
    const ofEach = Math.ceil((2 * sessionsMax) / Math.max(1, slots.length));
    this.#revising(() => {
      for (const slot of slots) {
        const copy = this.#find(slot);
        if (copy === null) continue;
        const first = this.#rows.firstDue(copy.id, Number.POSITIVE_INFINITY, ofEach);
        for (const { key, usedAt } of first) found.push({ slot, key, usedAt });
      }
    });
    return found
      .sort((one, other) => one.usedAt - other.usedAt)
      .slice(0, sessionsMax)
      .map(({ slot, key }) => ({ slot, key }));
  }

  /** One step of what can wait. @returns whether there is more. */
  tidy(): boolean {
    if (!this.#file.isInPlace) return false;
    if (this.#loggedPages >= limits.checkpointPages) this.#checkpoint();
    this.#catchUp();
    const [copy] = this.#unwanted;
    if (copy === undefined) return false;
    this.#inTransaction(() => {
      const removed = this.#rows.removeSome(copy.id, limits.removedAtOnce);
      this.#loggedPages += removed;
      if (removed === limits.removedAtOnce) return;
      this.#removeCopy.run(copy.id);
      this.#ids.delete(copy.id);
      this.#unwanted.shift();
    });
    return this.#unwanted.length > 0;
  }

  close(): void {
    this.#database.close();
  }

  /** Pages go from the log to the file, and the log begins anew: with this one connection nobody reads it meanwhile. */
  #checkpoint(): void {
    this.#loggedPages = 0;
    this.#database.prepare("PRAGMA wal_checkpoint(PASSIVE)").all();
  }

  #inTransaction(work: () => void): void {
    this.#catchUp();
    this.#database.exec("BEGIN IMMEDIATE");
    this.#isBehind = true;
    try {
      work();
      this.#database.exec("COMMIT");
      this.#isBehind = false;
    } catch (error) {
      this.#rollBack();
      throw error;
    }
  }

  /** Questions put `due` right where it is behind; when that can't be written, the answer is right all the same. */
  #revising(work: () => void): void {
    this.#catchUp();
    work();
    const revised = this.#rows.takeRevised();
    if (revised.length === 0 || !this.#file.isInPlace) return;
    try {
      this.#database.exec("BEGIN IMMEDIATE");
      this.#rows.revise(revised);
      this.#database.exec("COMMIT");
      this.#loggedPages += 2 * revised.length;
    } catch {
      this.#rollBack();
    }
  }

  #rollBack(): void {
    this.#changed.clear();
    try {
      this.#database.exec("ROLLBACK");
    } catch {
      // The database has done it itself.
    }
  }

  /** Copies that were dropped or made by changes which are not on disk are there, and are not. */
  #catchUp(): void {
    if (this.#isBehind) this.#load();
  }

  #load(): void {
    this.#slots = new Map();
    this.#unwanted = [];
    this.#ids = new Set();
    this.#sessions = 0;
    for (const row of this.#database.prepare("SELECT * FROM copies").all()) this.#take(copyOf(row));
    this.#isBehind = false;
  }

  #take(copy: Copy): void {
    this.#ids.add(copy.id);
    const slot = this.#copiesOf(copy.slot);
    // One that was on its way when the process before ended will never be whole.
    const isComing = copy.status === CopyStatus.coming && copy.incarnation === this.#incarnation;
    if (isComing) slot.coming = copy;
    else if (copy.status !== CopyStatus.whole) this.#unwanted.push(copy);
    else {
      if (slot.whole !== null) throw new DamageError(`it is damaged: two copies of slot ${copy.slot}`);
      slot.whole = copy;
      this.#sessions += copy.sessions;
    }
  }

  #copiesOf(slot: number): SlotCopies {
    const copies = this.#slots.get(slot) ?? { whole: null, coming: null };
    this.#slots.set(slot, copies);
    return copies;
  }

  /** The copy that is being made, or the one that is whole. */
  #find(slot: number): Copy | null {
    const copies = this.#slots.get(slot);
    return copies?.coming ?? copies?.whole ?? null;
  }

  #current(slot: number): Copy {
    const copy = this.#find(slot);
    if (copy === null) throw new Error(`there is no copy of slot ${slot}`);
    return copy;
  }

  #make(slot: number, status: number): Copy {
    let id = 1;
    while (this.#ids.has(id)) id++;
    this.#ids.add(id);
    const copy = { id, slot, incarnation: this.#incarnation, epoch: 0, pos: 0, status, sessions: 0 };
    this.#changed.add(copy);
    return copy;
  }

  #discard(copy: Copy): void {
    if (copy.status === CopyStatus.whole) this.#sessions -= copy.sessions;
    copy.status = CopyStatus.unwanted;
    this.#unwanted.push(copy);
    this.#changed.add(copy);
  }

  #place(copy: Copy, epoch: number, pos: number): void {
    copy.incarnation = this.#incarnation;
    copy.epoch = epoch;
    copy.pos = pos;
    this.#changed.add(copy);
  }

  #put(copy: Copy, session: StoredSession): void {
    if (this.#rows.put(copy.id, session)) this.#count(copy, 1);
  }

  #count(copy: Copy, difference: number): void {
    copy.sessions += difference;
    if (copy.status === CopyStatus.whole) this.#sessions += difference;
  }

  #write(copy: Copy): void {
    const { id, slot, incarnation, epoch, pos, status, sessions } = copy;
    this.#putCopy.run(id, slot, incarnation, epoch, pos, status, sessions, checksumOfCopy(copy));
  }
}

function checksumOfCopy({ id, slot, incarnation, epoch, pos, status, sessions }: Copy): number {
  return checksumOf([id, slot, incarnation, epoch, pos, status, sessions].join());
}

function copyOf(row: Record<string, unknown>): Copy {
  const copy = {
    id: Number(row.id),
    slot: Number(row.slot),
    incarnation: String(row.incarnation),
    epoch: Number(row.epoch),
    pos: Number(row.pos),
    status: Number(row.status),
    sessions: Number(row.sessions),
  };
  if (checksumOfCopy(copy) !== row.checksum)
    throw new DamageError(`it is damaged: the copy of slot ${copy.slot}`);
  return copy;
}
