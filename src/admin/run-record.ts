/**
 * Who runs on this machine: one small file per server and per supervisor in `<data>/run`. It lets `stop` and
 * `status` find a process that no longer answers. Records hold no secret, and one whose process is gone
 * (kill -9, power cut) says nothing: process number, start time and boot are compared first.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import type { ClusterFile } from "../config/model.ts";
import { admin as limits } from "../support/limits.ts";
import { bootId, isAlive, processState } from "../support/processes.ts";

export interface RunRecord {
  /** `starting`: a `flotilla start` that has not yet recorded what it runs (start-turn.ts). */
  readonly kind: "server" | "supervisor" | "starting";
  /** The server's name, or "supervisor-<pid>", "starting-<pid>". */
  readonly name: string;
  /** The file that it was started with. */
  readonly file: string;
  readonly pid: number;
  readonly startTime: string;
  /** The folder may be shared between machines: only records of this one count. */
  readonly host: string;
  readonly boot: string;
  /** Supervisors: the port on 127.0.0.1 where they answer admin questions; else 0. */
  readonly controlPort: number;
  /** Supervisors: the servers in their care; servers: themselves; else none. */
  readonly servers: readonly string[];
}

/**
 * Records this process as the server `name`; call it once the cluster port is bound. The record goes when the
 * process ends in order.
 * @throws the system's error when the folder can't be written; a server runs without its record too.
 */
export function recordServer(file: ClusterFile, name: string): void {
  writeRecord(file, { kind: "server", name, controlPort: 0, servers: [name] });
}

/**
 * Records this process as a supervisor; throws as `recordServer`.
 * @returns call it with the servers that are left when one was stopped for good.
 */
export function recordSupervisor(
  file: ClusterFile,
  controlPort: number,
  servers: readonly string[],
): (left: readonly string[]) => void {
  const own = { kind: "supervisor", name: `supervisor-${process.pid}`, controlPort } as const;
  writeRecord(file, { ...own, servers });
  return (left) => replaceRecord(file, { ...own, servers: left });
}

/**
 * Records this process as one that is about to start servers; throws as `recordServer`.
 * @returns call it when the start is over.
 */
export function recordStarting(file: ClusterFile): () => void {
  const name = `starting-${process.pid}`;
  return writeRecord(file, { kind: "starting", name, controlPort: 0, servers: [] });
}

/** The records of processes that live on this machine; those of dead ones are removed, where that is possible. */
export function livingRecords(file: ClusterFile): RunRecord[] {
  const folder = runFolder(file);
  const living: RunRecord[] = [];
  for (const entry of entriesOf(folder)) {
    const path = join(folder, entry);
    const record = readRecord(path);
    if (record === null || record.host !== hostname()) continue;
    if (record.boot === bootId() && isAlive(record.pid, record.startTime)) living.push(record);
    else removeIfPossible(path);
  }
  return living;
}

type OwnRecord = Pick<RunRecord, "kind" | "name" | "controlPort" | "servers">;

/** @returns removes it; the end of the process does so too. */
function writeRecord(file: ClusterFile, own: OwnRecord): () => void {
  mkdirSync(runFolder(file), { recursive: true, mode: 0o700 });
  const path = replaceRecord(file, own);
  const remove = (): void => {
    process.off("exit", remove);
    // A successor may have taken the name already.
    if (readRecord(path)?.pid === process.pid) removeIfPossible(path);
  };
  process.once("exit", remove);
  return remove;
}

/** Whole or not at all: a reader never finds half a record. */
function replaceRecord(file: ClusterFile, own: OwnRecord): string {
  const record: RunRecord = {
    ...own,
    file: file.path,
    pid: process.pid,
    startTime: processState(process.pid)?.startTime ?? "",
    host: hostname(),
    boot: bootId(),
  };
  const path = join(runFolder(file), `${own.name}.json`);
  const whole = `${path}.${process.pid}`;
  try {
    writeFileSync(whole, `${JSON.stringify(record)}\n`, { mode: 0o600 });
    renameSync(whole, path);
  } catch (error) {
    // A full disk leaves an empty file behind.
    removeIfPossible(whole);
    throw error;
  }
  return path;
}

/** On a disk that can only be read it stays, and harms nobody: the record of a dead process is not believed. */
function removeIfPossible(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // Nothing that whoever asks or ends could do about it.
  }
}

function runFolder(file: ClusterFile): string {
  return join(file.dataFolder, "run");
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((entry) => entry.endsWith(".json"))
      .slice(0, limits.runRecordsMax);
  } catch {
    return [];
  }
}

function readRecord(path: string): RunRecord | null {
  try {
    if (statSync(path).size > limits.runRecordBytesMax) return null;
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is RunRecord {
  if (typeof value !== "object" || value === null) return false;
  const record = value as Partial<RunRecord>;
  return (
    (record.kind === "server" || record.kind === "supervisor" || record.kind === "starting") &&
    typeof record.name === "string" &&
    typeof record.file === "string" &&
    Number.isSafeInteger(record.pid) &&
    record.pid! > 0 &&
    typeof record.startTime === "string" &&
    typeof record.host === "string" &&
    typeof record.boot === "string" &&
    Number.isSafeInteger(record.controlPort) &&
    Array.isArray(record.servers) &&
    record.servers.every((name) => typeof name === "string")
  );
}
