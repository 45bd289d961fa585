/**
 * A supervisor is found without any file too, because a disk can be full: it keeps a socket open whose name, in the
 * kernel's abstract namespace (unix(7)), says which file it works with. The name goes with the process, however it
 * ends. Anybody may take such a name, so it counts only for the process that holds its socket (proc_pid_fd(5)).
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";
import type { ClusterFile } from "../config/model.ts";
import { processState } from "../support/processes.ts";

export interface SupervisorId {
  readonly pid: number;
  readonly startTime: string;
  /** On 127.0.0.1, where it answers admin questions. */
  readonly controlPort: number;
}

/** Announces this process as a supervisor, until it ends. Without the socket its record alone says so. */
export function announceSupervisor(file: ClusterFile, controlPort: number): void {
  const socket = createServer((caller) => caller.destroy());
  socket.on("error", () => {});
  socket.listen({ path: `\0${nameOf(file)}/${process.pid}/${controlPort}` });
  socket.unref();
}

/** The supervisors of this machine that work with the file. Those of other users are seen by root alone. */
export function announcedSupervisors(file: ClusterFile): SupervisorId[] {
  // Num RefCount Protocol Flags Type St Inode @name
  const line = new RegExp(` (\\d+) @${nameOf(file)}/([1-9]\\d{0,9})/(\\d{1,5})$`, "gm");
  return [...sockets().matchAll(line)].flatMap(([, inode, pid, controlPort]) => {
    const state = processState(Number(pid));
    if (state === null || !holdsSocket(pid!, inode!)) return [];
    return [{ pid: Number(pid), startTime: state.startTime, controlPort: Number(controlPort) }];
  });
}

/** A path may be longer than a socket's name. */
function nameOf(file: ClusterFile): string {
  return `flotilla-supervisor-${createHash("sha256").update(file.path).digest("hex").slice(0, 32)}`;
}

function sockets(): string {
  try {
    return readFileSync("/proc/net/unix", "latin1");
  } catch {
    return "";
  }
}

function holdsSocket(pid: string, inode: string): boolean {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).some((fd) => linkOf(`${folder}/${fd}`) === `socket:[${inode}]`);
  } catch {
    return false;
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    // Closed a moment ago.
    return "";
  }
}
