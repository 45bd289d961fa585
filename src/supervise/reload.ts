/**
 * The file that a web server works by, as its main process holds it. `reload` puts the changed file in force for
 * all workers at once, or for none.
 */
import { isDeepStrictEqual } from "node:util";
import { type ReloadAnswer, refuseOtherPath } from "../admin/started-file.ts";
import { loadOrThrow } from "../config/load.ts";
import type { Cluster, ClusterFile, Server } from "../config/model.ts";
import { codeOf, FlotillaError, messageOf } from "../support/errors.ts";
import type { Log } from "../support/log.ts";
import type { AgentPolls } from "./agent-polls.ts";
import { type HealthAnswers, openHealth } from "./health-listener.ts";
import type { NewsBoard } from "./news-board.ts";
import type { Operations } from "./operations.ts";
import type { ServerChecks } from "./server-checks.ts";
import type { WebWorkers } from "./web-workers.ts";

export interface ReloadParts {
  readonly file: ClusterFile;
  readonly server: Server;
  readonly workers: WebWorkers;
  readonly news: NewsBoard;
  readonly checks: ServerChecks;
  readonly agents: AgentPolls;
  readonly health: HealthAnswers;
  readonly operations: Operations;
  readonly log: Log;
}

export class WorkingFile {
  readonly #parts: ReloadParts;
  #file: ClusterFile;
  #health: { close(): void } | null = null;
  #isReloading = false;
  #isAskedAgain = false;

  constructor(parts: ReloadParts) {
    this.#parts = parts;
    this.#file = parts.file;
  }

  get cluster(): Cluster {
    return this.#file.clusters.get(this.#parts.server.cluster)!;
  }

  /** Opens `health:`. @throws FlotillaError when the port can't be had. */
  async openHealth(): Promise<void> {
    this.#health = await this.#healthOf(this.cluster);
  }

  /** Begins to ask app servers how they are. */
  startChecks(): void {
    this.#parts.checks.follow(this.#file, this.cluster);
    this.#parts.agents.follow(this.#file, this.cluster);
  }

  closeHealth(): void {
    this.#health?.close();
  }

  /**
   * Resolves when the file on the disk is in force.
   * @param path the one that is meant; without, our own.
   * @throws FlotillaError FLOTILLA_RELOAD_REFUSED, FLOTILLA_CONFIG_INVALID, or what keeps a port or a file from being
   * opened: nothing has changed then.
   */
  async reload(path?: string): Promise<ReloadAnswer> {
    refuseOtherPath(this.#parts.server, this.#file, path);
    if (this.#isReloading) throw refused("another reload is under way");
    this.#isReloading = true;
    try {
      return await this.#reload();
    } finally {
      this.#isReloading = false;
    }
  }

  /** SIGHUP: the log tells what came of it. One that comes while a reload is under way is done after it. */
  async onHangUp(): Promise<void> {
    this.#isAskedAgain = true;
    if (this.#isReloading) return;
    const { log } = this.#parts;
    while (this.#isAskedAgain) {
      this.#isAskedAgain = false;
      try {
        const { notes } = await this.reload();
        for (const note of notes) log.warn(note);
      } catch (error) {
        log.error({ code: codeOf(error) }, `SIGHUP: ${messageOf(error)}`);
      }
    }
  }

  async #reload(): Promise<ReloadAnswer> {
    const { server, workers, news, checks, agents, operations, log } = this.#parts;
    const before = this.cluster;
    const file = loadOrThrow(this.#file.path);
    refuseWhatStays(this.#file, file, server);
    const cluster = file.clusters.get(server.cluster)!;
    const isHealthNew = !isDeepStrictEqual(before.health, cluster.health);
    let health: { close(): void } | null = null;
    try {
      if (isHealthNew) health = await this.#healthOf(cluster);
      await workers.reload(file);
    } catch (error) {
      health?.close();
      throw error;
    }
    this.#file = file;
    news.keepOnly(new Set(file.servers.keys()));
    checks.follow(file, cluster);
    agents.follow(file, cluster);
    operations.follow(file);
    if (isHealthNew) {
      this.#health?.close();
      this.#health = health;
    }
    log.info(`works by the changed file, at ${workers.urls.join(" ")}`);
    const isCountNew = before.workers !== cluster.workers;
    const notes = isCountNew ? [`\`workers:\` is in force after flotilla upgrade ${server.name}`] : [];
    return { pid: process.pid, notes };
  }

  async #healthOf({ health }: Cluster): Promise<{ close(): void } | null> {
    return health === null ? null : await openHealth(health, this.#parts.health, this.#parts.log);
  }
}

/** What holds this process together with the others can't be exchanged while it runs. */
function refuseWhatStays(before: ClusterFile, after: ClusterFile, server: Server): void {
  const own = after.servers.get(server.name);
  const again = `; stop ${server.name} and start it again`;
  if (own === undefined) throw refused(`${server.name} is not in the file any more; stop it`);
  if (own.cluster !== server.cluster) throw refused(`${server.name} is of another cluster now${again}`);
  if (!isDeepStrictEqual([own.address, own.port], [server.address, server.port]))
    throw refused(`the address of ${server.name} has changed${again}`);
  if (!before.secret.equals(after.secret) || !isDeepStrictEqual(before.previousSecret, after.previousSecret))
    throw refused(`the secret has changed${again}`);
  if (before.dataFolder !== after.dataFolder) throw refused(`\`data:\` has changed${again}`);
}

function refused(why: string): FlotillaError {
  return new FlotillaError("FLOTILLA_RELOAD_REFUSED", `not reloaded: ${why}`, { source: "client" });
}
