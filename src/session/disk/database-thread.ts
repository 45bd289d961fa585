/**
 * The thread that has the database: it writes what comes, in order, and answers questions between two writes. A question takes
 * its turn after all changes that were sent before it. However many there are, they hold up changes for a few milliseconds.
 */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { messageOf } from "../../support/errors.ts";
import { sessionDatabase as limits } from "../../support/limits.ts";
import { CopiesDatabase, type DatabaseSize } from "./copies-database.ts";
import { copiesForm } from "./copies-form.ts";
import { DamageError, DatabaseFile, InUseError, isDamage } from "./database-file.ts";
import { inWordsWithRemedy } from "./disk-errors.ts";
import type { Answer, FromThread, NumberedQuestion, ThreadData, ToThread } from "./thread-messages.ts";

class DatabaseThread {
  readonly #port: MessagePort;
  readonly #file: DatabaseFile;
  readonly #database: CopiesDatabase;
  readonly #incarnation: string;
  #size: DatabaseSize;
  #questions: NumberedQuestion[] = [];
  #isScheduled = false;
  /** Until the next step of it: questions and changes take their turns meanwhile. */
  #tidying: NodeJS.Timeout | null = null;
  #isClosed = false;
  /** Why what is in it does not count any more; null: it counts. */
  #damage: string | null = null;

  /** @throws when the file can't be opened. */
  constructor(port: MessagePort, file: DatabaseFile, { incarnation, renewal }: ThreadData) {
    this.#port = port;
    this.#incarnation = incarnation;
    this.#file = file;
    const { database, aside } = CopiesDatabase.open(file, incarnation, renewal);
    this.#database = database;
    this.#size = this.#database.size;
    const [process, number] = this.#database.batch.split("/");
    this.#tell({
      type: "opened",
      found: this.#database.whole,
      runningMs: this.#database.runningMs,
      register: this.#database.register,
      number: process === incarnation ? Number(number) : 0,
      size: this.#size,
      aside,
    });
    this.#schedule();
  }

  receive(message: ToThread): void {
    switch (message.type) {
      case "write":
        return this.#write(message);
      case "ask":
        this.#questions.push(message);
        return this.#schedule();
      case "damaged":
        this.#tellDamage(new DamageError(message.reason));
        return;
      case "close":
        return this.#close();
    }
  }

  #write({ number, changes, runningMs, register }: Extract<ToThread, { type: "write" }>): void {
    let problem = this.#damage;
    try {
      // What is told to be synced has to count at the next start.
      if (problem === null)
        this.#database.apply(changes, `${this.#incarnation}/${number}`, runningMs, register);
      this.#size = this.#database.size;
    } catch (error) {
      problem = this.#whyNotWritten(error);
    }
    const isLost = this.#damage !== null || (problem !== null && this.#file.isGone);
    this.#tell({ type: "written", number, problem, isLost, size: this.#size });
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#isScheduled = false;
    this.#answer();
    if (this.#questions.length > 0) this.#schedule();
    else if (this.#tidying === null) this.#tidy();
  }

  #tidy(): void {
    this.#tidying = null;
    if (this.#damage !== null || this.#isClosed) return;
    try {
      if (this.#database.tidy()) this.#tidyIn(limits.removePauseMs);
    } catch (error) {
      // What can't be removed now is room that is missing, no more; changes tell of a disk that can't be written.
      if (isDamage(error)) this.#tellDamage(error);
      else this.#tidyIn(limits.retryMs);
    }
  }

  #tidyIn(ms: number): void {
    this.#tidying = setTimeout(() => this.#tidy(), ms);
  }

  #answer(): void {
    const until = performance.now() + limits.answerTurnMs;
    const answers: Answer[] = [];
    let answered = 0;
    for (; answered < this.#questions.length && performance.now() < until; answered++)
      answers.push(this.#answerOf(this.#questions[answered]!));
    if (answers.length > 0) this.#tell({ type: "answers", answers });
    this.#questions = this.#questions.slice(answered);
  }

  #answerOf({ id, question }: NumberedQuestion): Answer {
    const database = this.#database;
    const answer = { id, problem: null, sessions: [], places: [] };
    try {
      switch (question.kind) {
        case "read": {
          const session = database.read(question.slot, question.key);
          if (session !== null) return { ...answer, sessions: [session] };
          // What is not found in a damaged file may have been there.
          return { ...answer, problem: this.#damage };
        }
        case "readAfter": {
          const { slot, key, bytesMax } = question;
          if (this.#damage !== null) return { ...answer, problem: this.#damage };
          return { ...answer, sessions: database.readAfter(slot, key, bytesMax) };
        }
        case "expired": {
          const { slots, before, sessionsMax } = question;
          if (this.#damage !== null) return { ...answer, problem: this.#damage };
          return { ...answer, places: database.expired(slots, before, sessionsMax) };
        }
        case "longestIdle":
          if (this.#damage !== null) return { ...answer, problem: this.#damage };
          return { ...answer, places: database.longestIdle(question.slots, question.sessionsMax) };
      }
    } catch (error) {
      return { ...answer, problem: this.#whyNotRead(error) };
    }
  }

  #whyNotWritten(error: unknown): string {
    return isDamage(error) ? this.#tellDamage(error) : this.#file.whyNot(error);
  }

  #whyNotRead(error: unknown): string {
    return isDamage(error)
      ? this.#tellDamage(error)
      : `${this.#file.path} can't be read: ${inWordsWithRemedy(error)}`;
  }

  #tellDamage(error: unknown): string {
    const reason = messageOf(error);
    this.#file.markDamaged(reason);
    if (this.#damage === null) this.#tell({ type: "damaged", reason: `${this.#file.path}: ${reason}` });
    this.#damage = `${this.#file.path} is damaged; it is put aside, and an empty one made, as soon as other servers have all sessions`;
    return this.#damage;
  }

  #close(): void {
    this.#isClosed = true;
    if (this.#tidying !== null) clearTimeout(this.#tidying);
    this.#database.close();
    this.#tell({ type: "closed" });
    this.#port.close();
  }

  #tell(message: FromThread): void {
    this.#port.postMessage(message);
  }
}

function whyNotOpened(error: unknown): string {
  return error instanceof InUseError || isDamage(error) ? messageOf(error) : inWordsWithRemedy(error);
}

function start(port: MessagePort, data: ThreadData): void {
  const file = new DatabaseFile(data.folder, data.owner, copiesForm);
  try {
    const thread = new DatabaseThread(port, file, data);
    port.on("message", (message: ToThread) => thread.receive(message));
  } catch (error) {
    const isMistake = file.isMistake(error);
    port.postMessage({ type: "notOpened", reason: whyNotOpened(error), isMistake } satisfies FromThread);
  }
}

if (parentPort !== null) start(parentPort, workerData as ThreadData);
