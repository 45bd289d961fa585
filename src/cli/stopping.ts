/**
 * How servers of this machine are ended, however they were started. Supervisors are told first, or they would start
 * their servers again; what does not end in its time is killed, but for a server that keeps sessions which it can't save.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Asker } from "../admin/ask.ts";
import type { SupervisorStatus } from "../admin/cluster-status.ts";
import type { RunRecord } from "../admin/run-record.ts";
import { runningRecords } from "../admin/running.ts";
import type { HoldingAnswer, StopAnswer } from "../admin/service.ts";
import type { ClusterFile, Server } from "../config/model.ts";
import type { StopCheck } from "../member/member.ts";
import { stopTurn } from "../supervise/stop-turn.ts";
import { admin, supervise } from "../support/limits.ts";
import { askToEnd, isAlive, isInGroupBelow, processState, sendSignal } from "../support/processes.ts";
import { localServers } from "./cluster-file.ts";

/** A process that was asked to end. */
export interface Ending {
  /** "app-a", or "supervisor". */
  readonly name: string;
  readonly pid: number;
  readonly startTime: string;
  /** Killed when it lives longer. */
  readonly drainMs: number;
}

export interface Outcome {
  readonly endings: readonly Ending[];
  readonly killed: readonly Ending[];
  /** Those that live all the same. */
  readonly left: readonly Ending[];
  /** Those that stay for sessions which they can't save. */
  readonly held: readonly Held[];
}

export interface Held extends StopCheck {
  readonly ending: Ending;
}

const pollMs = 25;

/** The name of a supervisor among the endings. */
export const supervisorEnding: string = "supervisor";

/**
 * Turn by turn (`stopTurn`). A supervisor that has servers of several turns keeps that order itself.
 * @param all everything that was started with this file, servers that are no longer in it too.
 * @param force sessions that can't be saved are lost.
 */
export async function stopInOrder(
  file: ClusterFile,
  servers: readonly Server[],
  { all, force }: { readonly all: boolean; readonly force: boolean },
): Promise<Outcome> {
  const turnOf = (name: string): number => {
    const server = file.servers.get(name);
    return server === undefined ? 1 : stopTurn(file, server);
  };
  const round = async (now: (name: string) => boolean): Promise<Outcome> =>
    await new EndWait(file, force).of(await (await Stopping.find(file, servers, all)).askToEnd(now));
  const rounds = [await round((name) => turnOf(name) === 0), await round((name) => turnOf(name) <= 1)];
  // Only now, with the supervisors gone, is a server seen that neither has a record nor is below its supervisor.
  const isOver = rounds[1]!.endings.length === 0 && !servers.some(({ name }) => turnOf(name) === 2);
  const isInOrder = rounds.every(({ left, held }) => left.length === 0 && held.length === 0);
  if (!isOver && isInOrder) rounds.push(await round(() => true));
  return {
    endings: onePerName(rounds.flatMap(({ endings }) => endings)),
    killed: rounds.flatMap(({ killed }) => killed),
    left: onePerName(rounds.flatMap(({ left }) => left)),
    held: rounds.at(-1)!.held,
  };
}

/** A server may be two processes: the shell of its `run:`, and the one that recorded itself, which comes first. */
function onePerName(endings: readonly Ending[]): Ending[] {
  const byName = new Map<string, Ending>();
  for (const ending of endings) if (!byName.has(ending.name)) byName.set(ending.name, ending);
  return [...byName.values()];
}

/** One round of the command: tells everybody who has to end, each in the way that reaches it. */
class Stopping {
  readonly #file: ClusterFile;
  readonly #all: boolean;
  readonly #names: ReadonlySet<string>;
  readonly #asker: Asker;
  readonly #records: readonly RunRecord[];
  /** Servers without a record and without a supervisor. */
  readonly #others: readonly Server[];

  private constructor(
    file: ClusterFile,
    servers: readonly Server[],
    all: boolean,
    asker: Asker,
    records: readonly RunRecord[],
    others: readonly Server[],
  ) {
    this.#file = file;
    this.#all = all;
    this.#names = new Set(servers.map(({ name }) => name));
    this.#asker = asker;
    this.#records = records;
    this.#others = others;
  }

  /** Looks who there is. */
  static async find(file: ClusterFile, servers: readonly Server[], all: boolean): Promise<Stopping> {
    const asker = new Asker(file);
    const records = await runningRecords(file, asker);
    const known = new Set(records.flatMap((record) => record.servers));
    const others = servers.filter(({ name, kind }) => kind !== "http" && !known.has(name));
    return new Stopping(file, servers, all, asker, records, await localServers(others));
  }

  /**
   * @param now which servers have their turn; a supervisor has it with any of its servers.
   * @returns the processes to wait for.
   */
  async askToEnd(now: (name: string) => boolean): Promise<Ending[]> {
    const concerned = this.#records.filter((record) => this.#concerned(record).length > 0);
    const supervisors = concerned.filter(({ kind, servers }) => kind === "supervisor" && servers.some(now));
    const turn = new Set(supervisors.flatMap((record) => this.#concerned(record)));
    const recorded = concerned.filter(
      (record) =>
        record.kind === "server" && (this.#isBelow(record) ? turn.has(record.name) : now(record.name)),
    );
    const others = this.#others.filter(({ name }) => now(name));
    const told = await Promise.all([
      ...recorded.map((record) => this.#tellProcess(record)),
      ...others.map((server) => this.#tellServer(server)),
      ...supervisors.map((record) => this.#tellSupervisor(record)),
    ]);
    const byPid = new Map<number, Ending>();
    for (const ending of told.flat()) if (!byPid.has(ending.pid)) byPid.set(ending.pid, ending);
    return [...byPid.values()];
  }

  /** Whether a supervisor ends this process: one that left its group (`setsid`) is out of its reach. */
  #isBelow({ name, pid }: RunRecord): boolean {
    return this.#records.some(
      ({ kind, servers, pid: supervisor }) =>
        kind === "supervisor" && servers.includes(name) && isInGroupBelow(supervisor, pid),
    );
  }

  #concerned(record: RunRecord): readonly string[] {
    if (this.#all && record.file === this.#file.path) return record.servers;
    return record.servers.filter((name) => this.#names.has(name));
  }

  /** A server that recorded itself. Below a supervisor it is only waited for: the supervisor ends it. */
  async #tellProcess(record: RunRecord): Promise<Ending[]> {
    const server = this.#file.servers.get(record.name);
    const below = this.#isBelow(record);
    // By its port first: a TERM more would cut what a server that stops already waits for. A frozen one hears no question.
    const isFrozen = processState(record.pid)?.letter === "T";
    const told = below || isFrozen || server === undefined ? [] : await this.#tellServer(server);
    if (!below && told.every(({ pid }) => pid !== record.pid)) askToEnd(record.pid);
    return [this.#ending(record.name, record.pid, record.startTime, below)];
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
    const itself = ends ? [this.#ending(supervisorEnding, record.pid, record.startTime, true)] : [];
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
    const drains = [...this.#file.clusters.values()].map(
      ({ timeouts }) => timeouts.drainTimeoutMs + timeouts.drainDelayMs,
    );
    // A server ends its own drain first; a supervisor drains its web servers, then its app servers, and kills what
    // is late itself. One that writes sessions may be unable to say so for a while. Ours is the last word.
    const turns = supervised ? 3 : 1;
    const server = this.#file.servers.get(name);
    const keepsSessions = server !== undefined && stopTurn(this.#file, server) === 1;
    const silentMs = supervised || keepsSessions ? supervise.unansweredMax * supervise.holdingIntervalMs : 0;
    const drainMs = turns * (Math.max(...drains) + 2 * supervise.killGraceMs) + silentMs;
    return { name, pid, startTime, drainMs };
  }
}

/** Waits for processes, kills those that are late, and asks servers whether they stay for sessions that they can't save. */
class EndWait {
  readonly #file: ClusterFile;
  readonly #force: boolean;
  readonly #asker: Asker;
  /** By server. */
  readonly #held: Map<string, StopCheck> = new Map();

  constructor(file: ClusterFile, force: boolean) {
    this.#file = file;
    this.#force = force;
    this.#asker = new Asker(file);
  }

  async of(endings: readonly Ending[]): Promise<Outcome> {
    const start = performance.now();
    const killed = new Set<Ending>();
    let askAt = admin.holdingIntervalMs;
    for (;;) {
      const left = endings.filter(({ pid, startTime }) => isAlive(pid, startTime));
      const now = performance.now() - start;
      if (now >= askAt) {
        await this.#ask(left);
        askAt = performance.now() - start + admin.holdingIntervalMs;
      }
      const keeping = left.filter(({ name }) => this.#held.has(name));
      const stuck = keeping.filter((ending) => this.#isStuck(ending, now));
      // A supervisor ends after its last server.
      const others = left.filter(
        (ending) => !keeping.includes(ending) && (keeping.length === 0 || ending.name !== supervisorEnding),
      );
      for (const ending of others) {
        if (now <= ending.drainMs || killed.has(ending)) continue;
        killed.add(ending);
        sendSignal(ending.pid, "SIGKILL");
      }
      if (
        stuck.length === keeping.length &&
        others.every(({ drainMs }) => now > drainMs + supervise.killedWaitMs)
      ) {
        const held = onePerName(stuck).map((ending) => ({ ending, ...this.#held.get(ending.name)! }));
        return { endings, killed: [...killed], left: others, held };
      }
      await sleep(pollMs);
    }
  }

  /** It could not write, or is still writing when it should have ended long ago. */
  #isStuck({ name, drainMs }: Ending, now: number): boolean {
    const check = this.#held.get(name);
    return check !== undefined && !this.#force && (check.problem !== null || now > drainMs);
  }

  async #ask(left: readonly Ending[]): Promise<void> {
    const names = new Set(left.map(({ name }) => name));
    const question = { ask: "holding" };
    await Promise.all(
      [...names].map(async (name) => {
        const server = this.#file.servers.get(name);
        if (server?.kind !== "link") return;
        try {
          const { sessions, problem } = (await this.#asker.server(
            server,
            question,
            admin.statusTimeoutMs,
          )) as HoldingAnswer;
          if (sessions === undefined || problem === undefined) return;
          this.#held.set(name, { sessions, problem });
          // What is still being written is not lost by force.
          if (this.#force && problem !== null)
            await this.#asker.server(server, { ask: "stop", force: true }, admin.stopTimeoutMs);
        } catch {
          // It has closed its port, as those do that are about to end.
        }
      }),
    );
  }
}
