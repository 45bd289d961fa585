/**
 * CPU time of processes with all their threads and children, from /proc. `schedstat` counts the same time as
 * utime + stime of `stat`, in nanoseconds instead of hundredths of a second.
 */
import { readdirSync, readFileSync } from "node:fs";

/** User and system time in microseconds of these processes and everything below them. */
export function cpuTimeUs(roots: readonly number[]): number {
  let totalNs = 0;
  for (const pid of withDescendants(roots)) {
    for (const thread of entries(`/proc/${pid}/task`)) totalNs += threadNs(pid, thread);
  }
  return totalNs / 1_000;
}

/** And everything below them. */
export function withDescendants(roots: readonly number[]): Set<number> {
  const found = new Set(roots);
  const parents = new Map<number, number>();
  for (const name of entries("/proc")) {
    const pid = Number(name);
    if (Number.isInteger(pid)) parents.set(pid, parentOf(pid));
  }
  for (let before = 0; before !== found.size; ) {
    before = found.size;
    for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid);
  }
  return found;
}

function parentOf(pid: number): number {
  const stat = read(`/proc/${pid}/stat`);
  // The second field is the program's name in parentheses and may hold blanks.
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1] ?? 0);
}

function threadNs(pid: number, thread: string): number {
  return Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(" ")[0] ?? 0);
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // It ended meanwhile.
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
