/** The database's thread as the process sees it: one that ends is replaced by another after a moment. */
import { Worker } from "node:worker_threads";
import type { Clock } from "../../support/clock.ts";
import { FlotillaError, messageOf } from "../../support/errors.ts";
import { sessionDatabase as limits } from "../../support/limits.ts";
import type { FromThread, Opened, ThreadData, ToThread, Word } from "./thread-messages.ts";

export interface WorkerObserver {
  /** What it has under way it says nothing of any more: that goes to the next one. */
  onEnded(reason: string): void;
  /** The next one is there. */
  onReplaced(opened: Opened): void;
  onWord(word: Word): void;
}

export class DatabaseWorker {
  readonly #data: ThreadData;
  readonly #clock: Clock;
  readonly #observer: WorkerObserver;
  #worker: Worker | null = null;
  #state: "up" | "starting" | "down" = "down";

  constructor(data: ThreadData, clock: Clock, observer: WorkerObserver) {
    this.#data = data;
    this.#clock = clock;
    this.#observer = observer;
  }

  /** It has the database. */
  get isUp(): boolean {
    return this.#state === "up";
  }

  /** The first one, which is not replaced when it can't open the database. @throws FlotillaError FLOTILLA_SESSIONS_DISK */
  async open(): Promise<Opened> {
    const worker = startThread(this.#data);
    const message = await new Promise<FromThread>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    if (message.type !== "opened") {
      await worker.terminate();
      const reason = message.type === "notOpened" ? message.reason : message.type;
      throw new FlotillaError(
        "FLOTILLA_SESSIONS_DISK",
        `sessions can't be kept on disk (durability: backup+disk) in ${this.#data.folder}: ${reason}`,
        { source: "server" },
      );
    }
    this.#state = "up";
    this.#listen(worker);
    return message;
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
      if (worker === this.#worker) this.#end(reason);
    };
    worker.on("message", (message: FromThread) => this.#hear(message));
    worker.on("error", (error) => ended(messageOf(error)));
    worker.on("exit", () => ended("it ended"));
    worker.unref();
  }

  #hear(message: FromThread): void {
    if (message.type === "notOpened") return this.#end(message.reason);
    if (message.type === "opened") {
      this.#state = "up";
      return this.#observer.onReplaced(message);
    }
    if (message.type === "closed") this.#state = "down";
    this.#observer.onWord(message);
  }

  #end(reason: string): void {
    if (this.#state === "down") return;
    this.#state = "down";
    this.#worker?.terminate().catch(() => {});
    this.#clock.after(limits.retryMs, () => {
      this.#state = "starting";
      this.#listen(startThread(this.#data));
    });
    this.#observer.onEnded(reason);
  }
}

function startThread(workerData: ThreadData): Worker {
  const name = import.meta.url.endsWith(".ts") ? "database-thread.ts" : "database-thread.js";
  // Without what the program's own Node was started with: a preload has nothing to do there.
  return new Worker(new URL(name, import.meta.url), { workerData, execArgv: [], name: "flotilla-sessions" });
}
