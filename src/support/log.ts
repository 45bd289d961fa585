/**
 * The operational log: one readable line per event on a terminal, one JSON object per line when piped.
 * Access lines are not written here (web-tier/access-log.ts).
 */
import { type DestinationStream, type Logger, pino } from "pino";
import pretty from "pino-pretty";
import { coloursWanted } from "./colours.ts";

export { silentLog } from "./silent-log.ts";

export type Log = Logger;

/**
 * @param name the server (or command) that speaks; shown in front of every line.
 * @param wanted a level of pino's; another word is told, and means "info": nobody's site stays down for it.
 */
export function createLog(name: string, wanted: string = process.env.FLOTILLA_LOG_LEVEL || "info"): Log {
  const levels = [...Object.keys(pino.levels.values), "silent"];
  const level = levels.includes(wanted) ? wanted : "info";
  const log = open(name, level);
  if (level !== wanted)
    log.warn(`FLOTILLA_LOG_LEVEL is "${wanted}"; it may be ${levels.join(", ")}: info is taken`);
  return log;
}

function open(name: string, level: string): Log {
  const options = { level, base: { server: name }, timestamp: pino.stdTimeFunctions.isoTime };
  return process.stderr.isTTY
    ? pino(options, readable(name))
    : pino(options, pino.destination({ dest: 2, sync: true }));
}

function readable(name: string): DestinationStream {
  return pretty({
    destination: 2,
    sync: true,
    colorize: coloursWanted(),
    ignore: "pid,hostname,server",
    translateTime: "SYS:HH:MM:ss.l",
    messageFormat: `${name}: {msg}`,
    singleLine: true,
  });
}
