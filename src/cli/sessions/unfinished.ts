/**
 * Where a command writes before what it writes is whole: beside the file that it will be, under a name with its process in it. A command that
 * is killed leaves it there; the next one to the same file takes it away.
 */
import { lstat, opendir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { codeOf } from "../../support/errors.ts";
import { sessionAdmin as limits } from "../../support/limits.ts";

/** Of this process. */
export function unfinishedName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}`);
}

/** Those of processes that have ended, and one of an earlier process with the number of this one. What can't be removed stays. */
export async function removeUnfinished(path: string): Promise<void> {
  try {
    const folder = dirname(path);
    let left: number = limits.unfinishedMax;
    for await (const { name } of await opendir(folder)) {
      if (left === 0) return;
      if (!isOfDead(name, basename(path))) continue;
      const leftover = join(folder, name);
      if (!(await lstat(leftover)).isFile()) continue;
      await rm(leftover, { force: true });
      left--;
    }
  } catch {
    // It only takes room. Whether the folder can be written shows when the file is.
  }
}

function isOfDead(name: string, target: string): boolean {
  const begin = `.${target}.`;
  if (!name.startsWith(begin)) return false;
  const number = name.slice(begin.length);
  if (!/^[1-9]\d{0,9}$/.test(number)) return false;
  const pid = Number(number);
  return pid === process.pid || hasEnded(pid);
}

/** Only when it is certain. */
function hasEnded(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return codeOf(error) === "ESRCH";
  }
}
