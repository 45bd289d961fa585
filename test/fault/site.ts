/**
 * A whole site on machines of its own: two web servers and three app servers, each started by `flotilla start` on its
 * machine with its own data folder; what they log goes to files. Runs on the machine "client".
 */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { clusterStatus, type ServerStatus } from "../../src/admin/cluster-status.ts";
import { loadOrThrow } from "../../src/config/load.ts";
import type { ClusterFile } from "../../src/config/model.ts";
import { sendSignal } from "../../src/support/processes.ts";
import { SmallDisk } from "./disks.ts";
import { type Engine, engineMachine } from "./engine.ts";
import { type Coordination, makeEngine } from "./engines.ts";
import type { Durability } from "./faults.ts";
import type { Network } from "./network.ts";

export const webServers = ["web-a", "web-b"] as const;
export const appServers = ["app-a", "app-b", "app-c"] as const;
const siteMachines: readonly string[] = ["client", ...webServers, ...appServers];

/** All that a site needs; the first is where visitors are. */
export function machinesOf(coordination: Coordination): readonly string[] {
  return coordination === "members" ? siteMachines : [...siteMachines, engineMachine];
}

const httpPort = 8080;
const root = join(import.meta.dirname, "..", "..");
const cli = join(root, "src", "cli", "main.ts");
const slotsInAll = 4_096;
/** Placement ends with equal shares; a server that owns this part of its share is no longer being given anything. */
const shareMin = 0.9;
/** For a start on a busy machine, and for copies that are made anew. */
const patienceMs = 120_000;
const statusTimeoutMs = 1_000;
const lookEveryMs = 100;

export class Site {
  readonly network: Network;
  readonly folder: string;
  /** Keeps the register, on a machine of its own; null: the app servers do. */
  readonly engine: Engine | null;
  readonly #file: ClusterFile;
  /** Where the site has `backup+disk`: of each app server's machine. */
  readonly #disks: ReadonlyMap<string, SmallDisk>;
  /** Of what was started last. */
  readonly #ends: Map<string, Promise<unknown>> = new Map();

  private constructor(
    network: Network,
    folder: string,
    engine: Engine | null,
    file: ClusterFile,
    disks: ReadonlyMap<string, SmallDisk>,
  ) {
    this.network = network;
    this.engine = engine;
    this.folder = folder;
    this.#file = file;
    this.#disks = disks;
  }

  /** Starts everything and waits until every session slot has two copies. */
  static async start(
    network: Network,
    folder: string,
    coordination: Coordination,
    durability: Durability,
  ): Promise<Site> {
    mkdirSync(folder, { recursive: true });
    const engine = makeEngine(coordination, network, folder);
    await engine?.start();
    const text = fileText(network, engine, durability);
    for (const machine of siteMachines) {
      mkdirSync(join(folder, machine));
      writeFileSync(join(folder, machine, "flotilla.yaml"), text);
    }
    const withDisks = durability === "backup+disk" ? appServers : [];
    const disks = new Map(
      withDisks.map((server) => [server, new SmallDisk(join(folder, server, ".flotilla"))]),
    );
    const file = loadOrThrow(join(folder, "client", "flotilla.yaml"));
    const site = new Site(network, folder, engine, file, disks);
    for (const server of [...webServers, ...appServers]) site.startServer(server);
    await site.whole(appServers);
    return site;
  }

  /** `flotilla start` on the server's machine. */
  startServer(server: string): void {
    const log = openSync(this.logPath(server), "a");
    const child = this.#flotilla(server, ["start", server], log);
    closeSync(log);
    this.#ends.set(server, new Promise((resolve) => child.once("exit", resolve)));
  }

  /** Kills every process of every machine but the visitors'. */
  cutPower(): void {
    // A supervisor that is killed after its program may have started that again: all have to be gone in one look.
    for (let pids = this.#processes(); pids.length > 0; pids = this.#processes())
      for (const pid of pids) sendSignal(pid, "SIGKILL");
  }

  #processes(): number[] {
    return [...webServers, ...appServers].flatMap((server) => this.network.processesOn(server));
  }

  disksOf(servers: readonly string[]): SmallDisk[] {
    return servers.map((server) => this.#disks.get(server)!);
  }

  /** Ends when what `startServer` started last has ended. */
  async ended(server: string): Promise<void> {
    await this.#ends.get(server);
  }

  /** `flotilla stop`, to its end. @throws when it fails */
  async stopServer(server: string): Promise<void> {
    const log = openSync(this.logPath(server), "a");
    const child = this.#flotilla(server, ["stop", server], log);
    closeSync(log);
    const code = await new Promise((resolve) => child.once("exit", resolve));
    if (code !== 0) throw new Error(`flotilla stop ${server} ended with ${code}:\n${this.logOf(server)}`);
  }

  #flotilla(machine: string, args: readonly string[], output: number): ReturnType<typeof spawn> {
    const [command, ...rest] = this.network.commandOn(machine, [process.execPath, cli, ...args]);
    return spawn(command!, rest, {
      cwd: join(this.folder, machine),
      env: { ...process.env, NO_COLOR: "1", NODE_ENV: "production" },
      stdio: ["ignore", output, output],
      // Ctrl-C is for who runs the faults: it ends the servers itself.
      detached: true,
    });
  }

  logPath(server: string): string {
    return join(this.folder, `${server}.log`);
  }

  logOf(server: string): string {
    return readFileSync(this.logPath(server), "utf8");
  }

  door(server: string): URL {
    return new URL(`http://${this.network.addressOf(server)}:${httpPort}`);
  }

  status(): Promise<ServerStatus[]> {
    return clusterStatus(this.#file, statusTimeoutMs);
  }

  /** The process that serves. @throws when there is none for long */
  async processOf(server: string): Promise<number> {
    let last: ServerStatus | undefined;
    // A look that a busy machine let time out says nothing.
    await this.#until(
      `${server} runs`,
      async () => {
        last = (await this.status()).find(({ name }) => name === server)!;
        return last.pid !== null;
      },
      () => ` (${last?.note ?? ""}):\n${this.logOf(server)}`,
    );
    return last!.pid!;
  }

  /** Ends when another process than `pid` serves. */
  async replaced(server: string, pid: number): Promise<void> {
    await this.#until(`${server} was started again`, async () => {
      const { pid: now, state } = (await this.status()).find(({ name }) => name === server)!;
      return now !== null && now !== pid && state === "up";
    });
  }

  /** Ends when these app servers share all slots equally, each slot on two of them, and all web servers are up. */
  async whole(apps: readonly string[]): Promise<void> {
    const up = new Set<string>([...webServers, ...apps]);
    let last: ServerStatus[] = [];
    const isWhole = async (): Promise<boolean> => {
      last = await this.status();
      const servers = last.filter(({ name }) => up.has(name));
      const owners = servers.filter(({ name }) => apps.includes(name));
      const slots = owners.reduce((sum, server) => sum + (server.slots ?? 0), 0);
      const share = (slotsInAll / apps.length) * shareMin;
      return (
        servers.every(({ state }) => state === "up") &&
        slots === slotsInAll &&
        owners.every((server) => server.slots! >= share && server.singleCopySlots === 0)
      );
    };
    await this.#until("every session slot has two copies", isWhole, () =>
      last
        .map(({ name, state, slots, singleCopySlots }) => `\n  ${name} ${state} ${slots} ${singleCopySlots}`)
        .join(""),
    );
  }

  async #until(
    what: string,
    condition: () => Promise<boolean>,
    last: () => string = () => "",
  ): Promise<void> {
    const deadline = performance.now() + patienceMs;
    while (!(await condition())) {
      if (performance.now() > deadline)
        throw new Error(
          `waited ${patienceMs / 1_000} s in vain until ${what}${last()}; logs: ${this.folder}`,
        );
      await sleep(lookEveryMs);
    }
  }
}

function fileText(network: Network, engine: Engine | null, durability: Durability): string {
  const listed = (servers: readonly string[]): string =>
    servers.map((server) => `      ${server}: { address: ${network.addressOf(server)} }`).join("\n");
  return `secret: 0123456789abcdef0123456789abcdef
clusters:
  web:
    servers:
${listed(webServers)}
    listen: [{ http: ${httpPort} }]
    routes: [{ to: app }]
    log: { access: off }
    timeouts: { drain: 5s }
  app:
    servers:
${listed(appServers)}
    listen: [{ http: ${httpPort} }]
    run: exec node ${join(import.meta.dirname, "app.ts")}
    sessions: { durability: ${durability} }
    coordination: ${engine?.setting ?? "members"}
    timeouts: { drain: 10s }
`;
}
