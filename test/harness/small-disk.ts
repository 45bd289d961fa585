/** A small disk of a test's own (tmpfs), to be filled. */
import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { codeOf } from "../../src/support/errors.ts";

/** Why none can be made here; null: one can. */
export function whyNoSmallDisk(): string | null {
  if (process.platform !== "linux") return "needs Linux";
  if (process.getuid!() !== 0) return "needs root, to mount a small disk";
  const probe = mkdtempSync(join(tmpdir(), "flotilla-small-disk-"));
  const { status, stderr } = mount(probe, 1);
  if (status === 0) spawnSync("umount", [probe]);
  rmdirSync(probe);
  return status === 0 ? null : `a small disk can't be mounted here: ${stderr.trim()}`;
}

export class SmallDisk {
  readonly folder: string;

  constructor(t: TestContext, megabytes: number) {
    this.folder = mkdtempSync(join(tmpdir(), "flotilla-small-disk-"));
    const { status, stderr } = mount(this.folder, megabytes);
    if (status !== 0) throw new Error(stderr);
    t.after(() => {
      // What still has a file open there does not hold it up.
      spawnSync("umount", ["--lazy", this.folder]);
      rmdirSync(this.folder);
    });
  }

  /** Takes all the room that there is. */
  fill(): void {
    const file = openSync(this.#filler, "a");
    try {
      for (let bytes = 65_536; bytes >= 1; ) {
        try {
          writeSync(file, Buffer.alloc(bytes));
        } catch (error) {
          if (codeOf(error) !== "ENOSPC") throw error;
          bytes /= 16;
        }
      }
    } finally {
      closeSync(file);
    }
  }

  /** For new uses: there must be none that may write. */
  allowWriting(isAllowed: boolean): void {
    execFileSync("mount", ["-o", isAllowed ? "remount,rw" : "remount,ro", this.folder]);
  }

  makeRoom(): void {
    rmSync(this.#filler);
  }

  get #filler(): string {
    return join(this.folder, "filler");
  }
}

function mount(folder: string, megabytes: number): { status: number | null; stderr: string } {
  return spawnSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", folder], {
    encoding: "utf8",
  });
}
