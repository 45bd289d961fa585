/** On which TCP ports the processes of a group listen, as the kernel tells (proc(5)): for telling why a server is not reached. */
import { readlinkSync } from "node:fs";
import { procEntries, processState, procText } from "./processes.ts";

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
  const ports = portsOfInodes();
  for (const entry of procEntries("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || processState(pid)?.group !== group) continue;
    for (const descriptor of procEntries(`/proc/${pid}/fd`)) {
      const port = ports.get(inodeOf(`/proc/${pid}/fd/${descriptor}`));
      if (port !== undefined) found.set(port, { port, pid, program: procText(`/proc/${pid}/comm`).trim() });
    }
  }
  return [...found.values()].toSorted((one, other) => one.port - other.port);
}

/**
 * Where a connection of the loopback reaches who listens on the port; null: nobody does. Asking by connecting would not do: a connection
 * to a free port of the range from which connections take theirs is sometimes one with itself, and keeps the port.
 */
export function loopbackOf(port: number): "127.0.0.1" | "::1" | null {
  for (const { local, port: found } of sockets("tcp")) {
    if (found === port && (local === "0100007F" || local === "00000000")) return "127.0.0.1";
  }
  for (const { local, port: found } of sockets("tcp6")) {
    if (found === port && /^0{24}0[01]000000$/.test(local)) return "::1";
  }
  return null;
}

/** Inode to port, of all sockets in our network namespace. */
function portsOfInodes(): Map<string, number> {
  return new Map([...sockets("tcp"), ...sockets("tcp6")].map(({ inode, port }) => [inode, port]));
}

interface ListeningSocket {
  /** The address as the kernel prints it, in words of 32 bits of the machine's own byte order. */
  readonly local: string;
  readonly port: number;
  readonly inode: string;
}

/** Those of our network namespace. */
function sockets(family: "tcp" | "tcp6"): ListeningSocket[] {
  return procText(`/proc/self/net/${family}`)
    .split("\n")
    .flatMap((line) => {
      const [, at = "", , state, , , , , , inode = ""] = line.trim().split(/ +/);
      if (state !== listeningState) return [];
      const [local = "", port = ""] = at.split(":");
      return [{ local, port: Number.parseInt(port, 16), inode }];
    });
}

function inodeOf(descriptor: string): string {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(descriptor))?.[1] ?? "";
  } catch {
    return "";
  }
}
