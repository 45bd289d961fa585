/** Files and folders whose content is on disk, and no longer in the kernel's memory alone, when a call returns. */
import { closeSync, fsyncSync, openSync, rmSync, writeSync } from "node:fs";
import { savedSessions as limits } from "../../support/limits.ts";

/** What was written to this file, or which files this folder has. */
export function syncPath(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Writes a little to this path, and removes it. @throws the system's error: nothing can be written there. */
export function tryOut(path: string): void {
  const file = openSync(path, "w", 0o600);
  try {
    writeSync(file, Buffer.alloc(limits.trialBytes));
    fsyncSync(file);
  } finally {
    closeSync(file);
    rmSync(path, { force: true });
  }
}
