/** Programs of the machine, and which core each part of the benchmark runs on. */
import { accessSync, constants } from "node:fs";
import { availableParallelism } from "node:os";
import { delimiter, join } from "node:path";

/** Where Debian puts servers; not in everybody's PATH. */
const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/local/sbin", "/usr/sbin", "/sbin"];

/** The program's path, or null. */
export function findProgram(name: string): string | null {
  for (const folder of folders) {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return join(folder, name);
    } catch {
      // Not here.
    }
  }
  return null;
}

export function isInstalled(name: string): boolean {
  return findProgram(name) !== null;
}

/**
 * Behind a proxy, load and application share the first core, and the proxy has the second: the proxy is never what
 * waits. Without one, the load has it.
 */
const cores = { load: "0", app: "0", proxy: "1", visitors: "1" } as const;

export const pinning: boolean = availableParallelism() >= 2 && isInstalled("taskset");

export function pinned(role: keyof typeof cores, command: readonly string[]): readonly string[] {
  return pinning ? ["taskset", "-c", cores[role], ...command] : command;
}
