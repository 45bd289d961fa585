/**
 * Disks of a few megabytes, one per machine, that can be filled: file systems in memory (tmpfs), mounted below the run's folder.
 * Their bytes survive `kill -9` of everything, as those of a disk do; what a power cut does to what was not synced they don't show.
 */
import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { codeOf } from "../../src/support/errors.ts";

const sizeMegabytes = 64;
const pieceBytes = 64 * 1_024;

export class SmallDisk {
  readonly #ballast: string;

  /** Mounted at this folder, which is made. @throws with what `mount` said */
  constructor(folder: string) {
    mkdirSync(folder, { recursive: true });
    const { status, stderr } = spawnSync(
      "mount",
      ["-t", "tmpfs", "-o", `size=${sizeMegabytes}m`, "tmpfs", folder],
      {
        encoding: "utf8",
      },
    );
    if (status !== 0) throw new Error(`no disk can be made at ${folder}: ${stderr.trim()}`);
    this.#ballast = join(folder, "ballast");
  }

  /** Until not one byte more goes on it. */
  fill(): void {
    const file = openSync(this.#ballast, "w");
    try {
      for (let bytes = pieceBytes; bytes > 0; ) {
        try {
          writeSync(file, Buffer.alloc(bytes));
        } catch (error) {
          if (codeOf(error) !== "ENOSPC") throw error;
          bytes >>>= 1;
        }
      }
    } finally {
      closeSync(file);
    }
  }

  free(): void {
    rmSync(this.#ballast);
  }
}

/** Removes all disks below the folder, whoever mounted them. */
export function unmountBelow(folder: string): void {
  const points = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((point) => point.startsWith(`${folder}/`));
  // Also while a process that is about to end still has a file open there.
  for (const point of points) spawnSync("umount", ["--lazy", point]);
}
