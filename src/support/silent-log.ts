/** A log that says nothing: for commands, tests and library use outside a cluster. Without pino, which takes its time to load. */
import type { Logger } from "pino";

const nothing = (): void => {};
const methods = {
  fatal: nothing,
  error: nothing,
  warn: nothing,
  info: nothing,
  debug: nothing,
  trace: nothing,
};

export const silentLog: Logger = { level: "silent", ...methods } as unknown as Logger;
