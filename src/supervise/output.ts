/**
 * What supervised programs write, line by line: prefixed with the server's name on a terminal, one JSON
 * object per line when piped, never more than a bounded line in memory, and never faster than our own
 * output is read.
 */
import type { Readable, Writable } from "node:stream";
import { prettyFactory } from "pino-pretty";
import type { Clock, Timer } from "../support/clock.ts";
import { coloursWanted } from "../support/colours.ts";
import { supervise as limits } from "../support/limits.ts";

const LF = 0x0a;
const CR = 0x0d;

/** Cuts bytes into lines. A longer line than the limit becomes several; one without an end is shown after a while. */
export class LineCutter {
  readonly #onLine: (line: string) => void;
  readonly #clock: Clock;
  readonly #lineBytesMax: number;
  #rest: Buffer = Buffer.alloc(0);
  #timer: Timer | null = null;

  constructor(
    onLine: (line: string) => void,
    clock: Clock,
    lineBytesMax: number = limits.outputLineBytesMax,
  ) {
    this.#onLine = onLine;
    this.#clock = clock;
    this.#lineBytesMax = lineBytesMax;
  }

  push(chunk: Buffer): void {
    this.#timer?.cancel();
    this.#timer = null;
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const end = bytes.indexOf(LF);
      if (end !== -1 && end <= this.#lineBytesMax) {
        this.#tell(bytes.subarray(0, end > 0 && bytes[end - 1] === CR ? end - 1 : end));
        bytes = bytes.subarray(end + 1);
      } else if (bytes.length > this.#lineBytesMax) {
        const cut = characterBoundary(bytes, this.#lineBytesMax);
        this.#tell(bytes.subarray(0, cut));
        bytes = bytes.subarray(cut);
      } else break;
    }
    // A copy: what is left of a chunk must not keep all of it in memory.
    this.#rest = Buffer.from(bytes);
    if (bytes.length > 0) this.#timer = this.#clock.after(limits.outputPartialAfterMs, () => this.flush());
  }

  /** Shows what waits for its line end. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = null;
    const rest = this.#rest;
    this.#rest = Buffer.alloc(0);
    if (rest.length > 0) this.#tell(rest);
  }

  #tell(bytes: Buffer): void {
    this.#onLine(bytes.toString("utf8"));
  }
}

/** The last place at or before `end` where no UTF-8 character is cut in two. */
function characterBoundary(bytes: Buffer, end: number): number {
  let cut = end;
  while (cut > end - 4 && cut > 0 && (bytes[cut]! & 0xc0) === 0x80) cut--;
  return cut > 0 && (bytes[cut]! & 0xc0) !== 0x80 ? cut : end;
}

/** Of a program's plain words: what it writes to standard error is for somebody's attention. */
type PlainLevel = keyof typeof plainLevels;

/** pino's numbers. */
const plainLevels = { info: 30, warn: 40 } as const;

/** Writes lines of many programs to one of our own outputs. */
export class OutputPrinter {
  readonly #destination: Writable & { readonly isTTY?: boolean };
  readonly #format: (server: string, line: string) => string;
  readonly #waiting: Set<Readable> = new Set();

  /**
   * @param nameWidth characters of the longest server name, for straight columns on a terminal.
   * @param level of what is no JSON, for the logs' readers.
   */
  constructor(
    destination: Writable & { readonly isTTY?: boolean },
    nameWidth: number,
    level: PlainLevel = "info",
  ) {
    this.#destination = destination;
    this.#format =
      destination.isTTY === true
        ? terminalFormat(nameWidth)
        : (server, line) => jsonLine(server, line, level);
    destination.on("drain", () => this.#resume());
    // Whoever read us is gone; the programs go on.
    destination.on("error", () => this.#resume());
  }

  line(server: string, line: string): void {
    this.#destination.write(`${this.#format(server, line)}\n`);
  }

  /** Call after a chunk's lines: when our output is full, `source` waits until it is not. */
  hold(source: Readable): void {
    if (!this.#destination.writableNeedDrain) return;
    source.pause();
    this.#waiting.add(source);
  }

  #resume(): void {
    for (const source of this.#waiting) source.resume();
    this.#waiting.clear();
  }
}

/** Our own servers' log lines are made readable; everything else is the program's own words behind its name. */
function terminalFormat(nameWidth: number): (server: string, line: string) => string {
  const colorize = coloursWanted();
  const pretty = prettyFactory({
    colorize,
    ignore: "pid,hostname,server",
    translateTime: "SYS:HH:MM:ss.l",
    messageFormat: "{server}: {msg}",
    singleLine: true,
  });
  return (server, line) => {
    if (isOwnLogLine(server, line)) return pretty(line).trimEnd();
    const name = server.padEnd(nameWidth);
    return colorize ? `\u001b[36m${name} |\u001b[39m ${line}` : `${name} | ${line}`;
  };
}

/** Exported for the test. */
export function jsonLine(server: string, line: string, level: PlainLevel): string {
  if (isOwnLogLine(server, line)) return line;
  // The program logs JSON itself: only the server's name is added.
  if (line.startsWith('{"') && isJson(line)) return `{"server":${JSON.stringify(server)},${line.slice(1)}`;
  return JSON.stringify({ level: plainLevels[level], time: new Date().toISOString(), server, msg: line });
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** As support/log.ts writes them: `{"level":30,"time":"...","server":"app-a",...`. */
function isOwnLogLine(server: string, line: string): boolean {
  return line.startsWith('{"level":') && line.slice(0, 120).includes(`"server":${JSON.stringify(server)}`);
}
