/** Sessions in a file of this process alone: the process's side of the thread that has it. One that ends is replaced by the next operation. */
import { Worker } from "node:worker_threads";
import { FlotillaError, messageOf } from "../../../support/errors.ts";
import type { Log } from "../../../support/log.ts";
import { DiskTrouble } from "../../disk/disk-trouble.ts";
import {
  type ListedRow,
  type NoticeChannel,
  type Replaced,
  type RowLife,
  type SessionEngine,
  SessionEngineError,
  type SessionRow,
  type SessionTouch,
  type SessionWrite,
} from "../engine.ts";
import type { FileAnswer, FileThreadData, FileWork, FromFileThread, NumberedWork } from "./file-messages.ts";
import { isQuestion } from "./file-messages.ts";

interface UnderWay {
  readonly numbered: NumberedWork;
  readonly resolve: (result: never) => void;
  readonly reject: (error: SessionEngineError) => void;
}

interface Listener {
  readonly holder: string;
  readonly onChanged: (key: string) => void;
}

export class FileEngine implements SessionEngine {
  readonly name: string;
  readonly proveIntervalMs = 1_000;
  readonly #folder: string;
  readonly #log: Log;
  readonly #trouble: DiskTrouble;
  #worker: Worker | null = null;
  #opening: Promise<void> | null = null;
  #closing: Promise<void> | null = null;
  #isClosed = false;
  #lastId = 0;
  readonly #underWay: Map<number, UnderWay> = new Map();
  /** Of this turn of the event loop. */
  #unsent: NumberedWork[] = [];
  readonly #listeners: Set<Listener> = new Set();
  #onClosed: (() => void) | null = null;

  /** @param folder absolute. */
  constructor(folder: string, log: Log) {
    this.#folder = folder;
    this.#log = log;
    this.name = `the session file in ${folder}`;
    this.#trouble = new DiskTrouble(folder, log, "Changes are refused until it can; reads go on");
  }

  /** @throws FlotillaError FLOTILLA_SESSIONS_DISK: another process has it, or the path can't be used. */
  open(): Promise<void> {
    if (this.#isClosed) return Promise.reject(closed());
    if (this.#worker !== null) return Promise.resolve();
    this.#opening ??= this.#open().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  read(key: string): Promise<SessionRow | null> {
    return this.#run({ kind: "read", key });
  }

  insert(key: string, write: SessionWrite, life: RowLife): Promise<boolean> {
    return this.#run({ kind: "insert", key, write, life });
  }

  replace(key: string, version: number, write: SessionWrite): Promise<Replaced> {
    return this.#run({ kind: "replace", key, version, write });
  }

  async touch(touches: readonly SessionTouch[]): Promise<void> {
    await this.#run({ kind: "touch", touches });
  }

  async remove(key: string, writer: string): Promise<void> {
    await this.#run({ kind: "remove", key, writer });
  }

  removeExpired(rowsMax: number): Promise<number> {
    return this.#run({ kind: "removeExpired", rowsMax });
  }

  list(after: string, rowsMax: number): Promise<readonly ListedRow[]> {
    return this.#run({ kind: "list", after, rowsMax });
  }

  count(): Promise<number> {
    return this.#run({ kind: "count" });
  }

  async listen(holder: string, onChanged: (key: string) => void): Promise<NoticeChannel> {
    const listener: Listener = { holder, onChanged };
    this.#listeners.add(listener);
    return {
      prove: async () => {
        if (!this.#listeners.has(listener)) throw closed();
        await this.#run({ kind: "prove" });
      },
      close: () => void this.#listeners.delete(listener),
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#opening?.catch(() => {});
    this.#isClosed = true;
    this.#listeners.clear();
    const worker = this.#worker;
    if (worker === null) return;
    worker.ref();
    this.#send();
    await new Promise<void>((resolve) => {
      this.#onClosed = resolve;
      worker.postMessage({ type: "close" });
    });
  }

  async #open(): Promise<void> {
    const worker = startThread({ folder: this.#folder });
    const message = await firstWord(worker);
    if (message.type === "notOpened") {
      await worker.terminate();
      const why = `sessions can't be kept in ${this.#folder}: ${message.reason}`;
      throw message.isMistake
        ? new FlotillaError("FLOTILLA_SESSIONS_DISK", why, { source: "server" })
        : new SessionEngineError(why, "nothing");
    }
    if (message.type === "opened" && message.aside !== null)
      this.#log.error({ code: "FLOTILLA_SESSIONS_UNREAD" }, message.aside);
    this.#worker = worker;
    worker.on("message", (word: FromFileThread) => this.#hear(word));
    worker.on("error", (error) => this.#ended(worker, messageOf(error)));
    worker.on("exit", () => this.#ended(worker, "it ended"));
    worker.unref();
  }

  async #run<Result>(work: FileWork): Promise<Result> {
    if (this.#worker === null) await this.open();
    if (this.#isClosed) throw closed();
    const numbered = { id: ++this.#lastId, work };
    return new Promise<Result>((resolve, reject) => {
      // A process that has nothing else to do waits for it.
      if (this.#underWay.size === 0) this.#worker?.ref();
      this.#underWay.set(numbered.id, { numbered, resolve, reject });
      if (this.#unsent.push(numbered) === 1) setImmediate(() => this.#send());
    });
  }

  #send(): void {
    const work = this.#unsent;
    this.#unsent = [];
    // Those of a thread that has ended meanwhile were rejected.
    if (work.length > 0) this.#worker?.postMessage({ type: "work", work });
  }

  #hear(word: FromFileThread): void {
    if (word.type === "answers") for (const answer of word.answers) this.#answered(answer);
    else if (word.type === "damaged") this.#tellDamaged(word.reason);
    if (this.#underWay.size === 0 && this.#onClosed === null) this.#worker?.unref();
  }

  #answered({ id, failure, result, formerHolder }: FileAnswer): void {
    const underWay = this.#underWay.get(id);
    if (underWay === undefined) return;
    this.#underWay.delete(id);
    const { numbered, resolve, reject } = underWay;
    if (!isQuestion(numbered)) this.#trouble.take(failure?.why ?? null);
    if (failure !== null) return reject(new SessionEngineError(failure.why, failure.outcome));
    if (formerHolder !== "" && "key" in numbered.work) this.#notify(formerHolder, numbered.work.key);
    resolve(result as never);
  }

  #notify(formerHolder: string, key: string): void {
    for (const { holder, onChanged } of this.#listeners) if (holder === formerHolder) onChanged(key);
  }

  /** What it had under way may have been done. */
  #ended(worker: Worker, reason: string): void {
    if (worker !== this.#worker) return;
    this.#worker = null;
    const underWay = [...this.#underWay.values()];
    this.#underWay.clear();
    this.#unsent = [];
    const why = this.#isClosed ? "it was closed" : `the thread of ${this.name} ended: ${reason}`;
    for (const { numbered, reject } of underWay)
      reject(new SessionEngineError(why, isQuestion(numbered) ? "nothing" : "unknown"));
    this.#onClosed?.();
  }

  #tellDamaged(reason: string): void {
    this.#log.error(
      { code: "FLOTILLA_SESSIONS_UNREAD" },
      `sessions on disk are damaged: ${reason}. What can be read is answered, and nothing is changed any more: restart this ` +
        "process, which puts the file aside and begins with an empty one",
    );
  }
}

function closed(): SessionEngineError {
  return new SessionEngineError("it is closed", "nothing");
}

/** Whether it has the file. */
function firstWord(worker: Worker): Promise<FromFileThread> {
  return new Promise((resolve, reject) => {
    const failed = (error: unknown): void =>
      reject(new SessionEngineError(`its thread ended: ${messageOf(error)}`, "nothing", error));
    worker.once("error", failed);
    worker.once("message", (message: FromFileThread) => {
      worker.off("error", failed);
      resolve(message);
    });
  });
}

function startThread(workerData: FileThreadData): Worker {
  const name = import.meta.url.endsWith(".ts") ? "file-thread.ts" : "file-thread.js";
  // Without what the program's own Node was started with: a preload has nothing to do there.
  return new Worker(new URL(name, import.meta.url), { workerData, execArgv: [], name: "flotilla-sessions" });
}
