/** One worker of a web server: this process does its work, below the main process (run-web-server.ts). */
import { loadOrThrow } from "../config/load.ts";
import type { ClusterFile } from "../config/model.ts";
import type { ServerNews } from "../health/server-news.ts";
import type { LoadRecord } from "../load/record.ts";
import { Member } from "../member/member.ts";
import type { MovedAddresses } from "../member/moved-addresses.ts";
import { WorkerChannel, type WorkerOrders } from "../supervise/worker-channel.ts";
import { codeOf, FlotillaError, messageOf } from "../support/errors.ts";
import { workers as limits } from "../support/limits.ts";
import { createLog } from "../support/log.ts";
import { type Prepared, startWebServer, type WebServer } from "../web-tier/server.ts";

/** Ends with the process. @throws FlotillaError when nobody is there to work for. */
export async function runWebWorker(path: string, name: string): Promise<number> {
  if (process.send === undefined)
    throw new FlotillaError("FLOTILLA_WORKER_PROTOCOL", `a worker is begun by: flotilla start ${name}`);
  await new WebWorker(name).begin(path);
  return await new Promise(() => {});
}

class WebWorker implements WorkerOrders {
  readonly #name: string;
  readonly #channel: WorkerChannel;
  readonly #started = Promise.withResolvers<WebServer>();
  readonly #cut = Promise.withResolvers<void>();
  #web: WebServer | null = null;
  /** Told while it begins. */
  #early: readonly ServerNews[] = [];
  #prepared: Prepared | null = null;

  constructor(name: string) {
    this.#name = name;
    this.#channel = new WorkerChannel(this);
  }

  /** Resolves when it takes requests, or when the main process was told why it can't. */
  async begin(path: string): Promise<void> {
    const log = createLog(this.#name);
    try {
      const beginning = await this.#channel.begun();
      const file = beginning.file ?? loadOrThrow(path);
      const server = file.servers.get(this.#name);
      if (server === undefined)
        throw new FlotillaError(
          "FLOTILLA_SERVER_UNKNOWN",
          `there is no server ${this.#name} in ${path} any more`,
        );
      const member = new Member(file, server);
      this.#web = await startWebServer(member, beginning.news, log, (endpoint) =>
        this.#channel.socket(endpoint),
      );
      this.#web.hear(this.#early);
      this.#web.onMoved = (addresses) => this.#channel.tell({ kind: "moved", addresses });
      this.#started.resolve(this.#web);
      this.report();
      this.#channel.tell({ kind: "ready", urls: this.#web.urls, file });
    } catch (error) {
      this.#channel.tell({ kind: "failed", code: codeOf(error), message: messageOf(error) });
      setImmediate(() => process.exit(1));
    }
  }

  report(): void {
    if (this.#web !== null) this.#channel.tell({ kind: "report", report: this.#web.report() });
  }

  servers(news: readonly ServerNews[]): void {
    if (this.#web === null) this.#early = [...this.#early, ...news];
    else this.#web.hear(news);
  }

  load(name: string, record: LoadRecord): void {
    this.#web?.hearLoad(name, record);
  }

  prepare(file: ClusterFile): void {
    void this.#started.promise
      .then((web) => web.prepare(file))
      .then(
        (prepared) => {
          this.#prepared = prepared;
          this.#channel.tell({ kind: "prepared", failure: null });
        },
        (error) => {
          const failure = { code: codeOf(error), message: messageOf(error) };
          this.#channel.tell({ kind: "prepared", failure });
        },
      );
  }

  commit(): void {
    this.#prepared?.commit();
    this.#prepared = null;
    this.#channel.tell({ kind: "committed", urls: this.#web?.urls ?? [] });
    this.report();
  }

  discard(): void {
    this.#prepared?.discard();
    this.#prepared = null;
  }

  moved(addresses: MovedAddresses): void {
    void this.#started.promise.then((web) => web.hearMoved(addresses));
  }

  reopenLogs(): void {
    void this.#started.promise.then((web) => web.reopenLogs());
  }

  drain(idleMs: number): void {
    void this.#end(idleMs, Number.POSITIVE_INFINITY);
  }

  cut(): void {
    this.#cut.resolve();
  }

  orphaned(): void {
    // What has just connected is about to ask.
    void this.#end(limits.orphanDrainMs / 2, limits.orphanDrainMs);
  }

  async #end(idleMs: number, timeoutMs: number): Promise<void> {
    if (this.#web !== null) await Promise.race([this.#web.drain(idleMs, timeoutMs), this.#cut.promise]);
    await this.#web?.close();
    this.report();
    // Not by itself: a browser's connection or a timer could hold the process. Once the report is on its way.
    setImmediate(() => process.exit(0));
  }
}
