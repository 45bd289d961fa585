/** What ends a server in the foreground. */
import { closeSync, openSync } from "node:fs";
import { supervise as limits } from "./limits.ts";

/** Of a program that ended in order and wants its supervisor to start it again at once. */
export const againCode = 85;

export interface StopSteps {
  /** The first TERM or INT; or HUP, when the terminal is gone or there is no `reload`. */
  drain(signal: NodeJS.Signals): void;
  /** HUP, as long as the terminal that we were started from, if any, is there. */
  readonly reload?: () => void;
  /** TERM or INT again: somebody does not want to wait. What is open is cut; nothing that is to be kept is lost. */
  hurry(signal: NodeJS.Signals): void;
  /** INT once more: the process is to exit. A TERM more never loses anything: service managers may repeat it. */
  atOnce(): void;
}

/**
 * The same signal within a moment is its echo: a program that waits for us (`npm start`, a shell) passes on what the terminal, or
 * the supervisor, has sent to the whole group.
 */
export function onStopSignals({ drain, reload, hurry, atOnce }: StopSteps): void {
  const hadTerminal = hasTerminal();
  let step = 0;
  let last: NodeJS.Signals | null = null;
  let lastAt = 0;
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (signal === "SIGHUP" && reload !== undefined && step === 0 && (!hadTerminal || hasTerminal()))
        return reload();
      const now = performance.now();
      const isEcho = signal === last && now - lastAt < limits.signalEchoMs;
      last = signal;
      lastAt = now;
      if (isEcho) return;
      if (step === 0) drain(signal);
      else if (signal === "SIGHUP" || (step > 1 && signal === "SIGTERM")) return;
      else if (step === 1) hurry(signal);
      else if (step === 2) atOnce();
      step++;
    });
  }
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}

/** The exit code of who was told at last to end at once. */
export const interruptedCode = 130;

/**
 * For the log, at the begin of a drain.
 * @param what is waited for.
 */
export function stopping(why: string, drainTimeoutMs: number, what: readonly string[]): string {
  return (
    `${why}: stopping, for at most ${drainTimeoutMs / 1_000} s: ${what.join(", ")}; ` +
    "^C or TERM again cuts requests, sessions are kept all the same"
  );
}
