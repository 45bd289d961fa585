/** The database's thread as the process sees it: one that ends is replaced by another after a moment. */
import { Worker } from "node:worker_threads";
import type { Clock } from "../../support/clock.ts";
import { FlotillaError, messageOf } from "../../support/errors.ts";
import { sessionDatabase as limits } from "../../support/limits.ts";
import type { Renewal } from "../cluster/slot-disk.ts";
import type { FromThread, Opened, ThreadData, ToThread, Word } from "./thread-messages.ts";

export interface WorkerObserver {
  /** What it has under way it says nothing of any more: that goes to the next one. */
  onEnded(reason: string): void;
  /** The next one can't open the database, and nobody knows for how long. */
  onNotOpened(reason: string): void;
  /** The next one is there. */
  onReplaced(opened: Opened): void;
  onWord(word: Word): void;
}

export class DatabaseWorker {
  readonly #data: Omit<ThreadData, "renewal">;
  readonly #clock: Clock;
  readonly #observer: WorkerObserver;
  #worker: Worker | null = null;
  #state: "up" | "starting" | "down" = "down";
  /** What is in the file is of no use any more. */
  #renewal: Renewal | null = null;

  constructor(data: Omit<ThreadData, "renewal">, clock: Clock, observer: WorkerObserver) {
    this.#data = data;
    this.#clock = clock;
    this.#observer = observer;
  }

  /** It has the database. */
  get isUp(): boolean {
    return this.#state === "up";
  }

  /**
   * The first one. When it can't open the database, others try, again and again.
   * @throws FlotillaError FLOTILLA_SESSIONS_DISK: that can't help.
   */
  async open(): Promise<Opened | null> {
    const worker = this.#startThread();
    this.#state = "starting";
    const message = await new Promise<FromThread>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    if (message.type === "opened") {
      this.#state = "up";
      this.#listen(worker);
      return message;
    }
    if (message.type === "notOpened" && !message.isMistake) {
      this.#listen(worker);
      this.#hear(message);
      return null;
    }
    await worker.terminate();
    const reason = message.type === "notOpened" ? message.reason : message.type;
    throw new FlotillaError(
      "FLOTILLA_SESSIONS_DISK",
      `sessions can't be kept on disk (durability: backup+disk) in ${this.#data.folder}: ${reason}`,
      { source: "server" },
    );
  }

  /** The next one begins with an empty database. */
  renew(renewal: Renewal): void {
    this.#renewal = renewal;
    const before = this.#worker;
    this.#worker = null;
    this.#state = "down";
    // Not beside it: it would remove the log of the new file when it closes its own.
    void before?.terminate().then(() => this.#startNext());
  }

  send(message: ToThread): void {
    this.#worker?.postMessage(message);
  }

  /** A process that has nothing else to do waits for it. */
  hold(): void {
    this.#worker?.ref();
  }

  #listen(worker: Worker): void {
    this.#worker = worker;
    const ended = (reason: string): void => {
      if (worker === this.#worker && this.#end()) this.#observer.onEnded(reason);
    };
    worker.on("message", (message: FromThread) => {
      if (worker === this.#worker) this.#hear(message);
    });
    worker.on("error", (error) => ended(messageOf(error)));
    worker.on("exit", () => ended("it ended"));
    worker.unref();
  }

  #hear(message: FromThread): void {
    if (message.type === "notOpened") {
      this.#end();
      return this.#observer.onNotOpened(message.reason);
    }
    if (message.type === "opened") {
      this.#state = "up";
      this.#renewal = null;
      return this.#observer.onReplaced(message);
    }
    if (message.type === "closed") this.#state = "down";
    this.#observer.onWord(message);
  }

  /** @returns whether that is new. */
  #end(): boolean {
    if (this.#state === "down") return false;
    this.#state = "down";
    this.#worker?.terminate().catch(() => {});
    this.#clock.after(limits.retryMs, () => this.#startNext());
    return true;
  }

  #startNext(): void {
    if (this.#state !== "down") return;
    this.#state = "starting";
    this.#listen(this.#startThread());
  }

  #startThread(): Worker {
    const name = import.meta.url.endsWith(".ts") ? "database-thread.ts" : "database-thread.js";
    const workerData: ThreadData = { ...this.#data, renewal: this.#renewal };
    // Without what the program's own Node was started with: a preload has nothing to do there.
    return new Worker(new URL(name, import.meta.url), {
      workerData,
      execArgv: [],
      name: "flotilla-sessions",
    });
  }
}
