/** A log that says nothing: for commands, tests and library use outside a cluster. Without pino, which takes its time to load. */
import type { Log } from "./log.ts";

const nothing = (): void => {};
const methods = {
  fatal: nothing,
  error: nothing,
  warn: nothing,
  info: nothing,
  debug: nothing,
  trace: nothing,
};

export const silentLog: Log = { level: "silent", ...methods } as unknown as Log;
