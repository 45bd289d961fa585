/**
 * Keeps servers of this machine running, each as a program of its own, until it is told to stop them. Other
 * commands reach it on a port of 127.0.0.1 (control.ts).
 */
import type { UnitStatus } from "../admin/cluster-status.ts";
import type { Cluster, ClusterFile, Server } from "../config/model.ts";
import { systemClock } from "../support/clock.ts";
import type { Log } from "../support/log.ts";
import { sendSignal } from "../support/processes.ts";
import { OutputPrinter } from "./output.ts";
import { firstInherited, startProgram } from "./program.ts";
import { type Descriptor, handOn } from "./service-manager.ts";
import { stopTurn } from "./stop-turn.ts";
import { tellingWhenUnheard } from "./unheard.ts";
import { type StartProgram, Unit } from "./unit.ts";

export interface SupervisorOptions {
  readonly file: ClusterFile;
  readonly servers: readonly Server[];
  readonly log: Log;
  /** The command line that is this server. */
  commandOf(server: Server, cluster: Cluster): string;
  /** What its environment has besides ours. */
  environmentOf(server: Server, cluster: Cluster): Readonly<Record<string, string>>;
  /** Whether a server that keeps sessions stays only for some that are not on disk (yet); null when it does not answer. */
  askHolding(server: Server, answer: (isHolding: boolean | null) => void): void;
  /** Sockets of a service manager, for the web servers. */
  readonly descriptors: readonly Descriptor[];
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
  /** To be stopped when those of an earlier turn are gone. */
  #stopLater: readonly Unit[] = [];
  #isHurried = false;
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
   * Stops all, or those of `names` that are in its care, for good, in their turns (`stopTurn`).
   * @returns them, as they were a moment before.
   */
  stop(names: readonly string[] | null = null): UnitStatus[] {
    const units = [...this.#units.values()].filter(
      ({ name, state }) => state !== "stopped" && (names === null || names.includes(name)),
    );
    const before = units.map(statusOf);
    this.#stopLater = [...this.#stopLater, ...units.filter((unit) => !this.#stopLater.includes(unit))];
    this.#stopNext();
    return before;
  }

  /** Those that are to stop cut what they wait for. */
  hurry(): void {
    this.#isHurried = true;
    for (const unit of this.#units.values()) unit.hurry();
  }

  /** To the main process of each web server. */
  signalWebServers(signal: NodeJS.Signals): void {
    const { file } = this.#options;
    for (const { name, pid } of this.#units.values()) {
      const { cluster } = file.servers.get(name)!;
      if (pid !== null && file.clusters.get(cluster)!.tier === "web") sendSignal(pid, signal);
    }
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
    const drainTimeoutMs = cluster.timeouts.drainTimeoutMs + cluster.timeouts.drainDelayMs;
    const descriptors = cluster.tier === "web" ? this.#options.descriptors : [];
    const settings = {
      server: server.name,
      command: this.#options.commandOf(server, cluster),
      folder: file.folder,
      environment: {
        ...this.#options.environmentOf(server, cluster),
        ...handOn(descriptors, firstInherited),
      },
      descriptors: descriptors.map(({ number }) => number),
      drainTimeoutMs,
    };
    const start: StartProgram = (onLine, onEnd) =>
      startProgram(settings, { out: this.#out, err: this.#err, onLine }, onEnd);
    return new Unit({
      name: server.name,
      drainTimeoutMs,
      keepsSessions: cluster.tier === "app" && server.kind === "link" && cluster.attach,
      clock: systemClock,
      random: Math.random,
      log,
      start:
        cluster.tier === "app" && server.kind === "link" && cluster.attach
          ? tellingWhenUnheard(server, log, start, (answer) =>
              this.#options.askHolding(server, (isHolding) => answer(isHolding !== null)),
            )
          : start,
      onStopped: () => this.#left(),
      askHolding: (answer) => this.#options.askHolding(server, answer),
    });
  }

  #turn({ name }: Unit): number {
    const { file } = this.#options;
    return stopTurn(file, file.servers.get(name)!);
  }

  /** Those whose turn it is: nobody of an earlier one is about to end, or has to. */
  #stopNext(): void {
    const ending = [...this.#units.values()].filter(({ state }) => state === "stopping");
    const turn = Math.min(...[...ending, ...this.#stopLater].map((unit) => this.#turn(unit)));
    const now = this.#stopLater.filter((unit) => this.#turn(unit) === turn);
    this.#stopLater = this.#stopLater.filter((unit) => !now.includes(unit));
    for (const unit of now) {
      unit.stop();
      if (this.#isHurried) unit.hurry();
    }
  }

  #left(): void {
    if (this.#stopLater.length > 0) this.#stopNext();
    const left = this.status()
      .filter(({ state }) => state !== "stopped")
      .map(({ name }) => name);
    this.#options.onLeft(left);
    if (left.length === 0) this.#resolveEnded();
  }
}

function statusOf({ name, state, pid, restarts, note, lastOutput }: Unit): UnitStatus {
  return { name, state, pid, restarts, note, lastOutput };
}
