/** Who runs on this machine: what is recorded, and the supervisors that could not write their record. */
import { hostname } from "node:os";
import type { ClusterFile } from "../config/model.ts";
import { admin as limits } from "../support/limits.ts";
import { bootId } from "../support/processes.ts";
import { announcedSupervisors, type SupervisorId } from "./announcement.ts";
import type { Asker } from "./ask.ts";
import type { SupervisorStatus } from "./cluster-status.ts";
import { livingRecords, type RunRecord } from "./run-record.ts";

/** The living records, and what the other supervisors of the file would have recorded: they are asked. */
export async function runningRecords(file: ClusterFile, asker: Asker): Promise<RunRecord[]> {
  const records = livingRecords(file);
  const recorded = new Set(records.filter(({ kind }) => kind === "supervisor").map(({ pid }) => pid));
  const others = announcedSupervisors(file).filter(({ pid }) => !recorded.has(pid));
  return [...records, ...(await Promise.all(others.map((id) => recordOf(file, asker, id))))];
}

async function recordOf(file: ClusterFile, asker: Asker, id: SupervisorId): Promise<RunRecord> {
  const own = { kind: "supervisor", name: `supervisor-${id.pid}`, ...id } as const;
  const where = { file: file.path, host: hostname(), boot: bootId() };
  return { ...own, ...where, servers: await serversOf(file, asker, id) };
}

/** Of one that does not answer all servers of the file are taken for its own. */
async function serversOf(file: ClusterFile, asker: Asker, id: SupervisorId): Promise<string[]> {
  try {
    const answer = await asker.supervisor(id, { ask: "status" }, limits.stopTimeoutMs);
    const { units } = answer as SupervisorStatus;
    return units.filter(({ state }) => state !== "stopped").map(({ name }) => name);
  } catch {
    return [...file.servers.keys()];
  }
}
