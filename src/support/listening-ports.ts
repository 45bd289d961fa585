/** On which TCP ports the processes of a group listen, as the kernel tells (proc(5)): for telling why a server is not reached. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { processState } from "./processes.ts";

export interface ListeningPort {
  readonly port: number;
  readonly pid: number;
  /** The program's name, at most 15 characters of it: "node". */
  readonly program: string;
}

const listeningState = "0A";

/** @returns by port; empty also where the kernel does not tell. */
export function portsOfGroup(group: number): readonly ListeningPort[] {
  const found = new Map<number, ListeningPort>();
  // They share one network, that of their supervisor.
  const sockets = listeningSockets();
  for (const entry of entriesOf("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || processState(pid)?.group !== group) continue;
    for (const descriptor of entriesOf(`/proc/${pid}/fd`)) {
      const port = sockets.get(inodeOf(`/proc/${pid}/fd/${descriptor}`));
      if (port !== undefined) found.set(port, { port, pid, program: read(`/proc/${pid}/comm`).trim() });
    }
  }
  return [...found.values()].toSorted((one, other) => one.port - other.port);
}

/** Inode to port, of all sockets in our network namespace. */
function listeningSockets(): Map<string, number> {
  const sockets = new Map<string, number>();
  for (const family of ["tcp", "tcp6"]) {
    for (const line of read(`/proc/self/net/${family}`).split("\n")) {
      const [, local = "", , state, , , , , , inode = ""] = line.trim().split(/ +/);
      if (state === listeningState)
        sockets.set(inode, Number.parseInt(local.slice(local.lastIndexOf(":") + 1), 16));
    }
  }
  return sockets;
}

function inodeOf(descriptor: string): string {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(descriptor))?.[1] ?? "";
  } catch {
    return "";
  }
}

/** Processes end while we look. */
function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
