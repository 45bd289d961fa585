/**
 * `flotilla stop`: ends servers of this machine, however they were started, and returns when they are gone.
 * Supervisors come first, or they would start their servers again; what does not end in its time is killed.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Asker } from "../admin/ask.ts";
import type { SupervisorStatus } from "../admin/cluster-status.ts";
import { livingRecords, type RunRecord } from "../admin/run-record.ts";
import type { StopAnswer } from "../admin/service.ts";
import type { ClusterFile, Server } from "../config/model.ts";
import { FlotillaError } from "../support/errors.ts";
import { admin, supervise } from "../support/limits.ts";
import { askToEnd, isAlive, processState, sendSignal } from "../support/processes.ts";
import { localServers, openFile, serversNamed, shortName, withAddress } from "./cluster-file.ts";
import { enumerate, say, sayJson } from "./terminal.ts";

/** A process that was asked to end. */
interface Ending {
  /** "app-a", or "supervisor". */
  readonly name: string;
  readonly pid: number;
  readonly startTime: string;
  /** Killed when it lives longer. */
  readonly drainMs: number;
}

interface Outcome {
  readonly endings: readonly Ending[];
  readonly killed: readonly Ending[];
  /** Those that live all the same. */
  readonly left: readonly Ending[];
}

const pollMs = 25;

export async function stop(path: string, names: readonly string[], asJson: boolean): Promise<number> {
  const file = openFile(path);
  if (file === null) return 1;
  const servers = names.length === 0 ? [...file.servers.values()] : await namedHere(file, names);
  const { endings, killed, left } = await stopInOrder(file, servers, names.length === 0);
  if (asJson) sayJson({ stopped: told(endings, left), killed: told(killed, []), left: told(left, []) });
  else if (endings.length === 0) say(nothingRan(file, names.length === 0 ? [] : servers));
  else
    for (const ending of endings)
      if (!left.includes(ending)) say(stoppedLine(ending, killed.includes(ending)));
  if (left.length === 0) return 0;
  throw new FlotillaError(
    "FLOTILLA_NOT_STOPPED",
    `${enumerate(left.map(({ name, pid }) => `${name} (process ${pid})`))} could not be ended: ` +
      "does it belong to another user? Try again as that user or as root",
  );
}

/**
 * Web servers first, because their visitors' open requests need the app servers. A supervisor that has both keeps
 * that order itself.
 */
async function stopInOrder(file: ClusterFile, servers: readonly Server[], all: boolean): Promise<Outcome> {
  const isWeb = (name: string): boolean => {
    const server = file.servers.get(name);
    return server !== undefined && file.clusters.get(server.cluster)!.tier === "web";
  };
  const first = await awaitEnd(await new Stopping(file, servers, all).askToEnd(isWeb));
  const second = await awaitEnd(await new Stopping(file, servers, all).askToEnd(() => true));
  return {
    endings: onePerName([...first.endings, ...second.endings]),
    killed: [...first.killed, ...second.killed],
    left: onePerName([...first.left, ...second.left]),
  };
}

/** A server may be two processes: the shell of its `run:`, and the one that recorded itself, which comes first. */
function onePerName(endings: readonly Ending[]): Ending[] {
  const byName = new Map<string, Ending>();
  for (const ending of endings) if (!byName.has(ending.name)) byName.set(ending.name, ending);
  return [...byName.values()];
}

function told(endings: readonly Ending[], left: readonly Ending[]): object[] {
  return endings.filter((ending) => !left.includes(ending)).map(({ name, pid }) => ({ name, pid }));
}

function stoppedLine({ name, pid }: Ending, killed: boolean): string {
  return `${name} (process ${pid}) ${killed ? "did not end in time and was killed" : "stopped"}`;
}

function nothingRan(file: ClusterFile, servers: readonly Server[]): string {
  if (servers.length === 0) return `No server of ${shortName(file)} runs on this machine.`;
  return `${enumerate(servers.map(({ name }) => name))} ${servers.length === 1 ? "does" : "do"} not run.`;
}

/** @throws FlotillaError FLOTILLA_SERVER_UNKNOWN, FLOTILLA_ADDRESS_NOT_HERE */
async function namedHere(file: ClusterFile, names: readonly string[]): Promise<Server[]> {
  const servers = serversNamed(file, names);
  const local = await localServers(servers);
  const elsewhere = servers.filter((server) => !local.includes(server));
  if (elsewhere.length === 0) return servers;
  throw new FlotillaError(
    "FLOTILLA_ADDRESS_NOT_HERE",
    `${enumerate(elsewhere.map(withAddress))}: the address is not of this machine; stop it there`,
    { source: "client" },
  );
}

/** One run of the command: tells everybody who has to end, each in the way that reaches it. */
class Stopping {
  readonly #file: ClusterFile;
  readonly #servers: readonly Server[];
  /** Everything that was started with this file, servers that are no longer in it too. */
  readonly #all: boolean;
  readonly #names: ReadonlySet<string>;
  readonly #asker: Asker;
  readonly #records: readonly RunRecord[];

  constructor(file: ClusterFile, servers: readonly Server[], all: boolean) {
    this.#file = file;
    this.#servers = servers;
    this.#all = all;
    this.#names = new Set(servers.map(({ name }) => name));
    this.#asker = new Asker(file);
    this.#records = livingRecords(file);
  }

  /**
   * @param now which servers have their turn; a supervisor has it with any of its servers.
   * @returns the processes to wait for.
   */
  async askToEnd(now: (name: string) => boolean): Promise<Ending[]> {
    const concerned = this.#records.filter((record) => this.#concerned(record).length > 0);
    const supervisors = concerned.filter(({ kind, servers }) => kind === "supervisor" && servers.some(now));
    const supervised = new Set(
      concerned.flatMap((record) => (record.kind === "supervisor" ? record.servers : [])),
    );
    const turn = new Set(supervisors.flatMap((record) => this.#concerned(record)));
    const recorded = concerned.filter(
      ({ kind, name }) => kind === "server" && (supervised.has(name) ? turn.has(name) : now(name)),
    );
    const unrecorded = this.#servers.filter(
      ({ name, kind }) =>
        kind === "link" &&
        now(name) &&
        !supervised.has(name) &&
        !recorded.some((record) => record.name === name),
    );
    const told = await Promise.all([
      ...recorded.map((record) => this.#tellProcess(record, supervised.has(record.name))),
      ...(await localServers(unrecorded)).map((server) => this.#tellServer(server)),
      ...supervisors.map((record) => this.#tellSupervisor(record)),
    ]);
    const byPid = new Map<number, Ending>();
    for (const ending of told.flat()) if (!byPid.has(ending.pid)) byPid.set(ending.pid, ending);
    return [...byPid.values()];
  }

  #concerned(record: RunRecord): readonly string[] {
    if (this.#all && record.file === this.#file.path) return record.servers;
    return record.servers.filter((name) => this.#names.has(name));
  }

  /** A server that recorded itself. Under a supervisor it is only waited for: the supervisor ends it. */
  async #tellProcess(record: RunRecord, supervised: boolean): Promise<Ending[]> {
    const server = this.#file.servers.get(record.name);
    if (!supervised && !askToEnd(record.pid) && server !== undefined) await this.#tellServer(server);
    return [this.#ending(record.name, record.pid, record.startTime, supervised)];
  }

  /** A server without a record: most of the time there is none, and nobody answers. */
  async #tellServer(server: Server): Promise<Ending[]> {
    try {
      const answer = await this.#asker.server(server, { ask: "stop" }, admin.stopTimeoutMs);
      const { pid } = answer as StopAnswer;
      return [this.#ending(server.name, pid, processState(pid)?.startTime ?? "", false)];
    } catch {
      return [];
    }
  }

  /** A supervisor ends when all in its care are to end; then it gets a signal if it does not answer. */
  async #tellSupervisor(record: RunRecord): Promise<Ending[]> {
    const servers = this.#concerned(record);
    const ends = servers.length === record.servers.length;
    const itself = ends ? [this.#ending("supervisor", record.pid, record.startTime, true)] : [];
    try {
      const answer = await this.#asker.supervisor(
        record,
        { ask: "stop", ...(ends ? {} : { servers }) },
        admin.stopTimeoutMs,
      );
      const programs = (answer as SupervisorStatus).units.flatMap(({ name, pid }) =>
        pid === null ? [] : [this.#ending(name, pid, processState(pid)?.startTime ?? "", true)],
      );
      return [...programs, ...itself];
    } catch (error) {
      if (!ends) throw error;
      askToEnd(record.pid);
      return itself;
    }
  }

  #ending(name: string, pid: number, startTime: string, supervised: boolean): Ending {
    const drains = [...this.#file.clusters.values()].map(({ timeouts }) => timeouts.drainTimeoutMs);
    // A server ends its own drain first; a supervisor drains its web servers, then its app servers, and kills what
    // is late itself. Ours is the last word.
    const turns = supervised ? 2 : 1;
    const drainMs = turns * (Math.max(...drains) + 2 * supervise.killGraceMs);
    return { name, pid, startTime, drainMs };
  }
}

async function awaitEnd(endings: readonly Ending[]): Promise<Outcome> {
  const start = performance.now();
  const killed = new Set<Ending>();
  for (;;) {
    const left = endings.filter(({ pid, startTime }) => isAlive(pid, startTime));
    const now = performance.now() - start;
    const late = left.filter(({ drainMs }) => now > drainMs);
    for (const ending of late) {
      if (killed.has(ending)) continue;
      killed.add(ending);
      sendSignal(ending.pid, "SIGKILL");
    }
    if (left.length === 0 || left.every(({ drainMs }) => now > drainMs + supervise.killedWaitMs))
      return { endings, killed: [...killed], left };
    await sleep(pollMs);
  }
}
