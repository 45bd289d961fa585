/**
 * What a web server knows of the load of one app server or machine, and the one number that comes of it. The reasons for
 * each part stand in docs/load.md.
 */
import { type Clock, systemClock, type Timer } from "../support/clock.ts";
import { load as limits } from "../support/limits.ts";
import { count } from "../support/words.ts";
import type { LoadRecord } from "./record.ts";

/** What a thread that hardly works says of its waiting weighs no more than the machine's run queue: 2% of a CPU. */
const thinShare = 0.02;
/** So late is the event loop of any process at work, */
const usualLateMs = 10;
/** and so much later makes the time of a usual request twice as long. */
const doublingLateMs = 50;
/** Less than this is no difference: servers that are equally loaded are to take turns. */
const noticed = 1.1;

/** Read for each choice of a server, so they are plain fields: a timer, not the reader, finds that they are old. */
export class LoadFigures {
  /** The last record; null when there is none, or it is too old. */
  record: LoadRecord | null = null;
  /** How long a request takes there beside its normal time: 1 as long, 2 twice as long. 1 also when nothing is known. */
  slowness = 1;
  /** Requests that others have sent there; 0 also when it is not known. What we send ourselves we know sooner. */
  inFlightElsewhere = 0;
  readonly #clock: Clock;
  #at = 0;
  #expiry: Timer | null = null;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** @param ownInFlight of the server's requests, those that we have sent. */
  update(record: LoadRecord, ownInFlight: number): void {
    this.record = record;
    this.slowness = slownessOf(record);
    this.inFlightElsewhere = Math.max(0, (record.inFlight ?? 0) - ownInFlight);
    this.#at = this.#clock.now();
    if (this.#expiry === null) this.#expireAfter(limits.expireMs);
  }

  /** The server is gone: what is known is of a process that may live no more. */
  forget(): void {
    this.#expiry?.cancel();
    this.#expiry = null;
    this.record = null;
    this.slowness = 1;
    this.inFlightElsewhere = 0;
  }

  /** For `status`: "1.6 times its usual time: waits 38% of the time that it wants a CPU, ..."; "" when nothing is known. */
  get inWords(): string {
    return this.record === null ? "" : inWords(this.record, this.slowness);
  }

  #expireAfter(delayMs: number): void {
    this.#expiry = this.#clock.after(delayMs, () => {
      const leftMs = this.#at + limits.expireMs - this.#clock.now();
      if (leftMs > 0) this.#expireAfter(leftMs);
      else this.forget();
    });
  }
}

/** See docs/load.md, "One number". */
export function slownessOf(record: LoadRecord): number {
  // One cause shows in both: a thread that waits for its CPU comes late to its events. So the larger one counts, not both.
  const slowness = Math.max(cpuStretch(record), lateStretch(record));
  return slowness < noticed ? 1 : Math.min(slowness, limits.slownessMax);
}

/** How much longer work on the CPU takes: the thread's own times, and where it hardly works what the run queue lets one expect. */
function cpuStretch({ run, wait, queue, cpus }: LoadRecord): number {
  const expected = queue === null || cpus === null || cpus === 0 ? 1 : Math.max(1, (queue + 1) / cpus);
  if (run === null || wait === null) return expected;
  return (run + wait + thinShare * expected) / (run + thinShare);
}

function lateStretch({ lateMs }: LoadRecord): number {
  return lateMs === null ? 1 : 1 + Math.max(0, lateMs - usualLateMs) / doublingLateMs;
}

function inWords(record: LoadRecord, slowness: number): string {
  const { run, wait, lateMs, queue, cpus, inFlight, memoryBytes, memoryBytesMax } = record;
  const words: string[] = [];
  if (run !== null && wait !== null && run + wait > 0)
    words.push(`waits ${percent(wait / (run + wait))} of the time that it wants a CPU`);
  if (lateMs !== null) words.push(`event loop ${lateMs.toFixed(0)} ms late`);
  if (queue !== null && cpus !== null)
    words.push(`${queue.toFixed(1)} tasks want the machine's ${count(cpus, "CPU")}`);
  if (inFlight !== null) words.push(`${count(inFlight, "request")} in flight`);
  if (memoryBytes !== null)
    words.push(
      memoryBytesMax === null
        ? `${mebibytes(memoryBytes)} MiB`
        : `${mebibytes(memoryBytes)} of ${mebibytes(memoryBytesMax)} MiB`,
    );
  const times = slowness === 1 ? "its usual time" : `${slowness.toFixed(1)} times its usual time`;
  return words.length === 0 ? times : `${times}: ${words.join(", ")}`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)}%`;
}

function mebibytes(bytes: number): string {
  return (bytes / 1_048_576).toFixed(0);
}
