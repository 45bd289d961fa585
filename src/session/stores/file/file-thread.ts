/**
 * The thread that has a site's session file. Questions are answered at once; changes that have come while those before were being synced
 * are made in one transaction, so that one sync of the disk serves them all (group commit), and answered when it is over.
 */
import type { DatabaseSync } from "node:sqlite";
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { messageOf } from "../../../support/errors.ts";
import { sessionDatabase as limits } from "../../../support/limits.ts";
import { DatabaseFile, InUseError, isDamage } from "../../disk/database-file.ts";
import { inWordsWithRemedy, primaryCode, SqliteCode } from "../../disk/disk-errors.ts";
import {
  type FileAnswer,
  type FileChange,
  type FileFailure,
  type FileQuestion,
  type FileThreadData,
  type FromFileThread,
  isQuestion,
  type NumberedWork,
  type ToFileThread,
} from "./file-messages.ts";
import { type Changed, FileRows, fileForm } from "./file-rows.ts";

class FileThread {
  readonly #port: MessagePort;
  readonly #file: DatabaseFile;
  readonly #database: DatabaseSync;
  readonly #rows: FileRows;
  readonly #openedRunningMs: number;
  readonly #openedAt: number = performance.now();
  #work: NumberedWork[] = [];
  #isScheduled = false;
  /** Why it is not written any more; null: it is. */
  #damage: string | null = null;

  /** @throws when the file can't be opened. */
  constructor(port: MessagePort, file: DatabaseFile) {
    this.#port = port;
    this.#file = file;
    const { content, aside } = file.open((database) => {
      const rows = new FileRows(database);
      return { database, rows, runningMs: rows.runningMs };
    });
    this.#database = content.database;
    this.#rows = content.rows;
    this.#openedRunningMs = content.runningMs;
    this.#tell({ type: "opened", aside });
    setInterval(() => this.#writeRunning(), limits.idleWriteMs);
  }

  receive(message: ToFileThread): void {
    if (message.type === "close") return this.#close();
    this.#work.push(...message.work);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#turn());
  }

  get #now(): number {
    return this.#openedRunningMs + performance.now() - this.#openedAt;
  }

  #turn(): void {
    this.#isScheduled = false;
    const work = this.#work;
    this.#work = [];
    const questions = work.filter(isQuestion);
    const changes = work.filter((each) => !isQuestion(each)) as NumberedWork<FileChange>[];
    if (questions.length > 0) this.#answer(questions.map((each) => this.#answerOf(each)));
    if (changes.length > 0) this.#answer(this.#apply(changes));
  }

  #answerOf({ id, work }: NumberedWork<FileQuestion>): FileAnswer {
    try {
      const result = this.#ask(work);
      // What is not found in a damaged file may have been there.
      if (this.#damage === null || (work.kind === "read" && result !== null))
        return { id, failure: null, result, formerHolder: "" };
      return failed(id, { why: this.#damage, outcome: "nothing" });
    } catch (error) {
      const why = isDamage(error)
        ? this.#tellDamage(error)
        : `${this.#file.path} can't be read: ${inWordsWithRemedy(error)}`;
      return failed(id, { why, outcome: "nothing" });
    }
  }

  #ask(question: FileQuestion): unknown {
    switch (question.kind) {
      case "read":
        return this.#rows.read(question.key, this.#now);
      case "list":
        return this.#rows.list(question.after, question.rowsMax, this.#now);
      case "count":
        return this.#rows.count(this.#now);
      case "prove":
        return null;
    }
  }

  /** All of them, synced, or none. */
  #apply(changes: readonly NumberedWork<FileChange>[]): FileAnswer[] {
    const all = (failure: FileFailure): FileAnswer[] => changes.map(({ id }) => failed(id, failure));
    // What is told to be done has to be there at the next start.
    if (this.#damage !== null) return all({ why: this.#damage, outcome: "nothing" });
    let isCommitting = false;
    try {
      if (!this.#file.isInPlace) throw new Error("it is not where it was");
      this.#database.exec("BEGIN IMMEDIATE");
      const now = this.#now;
      const answers = changes.map(({ id, work }): FileAnswer => {
        const { result, formerHolder } = this.#change(work, now);
        return { id, failure: null, result, formerHolder };
      });
      this.#rows.runningMs = now;
      isCommitting = true;
      this.#database.exec("COMMIT");
      return answers;
    } catch (error) {
      this.#rollBack();
      // A sync that failed may have written it all the same, and a crash would bring it to light.
      const outcome = isCommitting && primaryCode(error) !== SqliteCode.full ? "unknown" : "nothing";
      return all({ why: isDamage(error) ? this.#tellDamage(error) : this.#file.whyNot(error), outcome });
    }
  }

  #change(change: FileChange, now: number): Changed<unknown> {
    switch (change.kind) {
      case "insert":
        return alone(this.#rows.insert(change.key, change.write, change.life, now));
      case "replace":
        return this.#rows.replace(change.key, change.version, change.write, now);
      case "touch":
        for (const touch of change.touches) this.#rows.touch(touch, now);
        return alone(null);
      case "remove":
        return this.#rows.remove(change.key, change.writer, now);
      case "removeExpired":
        return alone(this.#rows.removeExpired(change.rowsMax, now));
    }
  }

  #rollBack(): void {
    try {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
    } catch {
      // The next BEGIN fails then, and says why.
    }
  }

  /** After a crash sessions live longer by what was not written. */
  #writeRunning(): void {
    if (this.#damage !== null || !this.#file.isInPlace) return;
    try {
      this.#rows.runningMs = this.#now;
    } catch {
      // Changes tell of a disk that can't be written.
    }
  }

  #tellDamage(error: unknown): string {
    const reason = messageOf(error);
    this.#file.markDamaged(reason);
    if (this.#damage === null) this.#tell({ type: "damaged", reason: `${this.#file.path}: ${reason}` });
    this.#damage = `${this.#file.path} is damaged; the next start of this process puts it aside and begins with an empty one`;
    return this.#damage;
  }

  #close(): void {
    this.#turn();
    this.#writeRunning();
    this.#database.close();
    // Of this thread.
    process.exit();
  }

  #answer(answers: readonly FileAnswer[]): void {
    this.#tell({ type: "answers", answers });
  }

  #tell(message: FromFileThread): void {
    this.#port.postMessage(message);
  }
}

function alone<Result>(result: Result): Changed<Result> {
  return { result, formerHolder: "" };
}

function failed(id: number, failure: FileFailure): FileAnswer {
  return { id, failure, result: null, formerHolder: "" };
}

function whyNotOpened(error: unknown): string {
  return error instanceof InUseError || isDamage(error) ? messageOf(error) : inWordsWithRemedy(error);
}

function start(port: MessagePort, { folder }: FileThreadData): void {
  const file = new DatabaseFile(folder, "a site", fileForm);
  try {
    const thread = new FileThread(port, file);
    port.on("message", (message: ToFileThread) => thread.receive(message));
  } catch (error) {
    const isMistake = file.isMistake(error);
    port.postMessage({ type: "notOpened", reason: whyNotOpened(error), isMistake } satisfies FromFileThread);
  }
}

if (parentPort !== null) start(parentPort, workerData as FileThreadData);
