/** Engines outside of the servers, on a machine of their own in the faults' network: how one is started, and what the file says of it. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findProgram } from "../../bench/commands.ts";
import { whyNoPostgres } from "../harness/postgres.ts";
import { type Engine, engineMachine } from "./engine.ts";
import type { Network } from "./network.ts";
import { PostgresEngine } from "./postgres-engine.ts";

export type Coordination = "members" | "etcd" | "postgres";
export const coordinations: readonly Coordination[] = ["members", "etcd", "postgres"];

/** Why this engine can't be tried here, or null. */
export function whyNoEngine(coordination: Coordination): string | null {
  if (coordination === "members") return null;
  if (coordination === "postgres") return whyNoPostgres();
  return findProgram("etcd") !== null && findProgram("etcdctl") !== null
    ? null
    : "needs etcd (Debian packages etcd-server, etcd-client)";
}

export function makeEngine(coordination: Coordination, network: Network, folder: string): Engine | null {
  switch (coordination) {
    case "members":
      return null;
    case "etcd":
      return new EtcdEngine(network, folder);
    case "postgres":
      return new PostgresEngine(network, folder);
  }
}

/** For a start on a busy machine. */
const patienceMs = 60_000;

class EtcdEngine implements Engine {
  readonly setting: string;
  readonly #network: Network;
  readonly #folder: string;
  readonly #url: string;
  #process: ChildProcess | null = null;

  constructor(network: Network, folder: string) {
    this.#network = network;
    this.#folder = folder;
    this.#url = `http://${network.addressOf(engineMachine)}:2379`;
    this.setting = `{ etcd: ["${this.#url}"] }`;
  }

  async start(): Promise<void> {
    const data = join(this.#folder, engineMachine);
    mkdirSync(data, { recursive: true });
    const log = openSync(join(this.#folder, `${engineMachine}.log`), "a");
    this.#process = this.#run(
      [
        ...[findProgram("etcd")!, "--data-dir", data, "--log-level", "warn"],
        ...["--listen-client-urls", this.#url, "--advertise-client-urls", this.#url],
      ],
      log,
    );
    closeSync(log);
    const deadline = performance.now() + patienceMs;
    while (!(await this.#isHealthy())) {
      if (performance.now() > deadline) throw new Error(`etcd does not serve; logs: ${this.#folder}`);
      await sleep(100);
    }
  }

  /** The visitors are in this process: they must not wait for it. */
  async #isHealthy(): Promise<boolean> {
    const args = [findProgram("etcdctl")!, "--endpoints", this.#url, "endpoint", "health"];
    const [command, ...rest] = this.#network.commandOn(engineMachine, args);
    const asking = spawn(command!, rest, { env: { ...process.env, ETCDCTL_API: "3" }, stdio: "ignore" });
    return (await new Promise((resolve) => asking.once("exit", resolve))) === 0;
  }

  #run(args: readonly string[], output: number): ChildProcess {
    const [command, ...rest] = this.#network.commandOn(engineMachine, args);
    return spawn(command!, rest, { stdio: ["ignore", output, output], detached: true });
  }

  async kill(): Promise<void> {
    const running = this.#process!;
    const ended = new Promise((resolve) => running.once("exit", resolve));
    running.kill("SIGKILL");
    await ended;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process!.kill(signal);
  }
}
