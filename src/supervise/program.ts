/** One run of a server's command: a process group of its own, its output, and the certainty that all of it ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { dirname } from "node:path";
import type { Duplex, Readable } from "node:stream";
import { systemClock } from "../support/clock.ts";
import { messageOf } from "../support/errors.ts";
import { supervise as limits } from "../support/limits.ts";
import { sendSignal } from "../support/processes.ts";
import { LineCutter, type OutputPrinter } from "./output.ts";
import { watchdogScript } from "./watchdog.ts";

/** Descriptors below are its standard ones and the watchdog's lifeline. */
export const firstInherited = 4;

/** How a program ended: with a code, by a signal, or it could not be started at all. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly failure: string | null;
}

export interface Program {
  /** The first process of its group; 0 when it could not be started. */
  readonly pid: number;
  /** TERM to the whole group. */
  terminate(): void;
  /** INT to the whole group. */
  interrupt(): void;
  /** KILL to the whole group. */
  kill(): void;
}

export interface ProgramSettings {
  readonly server: string;
  /** For `/bin/sh -c`. */
  readonly command: string;
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Of ours, which it gets from `firstInherited` on. */
  readonly descriptors?: readonly number[];
  /** What is left of the group after its first process has ended, or without a supervisor, gets so long. */
  readonly drainTimeoutMs: number;
}

export type LinePrinter = Pick<OutputPrinter, "line" | "hold">;

export interface ProgramOutput {
  readonly out: LinePrinter;
  readonly err: LinePrinter;
  /** Every line of both. */
  onLine(line: string): void;
}

/** @param onEnd called once, when the program's whole group is gone and its last output is written. */
export function startProgram(
  settings: ProgramSettings,
  output: ProgramOutput,
  onEnd: (ending: Ending) => void,
): Program {
  const tenths = Math.ceil(settings.drainTimeoutMs / 100);
  const child = spawn("/bin/sh", ["-c", watchdogScript, "flotilla-run", String(tenths)], {
    cwd: settings.folder,
    env: environmentOf(settings),
    // A session of its own: a terminal's INT reaches only us, and the whole group can be sent a signal.
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "pipe", ...(settings.descriptors ?? [])],
  });
  const pid = child.pid ?? 0;
  if (child.stdout) forwardLines(child.stdout, settings.server, output.out, output);
  if (child.stderr) forwardLines(child.stderr, settings.server, output.err, output);
  awaitEnd(child, onEnd);
  return {
    pid,
    terminate() {
      if (pid === 0) return;
      sendSignal(-pid, "SIGTERM");
      // A stopped process would not hear TERM.
      sendSignal(-pid, "SIGCONT");
    },
    interrupt() {
      if (pid !== 0) sendSignal(-pid, "SIGINT");
    },
    kill() {
      if (pid !== 0) sendSignal(-pid, "SIGKILL");
    },
  };
}

function environmentOf(settings: ProgramSettings): NodeJS.ProcessEnv {
  return {
    ...process.env,
    // `node` in a command line means the Node that runs us.
    PATH: `${dirname(process.execPath)}:${process.env.PATH ?? "/usr/bin:/bin"}`,
    ...settings.environment,
    FLOTILLA_RUN: settings.command,
  };
}

function forwardLines(source: Readable, server: string, printer: LinePrinter, output: ProgramOutput): void {
  const cutter = new LineCutter((line) => {
    printer.line(server, line);
    output.onLine(line);
  }, systemClock);
  source.on("data", (chunk: Buffer) => {
    cutter.push(chunk);
    printer.hold(source);
  });
  source.on("close", () => cutter.flush());
  source.on("error", () => {});
}

/**
 * The end has three parts: the first process exits; then we end the lifeline, so that the watchdog sweeps the
 * group; when the watchdog is gone too, the group is empty.
 */
function awaitEnd(child: ChildProcess, onEnd: (ending: Ending) => void): void {
  let ending: Ending | null = null;
  let groupGone = false;
  let told = false;

  function tell(): void {
    if (told || ending === null) return;
    told = true;
    onEnd(ending);
  }
  function advance(): void {
    if (ending === null || !groupGone) return;
    if (child.stdout!.closed && child.stderr!.closed) tell();
    else setTimeout(tell, limits.lastOutputWaitMs);
  }

  child.on("error", (error) => {
    // Not started: no group, no exit to wait for.
    if (child.pid !== undefined) return;
    ending = { code: null, signal: null, failure: messageOf(error) };
    tell();
  });
  // Without a free descriptor Node makes no streams at all; only the error comes.
  const lifeline = child.stdio?.[3] as Duplex | undefined;
  if (lifeline === undefined) return;
  lifeline.on("error", () => {});
  lifeline.on("close", () => {
    groupGone = true;
    advance();
  });
  lifeline.resume();
  child.on("exit", (code, signal) => {
    ending = { code, signal, failure: null };
    // Without its watchdog (somebody killed it) the group is swept from here.
    if (groupGone) sendSignal(-child.pid!, "SIGKILL");
    lifeline.end();
    advance();
  });
  child.on("close", advance);
}
