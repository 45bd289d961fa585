/**
 * How busy this process is, and its machine. What it costs is bounded by who asks: one small read of /proc for each
 * `look`, and some more for each `tick`.
 */
import { join } from "node:path";
import { type EventLoopUtilization, performance } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import { load as limits } from "../support/limits.ts";
import { Average } from "./average.ts";
import { Machine } from "./machine.ts";
import { kernelNumber, ProcFile } from "./proc-file.ts";
import type { LoadRecord } from "./record.ts";

/** What the process says of itself; a parameter so that a test can say it. */
export interface ProcessFigures {
  /** All its threads, since its start. */
  cpuSeconds(): number;
  rssBytes(): number;
  heap(): { readonly usedBytes: number; readonly limitBytes: number };
  /** Share of time, since it was asked last, in which the event loop was not idle. */
  busy(): number;
}

/** Times between two looks that are shorter tell nothing. */
const elapsedMsMin = 2;

/** Times on the thread of the event loop, in milliseconds. */
interface ThreadTimes {
  readonly runMs: number;
  readonly waitMs: number;
}

export class LoadSampler {
  readonly #process: ProcessFigures;
  readonly #machine: Machine;
  readonly #schedstat: ProcFile;
  readonly #run: Average = new Average(limits.smoothingMs);
  readonly #wait: Average = new Average(limits.smoothingMs);
  readonly #late: Average = new Average(limits.smoothingMs);
  readonly #busy: Average = new Average(limits.smoothingMs);
  readonly #cpu: Average = new Average(limits.smoothingMs);
  readonly #queue: Average = new Average(limits.queueSmoothingMs);
  #thread: ThreadTimes | null;
  #lookedAt: number;
  #tickedAt: number;
  #cpuSeconds: number;
  #memoryBytes: number | null = null;
  #heap: { readonly usedBytes: number; readonly limitBytes: number } | null = null;

  /** @param now as all times here, of a monotonic clock, in milliseconds. @param folder "/proc", or a test's. */
  constructor(now: number, folder: string = "/proc", figures: ProcessFigures = new OwnFigures()) {
    this.#process = figures;
    this.#machine = new Machine(folder);
    // Of the thread that leads the process: the one of the event loop.
    this.#schedstat = new ProcFile(join(folder, "self/schedstat"));
    this.#thread = this.#threadTimes();
    this.#lookedAt = this.#tickedAt = now;
    this.#cpuSeconds = figures.cpuSeconds();
  }

  /** How its thread fared since the last look. */
  look(now: number): void {
    const elapsedMs = now - this.#lookedAt;
    if (this.#thread === null || elapsedMs < elapsedMsMin) return;
    const before = this.#thread;
    this.#thread = this.#threadTimes();
    this.#lookedAt = now;
    if (this.#thread === null) return;
    this.#run.add(Math.max(0, this.#thread.runMs - before.runMs) / elapsedMs, elapsedMs);
    this.#wait.add(Math.max(0, this.#thread.waitMs - before.waitMs) / elapsedMs, elapsedMs);
  }

  /**
   * Everything else, at times that have nothing to do with requests: a figure looked at when an answer is ready would show a
   * process that is always at work.
   * @param lateMs by how much this call came later than it was due.
   */
  tick(now: number, lateMs: number): void {
    this.look(now);
    const elapsedMs = now - this.#tickedAt;
    if (elapsedMs < elapsedMsMin) return;
    this.#tickedAt = now;
    const cpuSeconds = this.#process.cpuSeconds();
    this.#cpu.add(((cpuSeconds - this.#cpuSeconds) * 1_000) / elapsedMs, elapsedMs);
    this.#cpuSeconds = cpuSeconds;
    // It counts for the time until it was due: a long stop is hit by one look, not by as many as would have fit in.
    this.#late.add(Math.min(lateMs, limits.lateMsMax), Math.max(elapsedMs - lateMs, elapsedMsMin));
    this.#busy.add(this.#process.busy(), elapsedMs);
    const runnable = this.#machine.runnable();
    if (runnable !== null) this.#queue.add(runnable, elapsedMs);
    this.#memoryBytes = this.#process.rssBytes();
    this.#heap = this.#process.heap();
  }

  record(inFlight: number): LoadRecord {
    const isKnown = this.#thread !== null;
    return {
      inFlight,
      run: isKnown ? this.#run.value : null,
      wait: isKnown ? this.#wait.value : null,
      lateMs: this.#late.value,
      busy: this.#busy.value,
      cpu: this.#cpu.value,
      memoryBytes: this.#memoryBytes,
      memoryBytesMax: null,
      heapBytes: this.#heap?.usedBytes ?? null,
      heapBytesMax: this.#heap?.limitBytes ?? null,
      queue: this.#queue.value,
      cpus: this.#machine.cpus,
    };
  }

  close(): void {
    this.#schedstat.close();
    this.#machine.close();
  }

  /** "run wait slices", in nanoseconds (proc(5), Documentation/scheduler/sched-stats.rst). */
  #threadTimes(): ThreadTimes | null {
    const [run, wait] = this.#schedstat.read().split(" ");
    const runNs = kernelNumber(run);
    const waitNs = kernelNumber(wait);
    // A process that has come so far did run: where the kernel keeps no such times it says 0.
    if (runNs === null || waitNs === null || runNs === 0) return null;
    return { runMs: runNs / 1e6, waitMs: waitNs / 1e6 };
  }
}

class OwnFigures implements ProcessFigures {
  #loop: EventLoopUtilization = performance.eventLoopUtilization();

  cpuSeconds(): number {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  }

  rssBytes(): number {
    return process.memoryUsage.rss();
  }

  heap(): { usedBytes: number; limitBytes: number } {
    const { used_heap_size, heap_size_limit } = getHeapStatistics();
    return { usedBytes: used_heap_size, limitBytes: heap_size_limit };
  }

  busy(): number {
    const loop = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(loop, this.#loop);
    this.#loop = loop;
    return utilization;
  }
}
