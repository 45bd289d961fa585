/**
 * Sessions on disk: the side of the process. Changes are gathered in a buffer while the thread that has the database is
 * busy with those before, so that one sync of the disk serves all that came meanwhile: the busier, the cheaper (group commit). What is
 * under way stays here until it is synced: it is sent again when the disk could not be written, and when the thread died.
 *
 * Times of use are on a clock of the database's own, which stands still while no process has it.
 */
import type { Clock, Timer } from "../../support/clock.ts";
import type { FlotillaError } from "../../support/errors.ts";
import { sessionDatabase as limits } from "../../support/limits.ts";
import type { Log } from "../../support/log.ts";
import type {
  CopyPlaceOnDisk,
  DiskObserver,
  DiskSession,
  KeysDone,
  Renewal,
  SlotDisk,
} from "../cluster/slot-disk.ts";
import type { ChangeBatch } from "./change-batch.ts";
import type { DatabaseSize } from "./copies-database.ts";
import { DatabaseWorker } from "./database-worker.ts";
import { DiskTrouble } from "./disk-trouble.ts";
import { type AnswerDone, OpenQuestions, sessionsOf } from "./open-questions.ts";
import type { Answer, NumberedQuestion, Opened, Question, Word } from "./thread-messages.ts";
import { UnsyncedChanges } from "./unsynced-changes.ts";

export interface SessionDatabaseOptions {
  /** Of this server alone. */
  readonly folder: string;
  /** Whose sessions they are: "app-a of cluster app". */
  readonly owner: string;
  /** Of this process. */
  readonly incarnation: string;
  readonly clock: Clock;
  readonly log: Log;
}

export class SessionDatabase implements SlotDisk {
  readonly #options: SessionDatabaseOptions;
  readonly #worker: DatabaseWorker;
  #changes: UnsyncedChanges = new UnsyncedChanges();
  readonly #questions: OpenQuestions = new OpenQuestions();
  found: ReadonlyMap<number, CopyPlaceOnDisk> = new Map();
  isOpen = false;
  isLost = false;
  register = "";
  /** On the database's clock, and on this process's. */
  #openedRunningMs = 0;
  #openedAt = 0;
  #observer: DiskObserver | null = null;
  readonly #trouble: DiskTrouble;
  #size: DatabaseSize = { bytes: 0, sessions: 0 };
  /** Slots of which there will be a copy after all changes that were given, and of which one is being made. */
  readonly #whole: Set<number> = new Set();
  readonly #coming: Set<number> = new Set();
  /** The number of the last changes that are in it; 0: none of this process yet. */
  #syncedNumber = 0;
  /** A thread that came later has found another file than the one in use, and why that matters; null: all is as it was. */
  #otherFile: string | null = null;
  #willFlush = false;
  #retry: Timer | null = null;
  #idle: Timer | null = null;
  #onClosed: (() => void) | null = null;

  constructor(options: SessionDatabaseOptions) {
    this.#options = options;
    const { folder, owner, incarnation, clock, log } = options;
    this.#trouble = new DiskTrouble(
      folder,
      log,
      `It is tried again every ${limits.retryMs / 1_000} s. What other servers write to their disks is safe; what no disk takes is refused`,
    );
    this.#worker = new DatabaseWorker({ folder, owner, incarnation }, clock, {
      onEnded: (reason) => this.#tellTrouble(`the thread of the database ended: ${reason}`),
      onNotOpened: (reason) => this.#notOpened(reason),
      onReplaced: (opened) => (this.isOpen ? this.#openedAgain(opened) : this.#openedLate(opened)),
      onWord: (word) => this.#hear(word),
    });
  }

  /**
   * To be awaited before anything is written or asked.
   * It need not be open then: a disk that is full is waited for. A file that is damaged or not this server's is put aside,
   * and the log says so.
   * @throws FlotillaError FLOTILLA_SESSIONS_DISK: the path can't be used, or another process has it.
   */
  async open(): Promise<void> {
    const opened = await this.#worker.open();
    if (opened !== null) this.#take(opened);
  }

  #take(opened: Opened): void {
    this.isOpen = true;
    this.found = opened.found;
    this.register = opened.register;
    for (const slot of opened.found.keys()) this.#whole.add(slot);
    this.#openedRunningMs = opened.runningMs;
    this.#openedAt = this.#options.clock.now();
    this.#size = opened.size;
    this.#tellAside(opened);
    this.#idle?.cancel();
    this.#writeWhenIdle();
  }

  renew(renewal: Renewal): void {
    this.isOpen = this.isLost = false;
    this.found = new Map();
    this.#changes = new UnsyncedChanges();
    this.#syncedNumber = 0;
    this.#otherFile = null;
    this.#questions.fail("its database is made anew");
    this.#whole.clear();
    this.#coming.clear();
    this.#retry?.cancel();
    this.#retry = null;
    this.#worker.renew(renewal);
  }

  /** Why it can't be written, for a person; null: it can, as far as is known. */
  get trouble(): string | null {
    return this.#trouble.now;
  }

  get isWell(): boolean {
    return this.trouble === null;
  }

  get pendingBytes(): number {
    return this.#changes.byteLength;
  }

  get bytes(): number {
    return this.#size.bytes;
  }

  get sessions(): number {
    return this.#size.sessions;
  }

  observe(observer: DiskObserver): void {
    this.#observer = observer;
    if (this.trouble !== null) observer.onTrouble(this.trouble);
  }

  write(slot: number, epoch: number, pos: number, key: string, session: DiskSession | null): void {
    this.#requireCopy(this.#coming.has(slot) || this.#whole.has(slot), slot);
    const batch = this.#change();
    if (session === null) batch.remove(slot, epoch, pos, key);
    else batch.put(slot, epoch, pos, session, this.#runningMs);
  }

  touch(slot: number, key: string, idleTimeoutMs: number, idleForMs: number): void {
    this.#change().touch(slot, key, idleTimeoutMs, this.#runningMs - idleForMs);
  }

  adopt(slot: number, epoch: number, pos: number): void {
    if (!this.#coming.has(slot)) this.#whole.add(slot);
    this.#change().adopt(slot, epoch, pos);
  }

  beginCopy(slot: number): void {
    this.#coming.add(slot);
    this.#changeAnew(slot).begin(slot);
  }

  addToCopy(slot: number, sessions: readonly DiskSession[]): void {
    this.#requireCopy(this.#coming.has(slot), slot);
    const batch = this.#change();
    for (const session of sessions) batch.add(slot, session, this.#runningMs);
  }

  endCopy(slot: number, epoch: number, pos: number): void {
    this.#requireCopy(this.#coming.delete(slot), slot);
    this.#whole.add(slot);
    this.#change().end(slot, epoch, pos);
  }

  cancelCopy(slot: number): void {
    this.#coming.delete(slot);
    this.#changeAnew(slot).cancel(slot);
  }

  drop(slot: number): void {
    this.#coming.delete(slot);
    this.#whole.delete(slot);
    this.#changeAnew(slot).drop(slot);
  }

  read(
    slot: number,
    key: string,
    done: (error: FlotillaError | null, session: DiskSession | null) => void,
  ): void {
    this.#ask({ kind: "read", slot, key }, (problem, answer) => {
      const { error, sessions } = this.#sessionsOf(problem, answer);
      done(error, sessions[0] ?? null);
    });
  }

  readAfter(
    slot: number,
    key: string,
    bytesMax: number,
    done: (error: FlotillaError | null, sessions: readonly DiskSession[]) => void,
  ): void {
    this.#ask({ kind: "readAfter", slot, key, bytesMax }, (problem, answer) => {
      const { error, sessions } = this.#sessionsOf(problem, answer);
      done(error, sessions);
    });
  }

  expired(slots: readonly number[], lateMs: number, sessionsMax: number, done: KeysDone): void {
    const question = { kind: "expired", slots, before: this.#runningMs - lateMs, sessionsMax } as const;
    this.#ask(question, (error, answer) => done(error, answer?.places ?? []));
  }

  longestIdle(slots: readonly number[], sessionsMax: number, done: KeysDone): void {
    this.#ask({ kind: "longestIdle", slots, sessionsMax }, (error, answer) =>
      done(error, answer?.places ?? []),
    );
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#onClosed = resolve;
      this.#worker.hold();
      this.#idle?.cancel();
      this.#flush();
    });
  }

  /** A mistake is to be seen where it is made: the thread could only try again for ever. */
  #requireCopy(isThere: boolean, slot: number): void {
    if (!isThere)
      throw new Error(`the session database was given changes of slot ${slot}, of which it has no copy`);
  }

  /** The batch that takes the next change. */
  #change(): ChangeBatch {
    if (!this.#willFlush) this.#changes.beginTurn();
    this.#flushSoon();
    return this.#changes.filling;
  }

  #changeAnew(slot: number): ChangeBatch {
    const batch = this.#change();
    this.#changes.beginAnew(slot);
    return batch;
  }

  #ask(question: Question, done: AnswerDone): void {
    this.#questions.add(question, done);
    this.#flushSoon();
  }

  /** The thread looks at checksums alone; damage that is found here it treats as all other. */
  #sessionsOf(problem: FlotillaError | null, answer: Answer | null): ReturnType<typeof sessionsOf> {
    return sessionsOf(problem, answer, this.#runningMs, (reason) =>
      this.#worker.send({ type: "damaged", reason }),
    );
  }

  get #runningMs(): number {
    return this.#openedRunningMs + this.#options.clock.now() - this.#openedAt;
  }

  /** When this turn of the event loop is over. */
  #flushSoon(): void {
    if (this.#willFlush) return;
    this.#willFlush = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#willFlush = false;
    if (this.#otherFile !== null) return this.#questions.fail(this.#otherFile);
    if (!this.#worker.isUp) return;
    if (this.#changes.writing === null) this.#writeNext(false);
    // A question waits until the changes before it are sent; where these can't be written, that would be for nothing.
    if (this.#changes.areAllSent || !this.isWell) this.#send(this.#questions.takeUnsent());
    if (this.#onClosed !== null && this.#changes.writing === null && this.#questions.count === 0)
      this.#worker.send({ type: "close" });
  }

  #send(questions: Iterable<NumberedQuestion>): void {
    for (const { id, question } of questions) this.#worker.send({ type: "ask", id, question });
  }

  /** @param isAnyway without changes too: how long the process ran is written. */
  #writeNext(isAnyway: boolean): void {
    const batch = this.#changes.next(isAnyway);
    if (batch !== null) this.#write(batch);
  }

  #write({ number, bytes: changes }: ChangeBatch): void {
    this.#worker.send({
      ...{ type: "write", number, changes, runningMs: this.#runningMs },
      register: this.register,
    });
  }

  #written(number: number, problem: string | null, isLost: boolean): void {
    if (this.#changes.writing?.number !== number) return;
    this.#takeLost(isLost);
    if (problem !== null) return this.#failed(problem);
    const batch = this.#changes.synced();
    this.#syncedNumber = number;
    this.#tellTrouble(null);
    for (const [slot, { epoch, pos }] of batch.places)
      if (!this.#changes.hasBegunAnew(slot, batch)) this.#observer?.onDurable(slot, epoch, pos);
    this.#flush();
  }

  #takeLost(isLost: boolean): void {
    const isNew = isLost && !this.isLost;
    this.isLost = isLost;
    if (isNew) this.#observer?.onLost();
  }

  #failed(problem: string): void {
    this.#tellTrouble(problem);
    this.#retry ??= this.#options.clock.after(limits.retryMs, () => {
      this.#retry = null;
      const { writing } = this.#changes;
      if (writing !== null && this.#mayWrite) this.#write(writing);
    });
    this.#flush();
  }

  get #mayWrite(): boolean {
    return this.#worker.isUp && this.#otherFile === null;
  }

  #writeWhenIdle(): void {
    this.#idle = this.#options.clock.after(limits.idleWriteMs, () => {
      if (this.#mayWrite && this.#changes.writing === null && this.#onClosed === null) this.#writeNext(true);
      this.#writeWhenIdle();
    });
  }

  #hear(word: Word): void {
    switch (word.type) {
      case "written":
        this.#size = word.size;
        return this.#written(word.number, word.problem, word.isLost);
      case "answers":
        for (const answer of word.answers) this.#questions.answered(answer);
        return this.#onClosed === null ? undefined : this.#flush();
      case "damaged":
        return this.#tellDamaged(word.reason);
      case "closed":
        return this.#onClosed?.();
    }
  }

  /** What was asked would wait for nobody knows how long. */
  #notOpened(reason: string): void {
    const trouble = `the database in ${this.#options.folder} can't be opened: ${reason}`;
    this.#questions.fail(trouble);
    this.#tellTrouble(trouble);
  }

  /** The first one could not, or the file was made anew. */
  #openedLate(opened: Opened): void {
    this.#take(opened);
    this.#tellTrouble(null);
    this.#observer?.onOpened();
    this.#flush();
  }

  /** Nothing was answered wrongly by the thread that ended: what it had under way goes to this one. */
  #openedAgain(opened: Opened): void {
    this.#tellAside(opened);
    const { writing } = this.#changes;
    const isSame = opened.number === this.#syncedNumber || opened.number === writing?.number;
    if (!isSame || opened.aside !== null) return this.#lost();
    this.#otherFile = null;
    this.#send(this.#questions.takeAll());
    if (writing === null) this.#writeNext(true);
    // It had ended between the sync and its word.
    else if (writing.number === opened.number) this.#written(opened.number, null, false);
    else this.#write(writing);
  }

  /** To go on with it would make copies that have what came since, and lack what was there before. */
  #lost(): void {
    this.isLost = true;
    this.#otherFile = `the database in ${this.#options.folder} is not the one that was in use: it is made anew as soon as other servers have all sessions`;
    this.#questions.fail(this.#otherFile);
    this.#tellTrouble(this.#otherFile);
  }

  #tellTrouble(trouble: string | null): void {
    if (this.#trouble.take(trouble)) this.#observer?.onTrouble(trouble);
  }

  #tellAside({ aside }: Opened): void {
    if (aside !== null) this.#options.log.error({ code: "FLOTILLA_SESSIONS_UNREAD" }, aside);
  }

  #tellDamaged(reason: string): void {
    this.#takeLost(true);
    this.#options.log.error(
      { code: "FLOTILLA_SESSIONS_UNREAD" },
      `sessions on disk are damaged: ${reason}. This server hands over to the others; when they have all, it puts the file aside, ` +
        "makes an empty one, and has its sessions from them. Those that can't be read until then are answered 503. While there " +
        "is no other server that can write its disk, all stays as it is; to begin without them, restart this one",
    );
  }
}
