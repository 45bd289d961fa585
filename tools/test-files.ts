/** All test files, in the order in which they are to start. */
import { globSync } from "node:fs";

/**
 * Folders whose files take long, the longest first: whole sites that things are done to, then databases. What stands beside the code
 * comes last, and is short: so none runs alone at the end.
 */
export const longFirst: readonly string[] = [
  "test/fault/",
  "test/register/",
  "test/integration/sessions-",
  "test/stores/",
  "test/",
];

/** Files that measure how long visitors wait, to the millisecond: nothing else runs beside them. */
export const runAlone: readonly string[] = ["test/fault/health-drill.test.ts"];

/** @returns paths below `root`. */
export function testFiles(root: string): string[] {
  const all = globSync(
    ["src/**/*.test.ts", "test/**/*.test.ts", "bench/**/*.test.ts", "tools/**/*.test.ts"],
    { cwd: root },
  );
  return all.sort((one, other) => rank(one) - rank(other) || (one < other ? -1 : 1));
}

function rank(file: string): number {
  const found = longFirst.findIndex((beginning) => file.startsWith(beginning));
  return found === -1 ? longFirst.length : found;
}
