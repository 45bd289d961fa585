/**
 * What the kernel says of other processes (proc(5)). A process number alone names nobody for long: with the
 * time of its start it does, and only such a pair is ever sent a signal.
 */
import { readdirSync, readFileSync } from "node:fs";

export interface ProcessState {
  /** "R" running, "S" sleeping, "T" stopped, "Z" ended and not yet collected, ... */
  readonly letter: string;
  readonly parent: number;
  /** Its process group: the number of the group's first process. */
  readonly group: number;
  /** Clock ticks from the start of the machine to the start of the process. */
  readonly startTime: string;
}

/** @returns null when there is no such process, or the kernel does not tell. */
export function processState(pid: number): ProcessState | null {
  const line = procText(`/proc/${pid}/stat`);
  if (line === "") return null;
  // The second field is the program's name in parentheses and may hold anything, ")" and blanks too.
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
  const [letter = "", startTime = ""] = [fields[0], fields[19]];
  return { letter, parent: Number(fields[1]), group: Number(fields[2]), startTime };
}

/** Whether a process is in a group that a child of `parent` leads: where a supervisor's programs are. */
export function isInGroupBelow(parent: number, pid: number): boolean {
  const state = processState(pid);
  return state !== null && processState(state.group)?.parent === parent;
}

/** True while the process that started at `startTime` lives. One that ended and was not yet collected is dead. */
export function isAlive(pid: number, startTime: string): boolean {
  const state = processState(pid);
  return state !== null && state.startTime === startTime && state.letter !== "Z" && state.letter !== "X";
}

/** Another one for every start of the machine; "" where the kernel has none. */
export function bootId(): string {
  return procText("/proc/sys/kernel/random/boot_id").trim();
}

/**
 * Asks a process to end. A stopped one (SIGSTOP, ^Z) would not hear TERM: CONT wakes it.
 * @returns false when there is none, or it belongs to somebody else.
 */
export function askToEnd(pid: number): boolean {
  return sendSignal(pid, "SIGTERM") && sendSignal(pid, "SIGCONT");
}

/** @param pid negative for a whole process group. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

/** The names in a folder below /proc; none when its process has ended meanwhile. */
export function procEntries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** A file below /proc, likewise "". */
export function procText(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
