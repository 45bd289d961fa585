/**
 * How every server of the file is: asked over the cluster port, all at once, and what this machine knows of
 * those that do not answer.
 */
import { connect } from "node:net";
import type { ClusterFile, Server } from "../config/model.ts";
import type { MemberStatus, OperatorOrder, ServerState } from "../member/member.ts";
import { codeOf, messageOf } from "../support/errors.ts";
import { processState } from "../support/processes.ts";
import { passed } from "../support/words.ts";
import { announcedSupervisors } from "./announcement.ts";
import { Asker } from "./ask.ts";
import { livingRecords, type RunRecord } from "./run-record.ts";

/** One server. */
export type ServerStatus = MemberStatus;

/** One server in a supervisor's answer to `status`. */
export interface UnitStatus {
  readonly name: string;
  readonly state: "running" | "waiting" | "stopping" | "stopped";
  /** The first process of its group; not always the one that serves (`npm start`). */
  readonly pid: number | null;
  readonly restarts: number;
  /** Why it is not up, or "". */
  readonly note: string;
  /** What it printed last, when it is not up. */
  readonly lastOutput: readonly string[];
}

/** A supervisor's answer to `status`. */
export interface SupervisorStatus {
  readonly pid: number;
  readonly units: readonly UnitStatus[];
}

/** In the order of the file. Takes at most `timeoutMs`, whatever is frozen. */
export async function clusterStatus(file: ClusterFile, timeoutMs: number): Promise<ServerStatus[]> {
  const records = livingRecords(file);
  const asker = new Asker(file);
  const units = unitsOf(asker, controlPorts(file, records), timeoutMs);
  const servers = await Promise.all(
    [...file.servers.values()].map(async (server): Promise<ServerStatus> => {
      try {
        if (server.kind !== "http") return await askMember(asker, server, timeoutMs);
        await connectOnce(server, timeoutMs);
        // A plain server tells nothing of itself; its process is known to its supervisor, if it has one.
        return { ...nothingKnown(server), state: "up", pid: (await units).get(server.name)?.pid ?? null };
      } catch (error) {
        const record = records.find(({ kind, name }) => kind === "server" && name === server.name);
        return silentStatus(server, error, record, (await units).get(server.name));
      }
    }),
  );
  return withOrders(servers);
}

/** What operators want of app servers is known to web servers alone. */
function withOrders(servers: readonly ServerStatus[]): ServerStatus[] {
  const said = servers.flatMap(({ name, orders = [] }) => orders.map((order) => ({ order, at: name })));
  return servers.map((server) => {
    const own = said.filter(({ order }) => order.name === server.name);
    if (own.length === 0) return server;
    // One that was cut off may not know the newest.
    const order = own.map((one) => one.order).reduce((one, other) => (isLater(other, one) ? other : one));
    const at = own.map((one) => one.at);
    const note = [orderInWords(order, at), server.note].filter((part) => part !== undefined).join("; ");
    return { ...server, state: stateUnder(order, server.state), order: { ...order, at }, note };
  });
}

function isLater(one: OperatorOrder, than: OperatorOrder): boolean {
  return (one.orderedAtMs ?? 0) > (than.orderedAtMs ?? 0);
}

function stateUnder({ order }: OperatorOrder, state: ServerState): ServerState {
  if (state !== "up" || order === "ready") return state;
  return order === "drain" ? "draining" : "maintenance";
}

function orderInWords({ order, orderedAtMs, weight }: OperatorOrder, at: readonly string[]): string {
  const what = { drain: "drained", maint: "put in maintenance", ready: null }[order];
  const since = orderedAtMs === null ? "" : ` ${passed(Date.now() - orderedAtMs)} ago`;
  return [
    ...(what === null ? [] : [`${what} by an operator${since}`]),
    ...(weight === null ? [] : [`given weight ${weight} by an operator`]),
    `at ${at.length < 2 ? at.join("") : `${at.slice(0, -1).join(", ")} and ${at.at(-1)}`}`,
  ].join(", ");
}

async function askMember(asker: Asker, server: Server, timeoutMs: number): Promise<ServerStatus> {
  return (await asker.server(server, { ask: "status" }, timeoutMs)) as MemberStatus;
}

/** @throws when the server does not accept a connection in time. */
function connectOnce({ name, address, port, plain }: Server, timeoutMs: number): Promise<void> {
  const path = plain?.socketPath ?? null;
  const place = path ?? `${address}:${port}`;
  return new Promise((resolve, reject) => {
    const socket = connect(
      path === null ? { host: address, port, timeout: timeoutMs } : { path, timeout: timeoutMs },
    );
    socket.once("connect", resolve);
    socket.once("timeout", () => socket.destroy(new Error(`no answer from ${name} at ${place}`)));
    socket.once("error", (error) => {
      const isNobody = ["ECONNREFUSED", "ENOENT"].includes(codeOf(error) ?? "");
      reject(isNobody ? new Error(`nothing listens at ${place}`) : error);
    });
    socket.once("connect", () => socket.destroy());
  });
}

/** Of the supervisors of this machine. */
function controlPorts(file: ClusterFile, records: readonly RunRecord[]): Set<number> {
  const supervisors = [...records.filter(({ kind }) => kind === "supervisor"), ...announcedSupervisors(file)];
  return new Set(supervisors.map(({ controlPort }) => controlPort));
}

/** What supervisors know, by server. One that does not answer knows nothing. */
async function unitsOf(
  asker: Asker,
  ports: ReadonlySet<number>,
  timeoutMs: number,
): Promise<Map<string, UnitStatus>> {
  const answers = await Promise.allSettled(
    [...ports].map((controlPort) => asker.supervisor({ controlPort }, { ask: "status" }, timeoutMs)),
  );
  const units = new Map<string, UnitStatus>();
  for (const answer of answers) {
    if (answer.status === "rejected") continue;
    for (const unit of (answer.value as SupervisorStatus).units) units.set(unit.name, unit);
  }
  return units;
}

/** What the server printed last, when it is not up and in the care of a supervisor of this machine. */
export async function lastOutputOf(
  file: ClusterFile,
  name: string,
  timeoutMs: number,
): Promise<readonly string[]> {
  const units = await unitsOf(new Asker(file), controlPorts(file, livingRecords(file)), timeoutMs);
  return units.get(name)?.lastOutput ?? [];
}

/** The state of a server that gave no answer. */
function silentStatus(
  server: Server,
  error: unknown,
  record: RunRecord | undefined,
  unit: UnitStatus | undefined,
): ServerStatus {
  const known = nothingKnown(server);
  if (record !== undefined) return { ...known, pid: record.pid, note: silentProcess(record.pid, error) };
  if (unit === undefined || unit.state === "stopped") return { ...known, note: messageOf(error) };
  if (unit.state === "stopping") return { ...known, state: "draining", pid: unit.pid };
  if (unit.note !== "") return { ...known, pid: unit.pid, note: unit.note };
  // It records itself once its port is open: it is on the way there.
  return { ...known, state: "starting", pid: unit.pid, note: messageOf(error) };
}

function nothingKnown({ name, cluster, letter }: Server): ServerStatus {
  return { name, cluster, letter, state: "down", pid: null, requests: 0, sessions: 0 };
}

function silentProcess(pid: number, error: unknown): string {
  return processState(pid)?.letter === "T"
    ? `no answer: process ${pid} is stopped (kill -CONT ${pid} lets it go on)`
    : `${messageOf(error)}; process ${pid} lives`;
}
