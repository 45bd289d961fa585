/** A folder as /proc, whose files a test writes again when time passes. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface ProcFolder {
  readonly path: string;
  write(file: string, text: string): void;
  /** So many tasks want a CPU, beside the one that asks. */
  runQueue(tasks: number): void;
}

export function procFolder(
  t: { after(end: () => void): void },
  files: Readonly<Record<string, string>>,
): ProcFolder {
  const path = mkdtempSync(join(tmpdir(), "flotilla-proc-"));
  t.after(() => rmSync(path, { recursive: true }));
  mkdirSync(join(path, "self"));
  const write = (file: string, text: string): void => writeFileSync(join(path, file), text);
  for (const [file, text] of Object.entries(files)) write(file, text);
  return { path, write, runQueue: (tasks) => write("loadavg", `0.20 0.18 0.12 ${tasks + 1}/80 11206\n`) };
}

/** /proc/stat of a machine with two CPUs. */
export const twoCpus =
  "cpu  100 0 50 1000 9 1 2 3 0 0\ncpu0 50 0 25 500 9 1 2 3 0 0\ncpu1 50 0 25 500 0 0 0 0 0 0\nintr 1\n";
export const meminfo = "MemTotal:        2000 kB\nMemFree:          500 kB\nMemAvailable:    1500 kB\n";
