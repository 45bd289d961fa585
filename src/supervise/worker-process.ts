/** One worker of a web server as its main process sees it: a child process and the channel to it. */
import { type ChildProcess, fork, type SendHandle } from "node:child_process";
import type { ClusterFile } from "../config/model.ts";
import type { WorkerReport } from "../member/member.ts";
import type { MovedAddresses } from "../member/moved-addresses.ts";
import type { Clock, Timer } from "../support/clock.ts";
import { codeOf, FlotillaError, messageOf } from "../support/errors.ts";
import { workers as limits } from "../support/limits.ts";
import { sendSignal } from "../support/processes.ts";
import type { ListeningSockets } from "./listening-sockets.ts";
import type { MovedBoard } from "./moved-board.ts";
import type { NewsBoard } from "./news-board.ts";
import type { Ending, Program } from "./program.ts";
import { printWholeLines } from "./whole-lines.ts";
import { type FromWorker, type ToWorker, workerProtocol } from "./worker-messages.ts";

export interface WorkerOptions {
  /** The program and its words. */
  readonly command: readonly [string, ...string[]];
  readonly sockets: ListeningSockets;
  readonly clock: Clock;
  /** Null for what the disk holds now. */
  readonly file: ClusterFile | null;
  readonly news: NewsBoard;
  readonly moved: MovedBoard;
  /** What it prints goes to our standard output by whole lines: others print there too. */
  readonly gatherLines: boolean;
}

export interface WorkerEvents {
  onReady(urls: readonly string[], file: ClusterFile): void;
  /** A changed file is in force. */
  onCommitted(urls: readonly string[]): void;
  /** For all workers. */
  onMoved(addresses: MovedAddresses): void;
  /** It can't begin, or does not come to it. */
  onFailed(error: FlotillaError): void;
}

const nothingReported: WorkerReport = {
  requests: 0,
  openRequests: 0,
  connections: 0,
  unserved: [],
  servers: [],
};

export class WorkerProcess implements Program {
  readonly pid: number;
  /** It takes requests. */
  isReady = false;
  report: WorkerReport = nothingReported;
  /** When it last answered. */
  reportedAt: number;
  /** Its silence is in the log. */
  toldStuck = false;
  /** Of a drain to come: how long idle connections are kept. */
  idleDrainMs = 0;
  readonly #child: ChildProcess;
  readonly #options: WorkerOptions;
  readonly #events: WorkerEvents;
  readonly #late: Timer;
  #draining = false;
  #onReport: (() => void)[] = [];
  #onPrepared: ((failure: FlotillaError | null) => void)[] = [];
  #onCommitted: (() => void)[] = [];

  /** @param onEnd called once, when the process is gone. */
  constructor(options: WorkerOptions, events: WorkerEvents, onEnd: (ending: Ending) => void) {
    this.#options = options;
    this.#events = events;
    this.reportedAt = options.clock.now();
    const [program, ...words] = options.command;
    this.#child = fork(program, words, {
      // Maps and buffers of the file arrive as what they are.
      serialization: "advanced",
      stdio: ["ignore", options.gatherLines ? "pipe" : "inherit", "inherit", "ipc"],
    });
    this.pid = this.#child.pid ?? 0;
    if (this.#child.stdout !== null) printWholeLines(this.#child.stdout, process.stdout);
    this.#child.on("message", (message) => void this.#heard(message as FromWorker));
    this.#awaitEnd(onEnd);
    this.tell({ kind: "begin", protocol: workerProtocol, file: options.file, news: options.news.all });
    for (const addresses of options.moved.all()) this.tell({ kind: "moved", addresses });
    this.#late = options.clock.after(limits.readyTimeoutMs, () => {
      this.#failed("FLOTILLA_WORKER_LATE", `it took no requests within ${limits.readyTimeoutMs / 1_000} s`);
      this.kill();
    });
  }

  tell(message: ToWorker, handle?: object): void {
    // One that ends meanwhile hears no more; its end is told by itself.
    this.#child.send(message, handle as SendHandle | undefined, {}, () => {});
  }

  /** Resolves when it has told how it is, or has ended; with false when its time to do so is over. */
  askReport(timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(timeoutMs, () => resolve(false));
      this.#onReport.push(() => {
        timer.cancel();
        resolve(true);
      });
      this.tell({ kind: "report" });
    });
  }

  /**
   * Has it make all ready that this file needs. Resolves likewise when it ends meanwhile: the next one begins with what
   * is in force then. `commit` or `discard` has to follow.
   * @throws FlotillaError its own, when the file can't be in force.
   */
  async prepare(file: ClusterFile): Promise<void> {
    const failure = await new Promise<FlotillaError | null>((resolve) => {
      this.#onPrepared.push(resolve);
      this.tell({ kind: "prepare", file });
    });
    if (failure !== null) throw failure;
  }

  /** Resolves when it is in force there, or the worker has ended. */
  commit(): Promise<void> {
    return new Promise((resolve) => {
      this.#onCommitted.push(resolve);
      this.tell({ kind: "commit" });
    });
  }

  discard(): void {
    this.tell({ kind: "discard" });
  }

  /** The first time: drain; again: cut what is open. */
  terminate(): void {
    this.tell(this.#draining ? { kind: "cut" } : { kind: "drain", idleMs: this.idleDrainMs });
    this.#draining = true;
    // A stopped process would not hear it.
    if (this.pid !== 0) sendSignal(this.pid, "SIGCONT");
  }

  interrupt(): void {
    this.kill();
  }

  kill(): void {
    if (this.pid !== 0) sendSignal(this.pid, "SIGKILL");
  }

  #failed(code: string, message: string): void {
    if (!this.isReady) this.#events.onFailed(new FlotillaError(code, message, { source: "server" }));
  }

  async #heard(message: FromWorker): Promise<void> {
    switch (message.kind) {
      case "open":
        return await this.#open(message);
      case "ready":
        this.isReady = true;
        this.#late.cancel();
        this.reportedAt = this.#options.clock.now();
        return this.#events.onReady(message.urls, message.file);
      case "failed":
        return this.#failed(message.code, message.message);
      case "prepared": {
        const { failure } = message;
        const error = failure === null ? null : new FlotillaError(failure.code, failure.message);
        for (const tell of this.#onPrepared.splice(0)) tell(error);
        return;
      }
      case "committed":
        this.#events.onCommitted(message.urls);
        for (const tell of this.#onCommitted.splice(0)) tell();
        return;
      case "moved":
        return this.#events.onMoved(message.addresses);
      case "report":
        this.report = message.report;
        this.reportedAt = this.#options.clock.now();
        this.toldStuck = false;
        for (const tell of this.#onReport.splice(0)) tell();
    }
  }

  async #open({ endpoint }: Extract<FromWorker, { kind: "open" }>): Promise<void> {
    try {
      this.tell({ kind: "socket", endpoint }, await this.#options.sockets.open(endpoint));
    } catch (error) {
      this.tell({ kind: "no-socket", endpoint, code: codeOf(error), message: messageOf(error) });
    }
  }

  #awaitEnd(onEnd: (ending: Ending) => void): void {
    const child = this.#child;
    let told = false;
    const end = (ending: Ending): void => {
      if (told) return;
      told = true;
      this.#late.cancel();
      for (const tell of [...this.#onReport, ...this.#onCommitted]) tell();
      for (const tell of this.#onPrepared) tell(null);
      onEnd(ending);
    };
    child.on("error", (error) => {
      // Not started: no exit to wait for.
      if (child.pid === undefined) end({ code: null, signal: null, failure: messageOf(error) });
    });
    child.on("exit", (code, signal) => end({ code, signal, failure: null }));
  }
}
