/**
 * Sessions on disk: the side of the process. Changes are gathered in a buffer while the thread that has the database is
 * busy with those before, so that one sync of the disk serves all that came meanwhile: the busier, the cheaper (group commit). What is
 * under way stays here until it is synced: it is sent again when the disk could not be written, and when the thread died.
 *
 * Times of use are on a clock of the database's own, which stands still while no process has it.
 */
import { Worker } from "node:worker_threads";
import type { Clock, Timer } from "../../support/clock.ts";
import { FlotillaError, messageOf } from "../../support/errors.ts";
import { sessionDatabase as limits } from "../../support/limits.ts";
import type { Log } from "../../support/log.ts";
import type { CopyPlaceOnDisk, DiskObserver, DiskSession, KeysDone, SlotDisk } from "../cluster/slot-disk.ts";
import { readEntries } from "../entry-bytes.ts";
import { ChangeBatch, type StoredSession } from "./change-batch.ts";
import type { DatabaseSize } from "./copies-database.ts";

import type { Answer, FromThread, Question, ThreadData, ToThread } from "./thread-messages.ts";

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

type Done = (error: FlotillaError | null, answer: Answer | null) => void;

interface Asked {
  readonly id: number;
  readonly question: Question;
  readonly done: Done;
}

type Opened = FromThread & { readonly type: "opened" };

export class SessionDatabase implements SlotDisk {
  readonly #options: SessionDatabaseOptions;
  found: ReadonlyMap<number, CopyPlaceOnDisk> = new Map();
  /** On the database's clock, and on this process's. */
  #openedRunningMs = 0;
  #openedAt = 0;
  #observer: DiskObserver | null = null;
  #worker: Worker | null = null;
  #thread: "up" | "starting" | "down" = "down";
  #trouble: string | null = null;
  #size: DatabaseSize = { bytes: 0, sessions: 0 };
  #lastNumber = 0;
  #filling: ChangeBatch;
  /** Full ones that wait, the first first. */
  #waiting: ChangeBatch[] = [];
  #writing: ChangeBatch | null = null;
  #spare: SharedArrayBuffer[] = [];
  #pendingBytes = 0;
  /** Slots of which there will be a copy after all changes that were given, and of which one is being made. */
  readonly #whole: Set<number> = new Set();
  readonly #coming: Set<number> = new Set();
  /** What was dropped or begun anew since it was written: nobody is told of it. */
  #begunIn: Map<number, number> = new Map();
  #lastId = 0;
  readonly #asked: Map<number, Asked> = new Map();
  /** They come after changes that were not sent yet. */
  #unsent: Asked[] = [];
  #isFlushing = false;
  #retry: Timer | null = null;
  #idle: Timer | null = null;
  #onClosed: (() => void) | null = null;

  constructor(options: SessionDatabaseOptions) {
    this.#options = options;
    this.#filling = this.#nextBatch();
  }

  /**
   * To be awaited before anything is written or asked.
   * @throws FlotillaError FLOTILLA_SESSIONS_DISK: the folder can't be used, or another process has it. A file that is damaged or
   * not this server's is put aside, and the log says so.
   */
  async open(): Promise<void> {
    const worker = startThread(this.#options);
    const message = await new Promise<FromThread>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    if (message.type !== "opened") {
      await worker.terminate();
      const reason = message.type === "notOpened" ? message.reason : message.type;
      throw new FlotillaError(
        "FLOTILLA_SESSIONS_DISK",
        `sessions can't be kept on disk (durability: backup+disk) in ${this.#options.folder}: ${reason}`,
        { source: "server" },
      );
    }
    this.found = message.found;
    for (const slot of message.found.keys()) this.#whole.add(slot);
    this.#openedRunningMs = message.runningMs;
    this.#openedAt = this.#options.clock.now();
    this.#size = message.size;
    this.#thread = "up";
    this.#tellAside(message);
    this.#listen(worker);
    this.#writeWhenIdle();
  }

  /** Why it can't be written, for a person; null: it can, as far as is known. */
  get trouble(): string | null {
    return this.#trouble;
  }

  get isWell(): boolean {
    return this.#trouble === null;
  }

  get pendingBytes(): number {
    return this.#pendingBytes + this.#filling.byteLength;
  }

  get bytes(): number {
    return this.#size.bytes;
  }

  get sessions(): number {
    return this.#size.sessions;
  }

  observe(observer: DiskObserver): void {
    this.#observer = observer;
    if (this.#trouble !== null) observer.onTrouble(this.#trouble);
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
      // A process that has nothing else to do waits for it.
      this.#worker?.ref();
      this.#idle?.cancel();
      this.#flush();
    });
  }

  /** A mistake is to be seen where it is made: the thread could only try again for ever. */
  #requireCopy(isThere: boolean, slot: number): void {
    if (!isThere)
      throw new Error(`the session database was given changes of slot ${slot}, of which it has no copy`);
  }

  /** The batch that the next change goes into: all of one turn into the same. */
  #change(): ChangeBatch {
    if (this.#filling.isFull && !this.#isFlushing) {
      this.#pendingBytes += this.#filling.byteLength;
      this.#waiting.push(this.#filling);
      this.#filling = this.#nextBatch();
    }
    this.#flushSoon();
    return this.#filling;
  }

  #changeAnew(slot: number): ChangeBatch {
    const batch = this.#change();
    this.#begunIn.set(slot, batch.number);
    return batch;
  }

  #nextBatch(): ChangeBatch {
    return new ChangeBatch(++this.#lastNumber, this.#spare.pop());
  }

  get #runningMs(): number {
    return this.#openedRunningMs + this.#options.clock.now() - this.#openedAt;
  }

  /** When this turn of the event loop is over. */
  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#isFlushing = false;
    if (this.#thread !== "up") return;
    if (this.#writing === null) this.#writeNext(false);
    // Later ones wait until the changes before them are sent; where these can't be written, for nothing.
    if (this.#unsent.length > 0 && (this.#hasNothingUnsent || !this.isWell)) {
      for (const { id, question } of this.#unsent) this.#send({ type: "ask", id, question });
      this.#unsent = [];
    }
    if (this.#onClosed !== null && this.#writing === null && this.#asked.size === 0)
      this.#send({ type: "close" });
  }

  get #hasNothingUnsent(): boolean {
    return this.#waiting.length === 0 && this.#filling.byteLength === 0;
  }

  /** @param isAnyway without changes too: how long the process ran is written. */
  #writeNext(isAnyway: boolean): void {
    let batch = this.#waiting.shift();
    if (batch === undefined) {
      if (this.#filling.byteLength === 0 && !isAnyway) return;
      batch = this.#filling;
      this.#pendingBytes += batch.byteLength;
      this.#filling = this.#nextBatch();
    }
    this.#writing = batch;
    this.#sendWriting(batch);
  }

  #sendWriting({ number, bytes: changes }: ChangeBatch): void {
    this.#send({ type: "write", number, changes, runningMs: this.#runningMs });
  }

  #written(number: number, problem: string | null): void {
    const batch = this.#writing;
    if (batch === null || batch.number !== number) return;
    if (problem !== null) return this.#failed(problem);
    this.#writing = null;
    this.#pendingBytes -= batch.byteLength;
    this.#tellTrouble(null);
    for (const [slot, { epoch, pos }] of batch.places) {
      const begunIn = this.#begunIn.get(slot);
      if (begunIn !== undefined && begunIn > number) continue;
      this.#begunIn.delete(slot);
      this.#observer?.onDurable(slot, epoch, pos);
    }
    if (this.#spare.length < limits.spareBatchesMax && batch.memory.byteLength <= 2 * limits.batchBytesMax)
      this.#spare.push(batch.memory);
    this.#flush();
  }

  #failed(problem: string): void {
    this.#tellTrouble(problem);
    this.#retry ??= this.#options.clock.after(limits.retryMs, () => {
      this.#retry = null;
      if (this.#writing !== null && this.#thread === "up") this.#sendWriting(this.#writing);
    });
    this.#flush();
  }

  #tellTrouble(trouble: string | null): void {
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    const { log, folder } = this.#options;
    if (trouble === null) log.info(`sessions are written to ${folder} again`);
    else
      log.error(
        { code: "FLOTILLA_SESSIONS_DISK" },
        `sessions can't be written to disk: ${trouble}. It is tried again every ${limits.retryMs / 1_000} s. What other servers ` +
          "write to their disks is safe; what no disk takes is refused",
      );
    this.#observer?.onTrouble(trouble);
  }

  #writeWhenIdle(): void {
    this.#idle = this.#options.clock.after(limits.idleWriteMs, () => {
      if (this.#writing === null && this.#thread === "up" && this.#onClosed === null) this.#writeNext(true);
      this.#writeWhenIdle();
    });
  }

  #ask(question: Question, done: Done): void {
    const asked = { id: ++this.#lastId, question, done };
    this.#asked.set(asked.id, asked);
    this.#unsent.push(asked);
    this.#flushSoon();
  }

  #answered(answer: Answer): void {
    const asked = this.#asked.get(answer.id);
    if (asked === undefined) return;
    this.#asked.delete(answer.id);
    if (answer.problem === null) asked.done(null, answer);
    else asked.done(unread(answer.problem), null);
  }

  #sessionsOf(
    error: FlotillaError | null,
    answer: Answer | null,
  ): { readonly error: FlotillaError | null; readonly sessions: readonly DiskSession[] } {
    if (answer === null) return { error, sessions: [] };
    try {
      const now = this.#runningMs;
      return { error, sessions: answer.sessions.map((session) => diskSession(session, now)) };
    } catch (damage) {
      return { error: unread(messageOf(damage)), sessions: [] };
    }
  }

  #listen(worker: Worker): void {
    this.#worker = worker;
    const ended = (reason: string): void => {
      if (worker === this.#worker) this.#threadEnded(reason);
    };
    worker.on("message", (message: FromThread) => this.#hear(message));
    worker.on("error", (error) => ended(messageOf(error)));
    worker.on("exit", () => ended("it ended"));
    worker.unref();
  }

  #hear(message: FromThread): void {
    switch (message.type) {
      case "opened":
        return this.#openedAgain(message);
      case "notOpened":
        return this.#threadEnded(message.reason);
      case "written":
        this.#size = message.size;
        return this.#written(message.number, message.problem);
      case "answers":
        for (const answer of message.answers) this.#answered(answer);
        return this.#onClosed === null ? undefined : this.#flush();
      case "damaged":
        return this.#tellDamaged(message.reason);
      case "closed":
        this.#thread = "down";
        return this.#onClosed?.();
    }
  }

  /** Nothing was answered wrongly: what it had under way is here, and goes to the next one. */
  #threadEnded(reason: string): void {
    if (this.#thread === "down") return;
    this.#thread = "down";
    this.#tellTrouble(`the thread of the database ended: ${reason}`);
    this.#worker?.terminate().catch(() => {});
    this.#options.clock.after(limits.retryMs, () => {
      this.#thread = "starting";
      this.#listen(startThread(this.#options));
    });
  }

  #openedAgain(opened: Opened): void {
    this.#thread = "up";
    this.#tellAside(opened);
    for (const { id, question } of this.#asked.values()) this.#send({ type: "ask", id, question });
    this.#unsent = [];
    if (this.#writing === null) this.#writeNext(true);
    // It had ended between the sync and its word.
    else if (this.#writing.number === opened.number) this.#written(opened.number, null);
    else this.#sendWriting(this.#writing);
  }

  #tellAside({ aside }: Opened): void {
    if (aside !== null) this.#options.log.error({ code: "FLOTILLA_SESSIONS_UNREAD" }, aside);
  }

  #tellDamaged(reason: string): void {
    this.#options.log.error(
      { code: "FLOTILLA_SESSIONS_UNREAD" },
      `sessions on disk are damaged: ${reason}. Those that can't be read are answered 503. Restart this server: it puts the ` +
        "file aside and has its sessions from the other servers",
    );
  }

  #send(message: ToThread): void {
    this.#worker?.postMessage(message);
  }
}

function startThread({ folder, owner, incarnation }: SessionDatabaseOptions): Worker {
  const name = import.meta.url.endsWith(".ts") ? "database-thread.ts" : "database-thread.js";
  const workerData: ThreadData = { folder, owner, incarnation };
  // Without what the program's own Node was started with: a preload has nothing to do there.
  return new Worker(new URL(name, import.meta.url), { workerData, execArgv: [], name: "flotilla-sessions" });
}

function diskSession(stored: StoredSession, now: number): DiskSession {
  const { key, idleTimeoutMs, usedAt, absoluteTimeoutMs, createdAt, data } = stored;
  return {
    ...{ key, idleTimeoutMs, absoluteTimeoutMs },
    idleForMs: Math.max(0, now - usedAt),
    ageMs: Math.max(0, now - createdAt),
    entries: readEntries(Buffer.from(data.buffer, data.byteOffset, data.byteLength)),
  };
}

function unread(problem: string): FlotillaError {
  return new FlotillaError(
    "FLOTILLA_SESSIONS_DISK",
    `a session could not be read from the disk: ${problem}`,
    { source: "server" },
  );
}
