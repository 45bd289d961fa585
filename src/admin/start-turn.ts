/**
 * One `flotilla start` after the other: each looks what runs and then records what it runs itself, and two that do
 * so at the same moment would both find nothing. Whoever starts says so first, then looks whether somebody else has
 * said it too, and if so takes its word back and tries again a little later. Of two, the later one always sees the
 * earlier; there is no lock that a dead process could leave behind, because the word of a dead one does not count.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterFile } from "../config/model.ts";
import { codeOf, FlotillaError, messageOf } from "../support/errors.ts";
import { admin as limits } from "../support/limits.ts";
import { livingRecords, type RunRecord, recordStarting } from "./run-record.ts";

/** Troubles of a disk that may pass, or that the servers can live with. */
const passing: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EIO", "EMFILE", "ENFILE", "ENOMEM"]);

/**
 * Waits until no other `flotilla start` with this data folder is at it.
 * @returns call it when the servers that are started have their record.
 * @throws FlotillaError FLOTILLA_DATA_FOLDER, FLOTILLA_ALREADY_RUNNING
 */
export async function takeStartTurn(
  file: ClusterFile,
  timeoutMs: number = limits.startTurnTimeoutMs,
): Promise<() => void> {
  const until = performance.now() + timeoutMs;
  for (;;) {
    if (otherStarter(file) === null) {
      const takeBack = sayStarting(file);
      if (otherStarter(file) === null) return takeBack;
      takeBack();
    }
    await sleep(10 + Math.random() * 40);
    const other = otherStarter(file);
    if (other !== null && performance.now() > until) throw inTheWay(other);
  }
}

function otherStarter(file: ClusterFile): RunRecord | null {
  return livingRecords(file).find(({ kind, pid }) => kind === "starting" && pid !== process.pid) ?? null;
}

/** On a full disk nothing can be said, and servers start all the same. */
function sayStarting(file: ClusterFile): () => void {
  try {
    return recordStarting(file);
  } catch (error) {
    if (passing.has(codeOf(error))) return () => {};
    throw new FlotillaError(
      "FLOTILLA_DATA_FOLDER",
      `the data folder ${file.dataFolder} can't be used: ${reasonOf(error)}; name a folder that this user may ` +
        `write under data: in ${file.path}`,
      { cause: error },
    );
  }
}

function reasonOf(error: unknown): string {
  switch (codeOf(error)) {
    case "ENOTDIR":
    case "EEXIST":
      return "a part of its path is a file, not a folder";
    case "EACCES":
    case "EPERM":
      return "this user has no permission to write it";
    case "EROFS":
      return "it is on a file system that can only be read";
    default:
      return messageOf(error);
  }
}

function inTheWay({ pid, file }: RunRecord): FlotillaError {
  return new FlotillaError(
    "FLOTILLA_ALREADY_RUNNING",
    `another flotilla start of ${file} is at it and does not get on (process ${pid}); look what it waits for, or ` +
      `end it with kill -CONT ${pid}; kill ${pid}`,
    { source: "client" },
  );
}
