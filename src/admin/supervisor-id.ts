/**
 * How a server knows its supervisor: by its environment. Records on a disk can be missing (the disk was full); a
 * server that answers names its supervisor all the same, and `flotilla stop` can follow it there.
 */
import { isAlive, processState } from "../support/processes.ts";

/** The variable that a supervisor gives to its programs. */
export const supervisorVariable = "FLOTILLA_SUPERVISOR";

export interface SupervisorId {
  readonly pid: number;
  readonly startTime: string;
  /** On 127.0.0.1, where it answers admin questions. */
  readonly controlPort: number;
}

/** Which server of which file. */
export interface Supervised {
  readonly name: string;
  readonly file: string;
}

/** The variable's value for one program: this process, and whom it takes care of. */
export function supervisorWord(controlPort: number, { name, file }: Supervised): string {
  return `${process.pid}:${processState(process.pid)?.startTime ?? ""}:${controlPort} ${name} ${file}`;
}

/**
 * Who starts this process again when it ends: "4711:8812345:40123", or "". The variable is inherited by what a program
 * starts; only the very server that it was made for is meant.
 */
export function ownSupervisor({ name, file }: Supervised): string {
  const [id = "", ...rest] = (process.env[supervisorVariable] ?? "").split(" ");
  return rest.join(" ") === `${name} ${file}` ? id : "";
}

/** The supervisor that a server names; null when it names none, or that one no longer lives on this machine. */
export function livingSupervisor(named: string): SupervisorId | null {
  const match = /^([1-9]\d{0,9}):(\d{1,20}):(\d{1,5})$/.exec(named);
  if (match === null) return null;
  const [, pid, startTime, controlPort] = match;
  const id = { pid: Number(pid), startTime: startTime!, controlPort: Number(controlPort) };
  return isAlive(id.pid, id.startTime) ? id : null;
}
