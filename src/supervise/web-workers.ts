/**
 * The workers of one web server, in the care of its main process, which holds their listening sockets and does none of
 * their work. A worker that dies is started again; one that hangs is found by its silence; `upgrade` replaces all by the
 * program that is on the disk now, and the old ones go only when the new ones take requests.
 */
import { availableParallelism } from "node:os";
import type { Cluster, ClusterFile } from "../config/model.ts";
import type { ServerView } from "../health/server-news.ts";
import type { WorkerStatus } from "../member/member.ts";
import type { MovedAddresses } from "../member/moved-addresses.ts";
import { systemClock, type Timer } from "../support/clock.ts";
import { FlotillaError } from "../support/errors.ts";
import { workers as limits } from "../support/limits.ts";
import type { Log } from "../support/log.ts";
import type { ListeningSockets } from "./listening-sockets.ts";
import { MovedBoard } from "./moved-board.ts";
import type { NewsBoard } from "./news-board.ts";
import { Generation } from "./worker-generation.ts";
import type { ToWorker } from "./worker-messages.ts";
import type { WorkerProcess } from "./worker-process.ts";

export interface WebWorkersOptions {
  readonly file: ClusterFile;
  readonly cluster: Cluster;
  /** The program that is a worker, and its words. */
  readonly command: readonly [string, ...string[]];
  readonly sockets: ListeningSockets;
  /** What is known of app servers; changes go to the workers. */
  readonly news: NewsBoard;
  readonly log: Log;
}

export class WebWorkers {
  /** It is to stop: not ready any more. */
  isStopping = false;
  readonly #options: WebWorkersOptions;
  readonly #moved = new MovedBoard();
  #current: Generation;
  /** Replaced, and not gone yet. */
  readonly #old: Set<Generation> = new Set();
  #upgrading: Generation | null = null;
  #isReloading = false;
  #cluster: Cluster;
  #workersBegun = 0;
  #requestsOfEnded = 0;
  #tick: Timer | null = null;
  #tickAt = 0;

  constructor(options: WebWorkersOptions) {
    this.#options = options;
    this.#cluster = options.cluster;
    this.#current = this.#generation(options.file);
    options.news.onChange = (news) => this.tell({ kind: "servers", news: [news] });
  }

  get urls(): readonly string[] {
    return this.#current.urls;
  }

  /** Those that take requests, or are about to. */
  get workers(): readonly WorkerProcess[] {
    return this.#current.workers;
  }

  /** Answered or being answered since the start, as last reported. */
  get requests(): number {
    return this.#all.reduce((sum, { report }) => sum + report.requests, this.#requestsOfEnded);
  }

  get openRequests(): number {
    return this.#all.reduce((sum, { report }) => sum + report.openRequests, 0);
  }

  get connections(): number {
    return this.#all.reduce((sum, { report }) => sum + report.connections, 0);
  }

  /** What each worker that takes requests sees of app servers, as last reported. */
  get views(): readonly ServerView[] {
    return this.workers.flatMap(({ report }) => report.servers);
  }

  /** Requests that the server has from here, those of workers that drain among them. */
  inFlightAt(name: string): number {
    const views = this.#all.flatMap(({ report }) => report.servers);
    return views.reduce((sum, view) => (view.name === name ? sum + view.inFlight : sum), 0);
  }

  /** Resolves when all that take requests go by what they were told before. @throws FlotillaError when one does not say so. */
  async inForce(timeoutMs: number): Promise<void> {
    const ready = this.workers.filter(({ isReady }) => isReady);
    const answered = await Promise.all(ready.map((worker) => worker.askReport(timeoutMs)));
    const silent = ready.filter((_, index) => !answered[index]).map(({ pid }) => pid);
    if (silent.length === 0) return;
    throw new FlotillaError(
      "FLOTILLA_NOT_IN_FORCE",
      `worker process ${silent.join(", ")} did not take it up within ${timeoutMs / 1_000} s, and will when it answers`,
      { source: "server" },
    );
  }

  /** Resolves when all take requests. @throws FlotillaError when one can't. */
  async begin(): Promise<void> {
    await this.#current.begin();
    this.#tickLater();
  }

  /** To each worker: those that drain, and those that an upgrade has begun, which know only what was so when they began. */
  tell(message: ToWorker): void {
    for (const worker of this.#everyone) worker.tell(message);
  }

  /** Has all tell how they are; one that does not answer soon keeps its last report. */
  async askReports(): Promise<void> {
    await Promise.all(this.#all.map((worker) => worker.askReport(limits.reportTimeoutMs)));
  }

  status(): WorkerStatus[] {
    const now = systemClock.now();
    const of = (worker: WorkerProcess, state: WorkerStatus["state"]): WorkerStatus => ({
      pid: worker.pid,
      state: isStuck(worker, now) ? "stuck" : state,
      requests: worker.report.requests,
      connections: worker.report.connections,
    });
    return [
      ...this.workers.map((worker) =>
        of(worker, this.isStopping ? "draining" : worker.isReady ? "up" : "starting"),
      ),
      ...[...this.#old].flatMap(({ workers }) => workers).map((worker) => of(worker, "draining")),
    ];
  }

  /** Why no request should be sent here, or "". */
  get unreadyReason(): string {
    if (this.isStopping) return "it is stopping";
    const now = systemClock.now();
    const ready = this.workers.filter((worker) => worker.isReady && !isStuck(worker, now));
    if (ready.length === 0) return "no worker takes requests";
    const unserved = ready.map(({ report }) => report.unserved);
    if (unserved.some(({ length }) => length === 0)) return "";
    return `no server takes requests of ${unserved[0]!.join(", ")}`;
  }

  /** Which worker hangs, or "". */
  get stuckReason(): string {
    const now = systemClock.now();
    const stuck = this.#all.find((worker) => isStuck(worker, now));
    if (stuck === undefined) return "";
    return `worker process ${stuck.pid} has not answered for ${Math.floor((now - stuck.reportedAt) / 1_000)} s`;
  }

  /**
   * Replaces all workers by new ones, of the program and the file that are on the disk now. Resolves when these take
   * requests; the old ones then end what they have begun.
   * @throws FlotillaError FLOTILLA_UPGRADE_FAILED: the old ones go on.
   */
  async upgrade(): Promise<void> {
    const busy = this.#busyWith;
    if (busy !== "") throw upgradeFailed(busy);
    const next = this.#generation(null);
    this.#upgrading = next;
    try {
      await next.begin();
    } catch (error) {
      const { message } = error as FlotillaError;
      this.#closeUnused();
      throw upgradeFailed(`${message}; the old workers go on`);
    } finally {
      this.#upgrading = null;
    }
    const old = this.#current;
    this.#current = next;
    this.#retire(old);
    this.#options.log.info(`replaced by ${next.workers.map(({ pid }) => `process ${pid}`).join(", ")}`);
  }

  /**
   * Has all workers go on by a changed file. Resolves when it is in force.
   * @throws FlotillaError FLOTILLA_RELOAD_REFUSED, or a worker's own: nothing has changed then.
   */
  async reload(file: ClusterFile): Promise<void> {
    const busy = this.#busyWith;
    if (busy !== "") throw new FlotillaError("FLOTILLA_RELOAD_REFUSED", `not reloaded: ${busy}`);
    this.#isReloading = true;
    try {
      await this.#current.prepare(file);
      this.#cluster = file.clusters.get(this.#cluster.name)!;
      await this.#current.commit(file);
      this.#moved.keepOnly(file.clusters);
    } finally {
      this.#isReloading = false;
      this.#closeUnused();
    }
  }

  get #busyWith(): string {
    if (this.isStopping) return "it is stopping";
    if (this.#upgrading !== null) return "an upgrade is under way";
    return this.#isReloading ? "a reload is under way" : "";
  }

  /** Lets what is open come to its end, for at most the drain timeout. Resolves when no worker is left. */
  async drain(): Promise<void> {
    this.isStopping = true;
    this.#upgrading?.kill();
    this.#current.drain(0);
    await Promise.all([this.#current.ended, ...[...this.#old].map(({ ended }) => ended)]);
    this.#tick?.cancel();
  }

  /** Those that drain cut what is open. */
  hurry(): void {
    for (const generation of [this.#current, ...this.#old]) generation.hurry();
  }

  kill(): void {
    for (const generation of [this.#current, ...this.#old]) generation.kill();
    this.#upgrading?.kill();
  }

  get #all(): WorkerProcess[] {
    return [this.#current, ...this.#old].flatMap(({ workers }) => workers);
  }

  get #everyone(): WorkerProcess[] {
    return this.#upgrading === null ? this.#all : [...this.#all, ...this.#upgrading.workers];
  }

  #tellMoved(addresses: MovedAddresses): void {
    this.#moved.add(addresses);
    if (this.#everyone.length > 1) this.tell({ kind: "moved", addresses });
  }

  #generation(file: ClusterFile | null): Generation {
    const { command, sockets, news, log } = this.#options;
    const cluster = this.#cluster;
    const count = cluster.workers ?? Math.min(availableParallelism(), limits.workersMax);
    const firstNumber = this.#workersBegun + 1;
    this.#workersBegun += count;
    return new Generation({
      ...{ count, firstNumber, command, file, sockets, news, log },
      gatherLines: count > 1 && cluster.accessLog.path === "-",
      drainTimeoutMs: cluster.timeouts.drainTimeoutMs,
      clock: systemClock,
      random: Math.random,
      moved: this.#moved,
      onMoved: (addresses) => this.#tellMoved(addresses),
      onReportEnded: ({ requests }) => {
        this.#requestsOfEnded += requests;
      },
    });
  }

  #retire(old: Generation): void {
    this.#old.add(old);
    void old.ended.then(() => this.#old.delete(old));
    old.drain(limits.idleDrainMs);
    this.#closeUnused();
    if (this.#old.size > limits.drainingMax) this.#old.values().next().value!.hurry();
  }

  /** Sockets that the file does not name, or that were opened for one that is not in force: whoever connects there is to be refused, not to wait in vain. */
  #closeUnused(): void {
    const { file } = this.#current;
    this.#options.sockets.keepOnly(file?.clusters.get(this.#cluster.name)?.listen ?? []);
  }

  #tickLater(): void {
    this.#tickAt = systemClock.now();
    this.#tick = systemClock.after(limits.reportIntervalMs, () => this.#look());
  }

  #look(): void {
    const now = systemClock.now();
    // We stood still ourselves (a machine that slept): nobody else's silence counts.
    const stoodStill = now - this.#tickAt > limits.stuckAfterMs;
    for (const worker of this.#all) {
      if (!worker.isReady) continue;
      if (stoodStill) worker.reportedAt = now;
      worker.tell({ kind: "report" });
      if (now - worker.reportedAt >= limits.stuckKillMs) this.#killStuck(worker);
      else if (isStuck(worker, now)) this.#tellStuck(worker);
    }
    this.#tickLater();
  }

  #tellStuck(worker: WorkerProcess): void {
    if (worker.toldStuck) return;
    worker.toldStuck = true;
    const [seconds, killSeconds] = [limits.stuckAfterMs / 1_000, limits.stuckKillMs / 1_000];
    this.#options.log.warn(
      `worker process ${worker.pid} has not answered for ${seconds} s; it is killed after ${killSeconds} s`,
    );
  }

  #killStuck(worker: WorkerProcess): void {
    const seconds = limits.stuckKillMs / 1_000;
    this.#options.log.error(`worker process ${worker.pid} has not answered for ${seconds} s and is killed`);
    worker.reportedAt = systemClock.now();
    worker.kill();
  }
}

function isStuck({ isReady, reportedAt }: WorkerProcess, now: number): boolean {
  return isReady && now - reportedAt >= limits.stuckAfterMs;
}

function upgradeFailed(why: string): FlotillaError {
  return new FlotillaError("FLOTILLA_UPGRADE_FAILED", `not upgraded: ${why}`, { source: "server" });
}
