/**
 * Keeps servers of this machine running, each as a program of its own, until it is told to stop them. Other
 * commands reach it on a port of 127.0.0.1 (control.ts).
 */
import type { UnitStatus } from "../admin/cluster-status.ts";
import type { Cluster, ClusterFile, Server } from "../config/model.ts";
import { systemClock } from "../support/clock.ts";
import type { Log } from "../support/log.ts";
import { OutputPrinter } from "./output.ts";
import { startProgram } from "./program.ts";
import { Unit } from "./unit.ts";

export interface SupervisorOptions {
  readonly file: ClusterFile;
  readonly servers: readonly Server[];
  readonly log: Log;
  /** The command line that is this server. */
  commandOf(server: Server, cluster: Cluster): string;
  /** A server was stopped for good: these are left. */
  onLeft(names: readonly string[]): void;
}

export class Supervisor {
  /** Resolves when no server is left: all were stopped. */
  readonly ended: Promise<void>;
  readonly #units: Map<string, Unit> = new Map();
  readonly #options: SupervisorOptions;
  readonly #out: OutputPrinter;
  readonly #err: OutputPrinter;
  /** To be stopped when the web servers are gone. */
  #stopLater: readonly Unit[] = [];
  #resolveEnded!: () => void;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    const nameWidth = Math.max(...options.servers.map(({ name }) => name.length));
    this.#out = new OutputPrinter(process.stdout, nameWidth);
    this.#err = new OutputPrinter(process.stderr, nameWidth, "warn");
    for (const server of options.servers) this.#units.set(server.name, this.#unitOf(server));
  }

  start(): void {
    for (const unit of this.#units.values()) unit.start();
  }

  /**
   * Stops all, or those of `names` that are in its care, for good: web servers first, because their visitors'
   * open requests need the app servers.
   * @returns them, as they were a moment before.
   */
  stop(names: readonly string[] | null = null): UnitStatus[] {
    const units = [...this.#units.values()].filter(
      ({ name, state }) => state !== "stopped" && (names === null || names.includes(name)),
    );
    const before = units.map(statusOf);
    const web = units.filter(({ name }) => this.#isWeb(name));
    this.#stopLater = [...this.#stopLater, ...units.filter((unit) => !web.includes(unit))];
    for (const unit of web) unit.stop();
    this.#stopRest();
    return before;
  }

  /** Ends everything at once, without drain. */
  kill(): void {
    for (const unit of this.#units.values()) unit.kill();
  }

  status(): UnitStatus[] {
    return [...this.#units.values()].map(statusOf);
  }

  #unitOf(server: Server): Unit {
    const { file, log } = this.#options;
    const cluster = file.clusters.get(server.cluster)!;
    const { drainTimeoutMs } = cluster.timeouts;
    const settings = {
      server: server.name,
      command: this.#options.commandOf(server, cluster),
      folder: file.folder,
      environment: environmentOf(file, server),
      drainTimeoutMs,
    };
    return new Unit({
      name: server.name,
      drainTimeoutMs,
      clock: systemClock,
      random: Math.random,
      log,
      start: (onLine, onEnd) => startProgram(settings, { out: this.#out, err: this.#err, onLine }, onEnd),
      onStopped: () => this.#left(),
    });
  }

  #isWeb(name: string): boolean {
    const { clusters, servers } = this.#options.file;
    return clusters.get(servers.get(name)!.cluster)!.tier === "web";
  }

  #stopRest(): void {
    if ([...this.#units.values()].some(({ name, state }) => state === "stopping" && this.#isWeb(name)))
      return;
    const rest = this.#stopLater;
    this.#stopLater = [];
    for (const unit of rest) unit.stop();
  }

  #left(): void {
    this.#stopRest();
    const left = this.status()
      .filter(({ state }) => state !== "stopped")
      .map(({ name }) => name);
    this.#options.onLeft(left);
    if (left.length === 0) this.#resolveEnded();
  }
}

function statusOf({ name, state, pid, restarts, note }: Unit): UnitStatus {
  return { name, state, pid, restarts, note };
}

function environmentOf(file: ClusterFile, server: Server): Record<string, string> {
  const environment = { FLOTILLA_SERVER: server.name, FLOTILLA_CONFIG: file.path };
  // What programs that know nothing of Flotilla listen on.
  return server.kind === "http" ? { ...environment, PORT: String(server.port) } : environment;
}
