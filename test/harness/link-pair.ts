/**
 * Two ends of a link in memory, without sockets or timers: the test says when bytes travel and how they are cut.
 * Chunks are handed over in one scratch buffer that is overwritten afterwards, as a socket's read buffer is.
 */

import { pino } from "pino";
import type { StreamHandler } from "../../src/link/api.ts";
import { type ConnectionOptions, LinkConnection } from "../../src/link/connection.ts";
import type { LinkTransport } from "../../src/link/sender.ts";
import type { Clock, Timer } from "../../src/support/clock.ts";
import { type Log, silentLog } from "../../src/support/log.ts";

export class MemoryTransport implements LinkTransport {
  readonly writes: Buffer[] = [];
  #taken = 0;
  closed = false;
  bytesWritten = 0;

  write(bytes: Buffer): void {
    this.writes.push(bytes);
    this.bytesWritten += bytes.length;
  }

  close(): void {
    this.closed = true;
  }

  get waitingBytes(): number {
    return this.writes.reduce((sum, bytes) => sum + bytes.length, -this.#taken);
  }

  /** Moves at most `bytesMax` bytes of one write. @returns how many. */
  carry(bytesMax: number, from: LinkConnection, to: LinkConnection): number {
    const first = this.writes[0];
    if (first === undefined) return 0;
    const count = Math.min(bytesMax, first.length - this.#taken);
    const scratch = Buffer.from(first.subarray(this.#taken, this.#taken + count));
    this.#taken += count;
    to.receive(scratch);
    scratch.fill(0xee);
    if (this.#taken === first.length) {
      this.#taken = 0;
      this.writes.shift();
      first.fill(0xdd);
      from.written();
    }
    return count;
  }
}

/** One end, with a record of what happened to it. */
export class MemoryEnd {
  readonly transport: MemoryTransport = new MemoryTransport();
  readonly connection: LinkConnection;
  ups = 0;
  changes = 0;
  /** Reasons; at most one. */
  readonly endings: string[] = [];

  constructor(options: Partial<ConnectionOptions> & Pick<ConnectionOptions, "self" | "expected">) {
    this.connection = new LinkConnection(
      this.transport,
      {
        knows: () => true,
        remote: "memory:0",
        services: new Map(),
        log: silentLog,
        clock: new FakeClock(),
        ...options,
      },
      {
        up: () => void this.ups++,
        changed: () => void this.changes++,
        ended: (reason) => void this.endings.push(reason),
      },
    );
  }
}

export class MemoryPair {
  /** The dialing side. */
  readonly a: MemoryEnd;
  /** The accepting side. */
  readonly b: MemoryEnd;

  constructor(a: Partial<ConnectionOptions> = {}, b: Partial<ConnectionOptions> = {}) {
    this.a = new MemoryEnd({ self: { name: "web-a", incarnation: "one" }, expected: "app-a", ...a });
    this.b = new MemoryEnd({ self: { name: "app-a", incarnation: "two" }, expected: null, ...b });
  }

  /** Lets everything travel until nothing moves any more. */
  settle(): void {
    for (let moved = 1; moved > 0; ) {
      this.a.connection.sender.flush();
      this.b.connection.sender.flush();
      moved = this.toB(Number.POSITIVE_INFINITY) + this.toA(Number.POSITIVE_INFINITY);
    }
  }

  toB(bytesMax: number): number {
    return this.a.transport.carry(bytesMax, this.a.connection, this.b.connection);
  }

  toA(bytesMax: number): number {
    return this.b.transport.carry(bytesMax, this.b.connection, this.a.connection);
  }
}

/** A handler that does nothing but what the test gives. */
export function handlerOf(some: Partial<StreamHandler> = {}): StreamHandler {
  return { onData: () => {}, onEnd: () => {}, onReset: () => {}, onDrain: () => {}, ...some };
}

/** Time that stands until the test moves it. */
export class FakeClock implements Clock {
  #now = 1_000;
  readonly #timers: Set<{ at: number; callback: () => void }> = new Set();

  now(): number {
    return this.#now;
  }

  after(delayMs: number, callback: () => void): Timer {
    const timer = { at: this.#now + delayMs, callback };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  /** When the next timer fires, counted from now, or null. */
  get nextDelayMs(): number | null {
    const ats = [...this.#timers].map((timer) => timer.at);
    return ats.length === 0 ? null : Math.min(...ats) - this.#now;
  }

  /** Fires what is due on the way, each at its time. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const due = [...this.#timers].filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers.delete(due);
      this.#now = Math.max(this.#now, due.at);
      due.callback();
    }
    this.#now = until;
  }

  /** The process stands still: timers that were due in between fire late, at the end. */
  pause(ms: number): void {
    this.standStill(ms);
    this.advance(0);
  }

  /** The process stands still, and has come to no timer yet. */
  standStill(ms: number): void {
    this.#now += ms;
  }
}

/** A log whose messages a test reads. */
export class LogRecorder {
  readonly lines: string[] = [];
  readonly log: Log;
  #waiting: (() => void)[] = [];

  constructor() {
    this.log = pino(
      { level: "debug" },
      {
        write: (line: string) => {
          this.lines.push((JSON.parse(line) as { msg: string }).msg);
          for (const look of this.#waiting.splice(0)) look();
        },
      },
    );
  }

  /** The first line that matches, now or later. */
  async line(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = this.lines.find((line) => pattern.test(line));
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    }
  }
}

/** What happened, in order; a test may wait for the next. */
export class Notes<Note> {
  readonly all: Note[] = [];
  #waiting: (() => void)[] = [];

  add(note: Note): void {
    this.all.push(note);
    for (const look of this.#waiting.splice(0)) look();
  }

  /** The note at `index`, now or when it comes. */
  async at(index: number): Promise<Note> {
    while (this.all.length <= index) await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    return this.all[index]!;
  }
}
