/** The workers of one start or upgrade: the same program, the same file. Each is kept running as a Unit. */
import type { ClusterFile } from "../config/model.ts";
import type { WorkerReport } from "../member/member.ts";
import type { MovedAddresses } from "../member/moved-addresses.ts";
import type { Clock, Random } from "../support/clock.ts";
import { FlotillaError, messageOf } from "../support/errors.ts";
import type { Log } from "../support/log.ts";
import type { ListeningSockets } from "./listening-sockets.ts";
import type { MovedBoard } from "./moved-board.ts";
import type { NewsBoard } from "./news-board.ts";
import type { Ending } from "./program.ts";
import { inWords, Unit } from "./unit.ts";
import { WorkerProcess } from "./worker-process.ts";

export interface GenerationOptions {
  /** How many. */
  readonly count: number;
  /** The number of the first, for the log. */
  readonly firstNumber: number;
  readonly command: readonly [string, ...string[]];
  /** Null: each reads what the disk holds when the generation begins. */
  readonly file: ClusterFile | null;
  readonly sockets: ListeningSockets;
  readonly news: NewsBoard;
  readonly moved: MovedBoard;
  readonly gatherLines: boolean;
  readonly drainTimeoutMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Pick<Log, "info" | "warn" | "error">;
  /** For all workers of the web server. */
  onMoved(addresses: MovedAddresses): void;
  /** A worker has ended: its last report. */
  onReportEnded(report: WorkerReport): void;
}

interface Slot {
  readonly unit: Unit;
  worker: WorkerProcess | null;
}

export class Generation {
  /** Resolves when the last worker is gone. */
  readonly ended: Promise<void>;
  urls: readonly string[] = [];
  readonly #options: GenerationOptions;
  readonly #slots: readonly Slot[];
  #file: ClusterFile | null;
  #prepared: ReadonlySet<WorkerProcess> = new Set();
  #hasBegun = false;
  #settleStart: (error: FlotillaError | null) => void = () => {};
  #resolveEnded!: () => void;

  constructor(options: GenerationOptions) {
    this.#options = options;
    this.#file = options.file;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#slots = Array.from({ length: options.count }, (_, index) =>
      this.#slot(options.firstNumber + index),
    );
  }

  get workers(): readonly WorkerProcess[] {
    return this.#slots.flatMap(({ worker }) => worker ?? []);
  }

  /** The file that they work by; null before the first is ready. */
  get file(): ClusterFile | null {
    return this.#file;
  }

  /**
   * Resolves when all take requests. Should one of them fail before, none is tried again.
   * @throws FlotillaError the worker's own, or FLOTILLA_WORKER_ENDED, FLOTILLA_WORKER_LATE
   */
  async begin(): Promise<void> {
    const failure = await new Promise<FlotillaError | null>((settle) => {
      this.#settleStart = settle;
      for (const { unit } of this.#slots) unit.start();
    });
    this.#hasBegun = true;
    if (failure === null) return;
    this.kill();
    throw failure;
  }

  /** @throws FlotillaError when one of them can't; nothing has changed then. */
  async prepare(file: ClusterFile): Promise<void> {
    const { workers } = this;
    const results = await Promise.allSettled(workers.map((worker) => worker.prepare(file)));
    const refused = results.find((result) => result.status === "rejected");
    if (refused === undefined) {
      this.#prepared = new Set(workers);
      return;
    }
    for (const worker of workers) worker.discard();
    throw refused.reason;
  }

  /** Resolves when all work by this file, which they were prepared for. */
  async commit(file: ClusterFile): Promise<void> {
    this.#file = file;
    await Promise.all(
      this.workers.map(async (worker) => {
        try {
          // It began in the meantime, with the file before.
          if (!this.#prepared.has(worker)) await worker.prepare(file);
          await worker.commit();
        } catch (error) {
          this.#options.log.error(`worker process ${worker.pid} begins anew: ${messageOf(error)}`);
          worker.kill();
        }
      }),
    );
    this.#prepared = new Set();
  }

  /** @param idleMs idle connections are kept for so long. */
  drain(idleMs: number): void {
    for (const { unit, worker } of this.#slots) {
      if (worker !== null) worker.idleDrainMs = idleMs;
      unit.stop();
    }
  }

  /** Those that drain cut what is open. */
  hurry(): void {
    for (const { unit } of this.#slots) unit.hurry();
  }

  kill(): void {
    for (const { unit, worker } of this.#slots) {
      unit.stop();
      worker?.kill();
    }
  }

  #slot(number: number): Slot {
    const { clock, random, log, drainTimeoutMs } = this.#options;
    const unit = new Unit({
      name: `worker ${number}`,
      drainTimeoutMs,
      keepsSessions: false,
      ...{ clock, random, log },
      start: (_onLine, onEnd) => this.#start(slot, onEnd),
      onStopped: () => {
        if (this.#slots.every((other) => other.unit.state === "stopped")) this.#resolveEnded();
      },
      askHolding: (answer) => answer(false),
    });
    const slot: Slot = { unit, worker: null };
    return slot;
  }

  #start(slot: Slot, onEnd: (ending: Ending) => void): WorkerProcess {
    const { command, sockets, news, moved, clock, log, gatherLines } = this.#options;
    const events = {
      onReady: (urls: readonly string[], file: ClusterFile) => this.#ready(urls, file),
      onCommitted: (urls: readonly string[]) => {
        this.urls = urls;
      },
      onMoved: (addresses: MovedAddresses) => this.#options.onMoved(addresses),
      onFailed: (error: FlotillaError) => {
        if (this.#hasBegun) log.error({ code: error.code }, `${slot.unit.name}: ${error.message}`);
        else this.#settleStart(error);
      },
    };
    const worker = new WorkerProcess(
      { command, sockets, news, moved, clock, gatherLines, file: this.#file },
      events,
      (ending) => {
        slot.worker = null;
        this.#options.onReportEnded(worker.report);
        if (!this.#hasBegun) {
          // It is not started again.
          slot.unit.stop();
          this.#settleStart(endedEarly(ending));
        }
        onEnd(ending);
      },
    );
    slot.worker = worker;
    return worker;
  }

  #ready(urls: readonly string[], file: ClusterFile): void {
    this.urls = urls;
    this.#file ??= file;
    if (this.#slots.every(({ worker }) => worker?.isReady === true)) this.#settleStart(null);
  }
}

function endedEarly(ending: Ending): FlotillaError {
  return new FlotillaError("FLOTILLA_WORKER_ENDED", `a worker ${inWords(ending)} before it took requests`, {
    source: "server",
  });
}
