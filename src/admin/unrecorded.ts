/**
 * Who runs on this machine without a record, because the disk was full: servers answer on their cluster ports all
 * the same, and name their supervisor.
 */
import type { ClusterFile, Server } from "../config/model.ts";
import { admin as limits } from "../support/limits.ts";
import type { Asker } from "./ask.ts";
import type { SupervisorStatus } from "./cluster-status.ts";
import { type RunRecord, recordOf } from "./run-record.ts";
import type { StatusAnswer } from "./service.ts";
import { livingSupervisor, type SupervisorId } from "./supervisor-id.ts";

/** A server that answers. */
export interface Answering {
  readonly server: Server;
  /** As supervisor-id.ts has it, or "". */
  readonly supervisor: string;
}

/** Those of `servers` that answer; they must be of this machine. Where nobody listens, that is known at once. */
export async function answering(asker: Asker, servers: readonly Server[]): Promise<Answering[]> {
  const answers = await Promise.all(
    servers.map(async (server) => {
      try {
        const answer = await asker.server(server, { ask: "status" }, limits.stopTimeoutMs);
        return { server, supervisor: String((answer as StatusAnswer).supervisor) };
      } catch {
        return null;
      }
    }),
  );
  return answers.filter((answer) => answer !== null);
}

/** What the supervisors that are named, live and are not in `records` would have recorded. */
export async function unrecordedSupervisors(
  file: ClusterFile,
  asker: Asker,
  records: readonly RunRecord[],
  others: readonly Answering[],
): Promise<RunRecord[]> {
  const recorded = new Set(records.filter(({ kind }) => kind === "supervisor").map(({ pid }) => pid));
  const named = new Map<number, { readonly id: SupervisorId; readonly servers: string[] }>();
  const words = [
    ...records.map(({ name, supervisor }) => [name, supervisor] as const),
    ...others.map(({ server, supervisor }) => [server.name, supervisor] as const),
  ];
  for (const [server, word] of words) {
    const id = livingSupervisor(word);
    if (id === null || recorded.has(id.pid)) continue;
    const known = named.get(id.pid);
    if (known === undefined) named.set(id.pid, { id, servers: [server] });
    else known.servers.push(server);
  }
  return await Promise.all(
    [...named.values()].map(async ({ id, servers }) => {
      const record = recordOf(file, id, servers);
      try {
        const answer = await asker.supervisor(record, { ask: "status" }, limits.stopTimeoutMs);
        const { units } = answer as SupervisorStatus;
        const cared = units.filter(({ state }) => state !== "stopped").map(({ name }) => name);
        return { ...record, servers: cared };
      } catch {
        // Frozen, perhaps: those that named it are its servers at least.
        return record;
      }
    }),
  );
}
