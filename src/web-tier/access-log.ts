/**
 * Step "log": one line per request. Lines are gathered and written once a second or by 64 KiB; a disk that does not
 * follow costs lines, which are counted and told, never memory.
 */
import { mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import SonicBoom from "sonic-boom";
import type { AccessLogSettings } from "../config/model.ts";
import { FlotillaError, messageOf } from "../support/errors.ts";
import { accessLog as limits } from "../support/limits.ts";
import type { Log } from "../support/log.ts";
import { Seldom } from "../support/seldom.ts";
import { type AccessEntry, type LineMaker, lineMaker } from "./access-lines.ts";

export type { AccessEntry } from "./access-lines.ts";

type Output = InstanceType<typeof SonicBoom.SonicBoom>;

export class AccessLog {
  readonly settings: AccessLogSettings;
  /** Connections of browsers that are open: HAProxy's format tells them. */
  openConnections = 0;
  readonly #line: LineMaker;
  readonly #path: string;
  readonly #log: Log;
  #out: Output | null;
  /** The file before, while its last lines are written. */
  #before: Output | null = null;
  #reopenLater = false;
  readonly #timer: NodeJS.Timeout | null = null;
  // Lines are encoded here one by one: a text that grows by a line per request would be copied whole, again and again.
  readonly #lines: Buffer = Buffer.allocUnsafeSlow(limits.gatherBytes);
  #used = 0;
  #droppedBytes = 0;
  readonly #troubles = new Seldom(limits.troubleIntervalMs);

  /**
   * @param serverName replaces `{server}` in the path. @param clusterName of the web tier.
   * @throws FlotillaError FLOTILLA_ACCESS_LOG_FAILED
   */
  constructor(settings: AccessLogSettings, serverName: string, clusterName: string, log: Log) {
    this.settings = settings;
    this.#line = lineMaker(settings.format, clusterName, () => this.openConnections);
    this.#log = log;
    this.#path = (settings.path ?? "").replaceAll("{server}", serverName);
    if (settings.path === null) {
      this.#out = null;
      return;
    }
    this.#out = this.#open();
    const losses = new Seldom(limits.troubleIntervalMs);
    this.#timer = setInterval(() => {
      this.#handOver();
      if (this.#droppedBytes === 0) return;
      const bytes = losses.add(this.#droppedBytes);
      this.#droppedBytes = 0;
      if (bytes > 0)
        log.warn(`access log ${this.#path}: ${bytes} bytes of lines lost, the disk does not follow`);
    }, limits.flushIntervalMs);
    this.#timer.unref();
  }

  write(entry: AccessEntry): void {
    if (this.#out === null) return;
    const line = this.#line(entry);
    // Fields may hold any byte from 0x80 to 0xff: two bytes each in UTF-8.
    if (this.#used + 2 * line.length > this.#lines.length) this.#handOver();
    if (2 * line.length > this.#lines.length) this.#out.write(Buffer.from(line) as never);
    else this.#used += this.#lines.utf8Write(line, this.#used);
  }

  /**
   * Goes on in a new file of the same name, after the old one was renamed. Lines so far go to the old one, none is lost.
   * When the new one can't be opened, the log says so and the old one is written on.
   */
  reopen(): void {
    if (this.#out === null || this.#path === "-") return;
    // The disk has not taken the last lines of the file before: one more each time would hold memory without bound.
    this.#reopenLater = this.#before !== null;
    if (this.#reopenLater) return;
    this.#handOver();
    let next: Output;
    try {
      next = this.#open();
    } catch (error) {
      return this.#log.error(messageOf(error));
    }
    const before = this.#out;
    this.#before = before;
    this.#out = next;
    before.once("close", () => {
      this.#before = null;
      if (this.#reopenLater) this.reopen();
    });
    before.end();
    this.#log.info(`access log ${this.#path} reopened`);
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

  /** @throws FlotillaError FLOTILLA_ACCESS_LOG_FAILED */
  #open(): Output {
    const out = new SonicBoom.SonicBoom({
      fd: this.#path === "-" ? 1 : open(this.#path),
      sync: false,
      contentMode: "buffer",
      maxLength: limits.bufferBytesMax,
    });
    out.on("drop", (bytes: Buffer) => {
      this.#droppedBytes += bytes.length;
    });
    out.on("error", (error: Error) => {
      const times = this.#troubles.add();
      const more = times > 1 ? ` (${times} times since)` : "";
      if (times > 0) this.#log.error(`access log ${this.#path}: ${error.message}${more}`);
    });
    return out;
  }

  #handOver(): void {
    if (this.#used === 0 || this.#out === null) return;
    this.#out.write(Buffer.from(this.#lines.subarray(0, this.#used)) as never);
    this.#used = 0;
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
