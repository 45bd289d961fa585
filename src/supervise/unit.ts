/**
 * One server in a supervisor's care:
 *
 *   running --ends--> waiting --delay over--> running ...        stop() from anywhere --> stopping --> stopped
 *
 * The delay grows with each death in a row and has jitter; a program that had been up for a stable time is
 * started again at once. A crash loop is told once, with the program's last words; the tries go on quietly.
 */
import type { UnitStatus } from "../admin/cluster-status.ts";
import type { Clock, Random, Timer } from "../support/clock.ts";
import { supervise as limits, operations } from "../support/limits.ts";
import type { Log } from "../support/log.ts";
import { againCode } from "../support/signals.ts";
import type { Ending, Program } from "./program.ts";

/** Starts the program; `onEnd` is called once per start, never before this returns. */
export type StartProgram = (onLine: (line: string) => void, onEnd: (ending: Ending) => void) => Program;

export interface UnitParts {
  readonly name: string;
  /** After TERM, until KILL. */
  readonly drainTimeoutMs: number;
  readonly keepsSessions: boolean;
  readonly start: StartProgram;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Pick<Log, "info" | "warn" | "error">;
  onStopped(): void;
  /**
   * Asks a server that keeps sessions whether it stays only for some that are not on disk (yet): then it is not killed.
   * @param answer with null when it gave none.
   */
  askHolding(answer: (isHolding: boolean | null) => void): void;
}

export class Unit {
  readonly name: string;
  state: UnitStatus["state"] = "stopped";
  /** Starts after the first. */
  restarts = 0;
  readonly #parts: UnitParts;
  #program: Program | null = null;
  #startedAt = 0;
  /** Deaths in a row, none of which came after a stable time. */
  #deaths = 0;
  #lastEnding = "";
  #left = false;
  #lastLines: string[] = [];
  /** Of the run before. */
  #lastEndedLines: readonly string[] = [];
  #timer: Timer | null = null;
  /** Of the first TERM. */
  #stopAt = 0;
  /** Questions in a row. */
  #unanswered = 0;

  constructor(parts: UnitParts) {
    this.name = parts.name;
    this.#parts = parts;
  }

  /** The first process of the running program, or null. */
  get pid(): number | null {
    return this.#program?.pid || null;
  }

  /** What an operator should know of it, or "". */
  get note(): string {
    if (this.state === "waiting" || this.#looping) return `it ${this.#lastEnding}, and is started again`;
    return "";
  }

  /** What it printed last, when it is not up; lines are cut. */
  get lastOutput(): readonly string[] {
    return this.note === "" ? [] : this.#lastEndedLines.map((line) => line.slice(0, limits.toldLineMax));
  }

  get #looping(): boolean {
    return this.#deaths >= limits.crashLoopDeaths;
  }

  start(): void {
    const { clock, log } = this.#parts;
    this.state = "running";
    this.#startedAt = clock.now();
    this.#lastLines = [];
    this.#program = this.#parts.start(
      (line) => this.#keep(line),
      (ending) => this.#ended(ending),
    );
    if (!this.#looping) log.info(`${this.name} started (process ${this.#program.pid})`);
    this.#timer = clock.after(limits.stableAfterMs, () => {
      if (this.#looping) log.info(`${this.name} runs again (process ${this.pid})`);
      this.#deaths = 0;
    });
  }

  /** Ends it for good: TERM, and KILL when the drain time is over. */
  stop(): void {
    if (this.state === "stopping" || this.state === "stopped") return;
    this.#timer?.cancel();
    const program = this.#program;
    if (program === null) {
      this.#stopped();
      return;
    }
    this.state = "stopping";
    program.terminate();
    const { clock, drainTimeoutMs } = this.#parts;
    this.#stopAt = clock.now();
    this.#unanswered = 0;
    this.#timer = clock.after(drainTimeoutMs + limits.killGraceMs, () => this.#late(program));
  }

  /** While it stops: TERM again, so that it cuts what it waits for, and KILL when that takes more than some seconds. */
  hurry(): void {
    const program = this.#program;
    if (this.state !== "stopping" || program === null) return;
    this.#timer?.cancel();
    const { clock, drainTimeoutMs } = this.#parts;
    const lateAt = this.#stopAt + drainTimeoutMs + limits.killGraceMs;
    // Sooner it would be taken for an echo of the first.
    const againAt = this.#stopAt + 2 * limits.signalEchoMs;
    this.#timer = clock.after(Math.max(0, againAt - clock.now()), () => {
      program.terminate();
      const leftMs = Math.max(0, Math.min(limits.hurriedDrainMs, lateAt - clock.now()));
      this.#timer = clock.after(leftMs, () => this.#late(program));
    });
  }

  /**
   * Its time is over. One that keeps sessions is asked first, and no answer is no "no": while it syncs what it has
   * written, and between its last connection and the port on which it says what it waits for, it can't give one.
   */
  #late(program: Program): void {
    const { askHolding, clock, keepsSessions } = this.#parts;
    if (!keepsSessions) {
      this.#killLate(program);
      return;
    }
    const timer = this.#timer;
    const askedAt = clock.now();
    askHolding((isHolding) => {
      // It has ended meanwhile, or was told again to.
      if (this.#program !== program || this.#timer !== timer) return;
      this.#unanswered = isHolding === null ? this.#unanswered + 1 : 0;
      if (isHolding === false || this.#unanswered >= limits.unansweredMax) {
        this.#killLate(program);
        return;
      }
      const nextAt = askedAt + limits.holdingIntervalMs;
      this.#timer = clock.after(Math.max(0, nextAt - clock.now()), () => this.#late(program));
    });
  }

  #killLate(program: Program): void {
    const { clock } = this.#parts;
    const seconds = Math.round((clock.now() - this.#stopAt) / 1_000);
    this.#tellKilled(`${this.name} did not end within ${seconds} s and is killed`);
    program.kill();
  }

  #tellKilled(what: string): void {
    const { keepsSessions, log } = this.#parts;
    if (keepsSessions)
      log.error(
        { code: "FLOTILLA_SESSIONS_NOT_SAVED" },
        `${what}: sessions that it had neither handed over nor saved are lost`,
      );
    else log.warn(what);
  }

  /** At once, without drain: INT, on which our own servers say what is lost, and KILL a moment later. */
  kill(): void {
    this.stop();
    const program = this.#program;
    if (program === null) return;
    this.#timer?.cancel();
    program.interrupt();
    this.#timer = this.#parts.clock.after(limits.lastWordMs, () => {
      if (this.#parts.keepsSessions) this.#tellKilled(`${this.name} is killed`);
      program.kill();
    });
  }

  #ended(ending: Ending): void {
    this.#program = null;
    this.#timer?.cancel();
    this.#lastEndedLines = this.#lastLines;
    if (this.state === "stopping") {
      this.#stopped();
      return;
    }
    const { clock, log } = this.#parts;
    // One that asks for it right after its start is no better than one that dies.
    if (ending.code === againCode && clock.now() - this.#startedAt >= operations.againAfterMs) {
      log.info(`${this.name} ended to be started again`);
      this.#lastEnding = "ended in order";
      this.#deaths = 0;
      this.#startAgain(0);
      return;
    }
    const stable = clock.now() - this.#startedAt >= limits.stableAfterMs;
    // Of its own free will, and at once: it went into the background, or it is no server.
    this.#left = !stable && ending.code === 0;
    this.#lastEnding = `${inWords(ending)}${this.#left ? " (the program of `run:` must stay in the foreground)" : ""}`;
    this.#deaths = stable ? 1 : this.#deaths + 1;
    const delayMs = stable ? 0 : restartDelayMs(this.#deaths, this.#parts.random);
    this.#report(delayMs);
    this.#startAgain(delayMs);
  }

  #startAgain(delayMs: number): void {
    this.state = "waiting";
    this.#timer = this.#parts.clock.after(delayMs, () => {
      this.restarts++;
      this.start();
    });
  }

  #report(delayMs: number): void {
    const { log } = this.#parts;
    if (this.#deaths < limits.crashLoopDeaths) {
      const when = delayMs === 0 ? "at once" : `in ${(delayMs / 1000).toFixed(1)} s`;
      log.warn(`${this.name} ${this.#lastEnding}; it is started again ${when}`);
    } else if (this.#deaths === limits.crashLoopDeaths) {
      const words = this.#lastLines.length === 0 ? "it printed nothing" : "its last output";
      const what = this.#left ? "ends again and again" : "crashes in a loop";
      const last = this.#left ? this.#lastEnding : `${this.#lastEnding} (${words})`;
      log.error(
        { lastOutput: this.#lastLines },
        `${this.name} ${what}: ${this.#deaths} times in a row, at last it ${last}; ` +
          `it is tried again at least every ${limits.restartMaxMs / 1000} s, and this is not repeated`,
      );
    }
  }

  #keep(line: string): void {
    this.#lastLines.push(line);
    if (this.#lastLines.length > limits.lastLinesMax) this.#lastLines.shift();
  }

  #stopped(): void {
    this.state = "stopped";
    this.#deaths = 0;
    this.#parts.log.info(`${this.name} stopped`);
    this.#parts.onStopped();
  }
}

/** Doubles with each death in a row, up to the maximum; half of it is chance, so that servers don't start in step. */
export function restartDelayMs(deaths: number, random: Random): number {
  const fullMs = Math.min(limits.restartMaxMs, limits.restartMinMs * 2 ** (deaths - 1));
  return fullMs / 2 + (random() * fullMs) / 2;
}

/** The end of a sentence that begins with the server's name. */
export function inWords({ code, signal, failure }: Ending): string {
  if (failure !== null) return `could not be started (${failure})`;
  if (signal !== null) return `was ended by ${signal}`;
  if (code === 127) return "ended with code 127 (command not found?)";
  if (code === 126) return "ended with code 126 (command not executable?)";
  // A shell in between tells a signal as 128 and its number.
  if (code !== null && code > 128 && code < 160) return `ended with code ${code} (signal ${code - 128})`;
  return `ended with code ${code}`;
}
