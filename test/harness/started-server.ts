/** A database server of a test's own that was just started: what it says until it is ready, or why it is not. */
import type { ChildProcess } from "node:child_process";
import type { Readable } from "node:stream";

export interface Readiness {
  /** "MariaDB": for the message. */
  readonly name: string;
  /** One of the child's; nobody reads the other. */
  readonly output: "stdout" | "stderr";
  readonly pattern: RegExp;
  readonly patienceMs: number;
  /** All that it says, also later. */
  readonly onText?: (text: string) => void;
}

/** @throws Error with what it said, when it ends or is not ready in time. */
export function ready(child: ChildProcess, readiness: Readiness): Promise<void> {
  const { name, output, pattern, patienceMs, onText } = readiness;
  const streams: Record<Readiness["output"], Readable> = { stdout: child.stdout!, stderr: child.stderr! };
  return new Promise((resolve, reject) => {
    let said = "";
    const fail = (): void => reject(new Error(`${name} did not start:\n${said}`));
    const timer = setTimeout(fail, patienceMs);
    child.once("exit", fail);
    streams[output === "stdout" ? "stderr" : "stdout"].resume();
    streams[output].setEncoding("utf8").on("data", (text: string) => {
      onText?.(text);
      said += text;
      if (!pattern.test(said)) return;
      clearTimeout(timer);
      resolve();
    });
  });
}
