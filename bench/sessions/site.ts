/** The benchmark's application behind some app processes, with one kind of sessions. */
import type { ChildProcess } from "node:child_process";
import { connect } from "node:net";
import { clusterStatus } from "../../src/admin/cluster-status.ts";
import { loadOrThrow } from "../../src/config/load.ts";
import { freePorts } from "../../test/harness/free-ports.ts";
import { until } from "../../test/harness/process.ts";
import { findProgram } from "../commands.ts";
import { end } from "../contenders.ts";
import { AppProcesses } from "./app-processes.ts";

export type SessionKind = "none" | "flotilla" | "redis";

const statusTimeoutMs = 1_000;

export class Site {
  readonly kind: SessionKind;
  readonly #apps: AppProcesses;
  #redis: ChildProcess | null = null;

  private constructor(kind: SessionKind, apps: AppProcesses) {
    this.kind = kind;
    this.#apps = apps;
  }

  /** Ready for requests, with all copies made. @throws with what its processes wrote; nothing is left behind then. */
  static async start(kind: SessionKind, servers: number): Promise<Site> {
    const site = new Site(kind, await AppProcesses.prepare(kind, servers));
    try {
      await site.#start();
    } catch (thrown) {
      const { output } = site.#apps;
      await site.stop();
      throw new Error(`${kind} did not start: ${String(thrown)}\n${output}`);
    }
    return site;
  }

  /** HTTP ports of the app processes. */
  get ports(): readonly number[] {
    return this.#apps.ports;
  }

  get appPids(): number[] {
    return this.#apps.pids;
  }

  /** Of the store beside the app processes; Flotilla has none. */
  get storePids(): number[] {
    return this.#redis === null ? [] : [this.#redis.pid!];
  }

  /** Kills one app process. */
  kill(index: number): void {
    this.#apps.kill(index);
  }

  async stop(): Promise<void> {
    if (this.#redis !== null) await end(this.#redis);
    await this.#apps.stop();
  }

  async #start(): Promise<void> {
    if (this.kind === "none") await this.#apps.start("none", {});
    if (this.kind === "redis")
      await this.#apps.start("connect-redis", { REDIS_URL: await this.#startRedis() });
    if (this.kind !== "flotilla") return;
    const path = await this.#apps.writeFile("{ durability: backup }");
    await this.#apps.start("flotilla", { FLOTILLA_CONFIG: path });
    await until("every session slot has two copies", () => isDoubled(path));
  }

  /**
   * As Debian ships it: snapshots now and then, no append-only file. These are also the program's own defaults.
   * @returns its URL.
   */
  async #startRedis(): Promise<string> {
    const [port] = (await freePorts(1)) as [number];
    this.#redis = this.#apps.spawn("redis", [
      ...[findProgram("redis-server")!, "--bind", "127.0.0.1", "--port", String(port)],
      ...["--dir", this.#apps.folder, "--daemonize", "no"],
    ]);
    await until("redis listens", () => isListening(port));
    return `redis://127.0.0.1:${port}`;
  }
}

/** Every session of the cluster of this file is on two servers. */
export async function isDoubled(path: string): Promise<boolean> {
  const servers = await clusterStatus(loadOrThrow(path), statusTimeoutMs);
  const fewest = Math.min(...servers.map(({ slots }) => slots ?? 0));
  return fewest > 0 && servers.every(({ singleCopySlots }) => singleCopySlots === 0);
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
