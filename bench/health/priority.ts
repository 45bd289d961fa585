/** All that takes part in the drill comes before what else the machine does, so that this disturbs it little. */
import { readFileSync, writeFileSync } from "node:fs";
import { setPriority } from "node:os";

const raised = -10;
/** Where the kernel groups processes by session, theirs count only among themselves, and this one among sessions (sched(7)). */
const autogroup = "/proc/self/autogroup";

/** Of this process and of all that it starts; a shell's session has its own priority back in the end. @returns false when not permitted. */
export function raisePriority(): boolean {
  try {
    setPriority(raised);
    const before = / nice (-?\d+)/.exec(autogroupNow())?.[1];
    if (before === undefined) return true;
    writeFileSync(autogroup, String(raised));
    process.once("exit", () => writeFileSync(autogroup, before));
    return true;
  } catch {
    return false;
  }
}

/** The prefix of a command that runs with everybody's priority all the same. */
export const ordinaryPriority: readonly string[] = ["setsid", "nice", "-n", String(-raised)];

function autogroupNow(): string {
  try {
    return readFileSync(autogroup, "utf8");
  } catch {
    return "";
  }
}
