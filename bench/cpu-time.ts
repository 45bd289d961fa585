/**
 * CPU time of processes with all their threads and children, from /proc. `schedstat` counts the same time as
 * utime + stime of `stat`, in nanoseconds instead of hundredths of a second.
 */
import { procEntries, processState, procText } from "../src/support/processes.ts";

/** User and system time in microseconds of these processes and everything below them. */
export function cpuTimeUs(roots: readonly number[]): number {
  let totalNs = 0;
  for (const pid of withDescendants(roots)) {
    for (const thread of procEntries(`/proc/${pid}/task`)) totalNs += threadNs(pid, thread);
  }
  return totalNs / 1_000;
}

/** The same of its children that have ended (to a hundredth of a second): a database may end a process with each connection. */
export function endedChildrenUs(pid: number): number {
  const line = procText(`/proc/${pid}/stat`);
  // proc(5): fields 16 and 17, cutime and cstime; the second one may hold anything.
  const [user, system] = line
    .slice(line.lastIndexOf(")") + 2)
    .split(" ")
    .slice(13, 15);
  return (Number(user) + Number(system)) * 10_000;
}

/** And everything below them. */
export function withDescendants(roots: readonly number[]): Set<number> {
  const found = new Set(roots);
  const parents = new Map<number, number>();
  for (const name of procEntries("/proc")) {
    const pid = Number(name);
    if (Number.isInteger(pid)) parents.set(pid, processState(pid)?.parent ?? 0);
  }
  for (let before = 0; before !== found.size; ) {
    before = found.size;
    for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid);
  }
  return found;
}

function threadNs(pid: number, thread: string): number {
  return Number(procText(`/proc/${pid}/task/${thread}/schedstat`).split(" ")[0] ?? 0);
}
