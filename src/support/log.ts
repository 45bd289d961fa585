/**
 * The operational log: one readable line per event on a terminal, one JSON object per line when piped.
 * Access lines are not written here (web-tier/access-log.ts).
 */
import { type DestinationStream, type Logger, pino } from "pino";
import pretty from "pino-pretty";

export type Log = Logger;

/** @param name the server (or command) that speaks; shown in front of every line. */
export function createLog(name: string, level: string = process.env.FLOTILLA_LOG_LEVEL ?? "info"): Log {
  const options = { level, base: { server: name }, timestamp: pino.stdTimeFunctions.isoTime };
  return process.stderr.isTTY
    ? pino(options, readable(name))
    : pino(options, pino.destination({ dest: 2, sync: true }));
}

/** A log that says nothing, for tests and for library use outside a cluster. */
export const silentLog: Log = pino({ level: "silent" });

function readable(name: string): DestinationStream {
  return pretty({
    destination: 2,
    sync: true,
    colorize: process.env.NO_COLOR === undefined,
    ignore: "pid,hostname,server",
    translateTime: "SYS:HH:MM:ss.l",
    messageFormat: `${name}: {msg}`,
    singleLine: true,
  });
}
