/**
 * A disk of a test's own that breaks and is mended: a file as a block device (loop) with an ext2 on it. Cut short, all of it that
 * lies behind answers each read and write with EIO, as a device does that is out of reach; mended, it has what it had.
 */
import { execFileSync, spawnSync } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

const bytes = 64 * 1_048_576;
/** The file system's own tables, and the first of its files. */
const bytesWhenBroken = 4 * 1_048_576;

/** Why none can be made here; null: one can. */
export function whyNoLoopDisk(): string | null {
  if (process.platform !== "linux") return "needs Linux";
  if (process.getuid!() !== 0) return "needs root, to make a disk that breaks";
  const folder = mkdtempSync(join(tmpdir(), "flotilla-loop-disk-"));
  try {
    const disk = new LoopDisk(folder);
    disk.remove();
    return null;
  } catch (error) {
    return `a disk that breaks can't be made here: ${String(error).split("\n", 1)[0]}`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export class LoopDisk {
  readonly folder: string;
  readonly #image: string;
  readonly #device: string;
  /** Of a broken one: what lies behind the cut. */
  #lost: Buffer | null = null;

  /** @param within a folder on a well disk. @throws with what the tools said */
  constructor(within: string) {
    this.#image = join(within, "image");
    this.folder = join(within, "disk");
    mkdirSync(this.folder);
    execFileSync("truncate", ["-s", `${bytes}`, this.#image]);
    execFileSync("mkfs.ext2", ["-q", "-F", "-b", "4096", "-m", "0", this.#image], { stdio: "pipe" });
    this.#device = execFileSync("losetup", ["--find", "--show", this.#image], { encoding: "utf8" }).trim();
    const { status, stderr } = spawnSync("mount", ["-o", "errors=continue", this.#device, this.folder], {
      encoding: "utf8",
    });
    if (status !== 0) {
      this.#detach();
      throw new Error(stderr.trim());
    }
  }

  static for(t: TestContext): LoopDisk {
    const within = mkdtempSync(join(tmpdir(), "flotilla-loop-disk-"));
    const disk = new LoopDisk(within);
    t.after(() => {
      disk.remove();
      rmSync(within, { recursive: true });
    });
    return disk;
  }

  /** What is on it by now comes back with `mend`: whoever synced it may rely on it, also when the kernel has to read it again. */
  break(): void {
    this.#lost = readFileSync(this.#image).subarray(bytesWhenBroken);
    this.#resize(bytesWhenBroken);
  }

  mend(): void {
    if (this.#lost !== null) writeEnd(this.#image, this.#lost);
    this.#lost = null;
    this.#resize(bytes);
  }

  remove(): void {
    this.mend();
    // What still has a file open there does not hold it up.
    spawnSync("umount", ["--lazy", this.folder]);
    this.#detach();
  }

  #resize(to: number): void {
    truncateSync(this.#image, to);
    execFileSync("losetup", ["-c", this.#device]);
  }

  #detach(): void {
    spawnSync("losetup", ["--detach", this.#device]);
  }
}

function writeEnd(path: string, end: Buffer): void {
  const file = openSync(path, "r+");
  try {
    writeSync(file, end, 0, end.length, bytesWhenBroken);
  } finally {
    closeSync(file);
  }
}
