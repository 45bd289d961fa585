/**
 * An app server's reports of its load, one stream to each worker of each web server: on a clock of its own, and right
 * behind an answer, with which it then leaves in one write. Nothing waits here: who does not read gets no more until it does.
 */
import {
  type Link,
  type LinkStream,
  ResetCode,
  type StreamHandler,
  type StreamService,
} from "../link/api.ts";
import { type Clock, systemClock, type Timer } from "../support/clock.ts";
import { load as limits } from "../support/limits.ts";
import { formatLoad } from "./record.ts";
import { LoadSampler } from "./sampler.ts";

interface Reader {
  readonly stream: LinkStream;
  reportedAt: number;
  /** What was written to it waits. */
  blocked: boolean;
}

export class LoadReports implements StreamService {
  readonly #clock: Clock;
  readonly #inFlight: () => number;
  readonly #newSampler: (now: number) => LoadSampler;
  readonly #readers: Map<Link, Reader> = new Map();
  /** Null while nobody reads. */
  #sampler: LoadSampler | null = null;
  #tick: Timer | null = null;
  #dueAt = 0;
  /** An answer was given since the last tick. */
  #answered = false;

  /** @param inFlight requests that are not answered yet. */
  constructor(
    inFlight: () => number,
    clock: Clock = systemClock,
    newSampler: (now: number) => LoadSampler = (now) => new LoadSampler(now),
  ) {
    this.#inFlight = inFlight;
    this.#clock = clock;
    this.#newSampler = newSampler;
  }

  onStream(stream: LinkStream): StreamHandler | null {
    if (this.#readers.has(stream.link) || this.#readers.size >= limits.readersMax) {
      stream.reset(ResetCode.refused, "load is reported on one stream of a link");
      return null;
    }
    const now = this.#clock.now();
    const reader = { stream, reportedAt: now, blocked: false };
    this.#readers.set(stream.link, reader);
    if (this.#sampler === null) {
      this.#sampler = this.#newSampler(now);
      this.#tickAfter(limits.reportIntervalMs, now);
    }
    this.#report(reader, now);
    return new ReaderHandler(reader, () => this.#gone(stream.link));
  }

  /** An answer's last byte has been given to that stream. On the path of every request: cheap unless a report is due. */
  answered({ link }: LinkStream): void {
    this.#answered = true;
    const reader = this.#readers.get(link);
    if (reader === undefined || reader.blocked) return;
    const now = this.#clock.now();
    if (now - reader.reportedAt < limits.answerReportMs) return;
    this.#sampler!.look(now);
    this.#report(reader, now);
  }

  #report(reader: Reader, now: number): void {
    if (reader.blocked) return;
    reader.reportedAt = now;
    reader.blocked = !reader.stream.write(
      `${formatLoad(this.#sampler!.record(this.#inFlight()))}\n`,
      "latin1",
    );
  }

  #tickAfter(intervalMs: number, now: number): void {
    this.#dueAt = now + intervalMs;
    this.#tick = this.#clock.after(intervalMs, () => this.#onTick());
  }

  #onTick(): void {
    const now = this.#clock.now();
    this.#sampler!.tick(now, Math.max(0, now - this.#dueAt));
    const isBusy = this.#answered || this.#inFlight() > 0;
    this.#answered = false;
    this.#tickAfter(isBusy ? limits.reportIntervalMs : limits.idleReportIntervalMs, now);
    for (const reader of this.#readers.values()) this.#report(reader, now);
  }

  #gone(link: Link): void {
    this.#readers.delete(link);
    if (this.#readers.size > 0) return;
    this.#tick?.cancel();
    this.#sampler?.close();
    this.#tick = this.#sampler = null;
  }
}

/** What the reader sends is thrown away, up to one window of it: no credit is given for more. */
class ReaderHandler implements StreamHandler {
  readonly #reader: Reader;
  readonly #onGone: () => void;

  constructor(reader: Reader, onGone: () => void) {
    this.#reader = reader;
    this.#onGone = onGone;
  }

  onData(): void {}

  onEnd(): void {}

  onReset(): void {
    this.#onGone();
  }

  onDrain(): void {
    this.#reader.blocked = false;
  }
}
