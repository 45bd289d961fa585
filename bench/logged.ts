/** A process of a benchmark, on the core of its part, as in production: what it writes goes to a file. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { pinned } from "./commands.ts";

/** @param log what it writes is added there. A program that is not there has no `pid`. */
export function spawnLogged(
  role: Parameters<typeof pinned>[0],
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
  log: string,
): ChildProcess {
  const [program, ...args] = pinned(role, command);
  const output = openSync(log, "a");
  const { FLOTILLA_SERVER: _, FLOTILLA_CONFIG: __, ...inherited } = process.env;
  const child = spawn(program!, args, {
    env: { ...inherited, NODE_ENV: "production", ...environment },
    stdio: ["ignore", output, output],
  });
  closeSync(output);
  child.on("error", () => {});
  return child;
}
