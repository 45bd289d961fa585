/**
 * Step "log": one line per request, in Apache's "combined" format or as JSON. Lines are gathered and written
 * once a second or by 64 KiB; a disk that does not follow costs lines, which are counted and told, never memory.
 */
import { mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import SonicBoom from "sonic-boom";
import type { AccessLogSettings } from "../config/model.ts";
import { FlotillaError, messageOf } from "../support/errors.ts";
import { accessLog as limits } from "../support/limits.ts";
import type { Log } from "../support/log.ts";
import { Seldom } from "../support/seldom.ts";

/** One finished request. */
export interface AccessEntry {
  readonly clientAddress: string;
  readonly method: string;
  readonly target: string;
  readonly versionMinor: number;
  readonly host: string;
  readonly referer: string;
  readonly userAgent: string;
  readonly requestId: string;
  /** 0 when the client left before an answer. */
  readonly status: number;
  /** Body bytes sent to the client. */
  readonly sentBytes: number;
  readonly durationMs: number;
  /** Name of the app server that answered, or "". */
  readonly server: string;
  /** How many app servers were tried. */
  readonly attempts: number;
  /** Why the request was refused unread, a code of docs/errors.md; else "". */
  readonly reason: string;
}

export class AccessLog {
  readonly #format: AccessLogSettings["format"];
  #out: InstanceType<typeof SonicBoom.SonicBoom> | null;
  readonly #timer: NodeJS.Timeout | null = null;
  // Lines are encoded here one by one: a text that grows by a line per request would be copied whole, again and again.
  readonly #lines: Buffer = Buffer.allocUnsafeSlow(limits.gatherBytes);
  #used = 0;
  #second = 0;
  #stamp = "";
  #droppedBytes = 0;

  /**
   * @param serverName replaces `{server}` in the path.
   * @throws FlotillaError FLOTILLA_ACCESS_LOG_FAILED
   */
  constructor(settings: AccessLogSettings, serverName: string, log: Log) {
    this.#format = settings.format;
    if (settings.path === null) {
      this.#out = null;
      return;
    }
    const path = settings.path.replaceAll("{server}", serverName);
    this.#out = new SonicBoom.SonicBoom({
      fd: path === "-" ? 1 : open(path),
      sync: false,
      contentMode: "buffer",
      maxLength: limits.bufferBytesMax,
    });
    this.#out.on("drop", (bytes: Buffer) => {
      this.#droppedBytes += bytes.length;
    });
    const troubles = new Seldom(limits.troubleIntervalMs);
    this.#out.on("error", (error: Error) => {
      const times = troubles.add();
      if (times > 0)
        log.error(`access log ${path}: ${error.message}${times > 1 ? ` (${times} times since)` : ""}`);
    });
    const losses = new Seldom(limits.troubleIntervalMs);
    this.#timer = setInterval(() => {
      this.#handOver();
      if (this.#droppedBytes === 0) return;
      const bytes = losses.add(this.#droppedBytes);
      this.#droppedBytes = 0;
      if (bytes > 0) log.warn(`access log ${path}: ${bytes} bytes of lines lost, the disk does not follow`);
    }, limits.flushIntervalMs);
    this.#timer.unref();
  }

  write(entry: AccessEntry): void {
    if (this.#out === null) return;
    const line = this.#format === "combined" ? this.#combined(entry) : jsonLine(entry);
    // Fields may hold any byte from 0x80 to 0xff: two bytes each in UTF-8.
    if (this.#used + 2 * line.length > this.#lines.length) this.#handOver();
    if (2 * line.length > this.#lines.length) this.#out.write(Buffer.from(line) as never);
    else this.#used += this.#lines.utf8Write(line, this.#used);
  }

  /** Writes what is gathered. Resolves when it is written, or can't be; what comes later is not. */
  close(): Promise<void> {
    const out = this.#out;
    if (out === null) return Promise.resolve();
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#handOver();
    this.#out = null;
    return new Promise((resolve) => {
      out.once("close", resolve);
      out.once("error", () => resolve());
      out.end();
    });
  }

  #handOver(): void {
    if (this.#used === 0 || this.#out === null) return;
    this.#out.write(Buffer.from(this.#lines.subarray(0, this.#used)) as never);
    this.#used = 0;
  }

  #combined(entry: AccessEntry): string {
    const second = Math.floor(Date.now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#stamp = commonLogTime(new Date(second * 1000));
    }
    const referer = entry.referer === "" ? "-" : escaped(entry.referer);
    const userAgent = entry.userAgent === "" ? "-" : escaped(entry.userAgent);
    return `${entry.clientAddress} - - [${this.#stamp}] "${entry.method} ${escaped(entry.target)} HTTP/1.${entry.versionMinor}" ${entry.status} ${entry.sentBytes} "${referer}" "${userAgent}"\n`;
  }
}

function open(path: string): number {
  try {
    mkdirSync(dirname(path), { recursive: true });
    return openSync(path, "a");
  } catch (error) {
    throw new FlotillaError(
      "FLOTILLA_ACCESS_LOG_FAILED",
      `the access log ${path} can't be opened: ${messageOf(error)}`,
      { source: "server", cause: error },
    );
  }
}

function jsonLine(entry: AccessEntry): string {
  const durationMs = Math.round(entry.durationMs * 1000) / 1000;
  const line = JSON.stringify({ time: new Date().toISOString(), ...entry, durationMs });
  return `${beyondAscii.test(line) ? line.replace(eachBeyondAscii, unicodeEscape) : line}\n`;
}

// JSON lets these stand, and some of them move a terminal's cursor too.
const beyondAscii = /[\x7f-\uffff]/;
const eachBeyondAscii = /[\x7f-\uffff]/g;

function unicodeEscape(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

// Anything that could end a quoted part, start a new line or move a terminal's cursor (A47).
const unsafe = /["\\\x00-\x1f\x7f-\uffff]/;
const eachUnsafe = /["\\\x00-\x1f\x7f-\uffff]/g;

/** As nginx writes it: `\x22`. */
function escaped(text: string): string {
  if (!unsafe.test(text)) return text;
  return text.replace(
    eachUnsafe,
    (char) => `\\x${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** 21/Nov/2026:07:45:32 +0000, in UTC. */
function commonLogTime(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = `${two(date.getUTCDate())}/${months[date.getUTCMonth()]}/${date.getUTCFullYear()}`;
  return `${day}:${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`;
}
